import type { Instant } from "../instant.ts";

/** The time now, by this process's two clocks. */
export function now(): Instant {
  return { monoMs: performance.now(), wallMs: Date.now() };
}

/** Random lower-case hex characters, for ids and boots. */
export function randomHex(length: number): string {
  return crypto.getRandomValues(new Uint8Array(Math.ceil(length / 2))).toHex().slice(0, length);
}

/** A 32-bit seed for a machine's `Prng`. */
export function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}
