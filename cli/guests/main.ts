// `deno task guests`: SovereignMarket on four virtual machines that have nothing installed.

import { parseArgs } from "@std/cli/parse-args";
import { Failure } from "../../core/errors.ts";
import { bundle } from "../bundle.ts";
import { CONDUCTOR, type Guest, GuestNetwork, guestsOf, kvmWorks } from "./guests.ts";
import { writeImage } from "./image.ts";
import { findKernel } from "./initramfs.ts";
import { writeShop } from "./shop.ts";

const HELP = `deno task guests: SovereignMarket on virtual machines of its own. Needs root.

  --nodes N      how many nodes, beside the conductor's machine (3)
  --only A,B     these services alone (all nine)
  --replicas N   of each service (as its manifest says)
  --once         end when the shop has answered, instead of staying until Ctrl-C
  --dir DIR      where image, keys, consoles and manifests go (.skr8tr/guests)
  --help         print this

It needs qemu-system-x86, linux-image-cloud-amd64, busybox and iproute2. The machines are on a
bridge in a network namespace: conductor, tower and ingress at 10.10.0.10, nodes from 10.10.0.11.`;

const BOOT_MS = 600_000;
const DEPLOY = "45m";

interface Options {
  readonly root: string;
  readonly folder: string;
  readonly nodes: number;
  readonly only: readonly string[] | null;
  readonly replicas: number | null;
  readonly once: boolean;
}

const began = performance.now();

function say(text: string): void {
  const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(6);
  console.log(`${seconds} s  ${text}`);
}

export async function runGuests(options: Options, stopped: Promise<void>): Promise<void> {
  const { root, folder } = options;
  const kernel = findKernel();
  await Deno.mkdir(folder, { recursive: true });
  say("bundling the daemons and the services");
  const skr8tr = `${folder}/skr8tr`;
  await bundle(root, skr8tr, () => {});
  const manifests = await writeShop(root, `${folder}/shop`, options.only, options.replicas);
  const key = `${folder}/signing.sec`;
  for (const path of [key, `${folder}/ops.pub`, `${folder}/signing.seed`]) {
    await Deno.remove(path).catch(() => {});
  }
  const env = { HOME: folder, SKR8TR_CONDUCTOR: CONDUCTOR, SKR8TR_KEY: key };
  const cli = `${skr8tr}/bin/skr8tr`;
  await run(cli, ["keygen", "--out", "ops.pub"], folder, env);
  const initrd = `${folder}/initrd`;
  await writeImage(initrd, kernel, skr8tr, `${folder}/ops.pub`);
  const kvm = await kvmWorks(kernel);
  const { size } = await Deno.stat(initrd);
  say(`image of ${(size / 1e6).toFixed(0)} MB; machines by ${kvm ? "KVM" : "emulation"}`);

  await using network = await GuestNetwork.make();
  // Whatever is being waited for, Ctrl-C leaves nothing behind.
  stopped.then(async () => {
    await network[Symbol.asyncDispose]();
    Deno.exit(130);
  });
  const guests = guestsOf(options.nodes);
  for (const [index, guest] of guests.entries()) {
    const log = `${folder}/${guest.name}.log`;
    const image = { kernel: kernel.path, initrd };
    await network.start(guest, index, image, kvm, "--mesh=open", log);
  }
  say(`${guests.length} machines started in the network namespace ${network.namespace}`);
  const inside = async (...words: string[]) => {
    const [program, args] = network.inside(cli, ...words);
    return await tryRun(program, args, folder, env);
  };
  await untilNodes(guests, inside, stopped);
  say("all nodes have joined");
  // A starved machine may not answer in time; what it has accepted is then unchanged the next time.
  let up = await inside("up", ...manifests, "--wait", "--timeout", DEPLOY);
  for (let again = 1; again < 10 && /does not answer/.test(up.text); again++) {
    up = await inside("up", ...manifests, "--wait", "--timeout", DEPLOY);
  }
  if (!up.success) throw new Failure("guests", `the deploy failed:\n${up.text}`);
  say("deployed:");
  console.log(up.text.trim().split("\n").filter((line) => / ready /.test(line)).join("\n"));
  console.log((await inside("list")).text);
  for (const path of pathsOf(options.only)) {
    const url = `http://${CONDUCTOR}:8080${path}`;
    const [program, args] = network.inside(
      "curl",
      "-sS",
      "--fail",
      "--retry",
      "20",
      "--retry-all-errors",
      "--max-time",
      "30",
      url,
    );
    const answer = await tryRun(program, args, folder, {});
    if (!answer.success) throw new Failure("guests", `${url}: ${answer.text}`);
    say(`${url} answers with ${answer.text.length} characters: ${answer.text.slice(0, 60).trim()}`);
  }
  if (options.once) return;
  say(`the shop: ip netns exec ${network.namespace} curl http://${CONDUCTOR}:8080/  (Ctrl-C ends)`);
  await stopped;
}

function pathsOf(only: readonly string[] | null): readonly string[] {
  const paths: Readonly<Record<string, string>> = {
    "product-svc": "/api/products?per_page=1",
    "search-svc": "/api/search?q=a",
    "frontend-svc": "/",
  };
  return Object.entries(paths).flatMap(([name, path]) =>
    only === null || only.includes(name) ? [path] : []
  );
}

async function untilNodes(
  guests: readonly Guest[],
  inside: (...words: string[]) => Promise<{ text: string }>,
  stopped: Promise<void>,
): Promise<void> {
  const wanted = guests.slice(1).map((guest) => guest.name);
  const end = performance.now() + BOOT_MS;
  let over = false;
  stopped.then(() => over = true);
  for (let text = ""; !wanted.every((name) => text.includes(name));) {
    if (over) throw new Failure("stopped", "stopped");
    if (performance.now() > end) throw new Failure("guests", `nodes are missing:\n${text}`);
    text = (await inside("nodes", "--timeout", "10s")).text;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

async function tryRun(
  program: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly success: boolean; readonly text: string }> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    cwd,
    env,
    stdin: "null",
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { success, text: decode(stdout) + (success ? "" : decode(stderr)) };
}

async function run(...of: Parameters<typeof tryRun>): Promise<void> {
  const { success, text } = await tryRun(...of);
  if (!success) throw new Failure("guests", text.trim());
}

if (import.meta.main) {
  const root = decodeURIComponent(new URL("../../", import.meta.url).pathname).replace(/\/$/, "");
  const parsed = parseArgs(Deno.args, {
    string: ["nodes", "only", "replicas", "dir"],
    boolean: ["once", "help"],
  });
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      Deno.addSignalListener(signal, () => resolve());
    }
  });
  try {
    if (parsed.help) console.log(HELP);
    else {
      if (Deno.uid() !== 0) {
        throw new Failure(
          "usage",
          "machines on a network of their own need root: run it with sudo",
        );
      }
      const folder = String(parsed.dir ?? ".skr8tr/guests");
      await runGuests({
        root,
        folder: folder.startsWith("/") ? folder : `${root}/${folder}`,
        nodes: Number(parsed.nodes ?? 3),
        only: parsed.only === undefined ? null : String(parsed.only).split(","),
        replicas: parsed.replicas === undefined ? null : Number(parsed.replicas),
        once: parsed.once === true,
      }, stopped);
    }
    Deno.exit(0);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    console.error(`error: ${error.message}`);
    Deno.exit(1);
  }
}
