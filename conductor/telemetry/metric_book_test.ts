import { assert, assertEquals } from "@std/assert";
import {
  METRIC_APP_SERIES,
  METRIC_MS,
  METRIC_NAME,
  METRIC_SERIES,
  METRIC_SPANS,
  METRICS_SHOWN,
} from "../../core/limits.ts";
import { MetricBook } from "./metric_book.ts";

const NOW = METRIC_MS * 1_000;

function told(name: string, value: number, more: { app?: string; replica?: string } = {}) {
  const { app = "api", replica = `${app}.1` } = more;
  return { app, replica, node: "node-1", name, value };
}

Deno.test("MetricBook tells each value over time: the last in each span, and gaps", () => {
  const book = new MetricBook();
  book.add({ ...told("memory", 1), unit: "By", by: "sink" }, NOW, NOW);
  book.add({ ...told("memory", 1 / 3), unit: "By", by: "sink" }, NOW + 5_000, NOW + 5_000);
  const later = NOW + 2 * METRIC_MS;
  book.add({ ...told("memory", 3), unit: "By", by: "sink" }, later, later);
  const { app, everyMs, startWallMs, series, more } = book.of("api", { limit: 9 }, later);
  assertEquals([app, everyMs, more], ["api", METRIC_MS, 0]);
  assertEquals([startWallMs.length, startWallMs.at(-1)], [METRIC_SPANS, later]);
  const [{ values, ...rest } = { values: [] }] = series;
  assertEquals(rest, { name: "memory", unit: "By", replica: "api.1", by: "sink" });
  assertEquals(values.slice(-4), [null, 0.33333, null, 3]);
  assertEquals(book.of("none", { limit: 9 }, later).series, []);
});

Deno.test("MetricBook finds values by a part of the name and by replica, and says what is left", () => {
  const book = new MetricBook();
  for (const replica of ["api.10", "api.2"]) {
    for (const name of ["jobs.waiting", "jobs.dead", "memory"]) {
      book.add(told(name, 1, { replica }), NOW, NOW);
    }
  }
  const found = (search: { name?: string; replica?: string }, limit = 9) =>
    book.of("api", { ...search, limit }, NOW).series.map(({ name, replica }) =>
      `${name} ${replica}`
    );
  assertEquals(found({ name: "jobs" }), [
    ...["jobs.dead api.2", "jobs.dead api.10", "jobs.waiting api.2", "jobs.waiting api.10"],
  ]);
  assertEquals(found({ name: "mem", replica: "api.10" }), ["memory api.10"]);
  assertEquals(found({}, 1), ["jobs.dead api.2"]);
  assertEquals(book.of("api", { limit: 4 }, NOW).more, 2);
  assertEquals(book.totals(NOW), [{ app: "api", replicas: 2, metrics: 3 }]);
});

Deno.test("MetricBook forgets what is over, and takes nothing of long ago or yet to come", () => {
  const book = new MetricBook();
  book.add(told("memory", 1), NOW - METRIC_MS * METRIC_SPANS, NOW);
  book.add(told("memory", 2), NOW + 3_600_000, NOW);
  assertEquals(book.totals(NOW), []);
  book.add(told("memory", 3), NOW, NOW);
  // A line that was read late stands in its own time, and moves nothing.
  book.add(told("memory", 4), NOW - METRIC_MS, NOW);
  assertEquals(book.of("api", { limit: 9 }, NOW).series[0]!.values.slice(-2), [4, 3]);
  // Once around the ring: what stood there before is gone.
  const later = NOW + METRIC_MS * (METRIC_SPANS - 1);
  book.add(told("memory", 5), later, later);
  const values = book.of("api", { limit: 9 }, later).series[0]!.values;
  assertEquals([values[0], values.at(-1)], [3, 5]);
  assert(values.slice(1, -1).every((value) => value === null));
  assertEquals(book.totals(later + METRIC_MS * METRIC_SPANS), []);
  // Nor does it come back as what was told in a span that was passed over.
  const full = new MetricBook();
  for (let span = 0; span < METRIC_SPANS; span++) {
    full.add(told("memory", span), NOW + span * METRIC_MS, NOW + span * METRIC_MS);
  }
  const far = NOW + (METRIC_SPANS + 2) * METRIC_MS;
  full.add(told("memory", 7), far, far);
  const tail = full.of("api", { limit: 9 }, far).series[0]!.values.slice(-4);
  assertEquals(tail, [METRIC_SPANS - 1, null, null, 7]);
});

Deno.test("MetricBook keeps a bounded number of values, of one app and of all", () => {
  const book = new MetricBook();
  book.add(told("first", 1, { app: "quiet" }), NOW, NOW);
  for (let at = 0; at < METRIC_APP_SERIES + 9; at++) book.add(told(`m${at}`, at), NOW, NOW);
  assertEquals(book.series, METRIC_APP_SERIES + 1, "one app pushes out nobody else");
  for (let app = 0; app < 9; app++) {
    for (let at = 0; at < METRIC_APP_SERIES; at++) {
      book.add(told(`m${at}`, at, { app: `app-${app}` }), NOW, NOW);
    }
  }
  assertEquals(book.series, METRIC_SERIES);
  assertEquals(book.totals(NOW).some(({ app }) => app === "quiet"), false);
});

Deno.test("an answer about metrics is bounded, however many there are and however long their names", () => {
  const book = new MetricBook();
  const names = Array.from(
    { length: METRICS_SHOWN + 50 },
    (_, at) => `${at}`.padEnd(METRIC_NAME, "x"),
  );
  for (let span = 0; span < METRIC_SPANS; span++) {
    const at = NOW + span * METRIC_MS;
    for (const name of names) book.add(told(name, -1.2345e-20 * (span + 1)), at, at);
  }
  const last = NOW + (METRIC_SPANS - 1) * METRIC_MS;
  const view = book.of("api", { limit: METRICS_SHOWN }, last);
  assertEquals([view.series.length, view.more], [METRICS_SHOWN, 50]);
  const bytes = JSON.stringify(view).length;
  assert(bytes <= 140_000, `${bytes} bytes`);
});
