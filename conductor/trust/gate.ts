import { DATAGRAMS_PER_SECOND, SOURCES } from "../../core/limits.ts";

/**
 * How many datagrams of one source are looked at at all. What is beyond that is dropped unread: a
 * flood then costs what the kernel and the runtime take to hand it over, and nothing of ours.
 */
export class SourceGate {
  readonly #seen = new Map<string, { count: number; sinceMonoMs: number }>();

  /** Counts a datagram; false where its source has sent too many this second. */
  allow(source: string, monoMs: number): boolean {
    let seen = this.#seen.get(source);
    if (!seen) {
      // Whoever invents sources without number makes all be forgotten, the budgets behind stay.
      if (this.#seen.size >= SOURCES) this.#seen.clear();
      this.#seen.set(source, seen = { count: 0, sinceMonoMs: monoMs });
    }
    if (monoMs - seen.sinceMonoMs >= 1_000) {
      seen.count = 0;
      seen.sinceMonoMs = monoMs;
    }
    return ++seen.count <= DATAGRAMS_PER_SECOND;
  }
}
