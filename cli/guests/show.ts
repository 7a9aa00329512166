// The story of `deno task guests`: bundle, image, machines, admission, deploy, visit.

import { Failure } from "../../core/errors.ts";
import type { AppSpec } from "../../core/manifest/spec.ts";
import { secretUseOf } from "../../core/secret.ts";
import type { AppView } from "../../core/view.ts";
import { bundle } from "../bundle.ts";
import { appsOf } from "../manifests.ts";
import { type Admission, admit } from "./admission.ts";
import { CONDUCTOR, type Guest, GuestNetwork, guestsOf, kvmWorks, type Needs } from "./guests.ts";
import { makeImage } from "./image.ts";
import { findKernel, initramfs, type Kernel } from "./initramfs.ts";
import { Operator, run } from "./operator.ts";
import { buy, type Shopper, shopperAt, visit } from "./shopper.ts";
import { writeShop } from "./shop.ts";

export interface GuestsPlan {
  /** The project's folder; absolute. */
  readonly root: string;
  /** Where everything goes; absolute. What an earlier run left there is removed. */
  readonly folder: string;
  /** Beside the conductor's machine. */
  readonly nodes: number;
  /** Services; null: all of the market. */
  readonly only: readonly string[] | null;
  /** Of each service; null: as its manifest says. */
  readonly replicas: number | null;
  /** Whether it ends when something has been bought. */
  readonly once: boolean;
}

/** How long the nodes may take to join, by emulation on a busy machine. */
const JOIN_MS = 600_000;
const DEPLOY_MS = 2_700_000;
const INGRESS = `http://${CONDUCTOR}:8080`;

/** What is there before a machine is started. */
interface Prepared {
  readonly guests: readonly Guest[];
  readonly cli: string;
  readonly kernel: Kernel;
  readonly image: Uint8Array;
  readonly admission: Admission;
  readonly manifests: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly kvm: boolean;
}

type Say = (line: string) => void;

/**
 * Shows the shop on machines of its own. Whatever happens, neither they nor their network are left.
 *
 * @param stopped resolves when it is to end
 * @throws {Failure} what went wrong; `stopped`.
 */
export async function showShop(plan: GuestsPlan, stopped: Promise<void>, say: Say): Promise<void> {
  const stop = stopped.then((): never => {
    throw new Failure("stopped", "stopped");
  });
  const prepared = await Promise.race([prepare(plan, say), stop]);
  await using network = await GuestNetwork.make();
  await Promise.race([serve(plan, prepared, network, say), network.failed, stop]);
}

async function prepare(
  { root, folder, nodes, only, replicas }: GuestsPlan,
  say: Say,
): Promise<Prepared> {
  const kernel = findKernel();
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  await Deno.mkdir(folder, { recursive: true });
  say("bundling the daemons and the services");
  const skr8tr = `${folder}/skr8tr`;
  await bundle(root, skr8tr, () => {});
  const manifests = await writeShop(root, `${folder}/shop`, only, replicas);
  const guests = guestsOf(nodes, needsOf(await appsOf(manifests)));
  const keys = { secret: `${folder}/signing.sec`, public: `${folder}/ops.pub` };
  const env = { HOME: folder, SKR8TR_KEY: keys.secret };
  const cli = `${skr8tr}/bin/skr8tr`;
  await run(cli, ["keygen", "--out", "ops.pub"], { cwd: folder, env });
  const admission = await admit(`${folder}/admission`, guests, keys);
  const image = await makeImage(kernel, skr8tr, keys.public);
  const kvm = await kvmWorks(kernel);
  const megabytes = (image.length / 1e6).toFixed(0);
  say(`image of ${megabytes} MB; machines by ${kvm ? "KVM" : "emulation"}`);
  return { guests, cli, kernel, image, admission, manifests, env, kvm };
}

function needsOf(specs: readonly AppSpec[]): Needs {
  const sum = (of: (spec: AppSpec) => number) =>
    specs.reduce((all, spec) => all + of(spec) * spec.replicas, 0);
  return {
    cores: sum(({ cpu = 0 }) => cpu),
    ramMb: sum(({ ramBytes = 0 }) => ramBytes / 2 ** 20),
  };
}

