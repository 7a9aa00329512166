import { VERIFY_PER_SECOND } from "../core/limits.ts";

/**
 * How many signatures each source address may have verified: a token bucket of
 * `VERIFY_PER_SECOND`, filled at that rate. Bounds what a flood of forged datagrams costs.
 */
export class VerifyBudget {
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();

  /** Takes one token; false where the source has none left. */
  take(source: string, monoMs: number): boolean {
    // A flood from forged addresses fills the map: forgetting all gives each a full bucket again,
    // which costs no more than the addresses it was sent from.
    if (this.#buckets.size > 10_000) this.#buckets.clear();
    const bucket = this.#buckets.get(source) ?? { tokens: VERIFY_PER_SECOND, atMs: monoMs };
    const grown = (monoMs - bucket.atMs) / 1000 * VERIFY_PER_SECOND;
    bucket.tokens = Math.min(VERIFY_PER_SECOND, bucket.tokens + Math.max(0, grown));
    bucket.atMs = monoMs;
    this.#buckets.set(source, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }
}
