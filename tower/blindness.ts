import { TOWER_BLIND_MS, TOWER_GAP_MS, TOWER_LATE_MS } from "../core/limits.ts";

/**
 * An observer that did not run has heard nobody, and takes that for nobody's silence.
 *
 * While anything is leased the tower asks to be woken every `TOWER_PULSE_MS`, whether anybody speaks
 * or not. So if it did nothing for longer than `TOWER_GAP_MS`, and was not woken in time either, it
 * was itself stopped or starved, and what was sent to it meanwhile is only now being read. For
 * `TOWER_BLIND_MS` then no lease lapses and no list is called complete.
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
    if (gapMs > TOWER_GAP_MS && nowMs - wakeMs > TOWER_LATE_MS) {
      this.untilMs = nowMs + TOWER_BLIND_MS;
    }
    return nowMs < this.untilMs;
  }
}
