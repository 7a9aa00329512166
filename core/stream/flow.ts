// How much may be on its way on one channel: whoever sends needs credit, whoever reads gives it.

import { STREAM_WINDOW_BYTES } from "../limits.ts";

/** The credit of whoever sends. */
export class Outflow {
  #left = STREAM_WINDOW_BYTES;

  /** How many of `wanted` bytes may be sent now; they count as sent. */
  take(wanted: number): number {
    const taken = Math.min(wanted, this.#left);
    this.#left -= taken;
    return taken;
  }

  /** The other side has read. Never more than one window is open, whatever it says. */
  grant(bytes: number): void {
    this.#left = Math.min(STREAM_WINDOW_BYTES, this.#left + bytes);
  }
}

/** The books of whoever reads. */
export class Inflow {
  /** Came and not granted again yet. */
  #held = 0;
  /** Of these, read. */
  #read = 0;

  /** Takes bytes in; says whether the sender kept to its credit. */
  receive(bytes: number): boolean {
    this.#held += bytes;
    return this.#held <= STREAM_WINDOW_BYTES;
  }

  /** Bytes were read; how many to grant now: half a window at once, so that few frames are sent. */
  read(bytes: number): number {
    this.#read += bytes;
    if (this.#read < STREAM_WINDOW_BYTES / 2) return 0;
    const granted = this.#read;
    this.#held -= granted;
    this.#read = 0;
    return granted;
  }
}
