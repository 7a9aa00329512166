// What the sink says of what it was told, as lines of its own log: of values how they are now, and
// spans that no program's log tells of. Bounded, so that a program that tells much costs no more.

import {
  SINK_FRESH_MS,
  SINK_LINE_BYTES,
  SINK_RATE_MS,
  SINK_TOLD_PROGRAMS,
  SINK_TOLD_SPANS,
  SINK_TOLD_VALUES,
} from "../../kit/limits.ts";
import type { PointView, SpanView } from "./store.ts";

/** A value as it is now. */
interface Value {
  readonly value: number;
  readonly unit: string;
}

/** Which program a line tells of, as the deck reads it. */
interface Of {
  readonly app: string;
  readonly replica: string;
}

export interface ValuesLine {
  readonly of: Of;
  readonly metrics: Readonly<Record<string, Value>>;
}

export interface SpansLine {
  readonly of: Of;
  readonly spans: readonly {
    readonly trace: string;
    readonly span: string;
    readonly parent?: string;
    readonly name: string;
    /** When it ended, ISO 8601. */
    readonly time: string;
    readonly ms: number;
    readonly failed: boolean;
  }[];
}

/**
 * How every program is now: gauges as they were told last, of counters what came a second, of
 * histograms what came a second and two percentiles.
 *
 * @param points of the last while, oldest first
 */
export function valueLines(points: readonly PointView[], now: number): ValuesLine[] {
  const programs = [...Map.groupBy(points, programOf).values()]
    .filter((own) => own.at(-1)!.atMs > now - SINK_FRESH_MS)
    .slice(-SINK_TOLD_PROGRAMS);
  return programs.flatMap((own) => {
    const series = [...Map.groupBy(own, ({ name }) => name).values()];
    const values = series.flatMap((each) => valuesOf(each, now)).slice(0, SINK_TOLD_VALUES);
    return inLines(values).map((part): ValuesLine => ({
      of: ofProgram(own[0]!),
      metrics: Object.fromEntries(part),
    }));
  });
}

/** Spans in lines, each of one program: whole traces, those that failed and the slowest first. */
export function spanLines(spans: readonly SpanView[]): SpansLine[] {
  const traces = [...Map.groupBy(spans, ({ traceId }) => traceId).values()]
    .sort((a, b) => failuresIn(b) - failuresIn(a) || longestIn(b) - longestIn(a));
  const chosen: SpanView[] = [];
  for (const trace of traces) {
    if (chosen.length + trace.length <= SINK_TOLD_SPANS) chosen.push(...trace);
  }
  return [...Map.groupBy(chosen, programOf).values()].flatMap((own) =>
    inLines(own.map(spanText)).map((part): SpansLine => ({ of: ofProgram(own[0]!), spans: part }))
  );
}

function programOf({ service, instance }: PointView | SpanView): string {
  return `${service} ${instance}`;
}

function ofProgram({ service: app, instance: replica }: PointView | SpanView): Of {
  return { app, replica };
}

function failuresIn(trace: readonly SpanView[]): number {
  return trace.some(({ failed }) => failed) ? 1 : 0;
}

function longestIn(trace: readonly SpanView[]): number {
  return Math.max(...trace.map(({ durationMs }) => durationMs));
}

function spanText(each: SpanView): SpansLine["spans"][number] {
  const { traceId: trace, spanId: span, parentId, name, startMs, durationMs, failed } = each;
  const parent = parentId === null ? {} : { parent: parentId };
  const time = new Date(startMs + durationMs).toISOString();
  const ms = Math.round(durationMs * 1_000) / 1_000;
  return { trace, span, ...parent, name, time, ms, failed };
}

/** Parts of a list that are short enough for a line each. */
function inLines<T>(all: readonly T[]): T[][] {
  const lines: T[][] = [];
  let length = Infinity;
  for (const each of all) {
    const own = new TextEncoder().encode(JSON.stringify(each)).length + 1;
    if (length + own > SINK_LINE_BYTES) {
      lines.push([]);
      length = 0;
    }
    lines.at(-1)!.push(each);
    length += own;
  }
  return lines;
}

/** What one metric of one program says now: by names. */
function valuesOf(series: readonly PointView[], now: number): [name: string, value: Value][] {
  const last = series.at(-1)!;
  if (last.atMs <= now - SINK_FRESH_MS) return [];
  const { name, unit, kind, value } = last;
  if (kind === "gauge") return [[name, { value, unit }]];
  // Where it is told more often than that, a rate over no time at all would only jump.
  const before = series.findLast(({ atMs }) => atMs <= last.atMs - SINK_RATE_MS) ?? series[0]!;
  const seconds = (last.atMs - before.atMs) / 1_000;
  if (seconds <= 0) return [];
  const rate = { value: grown(before.value, value) / seconds, unit: `${unit}/s` };
  if (kind === "counter") return [[name, rate]];
  if (!last.buckets) return [];
  const { bounds, counts } = last.buckets;
  const isSame = before.value <= value && before.buckets?.counts.length === counts.length;
  const fresh = counts.map((count, at) => isSame ? count - before.buckets!.counts[at]! : count);
  const percentiles = [50, 99].flatMap((percent): [string, Value][] => {
    const found = percentile(bounds, fresh, percent / 100);
    return found === null ? [] : [[`${name}.p${percent}`, { value: found, unit }]];
  });
  return [[`${name}.count`, { ...rate, unit: "/s" }], ...percentiles];
}

/** By how much a counter has grown: one that is lower than before began again at 0. */
function grown(before: number, after: number): number {
  return after >= before ? after - before : after;
}

/**
 * Below what a part of the values is, by the buckets that they fell into, taken to lie evenly in
 * theirs (as Prometheus' `histogram_quantile` does); `null` of none.
 */
export function percentile(
  bounds: readonly number[],
  counts: readonly number[],
  part: number,
): number | null {
  const all = counts.reduce((sum, count) => sum + count, 0);
  if (!(all > 0)) return null;
  let upTo = 0;
  for (const [at, count] of counts.entries()) {
    if (count > 0 && upTo + count >= all * part) {
      const from = at === 0 ? Math.min(0, bounds[0] ?? 0) : bounds[at - 1]!;
      // How far the last bucket goes nobody knows.
      const to = bounds[at] ?? from;
      return from + (to - from) * (all * part - upTo) / count;
    }
    upTo += count;
  }
  return bounds.at(-1) ?? null;
}
