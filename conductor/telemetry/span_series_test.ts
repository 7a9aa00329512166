import { assertEquals } from "@std/assert";
import { SPAN_APPS, SPAN_SERIES, SPAN_SERIES_MS } from "../../core/limits.ts";
import type { SpanView } from "../../core/trace_view.ts";
import { SpanSeries } from "./span_series.ts";

const NOW = 1_000_000 * SPAN_SERIES_MS + 4_000;

function span(app: string, endWallMs: number, ms = 10, failed = false): SpanView {
  return {
    ...{ trace: "t", span: "s", app, replica: `${app}.1`, node: "node-1", name: "GET /" },
    ...{ startWallMs: endWallMs - ms, ms, failed },
  };
}

Deno.test("SpanSeries counts when spans ended, and leaves out the time that is not over", () => {
  const series = new SpanSeries();
  const before = NOW - SPAN_SERIES_MS;
  for (let at = 0; at < 98; at++) series.add(span("web", before, 3), NOW);
  for (let at = 0; at < 2; at++) series.add(span("web", before, 700, true), NOW);
  series.add(span("web", NOW, 3), NOW);
  const { startWallMs, requests, failed, p50Ms, p99Ms } = series.series("web", NOW);
  assertEquals(startWallMs.length, SPAN_SERIES);
  assertEquals(startWallMs.at(-1), 999_999 * SPAN_SERIES_MS);
  const last = [requests, failed, p50Ms, p99Ms].map((each) => each.slice(-2));
  assertEquals(last, [[0, 100], [0, 2], [null, 3], [null, 800]]);
  assertEquals(series.totals(NOW), [{
    app: "web",
    requests: 101,
    failed: 2,
    p50Ms: 3,
    p99Ms: 800,
  }]);
  assertEquals(series.series("none", NOW).requests, new Array(SPAN_SERIES).fill(0));
});

Deno.test("SpanSeries forgets what is long past, and takes no word of the future", () => {
  const series = new SpanSeries();
  const window = SPAN_SERIES * SPAN_SERIES_MS;
  series.add(span("web", NOW), NOW);
  series.add(span("web", NOW - window), NOW);
  series.add(span("web", NOW + 10 * window), NOW);
  series.add(span("web", -5), NOW);
  assertEquals(series.totals(NOW).map(({ requests }) => requests), [1]);
  assertEquals(series.totals(NOW + window), []);
  // The same place in the ring, a round later.
  series.add(span("web", NOW + window), NOW + window);
  assertEquals(series.totals(NOW + window).map(({ requests }) => requests), [1]);
});

Deno.test("SpanSeries knows a bounded number of apps, those that answered last, the most asked first", () => {
  const series = new SpanSeries();
  for (let at = 0; at < SPAN_APPS + 10; at++) series.add(span(`app-${at}`, NOW), NOW);
  series.add(span(`app-${SPAN_APPS}`, NOW), NOW);
  const totals = series.totals(NOW);
  assertEquals(totals.length, SPAN_APPS);
  assertEquals(totals[0]!.app, `app-${SPAN_APPS}`);
  assertEquals(totals.some(({ app }) => app === "app-9"), false);
});
