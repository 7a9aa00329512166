import { LEASE_MS, TOWER_BLIND_MS, TOWER_GAP_MS, TOWER_LATE_MS } from "../core/limits.ts";

/**
 * An observer that did not run has heard nobody, and takes that for nobody's silence.
 *
 * While anybody holds a lease something is heard every `LEASE_RENEW_MS`; where nothing was for
 * longer than `TOWER_GAP_MS`, and it was not woken in time either, the tower itself was stopped or
 * starved, and what was sent to it meanwhile is only now being read. For `TOWER_BLIND_MS` then no lease lapses and no list is called
 * complete. Should really everybody have fallen silent, that costs no more than this delay, once in
 * `LEASE_MS`.
 */
export class Blindness {
  #lastMs = Infinity;
  /** Until when nothing is concluded from silence, ms. */
  untilMs = -Infinity;

  /**
   * To be told of every step; says whether silence means nothing now.
   *
   * @param wakeMs when it was to be woken at the latest
   */
  step(nowMs: number, wakeMs: number): boolean {
    const gapMs = nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    if (nowMs < this.untilMs) return true;
    const wasStopped = gapMs > TOWER_GAP_MS && nowMs - wakeMs > TOWER_LATE_MS;
    if (!wasStopped || nowMs < this.untilMs + LEASE_MS) return false;
    this.untilMs = nowMs + TOWER_BLIND_MS;
    return true;
  }
}
