/**
 * Values that programs tell of themselves in lines of their logs.
 *
 * | request | answer |
 * |---|---|
 * | `GET /api/telemetry/metrics` | `{ apps: MetricTotals[] }`, by name |
 * | `GET /api/telemetry/metrics?app=A&name=PART&replica=R` | `MetricsView` |
 */

/** An app that told of values lately. */
export interface MetricTotals {
  readonly app: string;
  /** How many replicas did, and how many names there are. */
  readonly replicas: number;
  readonly metrics: number;
}

/** The values of an app over the last quarter of an hour, in spans of `everyMs`, oldest first. */
export interface MetricsView {
  readonly app: string;
  readonly everyMs: number;
  /** Beginning of each span. */
  readonly startWallMs: readonly number[];
  /** By name, then by replica. */
  readonly series: readonly MetricSeriesView[];
  /** So many others match, for which there is no room in one answer: name a part of their names. */
  readonly more: number;
}

/** One value of one replica. */
export interface MetricSeriesView {
  /** `process.memory.rss`. */
  readonly name: string;
  /** As OpenTelemetry writes units (UCUM): `By`, `s`, `{job}`, `{request}/s`; absent: none was told. */
  readonly unit?: string;
  /** Empty where whoever told of it did not say. */
  readonly replica: string;
  /** The app whose log told of it, where that was not its own. */
  readonly by?: string;
  /** The last value in each span; `null` where none was told. */
  readonly values: readonly (number | null)[];
}
