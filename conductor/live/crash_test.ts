// The real daemon is killed at any moment, and its disk fills up.

import { assert, assertEquals } from "@std/assert";
import { createPrng } from "../../core/prng.ts";
import { randomSeed } from "../../core/live/clock.ts";
import { type Daemon, startDaemon } from "./daemon_testing.ts";
import { apply, keys, post, withFolder } from "./rig_test.ts";

const KILLS = 30;
const HOST = "127.0.0.9";

async function appsOf(url: string): Promise<Set<string>> {
  const { apps } = await (await fetch(`${url}/api/apps`)).json();
  return new Set(apps.map((each: { app: string }) => each.app));
}

Deno.test(`killed ${KILLS} times while commands come: no acknowledged one is lost`, async () => {
  const seed = randomSeed();
  console.log(`seed ${seed}`);
  const prng = createPrng(seed);
  await withFolder(async (folder) => {
    await Deno.writeFile(`${folder}/key.pub`, keys.publicKey);
    const acknowledged = new Set<string>();
    let slowestMs = 0;
    let sent = 0;
    for (let round = 0; round < KILLS; round++) {
      const daemon = await startDaemon(folder, { host: HOST });
      slowestMs = Math.max(slowestMs, daemon.readyMs);
      const apps = await appsOf(daemon.url);
      for (const app of acknowledged) assert(apps.has(app), `${app} is lost after kill ${round}`);
      const afterMs = prng.below(120);
      const killed = new Promise((resolve) => setTimeout(resolve, afterMs)).then(daemon.kill);
      let open = true;
      killed.then(() => open = false);
      while (open) {
        const app = `app-${++sent}`;
        try {
          if (await post(daemon.url, apply(app)) === `OK|APPLIED|${app}|1`) acknowledged.add(app);
        } catch {
          // Killed with this one under way: it may be in the log or not.
          break;
        }
      }
      await killed;
    }
    console.log(
      `${acknowledged.size} acknowledged, ready after ${Math.round(slowestMs)} ms at most`,
    );
    assert(acknowledged.size > 0, "the run acknowledged nothing: void");
    assert(slowestMs < 5_000, `ready after ${slowestMs} ms`);
  });
});

/** Mounts a small file system for the test; `null`, with the reason, where that cannot be done. */
async function tinyDisk(path: string): Promise<{ unmount(): Promise<void> } | string> {
  if (Deno.uid() !== 0) return "needs root to mount a tmpfs";
  await Deno.mkdir(path);
  const run = (...args: string[]) =>
    new Deno.Command(args[0]!, { args: args.slice(1), stderr: "piped" }).output();
  try {
    const mounted = await run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path);
    if (!mounted.success) return new TextDecoder().decode(mounted.stderr).trim();
  } catch (error) {
    return (error as Error).message;
  }
  return { unmount: async () => void await run("umount", path) };
}

Deno.test("on a full disk nothing is acknowledged that is not kept, and room heals it", async () => {
  await withFolder(async (folder) => {
    const disk = await tinyDisk(`${folder}/disk`);
    if (typeof disk === "string") {
      console.log(`not run: ${disk}`);
      return;
    }
    let daemon: Daemon | undefined;
    try {
      await Deno.writeFile(`${folder}/key.pub`, keys.publicKey);
      const ballast = `${folder}/disk/ballast`;
      await Deno.writeFile(ballast, new Uint8Array(200 * 1024));
      daemon = await startDaemon(folder, { host: HOST, state: `${folder}/disk/state` });
      const acknowledged = new Set<string>();
      let failed = "";
      for (let count = 1; count <= 500 && failed === ""; count++) {
        const reply = await post(daemon.url, apply(`app-${count}`));
        if (reply.startsWith("OK|")) acknowledged.add(`app-${count}`);
        else failed = reply;
      }
      assert(/^ERR\|STORE\|.*full/.test(failed), failed);
      assert(acknowledged.size > 0);
      assertEquals(await appsOf(daemon.url), acknowledged, "it lives, and knows what is kept");
      await Deno.remove(ballast);
      const deadlineMs = performance.now() + 10_000;
      let reply = "";
      for (let count = 1; !reply.startsWith("OK|"); count++) {
        assert(performance.now() < deadlineMs, `still ${reply}`);
        reply = await post(daemon.url, apply(`later-${count}`));
        if (reply.startsWith("OK|")) acknowledged.add(`later-${count}`);
      }
      await daemon.kill();
      daemon = undefined;
      daemon = await startDaemon(folder, { host: HOST, state: `${folder}/disk/state` });
      assertEquals(await appsOf(daemon.url), acknowledged);
    } finally {
      await daemon?.kill();
      await disk.unmount();
    }
  });
});
