import { createPrng } from "../../core/prng.ts";
import { mutate } from "./mutate.ts";
import type { Target } from "./targets.ts";

/** An input that a parser did not take well. */
export interface Finding {
  readonly target: string;
  readonly seed: number;
  readonly input: Uint8Array;
  readonly what: string;
}

/**
 * Feeds a parser mutated inputs, as many as asked for or until the time is up.
 *
 * @returns how many it took, and the first that it did not
 */
export function fuzz(
  target: Target,
  seed: number,
  inputs: number,
  untilMs = Infinity,
  slowMs = Infinity,
): { readonly taken: number; readonly finding: Finding | null } {
  const encoder = new TextEncoder();
  const samples = target.samples.map((each) =>
    typeof each === "string" ? encoder.encode(each) : each
  );
  const prng = createPrng(seed);
  for (let taken = 0; taken < inputs; taken++) {
    if ((taken & 255) === 0 && performance.now() > untilMs) return { taken, finding: null };
    const input = mutate(samples, prng);
    const what = tryOne(target, input, slowMs);
    if (what !== null) return { taken, finding: { target: target.name, seed, input, what } };
  }
  return { taken: inputs, finding: null };
}

/**
 * What is wrong with how the parser takes an input; `null` if nothing is.
 *
 * @param slowMs what takes longer than this, each time, is as good as a hang
 */
export function tryOne(target: Target, input: Uint8Array, slowMs = Infinity): string | null {
  const begunMs = performance.now();
  try {
    target.take(input);
  } catch (error) {
    return (error as Error).stack ?? String(error);
  }
  const ms = performance.now() - begunMs;
  // A starved machine is slow once; a parser is slow again.
  if (ms <= slowMs) return null;
  const again = performance.now();
  target.take(input);
  return performance.now() - again > slowMs ? `it took ${Math.round(ms)} ms` : null;
}
