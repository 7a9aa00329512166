// OTLP in JSON, as far as it is kept: what programs send becomes log lines, spans and values.

import { badRequest } from "../../kit/problem.ts";
import type { LineView, PointView, SpanView } from "./store.ts";

type Json = Readonly<Record<string, unknown>>;

/** Longest text that is kept of anything, in characters. */
const TEXT_MAX = 4_000;
/** Most bounds of a histogram that is kept. */
const BUCKETS_MAX = 50;

function list(of: unknown, name: string): Json[] {
  const value = (of as Json | null)?.[name] ?? [];
  if (!Array.isArray(value)) throw badRequest(name, `${name} must be a list`);
  return value.filter((each) => typeof each === "object" && each !== null);
}

function text(value: unknown, most = TEXT_MAX): string {
  return typeof value === "string" ? value.slice(0, most).toWellFormed() : "";
}

/** Milliseconds of nanoseconds in a text; now where there are none. */
function msOf(value: unknown, now: number): number {
  const ms = Number(value) / 1e6;
  return Number.isFinite(ms) && ms > 0 && ms < 8.64e15 ? ms : now;
}

function attributeOf(of: unknown, key: string): string {
  const found = list(of, "attributes").find((each) => each.key === key);
  return text((found?.value as Json | undefined)?.stringValue, 200);
}

/** Whether an attribute is there and true. */
function isSaid(of: unknown, key: string): boolean {
  return list(of, "attributes").some((each) =>
    each.key === key && (each.value as Json | undefined)?.boolValue === true
  );
}

function whoOf(group: Json): { service: string; instance: string } {
  return {
    service: attributeOf(group.resource, "service.name") || "unknown",
    instance: attributeOf(group.resource, "service.instance.id"),
  };
}

/** The log lines of an ExportLogsServiceRequest. */
export function linesOf(body: unknown, now: number): LineView[] {
  return list(body, "resourceLogs").flatMap((group) => {
    const { service, instance } = whoOf(group);
    return list(group, "scopeLogs").flatMap((scope) =>
      list(scope, "logRecords").map((record): LineView => ({
        wallMs: Math.round(msOf(record.timeUnixNano, now)),
        app: service,
        replica: instance,
        line: text((record.body as Json | undefined)?.stringValue),
      }))
    );
  });
}

/** An attribute of spans that the program has told of in its own log, too. */
export const LOGGED = "skr8tr.logged";

const ID = /^[0-9a-f]{16,32}$/i;

/** The spans of an ExportTraceServiceRequest; those without ids are left out. */
export function spansOf(body: unknown, now: number): SpanView[] {
  return list(body, "resourceSpans").flatMap((group) => {
    const who = whoOf(group);
    return list(group, "scopeSpans").flatMap((scope) =>
      list(scope, "spans").flatMap((span): SpanView[] => {
        const traceId = text(span.traceId, 32);
        const spanId = text(span.spanId, 16);
        if (!ID.test(traceId) || !ID.test(spanId)) return [];
        const startMs = msOf(span.startTimeUnixNano, now);
        return [{
          traceId,
          spanId,
          parentId: text(span.parentSpanId, 16) || null,
          ...who,
          name: text(span.name, 200),
          startMs,
          durationMs: Math.max(0, msOf(span.endTimeUnixNano, now) - startMs),
          failed: (span.status as Json | undefined)?.code === 2,
          logged: isSaid(span, LOGGED),
        }];
      })
    );
  });
}

/**
 * The sums, gauges and histograms of an ExportMetricsServiceRequest, one value for each metric of a
 * program: what it tells by attributes is put together. Sums that are told as what came since the
 * last time, and other kinds of histograms, are left out.
 */
export function pointsOf(body: unknown, now: number): PointView[] {
  return list(body, "resourceMetrics").flatMap((group) => {
    const who = whoOf(group);
    return list(group, "scopeMetrics").flatMap((scope) =>
      list(scope, "metrics").flatMap((metric): PointView[] => {
        const kind = kindOf(metric);
        if (kind === undefined) return [];
        const points = list(metric[kind === "counter" ? "sum" : kind] ?? metric.sum, "dataPoints");
        const value = kind === "histogram" ? histogramOf(points) : sumOf(points);
        if (value === undefined || points.length === 0) return [];
        const atMs = Math.max(...points.map((point) => msOf(point.timeUnixNano, now)));
        const [name, unit] = [text(metric.name, 200), text(metric.unit, 20)];
        return [{ ...who, name, unit, kind, atMs, ...value }];
      })
    );
  });
}

const CUMULATIVE = [2, "AGGREGATION_TEMPORALITY_CUMULATIVE"];

/** How values of a metric are to be read. A sum that also falls is how much there is: a gauge. */
function kindOf({ gauge, sum, histogram }: Json): PointView["kind"] | undefined {
  if (gauge) return "gauge";
  const told = (sum ?? histogram) as Json | undefined;
  if (!CUMULATIVE.includes(told?.aggregationTemporality as number)) return undefined;
  if (histogram) return "histogram";
  return told?.isMonotonic === true ? "counter" : "gauge";
}

function sumOf(points: readonly Json[]): { value: number } | undefined {
  const values = points.map((point) => Number(point.asDouble ?? point.asInt));
  if (values.length === 0 || !values.every(Number.isFinite)) return undefined;
  return { value: values.reduce((sum, value) => sum + value, 0) };
}

/** Counts as numbers: OTLP has them in JSON as texts. */
function numbers(values: unknown): number[] {
  return Array.isArray(values) ? values.map(Number) : [];
}

function histogramOf(points: readonly Json[]): Pick<PointView, "value" | "buckets"> | undefined {
  const [first] = points;
  const bounds = numbers(first?.explicitBounds);
  const counts = new Array<number>(bounds.length + 1).fill(0);
  for (const point of points) {
    const [own, of] = [numbers(point.bucketCounts), numbers(point.explicitBounds)];
    // All data points of one instrument have the same bounds; another is not put together with them.
    if (own.length !== counts.length || of.some((bound, at) => bound !== bounds[at])) continue;
    own.forEach((count, at) => counts[at]! += count);
  }
  if (bounds.length > BUCKETS_MAX || ![...bounds, ...counts].every(Number.isFinite)) {
    return undefined;
  }
  return { value: counts.reduce((sum, count) => sum + count, 0), buckets: { bounds, counts } };
}
