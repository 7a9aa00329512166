// Waiting for a run of a job: what it writes, and how it ends.

import { Failure } from "../core/errors.ts";
import { isOver } from "../core/job.ts";
import { LOG_RING_LINES } from "../core/limits.ts";
import type { AppView, LogView, RunView } from "../core/view.ts";
import type { Conductor } from "./conductor.ts";

/** A broken watch is taken up again after this, ms. */
const WATCH_AGAIN_MS = 250;

export interface Waiting {
  readonly conductor: Conductor;
  readonly app: string;
  readonly run: number;
  /** How long its end is waited for; may be infinite. */
  readonly waitMs: number;
  /** A line that it wrote. */
  onLine(line: LogView): void;
  /** Something for people. */
  onNote(text: string): void;
}

/**
 * Tells what a run writes until it has ended, or nobody knows how it will. A conductor that is away
 * meanwhile is waited for: the run does without it.
 *
 * @throws {Failure} `late` when `waitMs` is over before, `unreachable` when no conductor answered at
 *   that time. The run goes on in both cases.
 */
export async function runEnd(waiting: Waiting): Promise<RunView> {
  const { conductor, app, run } = waiting;
  const stop = new AbortController();
  const lines = new Lines((line) => waiting.onLine(line));
  const path = `/api/logs/${app}?run=${run}&lines=${LOG_RING_LINES}`;
  const live = followLines(conductor, `${path}&follow=1`, lines, stop.signal);
  const end = await ended(waiting).finally(() => stop.abort());
  await live;
  try {
    // What came between the last line that was streamed and the end.
    await lines.read(conductor.lines<LogView>(path));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    // How it ended is known, whatever becomes of its last lines.
    waiting.onNote(
      `its last lines may be missing here: ${error.message}; skr8tr logs ${app} --run ${run} has them`,
    );
  }
  return end;
}

/**
 * The run that a generation began when it was applied, or `null`. A conductor that died since is
 * waited for: it knows when it is back.
 */
export async function runOf(
  conductor: Pick<Conductor, "get">,
  app: string,
  generation: number,
  waitMs: number,
): Promise<number | null> {
  const untilMs = performance.now() + waitMs;
  for (;;) {
    try {
      const { runs } = await conductor.get<AppView>(`/api/apps/${app}`);
      const own = runs?.findLast((run) => run.why === "apply" && run.generation === generation);
      return own?.run ?? null;
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== "unreachable") throw error;
      if (performance.now() >= untilMs) throw error;
    }
    await new Promise((again) => setTimeout(again, WATCH_AGAIN_MS));
  }
}

async function followLines(
  conductor: Conductor,
  path: string,
  lines: Lines,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await lines.read(conductor.lines<LogView>(path, signal));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
    }
    await pause(signal);
  }
}

/** The lines of a run, each once, though every stream of them begins at their beginning. */
class Lines {
  readonly #told = new Map<string, { readonly count: number; readonly wallMs: number }>();

  constructor(private readonly tell: (line: LogView) => void) {}

  async read(stream: AsyncIterable<LogView>): Promise<void> {
    const before = new Map(this.#told);
    const seen = new Map<string, number>();
    for await (const line of stream) {
      const { replica, wallMs } = line;
      const number = (seen.get(replica) ?? 0) + 1;
      seen.set(replica, number);
      const old = before.get(replica);
      // Where the node has dropped the first lines, only their time says which are new.
      if (old && (old.count < LOG_RING_LINES ? number <= old.count : wallMs <= old.wallMs)) {
        continue;
      }
      this.#told.set(replica, { count: (this.#told.get(replica)?.count ?? 0) + 1, wallMs });
      this.tell(line);
    }
  }
}

async function ended({ conductor, app, run, waitMs, onNote }: Waiting): Promise<RunView> {
  const stop = new AbortController();
  const timer = waitMs === Infinity ? undefined : setTimeout(() => stop.abort(), waitMs);
  let away: Failure | undefined;
  try {
    while (!stop.signal.aborted) {
      try {
        const views = conductor.lines<AppView>(`/api/apps/${app}?watch=1`, stop.signal);
        for await (const view of views) {
          away = undefined;
          const found = view.runs?.find((each) => each.run === run);
          // Its node may come back and tell; who waits here is told that nobody knows.
          if (found && (isOver({ ...found, replicas: [] }) || found.state === "unknown")) {
            return found;
          }
        }
      } catch (error) {
        if (!(error instanceof Failure) || error.code !== "unreachable") throw error;
        if (!away) onNote(`run ${run} of ${app} goes on, but ${error.message}; trying again`);
        away = error;
      }
      await pause(stop.signal);
    }
  } finally {
    clearTimeout(timer);
  }
  const seconds = Math.round(waitMs / 1_000);
  const what = away ? `the end of run ${run} of ${app} is not known: ${away.message}` : null;
  throw new Failure(
    what === null ? "late" : "unreachable",
    `${what ?? `run ${run} of ${app} has not ended within ${seconds} s`}; ` +
      `it goes on, and skr8tr runs ${app} tells how it ended`,
  );
}

/** Until it is worth asking again, or the signal is aborted. */
function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, WATCH_AGAIN_MS);
    if (signal.aborted) done();
    else signal.addEventListener("abort", done);
  });
}
