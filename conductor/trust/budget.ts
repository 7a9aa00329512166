import { SOURCES, VERIFY_ALL_PER_SECOND, VERIFY_PER_SECOND } from "../../core/limits.ts";

interface Bucket {
  tokens: number;
  atMs: number;
}

/**
 * How many signatures may be verified of what comes by UDP: a token bucket for each source, and one
 * for all together, since a flood can forge any number of sources. Bounds what forged datagrams
 * cost; commands over TCP are not counted, so that such a flood keeps no operator out.
 */
export class VerifyBudget {
  readonly #buckets = new Map<string, Bucket>();
  readonly #all: Bucket = { tokens: VERIFY_ALL_PER_SECOND, atMs: -Infinity };

  /** Takes one token; false where the source, or all together, have none left. */
  take(source: string, monoMs: number): boolean {
    // Forgetting all gives each source a full bucket again; the one for all still bounds the sum.
    if (this.#buckets.size >= SOURCES) this.#buckets.clear();
    const bucket = this.#buckets.get(source) ?? { tokens: VERIFY_PER_SECOND, atMs: monoMs };
    this.#buckets.set(source, bucket);
    fill(bucket, VERIFY_PER_SECOND, monoMs);
    fill(this.#all, VERIFY_ALL_PER_SECOND, monoMs);
    if (bucket.tokens < 1 || this.#all.tokens < 1) return false;
    bucket.tokens--;
    this.#all.tokens--;
    return true;
  }
}

function fill(bucket: Bucket, perSecond: number, monoMs: number): void {
  const grown = Math.max(0, monoMs - bucket.atMs) / 1000 * perSecond;
  bucket.tokens = Math.min(perSecond, bucket.tokens + grown);
  bucket.atMs = monoMs;
}
