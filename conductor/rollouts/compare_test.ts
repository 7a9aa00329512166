import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { COMPARE_Z } from "../../core/limits.ts";
import { createPrng } from "../../core/prng.ts";
import { excess, type Figures, whyWorse, wilson } from "./compare.ts";

/** Figures of answers that took these many ms, the first `errors` of them errors. */
function figures(timesMs: readonly number[], errors = 0): Figures {
  const sorted = [...timesMs].sort((a, b) => a - b);
  const at = (part: number) => sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? 0;
  return {
    requests: sorted.length,
    errors,
    p50Ms: at(0.5),
    p95Ms: at(0.95),
    slower: (ms) => sorted.filter((each) => each > ms).length,
  };
}

const times = (count: number, ms: number) => Array<number>(count).fill(ms);
const judge = (fresh: Figures, old: Figures, least = 100) =>
  whyWorse({ fresh, old, warm: { fresh, old } }, least);

Deno.test("wilson() is the interval of the literature", () => {
  // Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I, method 3,
  // has 81 of 263 at 1.96; the same formula at our bound, worked out by hand.
  const z2 = COMPARE_Z ** 2;
  const p = 81 / 263;
  const half = COMPARE_Z * Math.sqrt(p * (1 - p) / 263 + z2 / (4 * 263 ** 2));
  const { low, high } = wilson(81, 263);
  assert(Math.abs(low - (p + z2 / 526 - half) / (1 + z2 / 263)) < 1e-12);
  assert(Math.abs(high - (p + z2 / 526 + half) / (1 + z2 / 263)) < 1e-12);
  assertEquals(wilson(0, 50).low, 0);
  assert(Math.abs(wilson(0, 50).high - z2 / (50 + z2)) < 1e-12);
});

Deno.test("wilson() and excess() stay within what a share can be, and hold the share itself", () => {
  fc.assert(fc.property(
    fc.nat(10_000),
    fc.integer({ min: 1, max: 10_000 }),
    fc.nat(10_000),
    fc.integer({ min: 1, max: 10_000 }),
    (a, n, b, m) => {
      const [x, y] = [Math.min(a, n), Math.min(b, m)];
      const { low, high } = wilson(x, n);
      assert(low >= 0 && high <= 1 && low <= x / n + 1e-12 && high >= x / n - 1e-12);
      assert(excess(x, n, y, m) <= x / n - y / m + 1e-12);
    },
  ));
});

Deno.test("whyWorse() sees errors, and says how many", () => {
  const old = figures(times(1_000, 5), 1);
  assertStringIncludes(judge(figures(times(100, 5), 100), old)!, "100 % of its 100 answers");
  assertStringIncludes(judge(figures(times(200, 5), 20), old)!, "10 % of its 200 answers");
  assertEquals(judge(figures(times(200, 5), 0), old), null);
  assertEquals(judge(figures(times(200, 5), 1), old), null, "one error says nothing");
});

Deno.test("whyWorse() blames no new generation for what the old one does, too", () => {
  assertEquals(judge(figures(times(500, 5), 100), figures(times(2_000, 5), 400)), null);
  assertEquals(judge(figures(times(500, 80)), figures(times(2_000, 80))), null);
});

Deno.test("whyWorse() says nothing before there are enough answers, or without the old one's", () => {
  assertEquals(judge(figures(times(99, 5), 99), figures(times(1_000, 5))), null);
  assertEquals(judge(figures(times(500, 5), 500), figures([])), null);
  assertStringIncludes(judge(figures(times(20, 5), 20), figures(times(1_000, 5)), 20)!, "100 %");
});

Deno.test("whyWorse() sees a p95 that is higher by more than matters, not one by less", () => {
  const old = figures([...times(950, 10), ...times(50, 40)]);
  assertStringIncludes(judge(figures(times(200, 100)), old)!, "its p95 is 100.0 ms");
  assertEquals(judge(figures(times(200, 19)), old), null);
  // A tail of a tenth that is slow is seen in enough answers, a stray few are not.
  assertStringIncludes(judge(figures([...times(450, 10), ...times(50, 300)]), old)!, "p95");
  assertEquals(judge(figures([...times(295, 10), ...times(5, 300)]), old), null);
});

Deno.test("whyWorse() gives a false alarm in under 1 % of rollouts that are looked at 100 times", () => {
  const seed = 20_251_125;
  const prng = createPrng(seed);
  let alarms = 0;
  for (let rollout = 0; rollout < 400; rollout++) {
    const fresh: number[] = [];
    const old: number[] = [];
    let [freshErrors, oldErrors] = [0, 0];
    let alarmed = false;
    for (let look = 0; look < 100 && !alarmed; look++) {
      for (let request = 0; request < 8; request++) {
        fresh.push(5 + 20 * prng.next() ** 4);
        if (prng.next() < 0.01) freshErrors++;
      }
      for (let request = 0; request < 40; request++) {
        old.push(5 + 20 * prng.next() ** 4);
        if (prng.next() < 0.01) oldErrors++;
      }
      alarmed = look % 10 === 9 &&
        judge(figures(fresh, freshErrors), figures(old, oldErrors)) !== null;
    }
    if (alarmed) alarms++;
  }
  assert(alarms < 4, `${alarms} false alarms in 400 (seed ${seed})`);
});

Deno.test("whyWorse() compares no latencies of different times", () => {
  const [fresh, old] = [figures(times(500, 300)), figures(times(1_000, 5))];
  assertEquals(whyWorse({ fresh, old }, 100), null);
  const warm = { fresh: figures(times(99, 300)), old };
  assertEquals(whyWorse({ fresh, old, warm }, 100), null, "too few since it is warm");
});
