// The values that an app's replicas tell of.

import { shownUnit } from "../../core/metric_unit.ts";
import type { MetricSeriesView, MetricsView } from "../../core/metric_view.ts";
import { table } from "./table.ts";
import type { Surface } from "./views.ts";

/** A line for each value of each replica: as it is now, and its least and most lately. */
export function metricLines(view: MetricsView, { paint, columns }: Surface): string[] {
  if (view.series.length === 0) return [`${view.app} has told of no values in the last 15 minutes`];
  const valued = (of: (values: readonly number[]) => number) => (each: MetricSeriesView) => {
    const { unit, factor } = shownUnit(each.unit);
    const values = each.values.filter((value) => value !== null);
    return `${digits(of(values) * factor)} ${unit}`.trimEnd();
  };
  const lines = table<MetricSeriesView>(
    view.series,
    [
      { title: "METRIC", cell: ({ name }) => name, least: 12, color: () => paint.strong },
      { title: "REPLICA", cell: ({ replica }) => replica || "-", least: 8 },
      { title: "NOW", cell: valued((values) => values.at(-1)!), right: true },
      { title: "LEAST", spare: 1, cell: valued((values) => Math.min(...values)), right: true },
      { title: "MOST", spare: 2, cell: valued((values) => Math.max(...values)), right: true },
      { title: "TOLD BY", spare: 0, cell: ({ by }) => by ?? view.app, least: 8 },
    ],
    paint,
    columns,
  );
  if (view.more === 0) return lines;
  return [...lines, `and ${view.more} more: find them by --grep`];
}

function digits(value: number): string {
  if (Math.abs(value) >= 100 || Number.isInteger(value)) return String(Math.round(value));
  return value.toPrecision(3).replace(/\.?0+$/, "");
}
