/** Latencies as they are counted: how many answers came under each of `LATENCY_BOUNDS_MS`. */

import { LATENCY_BOUNDS_MS } from "../../core/limits.ts";

/** One count for each bound, and one for what took longer. */
export const LATENCY_BUCKETS = LATENCY_BOUNDS_MS.length + 1;

/** What took longer than the last bound has no end: twice its beginning stands for it, in ms. */
const LONGEST_MS = 2 * LATENCY_BOUNDS_MS.at(-1)!;

/** Counts of nothing. */
export function noLatencies(): number[] {
  return new Array(LATENCY_BUCKETS).fill(0);
}

/** Which count an answer belongs to that took `ms`. */
export function latencyBucket(ms: number): number {
  const at = LATENCY_BOUNDS_MS.findIndex((bound) => ms <= bound);
  return at < 0 ? LATENCY_BOUNDS_MS.length : at;
}

/**
 * The nearest-rank percentile.
 *
 * @param part 0 to 1
 * @returns the upper bound of the bucket that holds it, in ms; 0 of nothing
 */
export function percentile(latency: readonly number[], part: number): number {
  const total = latency.reduce((sum, each) => sum + each, 0);
  if (total <= 0) return 0;
  let below = 0;
  for (let at = 0; at < latency.length; at++) {
    below += latency[at]!;
    if (below >= total * part) return LATENCY_BOUNDS_MS[at] ?? LONGEST_MS;
  }
  return LONGEST_MS;
}
