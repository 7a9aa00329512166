import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  LATENCY_BOUNDS_MS,
  TRAFFIC_APPS,
  TRAFFIC_COARSE_KEEP_MS,
  TRAFFIC_COARSE_MS,
  TRAFFIC_SILENT_MS,
} from "../../core/limits.ts";
import type { Figure, Figures } from "../../core/mesh.ts";
import { Traffic } from "./traffic.ts";

const BUCKETS = LATENCY_BOUNDS_MS.length + 1;

function figure(requests: number, more: Partial<Figure> = {}): Figure {
  const latency = new Array(BUCKETS).fill(0);
  latency[3] = requests;
  return { app: "shop", generation: 2, requests, errors: 0, inFlight: 0, latency, ...more };
}

function told(apps: readonly Figure[], more: Partial<Figures> = {}): Figures {
  return { boot: "00000000000000aa", name: "ingress-1", whole: false, apps, ...more };
}

/** A conductor that has heard an ingress from its beginning. */
function listening(): Traffic {
  const traffic = new Traffic();
  traffic.take(told([], { whole: true }), 0);
  return traffic;
}

Deno.test("figures that come late, by a tower that had stood still, are passed over", () => {
  const traffic = new Traffic();
  traffic.take(told([], { whole: true, order: 1 }), 0);
  traffic.take(told([figure(50)], { whole: true, order: 3 }), 1_000);
  traffic.take(told([figure(20, { inFlight: 4 })], { order: 2 }), 1_100);
  assertEquals(traffic.inFlight("shop"), 0);
  assertEquals(traffic.between("shop", 2, 0, 1_100).requests, 50);
  assertEquals(traffic.idleSinceMs("shop", 1_100), 1_000);
  // Another start of the ingress counts from 1 again.
  traffic.take(told([], { boot: "00000000000000bb", whole: true, order: 1 }), 1_200);
  traffic.take(told([figure(5)], { boot: "00000000000000bb", order: 2 }), 1_300);
  assertEquals(traffic.between("shop", 2, 1_150, 1_300).requests, 5);
});

Deno.test("Traffic.between() is what grew in that time, with errors and percentiles", () => {
  const traffic = listening();
  traffic.take(told([figure(10)]), 1_000);
  const latency = new Array(BUCKETS).fill(0);
  latency[3] = 100;
  latency[10] = 10;
  traffic.take(told([figure(110, { errors: 7, latency })]), 2_000);
  const between = traffic.between("shop", 2, 1_000, 2_000);
  assertEquals(between.latency.reduce((sum, each) => sum + each, 0), 100);
  assertEquals(between, {
    latency: between.latency,
    requests: 100,
    errors: 7,
    p50Ms: LATENCY_BOUNDS_MS[3]!,
    p95Ms: LATENCY_BOUNDS_MS[10]!,
  });
  assertEquals(traffic.between("shop", 2, 0, 2_000).requests, 110);
  assertEquals(traffic.between("shop", 2, 2_000, 9_000).requests, 0);
  assertEquals(traffic.between("shop", 3, 0, 9_000).requests, 0);
  assertEquals(traffic.between("other", 2, 0, 9_000).p95Ms, 0);
});

Deno.test("Traffic.take() adds up ingresses, and does not count what was before it listened", () => {
  const traffic = listening();
  // This one has run for long: its first whole says only from where to count.
  const old = { boot: "00000000000000bb", name: "ingress-2" };
  traffic.take(told([figure(5_000)], old), 10);
  assertEquals(traffic.between("shop", 2, 0, 10).requests, 0, "nothing before a whole");
  traffic.take(told([figure(5_000, { inFlight: 3 })], { ...old, whole: true }), 20);
  traffic.take(told([figure(5_005)], old), 1_000);
  traffic.take(told([figure(4, { inFlight: 2 })]), 1_000);
  assertEquals(traffic.between("shop", 2, 0, 1_000).requests, 9);
  assertEquals(traffic.inFlight("shop"), 2);
  // A generation that appears after the whole began at 0.
  traffic.take(told([figure(6, { generation: 3 })], old), 2_000);
  assertEquals(traffic.between("shop", 3, 0, 2_000).requests, 6);
});

Deno.test("Traffic.take() counts a restarted ingress from 0, and a repeated message once", () => {
  const traffic = listening();
  traffic.take(told([figure(10)]), 1_000);
  traffic.take(told([figure(10)]), 1_100);
  const again = { boot: "00000000000000cc" };
  traffic.take(told([], { ...again, whole: true }), 1_500);
  traffic.take(told([figure(3)], again), 2_000);
  assertEquals(traffic.between("shop", 2, 0, 2_000).requests, 13);
  // It forgot the pair and began it anew.
  traffic.take(told([figure(1)], again), 2_500);
  assertEquals(traffic.between("shop", 2, 0, 2_500).requests, 14);
});

