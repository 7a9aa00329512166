import { assertEquals } from "@std/assert";
import { SPAN_LINE, SPAN_NAME } from "../../core/limits.ts";
import { spansOf } from "./spans.ts";
import type { TellsOf } from "./teller.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";
const IDS = { trace: TRACE, span: SPAN };

const API = { app: "api", replica: "api.1", node: "node-1" };
const nobody: TellsOf = () => null;

function told(fields: object | string, wallMs = 10_000) {
  const line = typeof fields === "string" ? fields : JSON.stringify(fields);
  const [span = null] = spansOf({ ...API, wallMs, line }, nobody);
  return span;
}

Deno.test("spansOf() reads the line of a request", () => {
  const time = new Date(9_990).toISOString();
  const parent = "00f067aa0ba902b7";
  assertEquals(
    told({ ...IDS, parent, time, method: "GET", route: "/a/:id", status: 200, ms: 12.5 }),
    {
      ...{ ...IDS, parent, app: "api", replica: "api.1", node: "node-1", name: "GET /a/:id" },
      ...{ startWallMs: 9_977.5, ms: 12.5, failed: false },
    },
  );
});

Deno.test("spansOf() knows other names of the same, and ids in capitals", () => {
  const ids = { trace_id: TRACE.toUpperCase(), spanId: SPAN, duration_ms: 3, parent_span_id: SPAN };
  const span = told({ ...ids, msg: "job done" })!;
  assertEquals([span.trace, span.span, span.parent, span.ms], [TRACE, SPAN, SPAN, 3]);
  assertEquals([span.name, span.startWallMs], ["job done", 9_997]);
});

Deno.test("spansOf() takes no app's word for another's, and a far time for none", () => {
  const time = "2999-01-01T00:00:00.000Z";
  const span = told({ ...IDS, ms: 1, app: "bank", replica: "bank.1", node: "n", time })!;
  assertEquals([span.app, span.replica, span.node], ["api", "api.1", "node-1"]);
  assertEquals(span.startWallMs, 9_999);
  assertEquals(told({ ...IDS, ms: 1, name: "x".repeat(9_999) })!.name.length, SPAN_NAME);
});

Deno.test("spansOf() says what failed: by the status, else by what the line calls itself", () => {
  const failed = (more: object) => told({ ...IDS, ms: 1, ...more })!.failed;
  assertEquals(failed({ status: 503 }), true);
  assertEquals(failed({ status: 404, level: "error" }), false);
  assertEquals(failed({ failed: true }), true);
  assertEquals(failed({ level: "error" }), true);
  assertEquals(failed({}), false);
});

Deno.test("spansOf() makes nothing of lines that tell of no span that has ended", () => {
  for (
    const line of [
      "",
      "plain text with a span",
      '{"span": broken',
      "[]",
      '{"span":null}',
      { span: SPAN, ms: 1 },
      { trace: TRACE, ms: 1 },
      { ...IDS },
      { ...IDS, ms: "7" },
      { ...IDS, ms: -1 },
      { ...IDS, ms: 1e300 },
      { trace: "0".repeat(32), span: SPAN, ms: 1 },
      { trace: 7, span: { a: 1 }, ms: 1 },
    ]
  ) assertEquals(told(line), null, JSON.stringify(line));
  assertEquals(told({ ...IDS, parent: "no id", ms: 1 })!.parent, undefined);
});

Deno.test("spansOf() reads a list of a collector's, of those that it may speak for", () => {
  const tellsOf: TellsOf = (teller, app, replica) =>
    teller === "sink" && app === "api" ? { node: replica === "api.1" ? "node-1" : "" } : null;
  const told = (line: object, app = "sink") =>
    spansOf(
      { app, replica: `${app}.1`, node: "node-9", wallMs: 10_000, line: JSON.stringify(line) },
      tellsOf,
    ).map(({ app, replica, node, by, span }) => [app, replica, node, by, span]);
  const spans = [{ ...IDS, ms: 1 }, 7, null, { trace: TRACE }, {
    ...IDS,
    span: "a".repeat(16),
    ms: 2,
  }];
  const of = { app: "api", replica: "api.1" };
  assertEquals(told({ of, spans }), [
    ["api", "api.1", "node-1", "sink", SPAN],
    ["api", "api.1", "node-1", "sink", "a".repeat(16)],
  ]);
  assertEquals(told({ of: { app: "api" }, spans })[0], ["api", "", "", "sink", SPAN]);
  assertEquals(told({ spans })[0], ["sink", "sink.1", "node-9", undefined, SPAN]);
  assertEquals(told({ of: { app: "bank" }, spans }), []);
  assertEquals(told({ of, spans }, "other"), []);
  assertEquals(told({ of, spans }, "api")[0], ["api", "api.1", "node-9", undefined, SPAN]);
  for (const nobody of [7, null, {}, { app: 7 }, { app: "api", replica: {} }]) {
    assertEquals(told({ of: nobody, spans }), [], JSON.stringify(nobody));
  }
  const many = Array.from({ length: SPAN_LINE + 9 }, () => ({ ...IDS, ms: 1 }));
  assertEquals(told({ of, spans: many }).length, SPAN_LINE);
});
