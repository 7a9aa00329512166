import { assertEquals } from "@std/assert";
import { LATENCY_BOUNDS_MS } from "../../core/limits.ts";
import { latencyBucket, noLatencies, percentile } from "./latency.ts";

Deno.test("latencyBucket() counts a bound with what is under it", () => {
  assertEquals([0, 1, 1.01, 10_000, 10_001, 1e12].map(latencyBucket), [0, 0, 1, 18, 19, 19]);
  assertEquals(LATENCY_BOUNDS_MS[18], 10_000);
});

Deno.test("percentile() says the upper bound of the bucket that holds it", () => {
  const latency = noLatencies();
  assertEquals(percentile(latency, 0.99), 0);
  latency[latencyBucket(3)] = 98;
  latency[latencyBucket(700)] = 1;
  latency[latencyBucket(60_000)] = 1;
  assertEquals([0.5, 0.98, 0.99, 1].map((part) => percentile(latency, part)), [3, 3, 800, 20_000]);
});
