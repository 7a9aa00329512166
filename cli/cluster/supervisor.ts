// Keeps the daemons running: starts them, starts them again when they die, ends them all.

import { Failure } from "../../core/errors.ts";

/** One daemon as it is to be started. */
export interface DaemonSpec {
  readonly name: string;
  /** Arguments of `deno`. */
  readonly args: readonly string[];
  /** Set besides what it inherits. */
  readonly environment: Readonly<Record<string, string>>;
  /** File that its standard error is appended to. */
  readonly log: string;
}

/** What happens to daemons, for people. */
export type Say = (line: string) => void;

/** A daemon that hung says so by this code; starting it again at once is all it needs. */
const RESTART_ME = 75;
/** Code of a wrong flag, or a port or file that cannot be had (core/live/daemon.ts). */
const CANNOT_START = 2;
/** Backoff between starts: doubling, forgotten after a while of running. */
const BACKOFF_MIN_MS = 100;
const BACKOFF_MAX_MS = 10_000;
const BACKOFF_RESET_MS = 30_000;
/** A log file is moved aside (`.old`) when it is larger than this at a start, in bytes. */
const LOG_BYTES = 10 * 1024 * 1024;

/** Daemons under supervision. */
export class Supervisor {
  readonly #running = new Map<string, Deno.ChildProcess>();
  readonly #loops = new Map<string, Promise<void>>();
  /** Daemons that are not to be started again when they end. */
  readonly #away = new Set<string>();
  readonly #stopping = new AbortController();
  readonly #failed = Promise.withResolvers<never>();

  constructor(private readonly say: Say) {
    // Whoever waits for the cluster hears of it; nobody else must.
    this.#failed.promise.catch(() => {});
  }

  /** Rejects with a `Failure` when a daemon cannot start at all. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** Pid of a daemon that runs. */
  pidOf(name: string): number | undefined {
    return this.#running.get(name)?.pid;
  }

  /** Starts a daemon and keeps it running. */
  start(spec: DaemonSpec): void {
    this.#away.delete(spec.name);
    this.#loops.set(spec.name, this.#keep(spec));
  }

  /** Says whether a daemon was started, and not killed since. */
  keeps(name: string): boolean {
    return this.#loops.has(name) && !this.#away.has(name);
  }

  /** Ends a daemon by SIGKILL. It stays away until it is started anew; resolves when it is gone. */
  async kill(name: string): Promise<void> {
    this.#away.add(name);
    const child = this.#running.get(name);
    if (child) end(child, "SIGKILL");
    await this.#loops.get(name);
  }

  #ends(name: string): boolean {
    return this.#stopping.signal.aborted || this.#away.has(name);
  }

  async #keep(spec: DaemonSpec): Promise<void> {
    let backoffMs = 0;
    while (!this.#ends(spec.name)) {
      await rotate(spec.log);
      // Told to stop meanwhile: what is started now, nobody would end.
      if (this.#ends(spec.name)) return;
      const begunMs = performance.now();
      const status = await this.#run(spec);
      if (this.#ends(spec.name)) return;
      const ranMs = performance.now() - begunMs;
      if (status.code === CANNOT_START && status.signal === null) {
        return this.#failed.reject(new Failure("daemon", await lastWords(spec)));
      }
      if (ranMs >= BACKOFF_RESET_MS) backoffMs = 0;
      const end = status.signal === null ? `exit code ${status.code}` : status.signal;
      if (status.code === RESTART_ME) {
        this.say(`${spec.name} asked to be started again`);
        continue;
      }
      this.say(`${spec.name} died (${end}) and is started again; its log: ${spec.log}`);
      if (backoffMs > 0) await sleep(backoffMs, this.#stopping.signal);
      backoffMs = Math.min(BACKOFF_MAX_MS, Math.max(BACKOFF_MIN_MS, backoffMs * 2));
    }
  }

  async #run(spec: DaemonSpec): Promise<Deno.CommandStatus> {
    // The shell only redirects: it becomes the daemon, so that the pid is the daemon's own and its
    // log goes on when this process is gone. Its standard input ends with this process.
    const child = new Deno.Command("sh", {
      args: [
        "-c",
        'log=$1; shift; exec "$@" 2>>"$log" >&2',
        "sh",
        spec.log,
        Deno.execPath(),
        ...spec.args,
      ],
      env: spec.environment,
      stdin: "piped",
      stdout: "null",
      stderr: "null",
      // In a session of its own: a Ctrl-C at the terminal is for us, who end the daemons in order.
      detached: true,
    }).spawn();
    this.#running.set(spec.name, child);
    try {
      return await child.status;
    } finally {
      this.#running.delete(spec.name);
      await child.stdin.close().catch(() => {});
    }
  }

  /**
   * Ends every daemon: SIGTERM to all, SIGKILL to those that have not ended in `graceMs`.
   * Resolves when none is left.
   */
  async stop(graceMs: number): Promise<void> {
    this.#stopping.abort();
    this.#signal("SIGTERM");
    const late = setTimeout(() => {
      this.say(`killing what has not stopped: ${[...this.#running.keys()].join(", ")}`);
      this.#signal("SIGKILL");
    }, graceMs);
    await Promise.all(this.#loops.values());
    clearTimeout(late);
  }

  #signal(signal: Deno.Signal): void {
    for (const child of this.#running.values()) end(child, signal);
  }
}

function end(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // it has just ended by itself
  }
}

/** The last line of a daemon's log, which says why it could not start. */
async function lastWords(spec: DaemonSpec): Promise<string> {
  const text = await Deno.readTextFile(spec.log).catch(() => "");
  const last = text.trimEnd().split("\n").at(-1);
  return last ? last : `${spec.name} cannot start; its log ${spec.log} is empty`;
}

async function rotate(path: string): Promise<void> {
  const info = await Deno.stat(path).catch(() => null);
  if (info && info.size > LOG_BYTES) await Deno.rename(path, `${path}.old`);
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
