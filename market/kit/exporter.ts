import type { Directory } from "./directory.ts";
import {
  TELEMETRY_BACKOFF_MAX_MS,
  TELEMETRY_BATCH,
  TELEMETRY_FLUSH_MS,
  TELEMETRY_PENDING,
  TELEMETRY_TIMEOUT_MS,
} from "./limits.ts";

// Tells a telemetry sink what a program logged, which requests it answered and how it is: OTLP over
// HTTP, in JSON (opentelemetry.io/docs/specs/otlp). Nobody waits for it. What does not fit is
// dropped and counted; while the sink is away it is asked less and less often.

/** A structured log line, as far as it is looked at. */
interface Line {
  readonly time: string;
  readonly level: string;
  readonly event: string;
  readonly trace?: string;
  readonly span?: string;
  readonly parent?: string;
  readonly method?: string;
  readonly route?: string;
  readonly status?: number;
  readonly ms?: number;
}

/** A value of the program's own. */
export interface Measured {
  readonly value: number;
  /** As OpenTelemetry writes units: `By`, `s`, `{job}`. */
  readonly unit: string;
}

/** Reads values by their names: `jobs.waiting`. */
export type Measure = () => Promise<Readonly<Record<string, Measured>>>;

/** Upper bounds of the request histogram, in seconds: those that OpenTelemetry advises. */
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

export interface Exporter {
  /** Takes a finished log line; returns at once. */
  line(text: string): void;
  /** Has these values read each time that something is sent. */
  measure(read: Measure): void;
  /** What was dropped, because the sink was away or too slow. */
  readonly dropped: number;
  /** Lines that wait to be sent. */
  readonly pending: number;
  /** Sends what there is, once, and ends. */
  close(): Promise<void>;
}

export interface ExporterParts {
  /** Which app takes telemetry. */
  readonly sink: string;
  readonly service: string;
  readonly replica: string;
  now(): number;
  /** Resident memory of this program, in bytes. */
  memoryBytes(): number;
}

/** Starts an exporter. */
export function startExporter(directory: Directory, parts: ExporterParts): Exporter {
  let lines: string[] = [];
  let dropped = 0;
  let requests = 0;
  let failures = 0;
  let seconds = 0;
  const buckets = new Array<number>(BOUNDS.length + 1).fill(0);
  const measures: Measure[] = [];
  let waitMs = TELEMETRY_FLUSH_MS;
  let closed = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const resource = {
    attributes: [
      attribute("service.name", parts.service),
      attribute("service.instance.id", parts.replica),
    ],
  };
  const send = async (path: string, json: unknown) => {
    const response = await directory.call(parts.sink, path, {
      method: "POST",
      json,
      timeoutMs: TELEMETRY_TIMEOUT_MS,
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`${parts.sink} answered ${response.status}`);
  };
  const flush = async () => {
    const batch = lines.slice(0, TELEMETRY_BATCH);
    const parsed = batch.map((text) => ({ text, line: JSON.parse(text) as Line }));
    const at = nanos(parts.now());
    const sum = (name: string, unit: string, value: number) => ({
      ...{ name, unit },
      sum: {
        aggregationTemporality: 2,
        isMonotonic: true,
        dataPoints: [{ timeUnixNano: at, asDouble: value }],
      },
    });
    const gauge = (name: string, { unit, value }: Measured) => ({
      ...{ name, unit },
      gauge: { dataPoints: [{ timeUnixNano: at, asDouble: value }] },
    });
    const durations = {
      ...{ name: "http.server.request.duration", unit: "s" },
      histogram: {
        aggregationTemporality: 2,
        dataPoints: [{
          timeUnixNano: at,
          count: String(requests),
          sum: seconds,
          bucketCounts: buckets.map(String),
          explicitBounds: BOUNDS,
        }],
      },
    };
    // What cannot be read just now is told the next time.
    const read = await Promise.allSettled(measures.map(inTime));
    const own = read.flatMap((each) =>
      each.status === "fulfilled" ? Object.entries(each.value) : []
    );
    try {
      if (batch.length > 0) {
        const logRecords = parsed.map(({ text, line }) => recordOf(text, line));
        await send("/v1/logs", { resourceLogs: [{ resource, scopeLogs: [{ logRecords }] }] });
        const spans = parsed.flatMap(({ line }) => spanOf(line) ?? []);
        if (spans.length > 0) {
          await send("/v1/traces", { resourceSpans: [{ resource, scopeSpans: [{ spans }] }] });
        }
      }
      const metrics = [
        sum("http.server.requests", "{request}", requests),
        sum("http.server.failures", "{request}", failures),
        sum("telemetry.dropped", "{line}", dropped),
        durations,
        gauge("process.memory.rss", { unit: "By", value: parts.memoryBytes() }),
        ...own.map(([name, measured]) => gauge(name, measured)),
      ];
      await send("/v1/metrics", { resourceMetrics: [{ resource, scopeMetrics: [{ metrics }] }] });
      lines = lines.slice(batch.length);
      waitMs = TELEMETRY_FLUSH_MS;
    } catch {
      waitMs = Math.min(waitMs * 2, TELEMETRY_BACKOFF_MAX_MS);
    }
  };
  const later = () => {
    timer = setTimeout(async () => {
      await flush();
      if (!closed) later();
    }, waitMs);
    // A program that has nothing else to do may end.
    Deno.unrefTimer(timer);
  };
  later();
  return {
    line(text) {
      if (lines.length >= TELEMETRY_PENDING) return void dropped++;
      lines.push(text);
      if (!text.includes('"event":"request"')) return;
      const { status = 0, ms = 0 } = JSON.parse(text) as Line;
      requests++;
      if (status >= 500) failures++;
      seconds += ms / 1_000;
      const at = BOUNDS.findIndex((bound) => ms <= bound * 1_000);
      buckets[at === -1 ? BOUNDS.length : at]!++;
    },
    measure: (read) => void measures.push(read),
    get dropped() {
      return dropped;
    },
    get pending() {
      return lines.length;
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      if (waitMs === TELEMETRY_FLUSH_MS) await flush();
    },
  };
}

/** What is read, unless that takes too long: nobody waits for a store that hangs. */
async function inTime(read: Measure): ReturnType<Measure> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error("too slow")), TELEMETRY_TIMEOUT_MS);
  try {
    return await Promise.race([read(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function attribute(key: string, value: string) {
  return { key, value: { stringValue: value } };
}

/** Nanoseconds since 1970 as OTLP has them in JSON: a text. */
function nanos(ms: number): string {
  return `${BigInt(Math.round(ms * 1_000)) * 1_000n}`;
}

function recordOf(text: string, { time, level, event, trace, span }: Line) {
  return {
    timeUnixNano: nanos(Date.parse(time)),
    severityText: level,
    body: { stringValue: text },
    attributes: [attribute("event.name", event)],
    ...(trace && span ? { traceId: trace, spanId: span } : {}),
  };
}

function spanOf({ event, time, trace, span, parent, method, route, status, ms = 0 }: Line) {
  if (event !== "request" || !trace || !span) return undefined;
  const end = Date.parse(time);
  return {
    traceId: trace,
    spanId: span,
    ...(parent ? { parentSpanId: parent } : {}),
    name: `${method} ${route}`,
    kind: 2,
    startTimeUnixNano: nanos(end - ms),
    endTimeUnixNano: nanos(end),
    attributes: [
      { key: "http.response.status_code", value: { intValue: String(status) } },
      // Who reads the logs knows of it already.
      { key: "skr8tr.logged", value: { boolValue: true } },
    ],
    status: { code: status! >= 500 ? 2 : 0 },
  };
}
