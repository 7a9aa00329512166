// Memory of replicas that no cgroup keeps to their `ram`: samples -> verdict.

import { MEMORY_BURST, MEMORY_NEAR, MEMORY_SAMPLES } from "../core/limits.ts";

export interface MemoryVerdict {
  /** Samples in a row above the limit, this one included. */
  readonly over: number;
  /** Present: it is out of memory, and this says how. */
  readonly detail?: string;
  /** It is so far above that it must not have the time to end by itself. */
  readonly atOnce: boolean;
}

/**
 * Judges one sample. A single one above the limit may be a moment between two collections of
 * garbage, so it takes `MEMORY_SAMPLES` in a row; but a program at `MEMORY_BURST` times its limit is
 * taking the memory of others.
 *
 * @param before samples in a row above the limit before this one
 */
export function judgeMemory(
  before: number,
  residentBytes: number,
  ramBytes: number,
): MemoryVerdict {
  if (residentBytes <= ramBytes) return { over: 0, atOnce: false };
  const over = before + 1;
  const atOnce = residentBytes > MEMORY_BURST * ramBytes;
  if (over < MEMORY_SAMPLES && !atOnce) return { over, atOnce };
  const detail = `it holds ${mebibytes(residentBytes)} of its ${mebibytes(ramBytes)} MiB`;
  return { over, detail, atOnce };
}

/** Says whether a replica is so close to its limit that it is looked at more often. */
export function isNearLimit(residentBytes: number, ramBytes: number): boolean {
  return residentBytes > MEMORY_NEAR * ramBytes;
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0);
}
