// A disk that fails: system calls of the real daemon are made to return errors by strace.

import { assert, assertEquals } from "@std/assert";
import { apply, keys, post, withFolder } from "./rig_test.ts";

const main = new URL("../main.ts", import.meta.url).pathname;
const COMMANDS = 45;

interface Traced {
  readonly url: string;
  kill(): Promise<void>;
}

const hasStrace = () => {
  try {
    return new Deno.Command("strace", { args: ["-V"], stdout: "null" }).outputSync().success;
  } catch {
    return false;
  }
};

/** Starts the daemon, under strace if errors are to be injected; resolves when it is ready. */
async function spawn(folder: string, inject?: string): Promise<Traced> {
  // `-D`: the daemon stays this process's child, and is what is killed. `-P`: calls on the log alone
  // count and fail; what is kept of events meanwhile would use up the failures, unseen by commands.
  const log = `${folder}/state/log.db-wal`;
  const tracer = inject === undefined
    ? []
    : ["strace", "-D", "-f", "-qq", "-P", log, "-o", `${folder}/trace`, "-e", `inject=${inject}`];
  const command = [
    ...tracer,
    ...[Deno.execPath(), "run", "--no-prompt", "-A", main],
    ...["--bind=127.0.23.9", "--port=0", "--mesh-port=0", "--tower=127.0.23.9:1"],
    ...[`--state=${folder}/state`, `--pubkey=${folder}/key.pub`],
  ];
  const child = new Deno.Command(command[0]!, {
    args: command.slice(1),
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const ready = Promise.withResolvers<string>();
  let told = "";
  const drained = (async () => {
    for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
      told += chunk;
      const port = /ready: commands at 127\.0\.23\.9:(\d+)/.exec(told)?.[1];
      if (port !== undefined) ready.resolve(`http://127.0.23.9:${port}`);
    }
    ready.reject(new Error(`the conductor ended: ${told}`));
  })();
  const url = await ready.promise;
  return {
    url,
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
      const traced = await spawn(folder, inject);
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
      const after = await spawn(folder);
      try {
        assertEquals(await appsOf(after.url), acknowledged, "the log has what was acknowledged");
      } finally {
        await after.kill();
      }
    });
  });
}
