// OTLP in JSON, as far as it is kept: what programs send becomes log lines, spans and values.

import { badRequest } from "../../kit/problem.ts";
import type { LineView, PointView, SpanView } from "./store.ts";

type Json = Readonly<Record<string, unknown>>;

/** Longest text that is kept of anything, in characters. */
const TEXT_MAX = 4_000;

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

const ID = /^[0-9a-f]{16,32}$/i;

/** The spans of an ExportTraceServiceRequest; those without ids are left out. */
export function spansOf(body: unknown, now: number): SpanView[] {
  return list(body, "resourceSpans").flatMap((group) => {
    const { service } = whoOf(group);
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
          service,
          name: text(span.name, 200),
          startMs,
          durationMs: Math.max(0, msOf(span.endTimeUnixNano, now) - startMs),
          failed: (span.status as Json | undefined)?.code === 2,
        }];
      })
    );
  });
}

/** The sums and gauges of an ExportMetricsServiceRequest. */
export function pointsOf(body: unknown, now: number): PointView[] {
  return list(body, "resourceMetrics").flatMap((group) => {
    const who = whoOf(group);
    return list(group, "scopeMetrics").flatMap((scope) =>
      list(scope, "metrics").flatMap((metric) =>
        list(metric.sum ?? metric.gauge ?? {}, "dataPoints").flatMap((point): PointView[] => {
          const value = Number(point.asDouble ?? point.asInt);
          if (!Number.isFinite(value)) return [];
          const atMs = msOf(point.timeUnixNano, now);
          return [{ ...who, name: text(metric.name, 200), atMs, value }];
        })
      )
    );
  });
}
