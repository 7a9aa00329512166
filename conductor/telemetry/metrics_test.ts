import { assertEquals } from "@std/assert";
import { METRIC_LINE, METRIC_NAME, METRIC_UNIT } from "../../core/limits.ts";
import { metricsOf } from "./metrics.ts";
import type { TellsOf } from "./teller.ts";

const tellsOf: TellsOf = (teller, app) =>
  teller === "sink" && app === "api" ? { node: "node-1" } : null;

function told(line: object | string, app = "api") {
  const text = typeof line === "string" ? line : JSON.stringify(line);
  return metricsOf({ app, replica: `${app}.2`, node: "node-2", wallMs: 7, line: text }, tellsOf);
}

Deno.test("metricsOf() reads numbers, with units or without", () => {
  const whose = { app: "api", replica: "api.2", node: "node-2" };
  assertEquals(told({ metrics: { "queue.waiting": 7, "memory": { value: 1.5, unit: "By" } } }), [
    { ...whose, name: "queue.waiting", value: 7 },
    { ...whose, name: "memory", value: 1.5, unit: "By" },
  ]);
});

Deno.test("metricsOf() takes a collector's word for those that it may speak for, and no other's", () => {
  const line = { of: { app: "api", replica: "api.1" }, metrics: { waiting: 3 } };
  assertEquals(told(line, "sink"), [
    { app: "api", replica: "api.1", node: "node-1", by: "sink", name: "waiting", value: 3 },
  ]);
  assertEquals(told(line, "other"), []);
  assertEquals(told({ ...line, of: { app: "bank" } }, "sink"), []);
});

Deno.test("metricsOf() leaves out what is no value, and is bounded", () => {
  for (
    const line of [
      "",
      'no JSON with "metrics"',
      '{"metrics": broken',
      { metrics: null },
      { metrics: 7 },
      { metrics: "many" },
      { metrics: [1, 2] },
      { metrics: { a: "7", b: null, c: {}, d: { value: "7" }, e: [], f: true } },
      { metrics: { "": 7, ["x".repeat(METRIC_NAME + 1)]: 7 } },
      '{"metrics":{"a":1e999}}',
    ]
  ) assertEquals(told(line), [], JSON.stringify(line));
  const many = Object.fromEntries(
    Array.from({ length: METRIC_LINE + 9 }, (_, at) => [`m${at}`, at]),
  );
  assertEquals(told({ metrics: many }).length, METRIC_LINE);
  const [{ unit } = { unit: "" }] = told({ metrics: { a: { value: 1, unit: "x".repeat(99) } } });
  assertEquals(unit?.length, METRIC_UNIT);
});
