import { BOOT_LAST_MS, BOOT_STEP_MS } from "../core/limits.ts";

/**
 * When a start of the daemon counts as begun, in Unix ms: by the clock, but later than every start
 * before, whatever became of the clock meanwhile. By this number conductor and towers tell news from
 * late copies of what an earlier start said.
 *
 * @param lastMs what this said of the start before; `null` where nobody knows
 */
export function bootOf(wallMs: number, lastMs: number | null): number {
  // What a clock that was off by decades has left is not built upon.
  if (lastMs === null || lastMs > BOOT_LAST_MS || wallMs > lastMs) return wallMs;
  return lastMs + BOOT_STEP_MS;
}
