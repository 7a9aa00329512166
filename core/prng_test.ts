import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { createPrng } from "./prng.ts";

Deno.test("createPrng() gives the same sequence for the same seed, others for others", () => {
  fc.assert(fc.property(fc.integer(), (seed) => {
    const draw = (from: number) => {
      const prng = createPrng(from);
      return Array.from({ length: 20 }, () => prng.next());
    };
    assertEquals(draw(seed), draw(seed));
    assertNotEquals(draw(seed), draw(seed ^ 1));
  }));
});

Deno.test("createPrng() stays in bounds and spreads evenly", () => {
  const prng = createPrng(42);
  const counts = new Array(10).fill(0);
  for (let count = 0; count < 100_000; count++) counts[prng.below(10)]++;
  // Chi-square with 9 degrees of freedom: 27.9 is exceeded once in a thousand seeds; this is one seed.
  const chi = counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0);
  assert(chi < 27.9, `chi-square ${chi}`);
  for (let length = 0; length < 20; length++) {
    assert(new RegExp(`^[0-9a-f]{${length}}$`).test(prng.hex(length)));
  }
});
