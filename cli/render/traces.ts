// Requests as the apps' log lines tell of them: the slowest, and one of them call by call.

import type { TraceSpanView, TraceView } from "../../core/trace_view.ts";
import { table } from "./table.ts";
import type { Surface } from "./views.ts";
import { clockTime, span } from "./words.ts";

/** Characters that stand for the whole time of a trace. */
const BAR = 24;

/** A line for each trace, the slowest first as they come. */
export function tracesLines(
  traces: readonly TraceView[],
  { app, failed }: { readonly app: string; readonly failed: boolean },
  { paint, columns }: Surface,
  nowMs: number,
): string[] {
  if (traces.length === 0) {
    const what = failed ? "failed request" : "request";
    const told = app === "" ? `no app has told of a ${what}` : `${app} has told of no ${what}`;
    return [`${told}; docs/WORKLOADS.md says how apps tell of them`];
  }
  return table<TraceView>(
    traces,
    [
      { title: "REQUEST", cell: ({ name }) => name, least: 12, color: () => paint.strong },
      { title: "APP", cell: (each) => each.app, least: 6 },
      { title: "TOOK", cell: ({ ms }) => took(ms), right: true },
      {
        title: "CALLS",
        cell: ({ spans, failed }) => failed === 0 ? `${spans}` : `${spans}, ${failed} failed`,
        color: ({ failed }) => failed === 0 ? (text) => text : paint.bad,
      },
      { title: "WHEN", cell: ({ startWallMs }) => clockTime(startWallMs, nowMs), spare: 1 },
      {
        title: "THROUGH",
        cell: ({ apps, app }) => apps.filter((each) => each !== app).join(", ") || "-",
        least: 8,
        spare: 0,
      },
      { title: "TRACE", cell: ({ trace }) => trace },
    ],
    paint,
    columns,
  );
}

/** One trace: a line for each call, below the one that asked for it, with its share of the time. */
export function traceLines(
  spans: readonly TraceSpanView[],
  { paint, columns }: Surface,
  nowMs: number,
): string[] {
  const beginMs = Math.min(...spans.map(({ startWallMs }) => startWallMs));
  const endMs = Math.max(...spans.map(({ startWallMs, ms }) => startWallMs + ms));
  const failed = spans.filter((each) => each.failed).length;
  const head = `${took(endMs - beginMs)} from ${clockTime(beginMs, nowMs)} on, ${spans.length} ${
    spans.length === 1 ? "call" : "calls"
  }${failed === 0 ? "" : `, ${paint.bad(`${failed} failed`)}`}`;
  const lines = table<TraceSpanView>(
    spans,
    [
      {
        title: "CALL",
        cell: ({ name, depth, failed }) => `${"  ".repeat(depth)}${name}${failed ? " failed" : ""}`,
        least: 16,
        color: ({ failed }) => failed ? paint.bad : paint.strong,
      },
      { title: "APP", cell: ({ app }) => app, least: 6 },
      { title: "REPLICA", cell: ({ replica }) => replica || "-", least: 8, spare: 1 },
      { title: "NODE", cell: ({ node }) => node || "-", spare: 0 },
      { title: "AFTER", cell: ({ startWallMs }) => took(startWallMs - beginMs), right: true },
      { title: "TOOK", cell: ({ ms }) => took(ms), right: true },
      {
        title: "TIME",
        cell: (each) => bar(each.startWallMs - beginMs, each.ms, endMs - beginMs),
        spare: 2,
      },
    ],
    paint,
    columns,
  );
  return [head, "", ...lines];
}

/** Where in the whole a call lies; never nothing. */
function bar(fromMs: number, ms: number, wholeMs: number): string {
  if (wholeMs <= 0) return "█";
  const from = Math.min(BAR - 1, Math.floor(BAR * fromMs / wholeMs));
  const length = Math.max(1, Math.min(BAR - from, Math.round(BAR * ms / wholeMs)));
  return "░".repeat(from) + "█".repeat(length) + "░".repeat(BAR - from - length);
}

/** A time, with tenths of milliseconds where it is short. */
function took(ms: number): string {
  return ms < 10 && ms > 0 ? `${Number(ms.toFixed(1))} ms` : span(ms);
}
