import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { RATE_CLIENTS } from "../core/limits.ts";
import { RateLimit, RetryBudget } from "./limit.ts";

Deno.test("RateLimit.take() allows the burst, then the rate, and says how long to wait", () => {
  const limit = new RateLimit(2, 3);
  assertEquals([1, 2, 3].map(() => limit.take("a", 0)), [0, 0, 0]);
  assertEquals(limit.take("a", 0), 1);
  assertEquals(limit.take("b", 0), 0);
  assertEquals(limit.take("a", 500), 0);
  assertEquals(limit.take("a", 500), 1);
  const slow = new RateLimit(0.1, 1);
  assertEquals([slow.take("a", 0), slow.take("a", 0)], [0, 10]);
});

Deno.test("RateLimit.take() never lets through more than burst and rate, at any times", () => {
  const gaps = fc.array(fc.nat(400), { minLength: 1, maxLength: 200 });
  const rate = fc.record({
    perSecond: fc.integer({ min: 1, max: 20 }),
    burst: fc.integer({ min: 1, max: 10 }),
  });
  fc.assert(fc.property(gaps, rate, (all, { perSecond, burst }) => {
    const limit = new RateLimit(perSecond, burst);
    let now = 0;
    let passed = 0;
    for (const gap of all) {
      now += gap;
      if (limit.take("a", now) === 0) passed++;
    }
    assert(passed <= burst + now / 1000 * perSecond + 1e-6, `${passed} passed in ${now} ms`);
  }));
});

Deno.test("RateLimit holds a bounded number of clients and forgets the longest idle", () => {
  const limit = new RateLimit(1, 1);
  for (let client = 0; client <= RATE_CLIENTS; client++) limit.take(String(client), 0);
  assertEquals(limit.clients, RATE_CLIENTS);
  assertEquals(limit.take("0", 0), 0);
  assertEquals(limit.take(String(RATE_CLIENTS), 0), 1);
});

Deno.test("RetryBudget allows retries as a share of requests", () => {
  const budget = new RetryBudget(0.25, 2);
  assertEquals([budget.spend(), budget.spend(), budget.spend()], [true, true, false]);
  for (let request = 0; request < 4; request++) budget.earn();
  assertEquals([budget.spend(), budget.spend()], [true, false]);
});
