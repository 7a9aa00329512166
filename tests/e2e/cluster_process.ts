// `deno task cluster` as a process, for tests: started, read, looked at from outside.

import { assert, assertEquals } from "@std/assert";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname).replace(/\/$/, "");

/** What `--json` prints when all is ready. */
export interface ReadyLine {
  readonly ready: boolean;
  readonly error?: string;
  readonly ms: number;
  readonly ingress: string;
  readonly conductor: string;
  readonly tower: string;
}

/** A cluster started by some command. */
export class ClusterProcess implements AsyncDisposable {
  readonly child: Deno.ChildProcess;
  readonly #errors: Promise<string>;
  readonly #output: Promise<string>;
  #isOver = false;
  readonly #firstLine = Promise.withResolvers<string>();

  /** @param command the program and its arguments; it is run in the project's folder. */
  constructor(readonly state: string, command: readonly string[], detached = false) {
    this.child = new Deno.Command(command[0]!, {
      args: command.slice(1),
      cwd: ROOT,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      detached,
    }).spawn();
    this.#errors = new Response(this.child.stderr).text();
    this.#output = this.#read();
    this.child.status.then(() => this.#isOver = true);
  }

  async #read(): Promise<string> {
    let text = "";
    for await (const part of this.child.stdout.pipeThrough(new TextDecoderStream())) {
      text += part;
      if (text.includes("\n")) this.#firstLine.resolve(text.slice(0, text.indexOf("\n")));
    }
    this.#firstLine.resolve(text);
    return text;
  }

  /** The first line of standard output; all of standard error is in the message if it is no JSON. */
  async ready(): Promise<ReadyLine> {
    const line = await within(60_000, "the cluster's line", this.#firstLine.promise);
    if (!line.startsWith("{")) {
      throw new Error(`no JSON but ${JSON.stringify(line)}; it said:\n${await this.#errors}`);
    }
    return JSON.parse(line);
  }

  /** Waits for the end; what was written to both outputs. */
  async end(): Promise<{ status: Deno.CommandStatus; output: string; errors: string }> {
    const status = await within(30_000, "the cluster's end", this.child.status);
    return { status, output: await this.#output, errors: await this.#errors };
  }

  /** Ends it by SIGTERM and checks that nothing is left. */
  async stop(): Promise<{ output: string; errors: string }> {
    this.child.kill("SIGTERM");
    const { status, ...said } = await this.end();
    assertEquals(status.code, 0, said.errors);
    await assertNothingLeft(this.state);
    return said;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Only after a failed test. A cluster that is told to end takes its replicas along, which do not
    // name its folder; what does and is left then belongs to it.
    if (!this.#isOver) {
      kill(this.child.pid, "SIGTERM");
      await within(20_000, "the cluster's end", this.child.status).catch(() => {});
    }
    for (const { pid } of await processesNaming(this.state)) kill(pid, "SIGKILL");
    await this.child.status;
    await Promise.all([this.#errors, this.#output]);
    await Deno.remove(this.state, { recursive: true });
  }
}

/**
 * Flags for a cluster of its own: one app, a fresh state folder, ports far from everybody's, and below
 * those that `cli/testkit/ports.ts` gives out.
 */
export async function ownCluster(): Promise<{ state: string; flags: string[] }> {
  const state = await Deno.makeTempDir({ prefix: "skr8tr-cluster-" });
  const base = 10_000 + 100 * (crypto.getRandomValues(new Uint16Array(1))[0]! % 49);
  const flags = ["--json", "--only=product-svc", `--state=${state}`, `--port-base=${base}`];
  return { state, flags };
}

/** Starts `deno task cluster` with one app, unless `more` has another `--only`. */
export async function startClusterTask(more: readonly string[] = []): Promise<ClusterProcess> {
  const { state, flags } = await ownCluster();
  return new ClusterProcess(state, [Deno.execPath(), "task", "-q", "cluster", ...flags, ...more]);
}

/** A process as /proc shows it. */
export interface Process {
  readonly pid: number;
  readonly words: readonly string[];
}

/** Every live process with this text in its command line. */
export async function processesNaming(text: string): Promise<Process[]> {
  const found: Process[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^[0-9]+$/.test(name)) continue;
    try {
      const line = await Deno.readTextFile(`/proc/${name}/cmdline`);
      if (line.includes(text)) found.push({ pid: Number(name), words: line.split("\0") });
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
  return found;
}

/** The daemon `name` of the cluster with this state folder. */
export async function daemonPid(state: string, name: string): Promise<number> {
  const log = name.startsWith("node-") ? `--name=${name}` : `/${name}/main.ts`;
  const [found] = (await processesNaming(state)).filter(({ words }) =>
    words.some((word) => word.endsWith(log)) && words[1] === "run"
  );
  assert(found, `${name} does not run`);
  return found.pid;
}

/** Says whether a process lives; a zombie does not. */
export function isAlive(pid: number): boolean {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return !/\) [ZX] /.test(stat);
  } catch (error) {
    if (!isGone(error)) throw error;
    return false;
  }
}

// ESRCH has no class of its own: a process may end between looking and reading.
function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || (error as Error).message.includes("os error 3");
}

/** Sends a signal to a process that may be gone. */
export function kill(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound) && isAlive(pid)) throw error;
  }
}

/** Waits until no process names the state folder. */
export async function assertNothingLeft(state: string, ms = 15_000): Promise<void> {
  const left = async () => await processesNaming(state);
  try {
    await until(ms, "everything has ended", async () => (await left()).length === 0);
  } catch (error) {
    const lines = (await left()).map(({ pid, words }) => `${pid} ${words.join(" ")}`);
    throw new Error(`left behind:\n${lines.join("\n")}`, { cause: error });
  }
}

/** Asks every 20 ms until it is so. */
export async function until(
  ms: number,
  what: string,
  isSo: () => boolean | Promise<boolean>,
): Promise<void> {
  const end = performance.now() + ms;
  for (;;) {
    if (await isSo()) return;
    if (performance.now() > end) throw new Error(`waited ${ms} ms until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The promise's value, or an error after `ms`. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms} ms for ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
