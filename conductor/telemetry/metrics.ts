/** Which log lines tell of values, and which. */

import { METRIC_LINE, METRIC_NAME, METRIC_UNIT } from "../../core/limits.ts";
import type { LogView } from "../../core/view.ts";
import { type Line, objectOf, type TellsOf, type Whose, whoseOf } from "./teller.ts";

/** A value at the time of its line. */
export interface MetricTold extends Whose {
  readonly name: string;
  readonly unit?: string;
  readonly value: number;
}

/**
 * The values that a line of JSON tells of: its `metrics`, each a number, or `{ "value", "unit" }` by
 * its name. What is no number is left out.
 */
export function metricsOf(line: LogView, tellsOf: TellsOf): MetricTold[] {
  if (!line.line.startsWith("{") || !line.line.includes('"metrics"')) return [];
  const told = objectOf(line.line);
  const metrics = told?.metrics;
  if (!told || typeof metrics !== "object" || metrics === null || Array.isArray(metrics)) return [];
  const whose = whoseOf(line, told, tellsOf);
  if (whose === null) return [];
  return Object.entries(metrics).slice(0, METRIC_LINE).flatMap(([name, of]) => {
    const { value, unit } = typeof of === "object" && of !== null
      ? of as Line
      : { value: of as unknown, unit: undefined };
    if (typeof value !== "number" || !Number.isFinite(value)) return [];
    if (name === "" || name.length > METRIC_NAME) return [];
    const said = typeof unit === "string" && unit !== ""
      ? { unit: unit.slice(0, METRIC_UNIT) }
      : {};
    return [{ ...whose, name, value, ...said }];
  });
}
