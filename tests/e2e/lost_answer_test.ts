// A real conductor is killed at the very system call by which it would answer a signed command: the
// command is in its log, and nobody has heard so.

import { assert, assertEquals } from "@std/assert";
import { commandedBy } from "../../cli/commanding.ts";
import { conductorAt } from "../../cli/conductor.ts";
import { makeKeys, openSigner } from "../../cli/keys.ts";
import { main } from "../../cli/main.ts";
import { commandId } from "../../cli/send.ts";
import { keptOutput } from "../../cli/testing/output.ts";
import { Way } from "../../cli/testing/way.ts";
import { endConductor, startConductor } from "./lone_conductor.ts";

const HOST = "127.0.24.17";
/** How a command's request begins. */
const COMMAND = "POST /command HTTP/1.1";

/** Whatever the process sends next over a socket ends it instead; resolves once that is so. */
async function killAtNextAnswer(pid: number): Promise<Deno.ChildProcess> {
  const calls = "sendto,sendmsg,writev";
  const tracer = new Deno.Command("strace", {
    args: ["-f", "-p", String(pid), "-o", "/dev/null", "-e", `inject=${calls}:signal=SIGKILL`],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const lines = tracer.stderr.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
  let told = "";
  while (!told.includes(" attached")) {
    const { value, done } = await lines.next();
    assert(!done, `strace does not attach: ${told}`);
    told += value;
  }
  (async () => {
    while (!(await lines.next()).done);
  })();
  return tracer;
}

function hasStrace(): boolean {
  try {
    return new Deno.Command("strace", { args: ["-V"], stdout: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

Deno.test("a conductor that is killed between executing a command and its answer executes it once", async () => {
  if (!hasStrace()) return console.log("not run: strace is not installed");
  const folder = await Deno.makeTempDir({ prefix: "skr8tr-lost-" });
  const key = `${folder}/signing.sec`;
  await makeKeys(key, `${folder}/key.pub`);
  Deno.writeTextFileSync(`${folder}/api.skr8tr`, "app api\n  exec sleep\n  args 600\n");
  let conductor = await startConductor(folder, HOST);
  const at = () => ({ hostname: HOST, port: conductor.port });
  const run = async (...line: string[]) => {
    const output = keptOutput();
    const conductor = ["--conductor", `${HOST}:${at().port}`, "--key", key];
    const code = await main([...conductor, "--timeout", "60s", ...line], output);
    return { code, out: output.printed.join("\n"), err: output.noted.join("\n") };
  };
  /** What the log says was executed of this verb. */
  const executed = async (verb: string) => {
    const { out } = await run("audit", "--json");
    return out.split("\n").map((line) => JSON.parse(line))
      .filter(({ kind, text }) => kind === "command" && text.includes(verb)).length;
  };
  const way = new Way(at());
  try {
    const { code, err } = await run("up", `${folder}/api.skr8tr`);
    assertEquals(code, 0, err);
    const [hostname, port] = way.address.split(":");
    const timeoutMs = 60_000;
    // Without a seal, so that the way sees which request is the command; no datagram comes through.
    const { command } = commandedBy({
      conductor: conductorAt({ hostname: hostname!, port: Number(port) }, timeoutMs),
      signer: await openSigner(key),
      keyPath: key,
      timeoutMs,
    });
    const commands = [
      { verb: "SCALE", id: commandId(), app: "api", count: "3" },
      { verb: "STOP", id: commandId(), app: "api" },
    ] as const;
    for (const each of commands) {
      let tracer: Deno.ChildProcess | undefined;
      let before = -1;
      way.onRequest = async (line) => {
        if (!tracer && line === COMMAND) tracer = await killAtNextAnswer(conductor.child.pid);
      };
      way.onBroken = async () => {
        assertEquals((await conductor.child.status).signal, "SIGKILL");
        await conductor.drained;
        await tracer?.status;
        conductor = await startConductor(folder, HOST);
        way.to = at();
        before = await executed(each.verb.toLowerCase());
      };
      const fields = await command(each);
      assertEquals(fields[1], "api");
      assertEquals(before, 1, "it was executed before the conductor was killed");
      assertEquals(await executed(each.verb.toLowerCase()), 1, "and not again");
      assertEquals(way.requests.splice(0).filter((line) => line === COMMAND).length, 2);
    }
  } finally {
    await way[Symbol.asyncDispose]();
    await endConductor(conductor);
    await Deno.remove(folder, { recursive: true });
  }
});
