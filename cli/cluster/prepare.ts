// What must be there before the daemons start: the state folder to ourselves, keys, dependencies.

import { Failure } from "../../core/errors.ts";
import { makeKeys } from "../keys.ts";

/** The state folder, held until the process ends or `release` is called. */
export interface HeldState {
  release(): void;
}

/**
 * Makes the state folder and locks it: two clusters over one folder would fight for its replicas.
 *
 * @throws {Failure} `state-taken`, or `cannot-write`.
 */
export async function holdState(state: string): Promise<HeldState> {
  try {
    await Deno.mkdir(`${state}/logs`, { recursive: true, mode: 0o700 });
    const file = await Deno.open(`${state}/cluster.lock`, { create: true, write: true });
    if (await file.tryLock(true)) return { release: () => file.close() };
    file.close();
  } catch (error) {
    throw new Failure("cannot-write", `cannot use ${state}: ${(error as Error).message}`);
  }
  throw new Failure(
    "state-taken",
    `another cluster runs with the state folder ${state}: stop it, or give --state another folder`,
  );
}

/** The operator's key files of a local cluster. */
export interface ClusterKeys {
  readonly secret: string;
  readonly public: string;
  /** True if they were made just now. */
  readonly made: boolean;
}

/** Finds the keys in the state folder, or makes them. */
export async function findKeys(state: string): Promise<ClusterKeys> {
  const keys = { secret: `${state}/signing.sec`, public: `${state}/skrtrview.pub` };
  if (await isFile(keys.secret) && await isFile(keys.public)) return { ...keys, made: false };
  await makeKeys(keys.secret, keys.public);
  return { ...keys, made: true };
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw new Failure("cannot-read", `cannot look at ${path}: ${(error as Error).message}`);
  }
}

/** Caching that takes longer than this is worth a word, ms. */
const WORTH_A_WORD_MS = 400;

/**
 * Puts everything that these programs import into Deno's cache, so that they start with
 * `--cached-only`. Takes 30 ms when all is there.
 *
 * @throws {Failure} `not-cached`, with what Deno said.
 */
export async function cacheImports(
  root: string,
  entries: readonly string[],
  say: (line: string) => void,
): Promise<void> {
  const slow = setTimeout(() => say("fetching dependencies (once)"), WORTH_A_WORD_MS);
  try {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["cache", "--quiet", `--config=${root}/deno.json`, ...entries],
      cwd: root,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    if (success) return;
    const said = new TextDecoder().decode(stderr).trim();
    throw new Failure("not-cached", `cannot fetch the dependencies: ${said}`);
  } finally {
    clearTimeout(slow);
  }
}

/**
 * Builds the shop's front, which does nothing if it is built already.
 *
 * @throws {Failure} `front`, with the bundler's words.
 */
export async function buildFront(root: string): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", `--config=${root}/deno.json`, `${root}/market/web/build.ts`],
    cwd: root,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (success) return;
  throw new Failure("front", `cannot build the front: ${new TextDecoder().decode(stderr).trim()}`);
}
