/** The values that programs told of over the last quarter of an hour: bounded, in memory. */

import {
  METRIC_APP_SERIES,
  METRIC_MS,
  METRIC_SERIES,
  METRIC_SPANS,
  SPAN_CLOCK_MS,
} from "../../core/limits.ts";
import type { MetricSeriesView, MetricsView, MetricTotals } from "../../core/metric_view.ts";
import type { MetricTold } from "./metrics.ts";

interface Series {
  readonly replica: string;
  readonly name: string;
  unit: string | undefined;
  by: string | undefined;
  /** The span of time that was told of last: wall ms / `METRIC_MS`. */
  last: number;
  /** The value in span N is at N % `METRIC_SPANS`; NaN where none was told. */
  readonly values: Float32Array;
}

export interface MetricSearch {
  /** A part of the name. */
  readonly name?: string;
  readonly replica?: string;
  /** Most series in the answer. */
  readonly limit: number;
}

export class MetricBook {
  /** By app, then by replica and name; of both the longest silent first. */
  readonly #apps = new Map<string, Map<string, Series>>();
  #count = 0;

  /** How many values of how many replicas are kept. */
  get series(): number {
    return this.#count;
  }

  /** Takes a value in; one of long ago, or of a time yet to come, is left out. */
  add(
    { app, replica, name, unit, by, value }: MetricTold,
    wallMs: number,
    nowWallMs: number,
  ): void {
    const number = numberOf(wallMs);
    if (number <= numberOf(nowWallMs) - METRIC_SPANS || wallMs > nowWallMs + SPAN_CLOCK_MS) return;
    const own = this.#apps.get(app) ?? new Map<string, Series>();
    const key = `${replica} ${name}`;
    const series = own.get(key) ?? begin(replica, name, number);
    // Its place in the ring is taken by what was told of a later time.
    if (number <= series.last - METRIC_SPANS) return;
    this.#apps.delete(app);
    this.#apps.set(app, own);
    if (own.delete(key)) this.#count--;
    own.set(key, series);
    this.#count++;
    series.unit = unit;
    series.by = by;
    for (let at = Math.max(series.last + 1, number - METRIC_SPANS + 1); at <= number; at++) {
      series.values[at % METRIC_SPANS] = NaN;
    }
    series.last = Math.max(series.last, number);
    series.values[number % METRIC_SPANS] = value;
    if (own.size > METRIC_APP_SERIES) this.#dropFirst(app, own);
    if (this.#count > METRIC_SERIES) this.#dropFirst(...this.#apps.entries().next().value!);
  }

  /** All apps that told of values, by name. */
  totals(nowWallMs: number): MetricTotals[] {
    return [...this.#apps.keys()].sort().flatMap((app) => {
      const known = this.#known(app, nowWallMs);
      if (known.length === 0) return [];
      return [{
        app,
        replicas: new Set(known.map(({ replica }) => replica)).size,
        metrics: new Set(known.map(({ name }) => name)).size,
      }];
    });
  }

  /** What an app told of, as far as it matches. */
  of(app: string, { name = "", replica, limit }: MetricSearch, nowWallMs: number): MetricsView {
    const found = this.#known(app, nowWallMs)
      .filter((each) => each.name.includes(name))
      .filter((each) => replica === undefined || each.replica === replica)
      .sort(byNameAndReplica);
    // The span that is under way counts once anybody has told of it.
    const last = Math.max(...found.map((each) => each.last), numberOf(nowWallMs) - 1);
    const numbers = Array.from({ length: METRIC_SPANS }, (_, at) => last - METRIC_SPANS + 1 + at);
    return {
      app,
      everyMs: METRIC_MS,
      startWallMs: numbers.map((number) => number * METRIC_MS),
      series: found.slice(0, limit).map((each) => viewOf(each, numbers)),
      more: Math.max(0, found.length - limit),
    };
  }

  /** What of an app is not over. */
  #known(app: string, nowWallMs: number): Series[] {
    const oldest = numberOf(nowWallMs) - METRIC_SPANS;
    return [...this.#apps.get(app)?.values() ?? []].filter(({ last }) => last > oldest);
  }

  #dropFirst(app: string, own: Map<string, Series>): void {
    own.delete(own.keys().next().value!);
    this.#count--;
    if (own.size === 0) this.#apps.delete(app);
  }
}

function begin(replica: string, name: string, number: number): Series {
  const values = new Float32Array(METRIC_SPANS).fill(NaN);
  return { replica, name, unit: undefined, by: undefined, last: number, values };
}

function viewOf(series: Series, numbers: readonly number[]): MetricSeriesView {
  const { name, unit, replica, by, last, values } = series;
  return {
    name,
    ...(unit === undefined ? {} : { unit }),
    replica,
    ...(by === undefined ? {} : { by }),
    values: numbers.map((number) => {
      const value = number > last || number <= last - METRIC_SPANS
        ? NaN
        : values[number % METRIC_SPANS]!;
      return Number.isNaN(value) ? null : Number(value.toPrecision(5));
    }),
  };
}

/** Replicas are numbered: the second stands before the tenth. */
function byNameAndReplica(a: Series, b: Series): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  const length = a.replica.length - b.replica.length;
  return length !== 0 ? length : a.replica < b.replica ? -1 : 1;
}

function numberOf(wallMs: number): number {
  return Math.floor(wallMs / METRIC_MS);
}
