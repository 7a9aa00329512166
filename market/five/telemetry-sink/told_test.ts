import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import {
  SINK_FRESH_MS,
  SINK_TOLD_PROGRAMS,
  SINK_TOLD_SPANS,
  SINK_TOLD_VALUES,
} from "../../kit/limits.ts";
import type { PointView, SpanView } from "./store.ts";
import { percentile, spanLines, valueLines } from "./told.ts";

const NOW = 1_000_000;

function point(
  name: string,
  agoMs: number,
  value: number,
  more: Partial<PointView> = {},
): PointView {
  const who = { service: "core-api", instance: "core-api.1" };
  return { ...who, name, unit: "", kind: "gauge", atMs: NOW - agoMs, value, ...more };
}

const counted = (agoMs: number, value: number) =>
  point("requests", agoMs, value, { kind: "counter", unit: "{request}" });

const took = (agoMs: number, counts: readonly number[]) =>
  point("took", agoMs, counts.reduce((sum, each) => sum + each, 0), {
    ...{ kind: "histogram", unit: "s" },
    buckets: { bounds: [0.1, 0.2], counts },
  });

const metricsOf = (...points: PointView[]) => valueLines(points, NOW)[0]?.metrics;

Deno.test("valueLines() tells gauges as they were last, and counters as what came a second", () => {
  assertEquals(
    metricsOf(point("rss", 4_000, 1, { unit: "By" }), point("rss", 2_000, 7, { unit: "By" })),
    { rss: { value: 7, unit: "By" } },
  );
  // Over the last ten seconds, or as long as it is known.
  assertEquals(metricsOf(counted(30_000, 0), counted(12_000, 100), counted(2_000, 120)), {
    requests: { value: 2, unit: "{request}/s" },
  });
  assertEquals(metricsOf(counted(62_000, 0), counted(2_000, 120)), {
    requests: { value: 2, unit: "{request}/s" },
  });
  // The program began again: what it has counted since is what came.
  assertEquals(metricsOf(counted(12_000, 100), counted(2_000, 30)), {
    requests: { value: 3, unit: "{request}/s" },
  });
  assertEquals(metricsOf(counted(2_000, 120)), undefined, "one number is no rate");
});

Deno.test("valueLines() tells of histograms how many came and two percentiles of them", () => {
  const { "took.p99": p99, ...rest } = metricsOf(
    took(12_000, [50, 0, 0]),
    took(2_000, [60, 10, 0]),
  )!;
  assertEquals(rest, {
    "took.count": { value: 2, unit: "/s" },
    "took.p50": { value: 0.1, unit: "s" },
  });
  assertAlmostEquals(p99!.value, 0.198);
  assertEquals(metricsOf(took(12_000, [50, 0, 0]), took(2_000, [50, 0, 0])), {
    "took.count": { value: 0, unit: "/s" },
  });
  const again = metricsOf(took(12_000, [50, 9, 9]), took(2_000, [20, 0, 0]))!;
  assertAlmostEquals(again["took.p99"]!.value, 0.099);
});

Deno.test("valueLines() tells each replica apart, and nothing of one that is silent", () => {
  const second = { instance: "core-api.2" };
  const lines = valueLines([
    point("rss", SINK_FRESH_MS + 1, 1, { service: "gone" }),
    point("old", SINK_FRESH_MS + 1, 1),
    point("rss", 1_000, 1),
    point("rss", 900, 2, second),
  ], NOW);
  assertEquals(lines.map(({ of, metrics }) => [of.replica, Object.keys(metrics)]), [
    ["core-api.1", ["rss"]],
    ["core-api.2", ["rss"]],
  ]);
});

Deno.test("valueLines() is bounded: values, programs and the length of a line", () => {
  const long = (at: number) => `${at}`.padEnd(200, "x");
  const many = Array.from({ length: SINK_TOLD_VALUES + 9 }, (_, at) => point(long(at), 1_000, at));
  const lines = valueLines(many, NOW);
  assert(lines.every((line) => JSON.stringify(line).length < 8_000));
  const told = lines.flatMap(({ metrics }) => Object.keys(metrics));
  assertEquals(told.length, SINK_TOLD_VALUES);
  const programs = Array.from(
    { length: SINK_TOLD_PROGRAMS + 9 },
    (_, at) => point("rss", 1_000, at, { instance: `core-api.${at}` }),
  );
  assertEquals(valueLines(programs, NOW).length, SINK_TOLD_PROGRAMS);
});

function span(trace: number, at: number, more: Partial<SpanView> = {}): SpanView {
  const ids = { traceId: String(trace).padStart(32, "0"), spanId: String(at).padStart(16, "0") };
  return {
    ...{ ...ids, parentId: null, service: "core-api", instance: "core-api.1", name: "SELECT" },
    ...{ startMs: 5, durationMs: 1.5, failed: false, logged: false, ...more },
  };
}

Deno.test("spanLines() tells spans by program, as the deck reads them", () => {
  const [first, second] = spanLines([
    span(1, 1),
    span(1, 2, { parentId: "p", service: "hello", instance: "", failed: true }),
  ]);
  assertEquals(first, {
    of: { app: "core-api", replica: "core-api.1" },
    spans: [{
      ...{ trace: "1".padStart(32, "0"), span: "1".padStart(16, "0"), name: "SELECT" },
      ...{ time: "1970-01-01T00:00:00.006Z", ms: 1.5, failed: false },
    }],
  });
  assertEquals(second?.of, { app: "hello", replica: "" });
  assertEquals(second?.spans.map(({ parent, failed }) => [parent, failed]), [["p", true]]);
});

Deno.test("spanLines() is bounded, keeps traces whole, and those that failed and the slowest", () => {
  const traces = Array.from({ length: SINK_TOLD_SPANS }, (_, trace) => [
    span(trace, 1, { durationMs: trace, failed: trace === 7 }),
    span(trace, 2, { name: "x".repeat(200) }),
  ]);
  const lines = spanLines(traces.flat());
  assert(lines.every((line) => JSON.stringify(line).length < 8_000));
  const told = lines.flatMap(({ spans }) => spans);
  assertEquals(told.length, SINK_TOLD_SPANS);
  assertEquals([told[0]!.failed, told[2]!.ms], [true, SINK_TOLD_SPANS - 1]);
  const byTrace = Map.groupBy(told, ({ trace }) => trace);
  assert([...byTrace.values()].every((each) => each.length === 2));
});

Deno.test("percentile() finds where in its bucket a value lies; of the last one, where that begins", () => {
  assertEquals(percentile([1, 2, 4], [0, 0, 10, 0], 0.5), 3);
  assertEquals(percentile([1, 2, 4], [10, 0, 0, 0], 0.5), 0.5);
  assertEquals(percentile([1, 2, 4], [1, 0, 0, 9], 0.99), 4);
  assertEquals(percentile([], [3], 0.5), 0);
  assertEquals(percentile([1], [0, 0], 0.5), null);
});
