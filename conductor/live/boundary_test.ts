// The real daemon is killed by SIGKILL at exactly its n-th write, or its n-th sync, by strace: at
// every boundary at which something may be half there.

import { assert, assertEquals, AssertionError } from "@std/assert";
import { hasStrace, startDaemon, tryDaemon } from "./daemon_testing.ts";
import { apply, keys, post, withFolder } from "./rig_test.ts";

/** Kills at each kind of call; docs/RELIABILITY.md speaks of 100. */
const KILLS = Number(Deno.env.get("SKR8TR_KILLS") ?? 5);
const HOST = "127.0.24.9";

/** The generation of each app. */
async function generationsOf(url: string): Promise<Map<string, number>> {
  const { apps } = await (await fetch(`${url}/api/apps`)).json();
  return new Map(
    apps.map(({ app, generation }: { app: string; generation: number }) => [app, generation]),
  );
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
      const whole = await startDaemon(folder, { host: HOST });
      assertEquals(await post(whole.url, apply("kept")), "OK|APPLIED|kept|1");
      acknowledged.set("kept", 1);
      let known = await generationsOf(whole.url);
      await whole.kill();
      for (let round = 0; round < KILLS; round++) {
        // The first ones lie in the start, the later ones in the work of many commands; a long run
        // takes every one of the start.
        const at = 1 + (KILLS >= 40 && round < KILLS / 2 ? round : round * APART[call]);
        const trace = ["-o", "/dev/null", "-e", `inject=${call}:signal=SIGKILL:when=${at}`];
        const traced = await tryDaemon(folder, { host: HOST, trace });
        if (traced === null) killed++;
        for (let tries = 0; traced !== null && tries < 1_000; tries++) {
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
        await traced?.kill();
        const after = await startDaemon(folder, { host: HOST });
        try {
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
          await after.kill();
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
