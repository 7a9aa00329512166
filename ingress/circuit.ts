import { EJECT_FAILURES, EJECT_MAX_MS, EJECT_MIN_MS, SLOW_START_MS } from "../core/limits.ts";

/**
 * Passive health of one replica as its requests show it.
 *
 * - *closed*: it takes requests. `EJECT_FAILURES` failures in a row, or one refused connection,
 *   open it.
 * - *open* until `openUntilMs`: it takes none, unless every other replica is open, too.
 * - *trial*: the time is over; one request is let through. Success closes it, with its share growing
 *   over `SLOW_START_MS`; failure opens it for twice as long.
 */
export class Circuit {
  /** Times it was opened, for the metrics. */
  ejections = 0;
  openUntilMs = 0;
  /** When it began to be warmed up. */
  warmFromMs: number;
  private failures = 0;
  private openMs = EJECT_MIN_MS;
  private open = false;
  private trial = false;

  constructor(warmFromMs: number) {
    this.warmFromMs = warmFromMs;
  }

  /** Whether a request may be sent there now. */
  allows(nowMs: number): boolean {
    return !this.open || (nowMs >= this.openUntilMs && !this.trial);
  }

  /** Whether it is left out for its failures. */
  get ejected(): boolean {
    return this.open;
  }

  /** A request was sent; while open it is the trial. */
  began(): void {
    if (this.open) this.trial = true;
  }

  /** The request was answered. Returns whether that closed it, so that it warms up now. */
  succeeded(nowMs: number): boolean {
    this.failures = 0;
    if (!this.open) return false;
    this.open = false;
    this.trial = false;
    this.openMs = EJECT_MIN_MS;
    this.warmFromMs = nowMs;
    return true;
  }

  /** The request ended without saying anything about the replica. */
  abandoned(): void {
    this.trial = false;
  }

  /** The replica failed. `refused`: it did not even take the connection. */
  failed(nowMs: number, refused: boolean): void {
    this.failures++;
    if (this.open) {
      // Requests that were under way when it opened do not count again.
      if (!this.trial) return;
      this.trial = false;
      this.openMs = Math.min(this.openMs * 2, EJECT_MAX_MS);
    } else if (!refused && this.failures < EJECT_FAILURES) return;
    this.open = true;
    this.ejections++;
    this.openUntilMs = nowMs + this.openMs;
  }

  /** Its share of new requests: 0.1 growing to 1. */
  warmth(nowMs: number): number {
    const part = (nowMs - this.warmFromMs) / SLOW_START_MS;
    return part >= 1 ? 1 : Math.max(0.1, part);
  }
}
