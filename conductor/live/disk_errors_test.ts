// A disk that fails: system calls of the real daemon are made to return errors by strace.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { hasStrace, startDaemon } from "./daemon_testing.ts";
import { apply, keys, post, withFolder } from "./rig_test.ts";

const HOST = "127.0.23.9";
const COMMANDS = 45;

/**
 * What strace is told. `-P`: calls on the log alone count and fail; what is kept of events meanwhile
 * would use up the failures, unseen by commands.
 */
function failing(folder: string, inject: string): string[] {
  const log = `${folder}/state/log.db-wal`;
  return ["-P", log, "-o", `${folder}/trace`, "-e", `inject=${inject}`];
}

async function appsOf(url: string): Promise<Set<string>> {
  const { apps } = await (await fetch(`${url}/api/apps`)).json();
  return new Set(apps.map((each: { app: string }) => each.app));
}

/** Of each kind of call a span of failures that begins after the start and ends before the test does. */
const FAULTS: readonly (readonly [name: string, inject: string])[] = [
  ["fsync says EIO", "fsync,fdatasync:error=EIO:when=20..24"],
  ["fsync says ENOSPC", "fsync,fdatasync:error=ENOSPC:when=21..25"],
  ["writing says EIO", "pwrite64:error=EIO:when=120..128"],
  ["writing says ENOSPC", "pwrite64:error=ENOSPC:when=121..129"],
];

for (const [name, inject] of FAULTS) {
  Deno.test(`${name}: what is acknowledged is kept, the conductor lives and recovers`, async () => {
    if (!hasStrace()) return console.log("not run: strace is not installed");
    await withFolder(async (folder) => {
      await Deno.writeFile(`${folder}/key.pub`, keys.publicKey);
      const traced = await startDaemon(folder, { host: HOST, trace: failing(folder, inject) });
      const acknowledged = new Set<string>();
      const refused: string[] = [];
      try {
        for (let count = 1; count <= COMMANDS; count++) {
          const reply = await post(traced.url, apply(`app-${count}`));
          if (reply === `OK|APPLIED|app-${count}|1`) acknowledged.add(`app-${count}`);
          else refused.push(reply);
        }
        assert(refused.length > 0, "no command met the error: void");
        for (const reply of refused) assert(reply.startsWith("ERR|STORE|"), reply);
        // The errors have ended by now, or end with further tries.
        let reply = "";
        for (let tries = 1; !reply.startsWith("OK|") && tries <= 200; tries++) {
          reply = await post(traced.url, apply(`later-${tries}`));
          if (reply.startsWith("OK|")) acknowledged.add(`later-${tries}`);
        }
        assert(reply.startsWith("OK|"), `it does not recover: ${reply}`);
        assertEquals(await appsOf(traced.url), acknowledged, "it knows what is kept");
      } finally {
        await traced.kill();
      }
      const after = await startDaemon(folder, { host: HOST });
      try {
        assertEquals(await appsOf(after.url), acknowledged, "the log has what was acknowledged");
      } finally {
        await after.kill();
      }
    });
  });
}

Deno.test("a secret key that cannot be kept is said so, and made as soon as it can be", async () => {
  await withFolder(async (folder) => {
    await Deno.writeFile(`${folder}/key.pub`, keys.publicKey);
    // No file can be written where a folder is.
    const inTheWay = `${folder}/state/secret.key`;
    await Deno.mkdir(inTheWay, { recursive: true });
    const daemon = await startDaemon(folder, { host: HOST });
    try {
      const refused = await fetch(`${daemon.url}/api/secret-key`);
      const { error } = await refused.json();
      assertEquals(refused.status, 503, error);
      assertStringIncludes(error, "secret.key");
      await Deno.remove(inTheWay);
      const given = await fetch(`${daemon.url}/api/secret-key`);
      assertEquals(given.status, 200);
      assert((await given.json()).publicKey.length > 1_000);
    } finally {
      await daemon.kill();
    }
  });
});
