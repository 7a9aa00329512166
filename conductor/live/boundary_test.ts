// The real daemon is killed by SIGKILL at exactly its n-th write, or its n-th sync, by strace: at
// every boundary at which something may be half there.

import { assert, assertEquals, AssertionError } from "@std/assert";
import { apply, keys, post, withFolder } from "./rig_test.ts";

/** Kills at each kind of call; docs/RELIABILITY.md speaks of 100. */
const KILLS = Number(Deno.env.get("SKR8TR_KILLS") ?? 5);
const main = new URL("../main.ts", import.meta.url).pathname;
const HOST = "127.0.24.9";

interface Started {
  readonly url: string | null;
  readonly readyMs: number;
  readonly child: Deno.ChildProcess;
  readonly drained: Promise<void>;
}

/** Starts the daemon; `url` is null where it was killed before it was ready. */
async function spawn(folder: string, inject?: string): Promise<Started> {
  const tracer = inject === undefined
    ? []
    : ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", `inject=${inject}`];
  const command = [
    ...tracer,
    ...[Deno.execPath(), "run", "--no-prompt", "-A", main],
    ...[`--bind=${HOST}`, "--port=0", "--mesh-port=0", `--tower=${HOST}:1`],
    ...[`--state=${folder}/state`, `--pubkey=${folder}/key.pub`],
  ];
  const beganMs = performance.now();
  const child = new Deno.Command(command[0]!, {
    args: command.slice(1),
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const ready = Promise.withResolvers<string | null>();
  let told = "";
  const drained = (async () => {
    for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
      told += chunk;
      const port = /ready: commands at [0-9.]+:(\d+)/.exec(told)?.[1];
      if (port !== undefined) ready.resolve(`http://${HOST}:${port}`);
    }
    ready.resolve(null);
  })();
  const url = await ready.promise;
  return { url, readyMs: performance.now() - beganMs, child, drained };
}

async function end({ child, drained }: Started): Promise<void> {
  try {
    child.kill("SIGKILL");
  } catch {
    // It was killed at its boundary.
  }
  await child.status;
  await drained;
}

/** The generation of each app. */
async function generationsOf(url: string): Promise<Map<string, number>> {
  const { apps } = await (await fetch(`${url}/api/apps`)).json();
  return new Map(
    apps.map(({ app, generation }: { app: string; generation: number }) => [app, generation]),
  );
}

function hasStrace(): boolean {
  try {
    return new Deno.Command("strace", { args: ["-V"], stdout: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

/**
 * Commands are about so many apps in turn: a start verifies a signature for each, so that a new app
 * with each command would measure tens of thousands of these.
 */
const APPS = 100;
/** How far the boundaries are apart that lie in the work: a command takes a dozen writes, or one sync. */
const APART = { pwrite64: 41, fsync: 7 };

for (const call of ["pwrite64", "fsync"] as const) {
  Deno.test(`killed at the n-th ${call}, ${KILLS} times: no acknowledged command is lost`, async () => {
    if (!hasStrace()) return console.log("not run: strace is not installed");
    await withFolder(async (folder) => {
      await Deno.writeFile(`${folder}/key.pub`, keys.publicKey);
      const acknowledged = new Map<string, number>();
      let count = 0;
      let slowestMs = 0;
      let sent = 0;
      let killed = 0;
      const whole = await spawn(folder);
      assert(whole.url !== null, "it does not start");
      assertEquals(await post(whole.url, apply("kept")), "OK|APPLIED|kept|1");
      acknowledged.set("kept", 1);
      let known = await generationsOf(whole.url);
      await end(whole);
      for (let round = 0; round < KILLS; round++) {
        // The first ones lie in the start, the later ones in the work of many commands; a long run
        // takes every one of the start.
        const at = 1 + (KILLS >= 40 && round < KILLS / 2 ? round : round * APART[call]);
        const traced = await spawn(folder, `${call}:signal=SIGKILL:when=${at}`);
        if (traced.url === null) killed++;
        for (let tries = 0; traced.url !== null && tries < 1_000; tries++) {
          const app = `app-${sent++ % APPS}`;
          const next = (known.get(app) ?? 0) + 1;
          try {
            const reply = await post(traced.url, apply(app, next));
            assertEquals(reply, `OK|APPLIED|${app}|${next}`);
            acknowledged.set(app, next);
            known.set(app, next);
            count++;
          } catch (error) {
            if (error instanceof AssertionError) throw error;
            killed++;
            break;
          }
        }
        await end(traced);
        const after = await spawn(folder);
        try {
          assert(after.url !== null, `it does not start after a kill at ${call} ${at}`);
          slowestMs = Math.max(slowestMs, after.readyMs);
          // One may be there that nobody has heard of; from now on it is to stay.
          known = await generationsOf(after.url);
          for (const [app, generation] of acknowledged) {
            const has = known.get(app) ?? 0;
            const what = `generation ${generation} of ${app}, after a kill at ${call} ${at}`;
            assert(has === generation || has === generation + 1, `it has ${has}: ${what}`);
            acknowledged.set(app, has);
          }
        } finally {
          await end(after);
        }
      }
      console.log(
        `${killed} of ${KILLS} killed at their boundary, ${count} acknowledged of ` +
          `${sent}, ready after ${Math.round(slowestMs)} ms at most`,
      );
      assert(count > 0, "nothing was acknowledged before a kill: void");
      assert(killed > KILLS / 2, `only ${killed} of ${KILLS} met their boundary: void`);
      // A figure of a machine that has nothing else to do; so only in a long run by hand.
      if (KILLS >= 100) assert(slowestMs < 5_000, `ready after ${slowestMs} ms`);
    });
  });
}
