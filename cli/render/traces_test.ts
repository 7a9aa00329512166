import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { TraceSpanView, TraceView } from "../../core/trace_view.ts";
import { paint } from "../output.ts";
import { traceLines, tracesLines } from "./traces.ts";
import { textWidth } from "./width.ts";

const wide = { paint: paint(false), columns: 160 };
const ID = "0af7651916cd43dd8448eb211c80319c";
const AT = new Date(2026, 10, 26, 10, 0, 0).getTime();

const trace: TraceView = {
  trace: ID,
  app: "shop",
  name: "GET /basket",
  startWallMs: AT,
  ms: 1_250,
  spans: 3,
  failed: 1,
  apps: ["shop", "stock"],
};

const calls: readonly TraceSpanView[] = [
  { name: "GET /basket", app: "shop", replica: "shop.1", startWallMs: AT, ms: 200, depth: 0 },
  { name: "GET /stock", app: "stock", replica: "stock.2", startWallMs: AT + 50, ms: 100, depth: 1 },
  { name: "SELECT", app: "stock", replica: "", startWallMs: AT + 149, ms: 0.52, depth: 2 },
].map((each, at) => ({
  ...each,
  trace: ID,
  span: `${at}`.repeat(16),
  node: each.replica === "" ? "" : "node-1",
  failed: at === 2,
}));

Deno.test("tracesLines() tells each request: how long, how many calls failed, through whom", () => {
  const words = tracesLines(
    [trace, { ...trace, failed: 0, apps: ["shop"], ms: 3.14159 }],
    {
      app: "",
      failed: false,
    },
    wide,
    AT,
  ).map((line) => line.split(/ {2,}/));
  assertEquals(words, [
    ["REQUEST", "APP", "TOOK", "CALLS", "WHEN", "THROUGH", "TRACE"],
    ["GET /basket", "shop", "1 s", "3, 1 failed", "10:00:00", "stock", ID],
    ["GET /basket", "shop", "3.1 ms", "3", "10:00:00", "-", ID],
  ]);
});

Deno.test("tracesLines() keeps a trace's id whole, which the next command is given", () => {
  for (
    const line of tracesLines([trace], { app: "", failed: false }, { ...wide, columns: 80 }, AT)
      .slice(1)
  ) {
    assertStringIncludes(line, ID);
    assert(textWidth(line) <= 80, line);
  }
});

Deno.test("tracesLines() says of whom nothing is known", () => {
  const says = (app: string, failed: boolean) => tracesLines([], { app, failed }, wide, AT)[0]!;
  assertStringIncludes(says("shop", false), "shop has told of no request;");
  assertStringIncludes(says("", true), "no app has told of a failed request;");
});

Deno.test("traceLines() puts each call below who asked, where it lies in the whole", () => {
  const lines = traceLines(calls, wide, AT);
  assertEquals(lines[0], "200 ms from 10:00:00 on, 3 calls, 1 failed");
  const cells = lines.slice(3).map((line) => line.split(/ {2,}(?=\S)/));
  assertEquals(cells, [
    ["GET /basket", "shop", "shop.1", "node-1", "0 ms", "200 ms", "█".repeat(24)],
    [
      ...["", "GET /stock", "stock", "stock.2", "node-1", "50 ms", "100 ms"],
      `${"░".repeat(6)}${"█".repeat(12)}${"░".repeat(6)}`,
    ],
    [
      ...["", "SELECT failed", "stock", "-", "-", "149 ms", "0.5 ms"],
      `${"░".repeat(17)}█${"░".repeat(6)}`,
    ],
  ]);
});
