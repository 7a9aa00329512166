/**
 * What the conductor makes of log lines that tell of requests as parts of traces.
 *
 * | request | answer |
 * |---|---|
 * | `GET /api/telemetry/apps` | `{ apps: SpanTotals[] }`, the most asked first |
 * | `GET /api/telemetry/series?app=A` | `SpanSeriesView` |
 * | `GET /api/telemetry/traces?app=A&failed=1&since=MS&limit=N` | `{ traces: TraceView[] }`, the slowest first |
 * | `GET /api/telemetry/traces/<id>` | `{ spans: TraceSpanView[] }` in the order of the calls, 404 `{ error }` |
 */

/** One program's part of a trace, as a line of its log told it. */
export interface SpanView {
  /** 32 hex digits, and 16: W3C Trace Context. */
  readonly trace: string;
  readonly span: string;
  /** The span of who asked; absent where nobody did. */
  readonly parent?: string;
  /** The app whose replica wrote the line, or that a collector of the same namespace told of. */
  readonly app: string;
  /** Empty where a collector did not say. */
  readonly replica: string;
  /** The node's name; empty where it is not known. */
  readonly node: string;
  /** The app whose log told of it, where that was not its own. */
  readonly by?: string;
  /** What was done: `GET /api/products/:id`. */
  readonly name: string;
  /** By the clock of its node. */
  readonly startWallMs: number;
  readonly ms: number;
  readonly failed: boolean;
}

/** A span in its trace. */
export interface TraceSpanView extends SpanView {
  /** How many askers above it are known. */
  readonly depth: number;
}

/** A trace by its beginning: the longest span whose asker is not known. */
export interface TraceView {
  readonly trace: string;
  readonly app: string;
  readonly name: string;
  readonly startWallMs: number;
  readonly ms: number;
  readonly spans: number;
  /** Spans that failed. */
  readonly failed: number;
  /** Everybody who took part, in the order of their first calls. */
  readonly apps: readonly string[];
}

/** How an app answered over the time that is kept. */
export interface SpanTotals {
  readonly app: string;
  readonly requests: number;
  readonly failed: number;
  /** Upper bounds of the buckets that hold the percentiles; 0 without requests. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** How an app answered, in spans of `everyMs`, oldest first, without the one that is not over. */
export interface SpanSeriesView {
  readonly app: string;
  readonly everyMs: number;
  /** Beginning of each. */
  readonly startWallMs: readonly number[];
  readonly requests: readonly number[];
  readonly failed: readonly number[];
  /** `null` where nothing was asked. */
  readonly p50Ms: readonly (number | null)[];
  readonly p99Ms: readonly (number | null)[];
}
