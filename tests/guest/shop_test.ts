// `deno task guests` with two machines: the conductor's and one node's, by emulation where it must be.

import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { Failure } from "../../core/errors.ts";
import { GuestNetwork } from "../../cli/guests/guests.ts";
import { readGuestsPlan } from "../../cli/guests/main.ts";
import { findParts } from "./guest.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname).replace(/\/$/, "");

/** An emulated machine on a busy one takes minutes. */
const DEADLINE_MS = 900_000;

async function output(program: string, ...args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command(program, { args, stderr: "null" }).output();
  return new TextDecoder().decode(stdout);
}

async function whyNot(): Promise<string | null> {
  const parts = findParts();
  if ("missing" in parts) return parts.missing;
  if (Deno.uid() !== 0) return "networks of one's own need root";
  if (!await Deno.stat("/dev/net/tun").then(() => true, () => false)) {
    return "there is no /dev/net/tun";
  }
  const name = `skr8tr-try-${Deno.pid}`;
  const { success } = await new Deno.Command("ip", {
    args: ["netns", "add", name],
    stderr: "null",
  }).output().catch(() => ({ success: false }));
  if (!success) return "no network namespace can be made";
  await output("ip", "netns", "delete", name);
  return null;
}

const missing = await whyNot();
if (missing !== null) console.log(`the shop on guests: not run: ${missing}`);

Deno.test({
  name:
    "two guests are admitted by tokens, serve the shop, sell something, and leave nothing behind",
  ignore: missing !== null,
  fn: async () => {
    const folder = await Deno.makeTempDir({ prefix: "skr8tr-guests-" });
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", `${ROOT}/cli/guests/main.ts`],
        ...["--nodes=1", "--replicas=1", `--dir=${folder}/guests`],
      ],
      cwd: ROOT,
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const timer = setTimeout(() => child.kill("SIGTERM"), DEADLINE_MS);
    const namespace = `skr8tr-guests-${child.pid}`;
    let text = "";
    try {
      const decoder = new TextDecoder();
      for await (const chunk of child.stdout) {
        text += decoder.decode(chunk, { stream: true });
        if (!text.includes("Ctrl-C ends")) continue;
        // It stays, and serves whoever looks from its network.
        const page = ["netns", "exec", namespace, "curl", "-sS", "http://10.10.0.10:8080/"];
        if (!text.includes("<title>")) text += await output("ip", ...page);
        child.kill("SIGINT");
      }
      const { code } = await child.status;
      assertEquals(code, 130, text);
      assertMatch(text, /the conductor answers, with the key [0-9a-f]{16}/);
      assertMatch(text, /node-1 has joined by its token/);
      assertMatch(text, /GET \/api\/products\?per_page=1: \d+ characters: \{"items":\[\{"id":1,/);
      assertMatch(text, /order [0-9a-f-]{36} is confirmed: \d+ cents/);
      assertMatch(text, /<title>/);
      assertEquals((await output("ip", "netns", "list")).includes(namespace), false);
      assertEquals(await output("pgrep", "-f", `${folder}/guests/conductor.initrd`), "");
    } catch (error) {
      for (const name of ["conductor", "node-1"]) {
        const console_ = await Deno.readTextFile(`${folder}/guests/${name}.log`).catch(() => "");
        console.log(`${name} said:\n${console_.slice(-4_000)}`);
      }
      throw error;
    } finally {
      clearTimeout(timer);
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "what a killed run left is taken away by the next, and nothing else",
  ignore: missing !== null,
  fn: async () => {
    // A process that is gone, and one that is not.
    const gone = new Deno.Command("true").spawn();
    await gone.status;
    const left = `skr8tr-guests-${gone.pid}`;
    const other = `skr8tr-guests-${Deno.ppid}`;
    for (const name of [left, other]) await output("ip", "netns", "add", name);
    const machine = new Deno.Command("ip", {
      args: ["netns", "exec", left, "sh", "-c", "echo there; exec sleep 1000"],
      stdout: "piped",
    }).spawn();
    try {
      const there = machine.stdout.getReader();
      await there.read();
      await there.cancel();
      const network = await GuestNetwork.make();
      assertEquals((await machine.status).signal, "SIGKILL");
      const names = await output("ip", "netns", "list");
      assertEquals([left, other, network.namespace].map((each) => names.includes(each)), [
        false,
        true,
        true,
      ]);
      await network[Symbol.asyncDispose]();
      assertEquals((await output("ip", "netns", "list")).includes(network.namespace), false);
    } finally {
      await output("ip", "netns", "delete", other);
    }
  },
});

Deno.test("readGuestsPlan() refuses what it does not know", () => {
  const plan = readGuestsPlan(["--nodes=2", "--only=a,b", "--dir=x"], "/src");
  assertEquals([plan.nodes, plan.only, plan.replicas, plan.folder, plan.once], [
    2,
    ["a", "b"],
    null,
    "/src/x",
    false,
  ]);
  assertThrows(() => readGuestsPlan(["--nodes=0"], "/"), Failure, "--nodes needs a whole number");
  assertThrows(() => readGuestsPlan(["--fast"], "/"), Failure, "does not know --fast");
});
