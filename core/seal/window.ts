// Which counters of a session have been seen (RFC 6479's way).

import { REPLAY_WINDOW } from "../limits.ts";

/** Twice the window: a word that is being filled anew is never one that still counts. */
const WORDS = REPLAY_WINDOW / 32 * 2;

/** A sliding window over the counters that have come: each passes once, very late ones never. */
export class ReplayWindow {
  readonly #seen = new Uint32Array(WORDS);
  /** One more than the highest counter seen. */
  #next = 0;

  /** Says whether a datagram with this counter may still be taken. */
  isFresh(counter: number): boolean {
    if (counter >= this.#next) return true;
    if (counter < this.#next - REPLAY_WINDOW) return false;
    return (this.#seen[wordOf(counter)]! & bitOf(counter)) === 0;
  }

  /** Notes a counter that is fresh and whose datagram is authentic. True if none was higher. */
  mark(counter: number): boolean {
    const newest = counter >= this.#next;
    if (newest) {
      const from = Math.floor((this.#next - 1) / 32);
      const to = Math.floor(counter / 32);
      const clear = Math.min(WORDS, to - from);
      for (let step = 0; step < clear; step++) this.#seen[(to - step) % WORDS] = 0;
      this.#next = counter + 1;
    }
    this.#seen[wordOf(counter)]! |= bitOf(counter);
    return newest;
  }
}

function wordOf(counter: number): number {
  return Math.floor(counter / 32) % WORDS;
}

function bitOf(counter: number): number {
  return 1 << (counter % 32);
}
