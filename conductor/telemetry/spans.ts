/** Which log lines tell of spans of traces, and what. */

import { SPAN_CLOCK_MS, SPAN_LINE, SPAN_MAX_MS, SPAN_NAME } from "../../core/limits.ts";
import type { SpanView } from "../../core/trace_view.ts";
import type { LogView } from "../../core/view.ts";
import { type Line, objectOf, type TellsOf, type Whose, whoseOf } from "./teller.ts";

/** The usual names of each key, the first that is there counts. */
const TRACE = ["trace", "trace_id", "traceId"];
const SPAN = ["span", "span_id", "spanId"];
const PARENT = ["parent", "parent_id", "parentId", "parent_span_id", "parentSpanId"];
const DURATION = ["ms", "duration_ms", "durationMs"];

const TRACE_ID = /^(?!0{32})[0-9a-f]{32}$/;
const SPAN_ID = /^(?!0{16})[0-9a-f]{16}$/;

/**
 * The spans that a line of JSON tells of when they have ended: itself one, or a list of them as
 * `spans`. A span needs the ids of its trace and its own in hex and how long it took in ms. Whose a
 * line is, is known and not taken from it, so that no app speaks for another; but a list may be
 * somebody else's, where whoever tells it may speak for them.
 */
export function spansOf(line: LogView, tellsOf: TellsOf): SpanView[] {
  // Most lines of most programs: not even read.
  if (!line.line.startsWith("{") || !line.line.includes('"span')) return [];
  const told = objectOf(line.line);
  if (told === null) return [];
  const { app, replica, node, wallMs } = line;
  if (!Array.isArray(told.spans)) return spanIn(told, { app, replica, node }, wallMs);
  const whose = whoseOf(line, told, tellsOf);
  if (whose === null) return [];
  return told.spans.slice(0, SPAN_LINE).flatMap((each: unknown) =>
    typeof each === "object" && each !== null ? spanIn(each as Line, whose, wallMs) : []
  );
}

function spanIn(told: Line, whose: Whose, wallMs: number): SpanView[] {
  const trace = idOf(told, TRACE, TRACE_ID);
  const span = idOf(told, SPAN, SPAN_ID);
  const ms = first(told, DURATION);
  if (trace === undefined || span === undefined) return [];
  if (typeof ms !== "number" || !(ms >= 0 && ms <= SPAN_MAX_MS)) return [];
  const parent = idOf(told, PARENT, SPAN_ID);
  return [{
    trace,
    span,
    ...(parent === undefined ? {} : { parent }),
    ...whose,
    name: nameOf(told),
    startWallMs: endOf(told, wallMs) - ms,
    ms,
    failed: hasFailed(told),
  }];
}

function first(told: Line, names: readonly string[]): unknown {
  return names.map((name) => told[name]).find((value) => value !== undefined);
}

function idOf(told: Line, names: readonly string[], form: RegExp): string | undefined {
  const value = first(told, names);
  if (typeof value !== "string") return undefined;
  const id = value.toLowerCase();
  return form.test(id) ? id : undefined;
}

/** `GET /api/products` of a request, or what the line says that it is about. */
function nameOf(told: Line): string {
  const { method, route, path, name, event, msg, message } = told;
  const request = [method, route ?? path].filter((each) => typeof each === "string").join(" ");
  const words = [request, name, event, msg, message].find((each) =>
    typeof each === "string" && each !== ""
  );
  return String(words ?? "span").slice(0, SPAN_NAME);
}

/** The time that the line says, if it is near the one at which its node read it. */
function endOf({ time }: Line, wallMs: number): number {
  const said = typeof time === "string" ? Date.parse(time) : NaN;
  return Math.abs(said - wallMs) <= SPAN_CLOCK_MS ? said : wallMs;
}

function hasFailed({ status, failed, level }: Line): boolean {
  if (typeof status === "number") return status >= 500;
  if (typeof failed === "boolean") return failed;
  return level === "error" || level === "fatal";
}
