// The real daemon is killed at any moment, and its disk fills up.

import { assert, assertEquals } from "@std/assert";
import { createPrng } from "../../core/prng.ts";
import { randomSeed } from "../../core/live/clock.ts";
import { apply, keys, post, withFolder } from "./rig_test.ts";

const KILLS = 30;
const main = new URL("../main.ts", import.meta.url).pathname;

interface Daemon {
  readonly url: string;
  readonly readyMs: number;
  kill(): Promise<void>;
}

/** Starts the daemon as a process; resolves when it says that it is ready. */
async function spawn(folder: string, state = `${folder}/state`): Promise<Daemon> {
  const beganMs = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "-A",
      main,
      "--bind=127.0.0.9",
      "--port=0",
      "--mesh-port=0",
      "--tower=127.0.0.9:1",
      `--state=${state}`,
      `--pubkey=${folder}/key.pub`,
    ],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const ready = Promise.withResolvers<string>();
  const told: string[] = [];
  const drained = (async () => {
    for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
      told.push(chunk);
      const port = told.join("").match(/ready: commands at 127\.0\.0\.9:(\d+)/)?.[1];
      if (port !== undefined) ready.resolve(`http://127.0.0.9:${port}`);
    }
    ready.reject(new Error(`the conductor ended: ${told.join("")}`));
  })();
  const url = await ready.promise;
  return {
    url,
    readyMs: performance.now() - beganMs,
    async kill() {
      child.kill("SIGKILL");
      await child.status;
      await drained;
    },
  };
}

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
      const daemon = await spawn(folder);
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
      daemon = await spawn(folder, `${folder}/disk/state`);
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
      daemon = await spawn(folder, `${folder}/disk/state`);
      assertEquals(await appsOf(daemon.url), acknowledged);
    } finally {
      await daemon?.kill();
      await disk.unmount();
    }
  });
});
