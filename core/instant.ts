/**
 * The time a machine is given with every event.
 *
 * Two clocks, because they answer different questions: `monoMs` never jumps and measures durations
 * (leases, timeouts, backoff); `wallMs` is Unix time and is only for people and for signatures. It
 * may step either way at any moment.
 */
export interface Instant {
  /** Milliseconds of a clock that never goes back; its zero means nothing. */
  readonly monoMs: number;
  /** Milliseconds since 1970-01-01 UTC, as the machine's clock believes. */
  readonly wallMs: number;
}
