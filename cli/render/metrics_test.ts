import { assertEquals } from "@std/assert";
import type { MetricsView } from "../../core/metric_view.ts";
import { paint } from "../output.ts";
import { metricLines } from "./metrics.ts";

const output = { paint: paint(false), columns: 120 };

Deno.test("metricLines() shows each value with its unit: now, least and most", () => {
  const memory = { name: "process.memory.rss", unit: "By", by: "telemetry-sink" };
  const view: MetricsView = {
    app: "core-api",
    everyMs: 15_000,
    startWallMs: [0, 15_000, 30_000],
    series: [
      { ...memory, replica: "core-api.1", values: [2 ** 27, 2 ** 28, null] },
      { name: "queue", replica: "", values: [null, 7, 0.25] },
    ],
    more: 3,
  };
  assertEquals(metricLines(view, output).map((line) => line.split(/ {2,}/)), [
    ["METRIC", "REPLICA", "NOW", "LEAST", "MOST", "TOLD BY"],
    ["process.memory.rss", "core-api.1", "256 MiB", "128 MiB", "256 MiB", "telemetry-sink"],
    ["queue", "-", "0.25", "0.25", "7", "core-api"],
    ["and 3 more: find them by --grep"],
  ]);
  assertEquals(metricLines({ ...view, series: [], more: 0 }, output), [
    "core-api has told of no values in the last 15 minutes",
  ]);
});