Deno.test("Traffic.ratePerSecond() is that of all generations over the last seconds", () => {
  const traffic = listening();
  for (let second = 1; second <= 20; second++) {
    traffic.take(
      told([figure(second * 30), figure(second * 10, { generation: 1 })]),
      second * 1_000,
    );
  }
  assertEquals(traffic.ratePerSecond("shop", 20_000), 40);
  assertEquals(traffic.ratePerSecond("other", 20_000), 0);
  assertEquals(traffic.ratePerSecond("shop", 40_000), 0);
});

Deno.test("Traffic.idleSinceMs() is when a request was last seen, while somebody looks", () => {
  const traffic = new Traffic();
  assertEquals(traffic.idleSinceMs("shop"), Infinity);
  traffic.take(told([], { whole: true }), 500);
  assertEquals(traffic.idleSinceMs("shop"), 500);
  traffic.take(told([figure(1, { inFlight: 1 })]), 1_000);
  assertEquals(traffic.idleSinceMs("shop"), Infinity);
  traffic.take(told([figure(1)]), 2_000);
  assertEquals(traffic.idleSinceMs("shop"), 2_000);
  traffic.take(told([]), 3_000);
  assertEquals(traffic.idleSinceMs("shop", 3_100), 2_000);
  traffic.wake("shop", 3_200);
  assertEquals(traffic.idleSinceMs("shop", 3_200), 3_200);
  // Nobody has looked for long: who knows what was asked meanwhile.
  const blindMs = 3_200 + TRAFFIC_SILENT_MS + 1;
  assertEquals(traffic.idleSinceMs("shop", blindMs), Infinity);
  assertEquals(traffic.isHeard(blindMs), false);
  traffic.take(told([]), blindMs + 10_000);
  assertEquals(traffic.idleSinceMs("shop"), blindMs + 10_000);
});

Deno.test("Traffic.take() keeps no more than its bounds, old times coarsely", () => {
  const traffic = listening();
  const spanMs = 2 * TRAFFIC_COARSE_KEEP_MS;
  for (let atMs = 1_000; atMs <= spanMs; atMs += 1_000) {
    traffic.take(told([figure(atMs / 1_000)]), atMs);
  }
  const sinceMs = spanMs - TRAFFIC_COARSE_KEEP_MS / 2;
  const { requests } = traffic.between("shop", 2, sinceMs, spanMs);
  const wanted = (spanMs - sinceMs) / 1_000;
  assert(Math.abs(requests - wanted) <= TRAFFIC_COARSE_MS / 1_000, `${requests} for ${wanted}`);
  for (let generation = 3; generation < 40; generation++) {
    traffic.take(told([figure(1, { generation })]), spanMs + generation);
  }
  assertEquals(traffic.between("shop", 2, 0, spanMs).requests, 0);
  for (let app = 0; app < 50; app++) {
    traffic.take(told([figure(1, { app: `app-${app}` })]), spanMs + 100);
    traffic.forget(`app-${app}`);
  }
  assert(TRAFFIC_APPS > 0);
});

Deno.test("Traffic.take() sums to what was counted, whatever is lost, repeated and restarted", () => {
  const step = fc.record({
    requests: fc.nat(20),
    said: fc.boolean(),
    again: fc.boolean(),
    restart: fc.integer({ min: 0, max: 9 }),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const traffic = listening();
    let boot = 0xaa;
    let own = 0;
    let unsaid = 0;
    let sum = 0;
    steps.forEach(({ requests, said, again, restart }, at) => {
      if (restart === 0) {
        // What it had not told yet is gone with it.
        own = unsaid = 0;
        boot++;
      }
      const name = { boot: boot.toString(16).padStart(16, "0") };
      if (restart === 0) traffic.take(told([], { ...name, whole: true }), at * 1_000);
      own += requests;
      unsaid += requests;
      if (!said) return;
      sum += unsaid;
      unsaid = 0;
      for (let time = 0; time < (again ? 2 : 1); time++) {
        traffic.take(told([figure(own)], name), at * 1_000 + 500 + time);
      }
    });
    assertEquals(traffic.between("shop", 2, -1, 1e6).requests, sum);
  }));
});

Deno.test("lately() tells how all generations of an app together do now", () => {
  const traffic = new Traffic();
  assertEquals(traffic.lately("api", 0), null);
  const told = (requests: number, errors: number) =>
    [1, 2].map((generation) => ({
      ...{ app: "api", generation, requests, errors, inFlight: 1 },
      latency: LATENCY_BOUNDS_MS.map((_, at) => at === 0 ? requests : 0).concat(0),
    }));
  const figures = { name: "edge", boot: "0".repeat(16), whole: true };
  traffic.take({ ...figures, apps: told(0, 0) }, 0);
  traffic.take({ ...figures, apps: told(20, 1) }, 2_500);
  traffic.take({ ...figures, apps: told(50, 5) }, 5_000);
  assertEquals(traffic.lately("api", 5_000), {
    ...{ requestsPerSecond: 20, errorsPerSecond: 2, inFlight: 2 },
    ...{ p50Ms: LATENCY_BOUNDS_MS[0]!, p95Ms: LATENCY_BOUNDS_MS[0]! },
    p99Ms: LATENCY_BOUNDS_MS[0]!,
  });
});
