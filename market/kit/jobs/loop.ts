import { JOB_TIMEOUT_MS, JOBS_AT_ONCE, JOBS_POLL_MS } from "../limits.ts";
import type { Job, JobQueue } from "./queue.ts";

/**
 * Does one job; asked again for the same one, it does nothing more. Should end at the signal.
 *
 * @param allow from here on this try may take so long, ms: for what must not be given up half-way
 */
export type Handler = (
  job: Job,
  signal: AbortSignal,
  allow: (ms: number) => void,
) => Promise<void>;

export interface LoopSettings {
  readonly atOnce: number;
  /** A try that takes longer has failed, ms. */
  readonly timeoutMs: number;
  /** How often is looked for jobs that others added, ms. */
  readonly pollMs: number;
  /** How often the queue is told that a job is being worked on, ms. */
  readonly touchMs: number;
}

export const LOOP_SETTINGS: Omit<LoopSettings, "touchMs"> = {
  atOnce: JOBS_AT_ONCE,
  timeoutMs: JOB_TIMEOUT_MS,
  pollMs: JOBS_POLL_MS,
};

export interface Loop {
  /** There may be something to do: looks at once. */
  wake(): void;
  /** Takes nothing more and waits for what is under way. */
  stop(): Promise<void>;
}

/** Takes jobs and does them, a few at once, until it is stopped. */
export function startLoop(
  queue: JobQueue,
  handlers: Readonly<Record<string, Handler>>,
  settings: LoopSettings,
  note: (event: string, more: Record<string, unknown>) => void,
): Loop {
  const running = new Set<Promise<void>>();
  let stopped = false;
  let looking: Promise<void> | undefined;
  let again = false;

  const work = async (job: Job) => {
    const began = performance.now();
    const touching = setInterval(() => queue.touch(job).catch(() => {}), settings.touchMs);
    let outcome: Record<string, unknown> = {};
    try {
      await withinTime(handlers[job.kind], job, settings.timeoutMs);
      await queue.done(job);
    } catch (error) {
      const reason = String((error as Error)?.message ?? error).slice(0, 500);
      outcome = { failed: reason };
      // If this cannot be written down either, the job's lease will run out.
      await queue.fail(job, reason).catch(() => {});
    } finally {
      clearInterval(touching);
    }
    const ms = Math.round(performance.now() - began);
    note("job", { key: job.key, kind: job.kind, attempt: job.attempt, ms, ...outcome });
  };
  const look = async () => {
    do {
      again = false;
      const free = settings.atOnce - running.size;
      if (stopped || free <= 0) return;
      for (const job of await queue.take(free)) {
        const done = work(job).finally(() => {
          running.delete(done);
          wake();
        });
        running.add(done);
      }
    } while (again);
  };
  const wake = () => {
    again = true;
    if (looking || stopped) return;
    looking = look()
      .catch((error) => note("queue-trouble", { error: String(error) }))
      .finally(() => looking = undefined);
  };
  const poll = setInterval(wake, settings.pollMs);
  wake();
  return {
    wake,
    async stop() {
      stopped = true;
      clearInterval(poll);
      await looking;
      await Promise.all(running);
    },
  };
}

/** Does the job, or fails when it takes too long: then nobody waits for it any longer. */
async function withinTime(
  handler: Handler | undefined,
  job: Job,
  timeoutMs: number,
): Promise<void> {
  if (!handler) throw new Error(`nobody here knows what to do with a ${job.kind}`);
  const timeout = new AbortController();
  const late = Promise.withResolvers<never>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const allow = (ms: number) => {
    clearTimeout(timer);
    if (timeout.signal.aborted) return;
    timer = setTimeout(() => {
      const error = new Error(`took longer than ${ms} ms`);
      timeout.abort(error);
      late.reject(error);
    }, ms);
  };
  allow(timeoutMs);
  try {
    await Promise.race([handler(job, timeout.signal, allow), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