async function serve(
  { folder, only, once }: GuestsPlan,
  { guests, cli, kernel, image, admission, manifests, env, kvm }: Prepared,
  network: GuestNetwork,
  say: Say,
): Promise<void> {
  for (const [index, guest] of guests.entries()) {
    const initrd = `${folder}/${guest.name}.initrd`;
    await Deno.writeFile(initrd, image);
    const own = initramfs(await admission.filesOf(guest), 0);
    await Deno.writeFile(initrd, own, { append: true });
    const log = `${folder}/${guest.name}.log`;
    await network.start(guest, index, { kernel: kernel.path, initrd }, kvm, log);
  }
  say(`${guests.length} machines started in the network namespace ${network.namespace}`);
  const operator = new Operator(network, cli, { cwd: folder, env });
  await untilKnown(operator, admission.fingerprint, say);
  await untilNodes(operator, guests, say);
  await setSecrets(operator, manifests, say);
  console.log(await deployed(operator, manifests, say));
  const has = (service: string) => only === null || only.includes(service);
  const shopper: Shopper = shopperAt(operator, INGRESS);
  await visit(shopper, has, say);
  await buy(shopper, has, say);
  const memory = await network.memory();
  say(`most memory on this machine: ${memory.map(([name, mb]) => `${name} ${mb} MB`).join(", ")}`);
  if (once) return;
  say(`the shop: ip netns exec ${network.namespace} curl ${INGRESS}/  (Ctrl-C ends)`);
  await new Promise<never>(() => {});
}

/** Makes the conductor known to the CLI by its fingerprint, as soon as it answers. */
async function untilKnown(operator: Operator, fingerprint: string, say: Say): Promise<void> {
  const words = ["context", "add", "guests", "--conductor", CONDUCTOR, "--tower", CONDUCTOR];
  words.push("--fingerprint", fingerprint, "--timeout", "10s");
  await until("the conductor answers", () => operator.try(words), ({ success }) => success);
  say(`the conductor answers, with the key ${fingerprint.slice(0, 16)}`);
}

async function untilNodes(
  operator: Operator,
  guests: readonly Guest[],
  say: Say,
): Promise<void> {
  const missing = new Set(
    guests.filter(({ daemons }) => daemons.includes("node")).map(({ name }) => name),
  );
  await until("every node has joined", () => operator.try(["nodes"]), ({ text }) => {
    for (const name of missing) {
      if (!text.includes(name)) continue;
      missing.delete(name);
      say(`${name} has joined by its token`);
    }
    return missing.size === 0;
  });
}

/** Asks until the answer is right. @throws {Failure} `guests` with the last one if time runs out. */
async function until<T extends { readonly text: string }>(
  what: string,
  ask: () => Promise<T>,
  isRight: (answer: T) => boolean,
  timeoutMs = JOIN_MS,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (isRight(answer)) return;
    if (performance.now() > end) throw new Failure("guests", `not so: ${what}:\n${answer.text}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** Every secret that the manifests name, as something that nobody knows. */
async function setSecrets(
  operator: Operator,
  manifests: readonly string[],
  say: Say,
): Promise<void> {
  const names = new Set(
    (await appsOf(manifests)).flatMap(({ secrets }) =>
      Object.values(secrets).map((value) => secretUseOf(value).secret)
    ),
  );
  for (const name of names) {
    const value = crypto.getRandomValues(new Uint8Array(32)).toHex();
    say((await operator.tell(["secret", "set", name], value)).trim());
  }
}

/**
 * Deploys, and waits by itself: on a starved machine a first start may fail that the second makes up
 * for, which `up --wait` rightly calls a failure.
 *
 * @returns the apps as the conductor lists them, all ready.
 */
async function deployed(
  operator: Operator,
  manifests: readonly string[],
  say: Say,
): Promise<string> {
  const specs = await appsOf(manifests);
  const wanted = specs.reduce((sum, { replicas }) => sum + replicas, 0);
  // What was accepted before an answer was late is unchanged the next time.
  const up = () => operator.try(["up", ...manifests, "--timeout", "60s"]);
  await until("the manifests are taken", up, ({ success }) => success);
  say(`${specs.length} services are deployed, ${wanted} replicas in all`);
  let before = 0;
  const list = () => operator.try(["list", "--json", "--timeout", "60s"]);
  await until("every replica is ready", list, ({ success, text }) => {
    if (!success) return false;
    const { apps } = JSON.parse(text) as { readonly apps: readonly AppView[] };
    const ready = apps.flatMap(({ replicas }) => replicas).filter(({ state }) => state === "ready");
    if (ready.length > before) say(`${ready.length} of ${wanted} replicas are ready`);
    before = Math.max(before, ready.length);
    return ready.length >= wanted;
  }, DEPLOY_MS);
  return await operator.tell(["list", "--timeout", "60s"]);
}
