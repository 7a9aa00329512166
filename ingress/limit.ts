import { RATE_CLIENTS } from "../core/limits.ts";

interface Bucket {
  tokens: number;
  atMs: number;
}

/**
 * A token bucket for each client: `burst` tokens at first, `perSecond` more each second, one taken
 * by each request. Holds at most `RATE_CLIENTS` clients and forgets the longest idle, which by then
 * have mostly filled up again.
 */
export class RateLimit {
  private readonly buckets = new Map<string, Bucket>();

  constructor(readonly perSecond: number, readonly burst: number) {}

  /** Takes a token; returns 0, or how many seconds the client should wait. */
  take(client: string, nowMs: number): number {
    let bucket = this.buckets.get(client);
    if (bucket === undefined) {
      if (this.buckets.size >= RATE_CLIENTS) this.forgetOldest();
      bucket = { tokens: Math.max(1, this.burst), atMs: nowMs };
    } else {
      this.buckets.delete(client);
      const gained = (nowMs - bucket.atMs) / 1000 * this.perSecond;
      bucket.tokens = Math.min(Math.max(1, this.burst), bucket.tokens + gained);
      bucket.atMs = nowMs;
    }
    this.buckets.set(client, bucket);
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1;
      return 0;
    }
    if (this.perSecond <= 0) return 3600;
    return Math.max(1, Math.ceil((1 - bucket.tokens) / this.perSecond));
  }

  /** Clients known now. */
  get clients(): number {
    return this.buckets.size;
  }

  private forgetOldest(): void {
    const oldest = this.buckets.keys().next();
    if (!oldest.done) this.buckets.delete(oldest.value);
  }
}

/** Allows retries as a share of requests, so that a broken app is not asked twice as often. */
export class RetryBudget {
  private tokens: number;

  constructor(readonly share: number, readonly burst: number) {
    this.tokens = burst;
  }

  /** A request came. */
  earn(): void {
    if (this.tokens < this.burst) this.tokens = Math.min(this.burst, this.tokens + this.share);
  }

  /** A retry is wanted; says whether it may be made. */
  spend(): boolean {
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }
}
