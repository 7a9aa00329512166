import { HTTP2_NOISE, HTTP2_NOISE_MS, HTTP2_RESETS } from "../../core/limits.ts";

/** Counts what costs us work and gets the peer nothing. */
export class Patience {
  private noise = 0;
  private noiseSinceMs = 0;
  private resets = 0;
  private finished = 0;

  /** A frame that asks for work without asking for anything; false if there were too many. */
  noiseAt(nowMs: number): boolean {
    if (nowMs - this.noiseSinceMs > HTTP2_NOISE_MS) {
      this.noiseSinceMs = nowMs;
      this.noise = 0;
    }
    return ++this.noise <= HTTP2_NOISE;
  }

  /** The peer has reset a stream; false if it does so too often. */
  reset(): boolean {
    return ++this.resets <= HTTP2_RESETS + this.finished;
  }

  /** A stream came to its end on both sides. */
  finish(): void {
    this.finished++;
  }
}
