// Row 7 on a real daemon whose clock is stepped while it runs, by libfaketime.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { UNAUTHORIZED } from "../../core/wire.ts";
import { startDaemon } from "./daemon_testing.ts";
import { apply, keys, post, signed, withFolder } from "./rig_test.ts";

const LIBRARY = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
const HOST = "127.0.24.7";

/** Starts the daemon; its clock is off by what `folder/clock` says (`+60s`), looked up every time. */
function start(folder: string) {
  const environment = {
    LD_PRELOAD: LIBRARY,
    FAKETIME_TIMESTAMP_FILE: `${folder}/clock`,
    FAKETIME_NO_CACHE: "1",
    DONT_FAKE_MONOTONIC: "1",
  };
  return startDaemon(folder, { host: HOST, environment });
}

async function history(url: string): Promise<string> {
  return await (await fetch(`${url}/api/events`)).text();
}

async function isThere(): Promise<boolean> {
  try {
    await Deno.stat(LIBRARY);
    return true;
  } catch {
    return false;
  }
}

Deno.test("clock steps of 60 s and 288 s and restarts in between let no replay in, and say why", async () => {
  if (!await isThere()) return console.log("not run: libfaketime is not installed");
  await withFolder(async (folder) => {
    await Deno.writeFile(`${folder}/key.pub`, keys.publicKey);
    const setClock = (offset: string) => Deno.writeTextFile(`${folder}/clock`, `${offset}\n`);
    await setClock("+0s");
    let daemon = await start(folder);
    try {
      assertEquals(await post(daemon.url, apply("one")), "OK|APPLIED|one|1");
      // A v1 command carries no id: a repeat of the same signed text is a replay.
      const evict = signed("EVICT|one");
      const other = apply("two");
      assertEquals(await post(daemon.url, evict), "OK|EVICTED|one");
      assertEquals(await post(daemon.url, other), "OK|APPLIED|two|1");
      const again = signed(
        `APPLY|again-0001|one|2|-|${btoa("app one {\n  exec /bin/service\n}\n")}`,
      );
      assertEquals(await post(daemon.url, again), "OK|APPLIED|one|2");
      for (const offset of ["+0s", "+60s", "-60s", "+288s", "-288s", "+0s"]) {
        await setClock(offset);
        for (const restart of [false, true]) {
          if (restart) {
            await daemon.kill();
            daemon = await start(folder);
          }
          const where = `clock ${offset}${restart ? ", restarted" : ""}`;
          assertEquals(await post(daemon.url, evict), UNAUTHORIZED, where);
          // Its own command may be repeated: it is answered as before, or refused, never executed.
          const reply = await post(daemon.url, other);
          assert(reply === "OK|APPLIED|two|1" || reply === UNAUTHORIZED, `${where}: ${reply}`);
          const { apps } = await (await fetch(`${daemon.url}/api/apps`)).json();
          assertEquals(
            apps.map((each: { app: string; generation: number; state: string }) =>
              `${each.app} ${each.generation}${each.state === "down" ? " down" : ""}`
            ).sort(),
            ["one 2", "two 1"],
            where,
          );
        }
      }
      await setClock("+60s");
      assertEquals(await post(daemon.url, apply("three")), UNAUTHORIZED);
      assertStringIncludes(await history(daemon.url), "s behind this clock");
      await setClock("-288s");
      assertEquals(await post(daemon.url, apply("three")), UNAUTHORIZED);
      assertStringIncludes(await history(daemon.url), "s ahead of this clock");
    } finally {
      await daemon.kill();
    }
  });
});
