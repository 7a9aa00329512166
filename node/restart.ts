// When a process that ended is started again.

import { BACKOFF_MAX_MS, BACKOFF_MIN_MS, BACKOFF_RESET_MS, JOB_RETRIES } from "../core/limits.ts";
import type { AppSpec } from "../core/manifest/spec.ts";

/** A replica's restarts so far. */
export interface Restarts {
  /** All of them, for people. */
  readonly count: number;
  /** Those since the last `BACKOFF_RESET_MS` of health. */
  readonly streak: number;
}

export const NO_RESTARTS: Restarts = { count: 0, streak: 0 };

/** Says whether the policy starts a process again that ended so. */
export function shouldRestart(
  policy: AppSpec["restart"],
  exit: { readonly code?: number | undefined; readonly why: string },
): boolean {
  if (policy === "always") return true;
  if (policy === "never") return false;
  return !(exit.why === "exit" && exit.code === 0);
}

/**
 * The wait before the next start, in ms: none for the first, then `BACKOFF_MIN_MS`, doubling to
 * `BACKOFF_MAX_MS`.
 *
 * @param healthyMs how long the ended process had been ready without a break
 */
export function nextRestart(
  restarts: Restarts,
  healthyMs: number,
): { readonly waitMs: number; readonly restarts: Restarts } {
  const streak = healthyMs >= BACKOFF_RESET_MS ? 0 : restarts.streak;
  const waitMs = streak === 0 ? 0 : Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** (streak - 1));
  return { waitMs, restarts: { count: restarts.count + 1, streak: streak + 1 } };
}

/** Whether a job has used up its retries. */
export function isUsedUp(spec: Pick<AppSpec, "type" | "retries">, restarts: Restarts): boolean {
  return spec.type === "job" && restarts.count >= (spec.retries ?? JOB_RETRIES);
}
