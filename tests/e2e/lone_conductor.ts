// A single conductor as a process, for tests of what becomes of its answers.

const CONDUCTOR = new URL("../../conductor/main.ts", import.meta.url).pathname;

export interface LoneConductor {
  readonly port: number;
  readonly child: Deno.ChildProcess;
  readonly drained: Promise<void>;
}

/** @param folder has its operator's `key.pub`, and its state below it */
export async function startConductor(folder: string, host: string): Promise<LoneConductor> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-prompt", "-A", CONDUCTOR, `--bind=${host}`, "--port=0", "--mesh-port=0"],
      ...[`--tower=${host}:1`, `--state=${folder}/state`, `--pubkey=${folder}/key.pub`],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const ready = Promise.withResolvers<number>();
  let told = "";
  const drained = (async () => {
    for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
      told += chunk;
      const port = /ready: commands at [0-9.]+:(\d+)/.exec(told)?.[1];
      if (port !== undefined) ready.resolve(Number(port));
    }
    ready.reject(new Error(`the conductor ended: ${told}`));
  })();
  return { port: await ready.promise, child, drained };
}

export async function endConductor({ child, drained }: LoneConductor): Promise<void> {
  try {
    child.kill("SIGKILL");
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  await child.status;
  await drained;
}
