// For tests: one conductor as a process of its own, killed and started again over one state folder.

const MAIN = new URL("../main.ts", import.meta.url).pathname;

export interface Daemon {
  /** Where commands go and reads are answered. */
  readonly url: string;
  /** From its start until it said that it is ready. */
  readonly readyMs: number;
  /** Kills it, if it has not ended, and waits until it is gone. */
  kill(): Promise<void>;
}

interface Options {
  /** The address that it listens on; its ports are any. */
  readonly host: string;
  /** Its state; else `state` in the folder. */
  readonly state?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Options of strace(1), under which it runs then. */
  readonly trace?: readonly string[];
}

/**
 * Starts a conductor that trusts `key.pub` in the folder; resolves when it is ready, to `null` where it
 * ended before.
 */
export async function tryDaemon(folder: string, options: Options): Promise<Daemon | null> {
  const started = spawn(folder, options);
  const url = await started.url;
  if (url !== null) return { url, readyMs: started.readyMs(), kill: () => started.kill() };
  await started.kill();
  return null;
}

/** The same, of one that has to become ready. @throws {Error} what it said where it ended instead. */
export async function startDaemon(folder: string, options: Options): Promise<Daemon> {
  const started = spawn(folder, options);
  const url = await started.url;
  if (url !== null) return { url, readyMs: started.readyMs(), kill: () => started.kill() };
  await started.kill();
  throw new Error(`the conductor ended: ${started.told()}`);
}

function spawn(folder: string, { host, state, environment, trace }: Options) {
  // `-D`: the daemon stays this process's child, and is what is killed.
  const tracer = trace === undefined ? [] : ["strace", "-D", "-f", "-qq", ...trace];
  const [program, ...args] = [
    ...tracer,
    ...[Deno.execPath(), "run", "--no-prompt", "-A", MAIN],
    ...[`--bind=${host}`, "--port=0", "--mesh-port=0", `--tower=${host}:1`],
    ...[`--state=${state ?? `${folder}/state`}`, `--pubkey=${folder}/key.pub`],
  ];
  const beganMs = performance.now();
  const child = new Deno.Command(program!, {
    args,
    ...(environment === undefined ? {} : { env: environment }),
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const url = Promise.withResolvers<string | null>();
  let told = "";
  let readyMs = 0;
  const drained = (async () => {
    for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
      told += chunk;
      const port = /ready: commands at [0-9.]+:(\d+)/.exec(told)?.[1];
      if (port === undefined || readyMs !== 0) continue;
      readyMs = performance.now() - beganMs;
      url.resolve(`http://${host}:${port}`);
    }
    url.resolve(null);
  })();
  return {
    url: url.promise,
    told: () => told,
    readyMs: () => readyMs,
    async kill() {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended by itself.
      }
      await child.status;
      await drained;
    },
  };
}

/** Whether the tracer is there. */
export function hasStrace(): boolean {
  try {
    return new Deno.Command("strace", { args: ["-V"], stdout: "null" }).outputSync().success;
  } catch {
    return false;
  }
}
