// `skr8tr run` where the answer is lost that says whether the run has begun, against a real conductor.

import { assertEquals, assertMatch } from "@std/assert";
import { start } from "../conductor/live/rig_test.ts";
import type { RunningConductor } from "../conductor/live/settings.ts";
import { fingerprint } from "../core/signed.ts";
import { makeKeys } from "./keys.ts";
import { main } from "./main.ts";
import { keptOutput } from "./testing/output.ts";
import { Way } from "./testing/way.ts";

/** How many answers to commands are lost from here on. */
function lose(way: Way, count: number): void {
  let left = count;
  way.requests.length = 0;
  way.fateOf = (line) => ({ losesAnswer: line.startsWith(COMMAND) && left-- > 0 });
}

const COMMAND = "POST /command ";
const commands = (way: Way) => way.requests.filter((line) => line.startsWith(COMMAND)).length;

async function stage() {
  const folder = await Deno.makeTempDir({ prefix: "skr8tr-run-" });
  await makeKeys(`${folder}/signing.sec`, `${folder}/ops.pub`);
  const key = await Deno.readFile(`${folder}/ops.pub`);
  const open = () =>
    start(`${folder}/conductor`, { operators: new Map([[fingerprint(key), key]]) });
  let conductor: RunningConductor = await open();
  const way = new Way(conductor.commands);
  const skr8tr = async (...words: string[]) => {
    const output = keptOutput();
    const options = ["--conductor", way.address, "--key", `${folder}/signing.sec`];
    const code = await main([...options, ...words], output);
    return { code, out: output.printed.join("\n"), err: output.noted.join("\n") };
  };
  const manifest = `${folder}/backup.skr8tr`;
  const write = async (...lines: string[]) =>
    await Deno.writeTextFile(manifest, ["app backup", "type job", ...lines, ""].join("\n  "));
  return {
    way,
    skr8tr,
    manifest,
    write,
    async again() {
      await conductor.stop("it is started again");
      conductor = await open();
      way.to = conductor.commands;
    },
    /** The numbers of all runs that there are. */
    async runs() {
      const { out } = await skr8tr("runs", "backup", "--json");
      return JSON.parse(out).runs.map((each: { run: number }) => each.run) as number[];
    },
    async [Symbol.asyncDispose]() {
      await way[Symbol.asyncDispose]();
      await conductor.stop("the test is over");
      await Deno.remove(folder, { recursive: true });
    },
  };
}

Deno.test("run starts one run though its answers are lost, and the conductor starts again meanwhile", async () => {
  await using at = await stage();
  await at.write("exec /bin/backup", "schedule 0 0 1 1 *");
  assertEquals((await at.skr8tr("up", at.manifest)).code, 0);
  lose(at.way, 2);
  at.way.onLost = () => at.again();
  const { code, out, err } = await at.skr8tr("run", "backup", "--json");
  assertEquals([code, out, commands(at.way)], [0, '{"app":"backup","run":1}', 3], err);
  assertEquals(err.match(/no answer says whether the run has begun/g)?.length, 1, err);
  assertEquals(await at.runs(), [1]);
});

Deno.test("run of a manifest deploys it once and starts one run though its answers are lost", async () => {
  await using at = await stage();
  await at.write("exec /bin/backup");
  lose(at.way, 2);
  const { code, err } = await at.skr8tr("run", at.manifest);
  assertEquals([code, commands(at.way)], [0, 3], err);
  assertMatch(err, /^run 1 of backup$/m);
  assertEquals(await at.runs(), [1]);
});

Deno.test("run says that nobody knows whether the run has begun, what tells, and exits with 2", async () => {
  await using at = await stage();
  await at.write("exec /bin/backup", "schedule 0 0 1 1 *");
  assertEquals((await at.skr8tr("up", at.manifest)).code, 0);
  lose(at.way, Infinity);
  for (const more of [[], ["--wait"]]) {
    const { code, err } = await at.skr8tr("run", "backup", "--timeout", "700ms", ...more);
    assertEquals(code, 2, err);
    assertMatch(
      err,
      /nobody knows whether a run of backup has begun: .*; skr8tr runs backup tells/,
    );
  }
  lose(at.way, 0);
  assertEquals(await at.runs(), [1, 2], "the two had begun, once each");

  // Nothing was sent where nobody is there from the beginning: then that is all there is to say.
  at.way.to = { hostname: "127.0.0.9", port: 1 };
  const absent = await at.skr8tr("run", "backup", "--timeout", "700ms");
  assertEquals([absent.code, absent.err.includes("nobody knows")], [2, false], absent.err);
  assertMatch(absent.err, /the conductor does not answer/);
});

Deno.test("run names a job that is not up", async () => {
  await using at = await stage();
  const { code, err } = await at.skr8tr("run", "backup");
  assertEquals(code, 1);
  assertMatch(err, /no job backup is up/);
});
