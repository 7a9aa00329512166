/** A source of chance that a pure machine is given: the same seed gives the same sequence. */
export interface Prng {
  /** A uniform number in [0, 1). */
  next(): number;
  /** A uniform integer in [0, bound). */
  below(bound: number): number;
  /** `length` lower-case hex characters. */
  hex(length: number): string;
}

/**
 * Creates a generator from a 32-bit seed.
 *
 * The algorithm is sfc32 (Chris Doty-Humphrey, PractRand), seeded by twelve warm-up rounds. It is
 * for scheduling jitter, ids inside one cluster and simulation; never for keys.
 */
export function createPrng(seed: number): Prng {
  let a = 0x9e3779b9 | 0;
  let b = 0x243f6a88 | 0;
  let c = seed | 0;
  let counter = 1;
  const next32 = () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  for (let round = 0; round < 12; round++) next32();
  return {
    next: () => next32() / 0x1_0000_0000,
    below: (bound) => Math.floor(next32() / 0x1_0000_0000 * bound),
    hex: (length) => {
      let text = "";
      while (text.length < length) text += next32().toString(16).padStart(8, "0");
      return text.slice(0, length);
    },
  };
}
