import { assert, assertEquals } from "@std/assert";
import { createDirectory, type Directory } from "../../kit/directory.ts";
import { type Exporter, startExporter } from "../../kit/exporter.ts";
import { SINK_SPANS, SINK_SUMMARY_MS, TELEMETRY_PENDING } from "../../kit/limits.ts";
import { createService, type Service } from "../../kit/service.ts";
import { eventually, testSurroundings } from "../../kit/testing.ts";
import { startMarket, type TestMarket } from "../../testing_market.ts";
import { openTelemetryStore } from "./store.ts";

const STAFF = { STAFF_EMAIL: "boss@shop.test", STAFF_PASSWORD: "a long sentence" };

async function withSink(test: (market: TestMarket, read: Read, to: Directory) => Promise<void>) {
  const folder = Deno.makeTempDirSync({ prefix: "market-" });
  const market = await startMarket({ folder }, STAFF, "five");
  const sink = market.services["telemetry-sink"];
  const directory = createDirectory({
    env: (name) => name === "TELEMETRY_SINK_URL" ? "http://sink.test" : undefined,
    fetch: async (input, init) => {
      if (market.down.has("telemetry-sink")) throw new TypeError("connection refused");
      return await sink.fetch(new Request(input, init));
    },
    now: Date.now,
  }, ["telemetry-sink"]);
  try {
    const json = { email: STAFF.STAFF_EMAIL, password: STAFF.STAFF_PASSWORD };
    const { session } = (await market.ask("user-svc", "POST /login", { json })).body;
    const read: Read = async (path) =>
      (await market.askProgram("telemetry-sink", `GET /api/telemetry/${path}`, { session })).body
        .items;
    await test(market, read, directory);
  } finally {
    await market.close();
    Deno.removeSync(folder, { recursive: true });
  }
}

// deno-lint-ignore no-explicit-any
type Read = (path: string) => Promise<any[]>;

const parts = (service: string) => ({
  sink: "telemetry-sink",
  service,
  replica: `${service}-1`,
  now: Date.now,
  memoryBytes: () => 123,
});

/** A program with an exporter: it answers `/hello`, by asking `next` if there is one. */
function program(name: string, exporter: Exporter, next?: Service): Service {
  const around = testSurroundings(name);
  const directory = createDirectory({
    env: () => "http://next.test",
    fetch: async (input, init) => await next!.fetch(new Request(input, init)),
    now: Date.now,
  }, ["next"]);
  return createService({ ...around, log: (line) => exporter.line(line) }, ({ app }) => {
    app.get("/hello", async (c) => {
      if (next) await (await directory.call("next", "/hello")).body?.cancel();
      return c.text("hello");
    });
  });
}

Deno.test("logs, traces over two programs and values come by OTLP, and staff can read them", () =>
  withSink(async (_, read, directory) => {
    const exporters = ["one", "two"].map((name) => startExporter(directory, parts(name)));
    const two = program("two", exporters[1]!);
    const one = program("one", exporters[0]!, two);
    const traceId = "0123456789abcdef0123456789abcdef";
    const headers = { traceparent: `00-${traceId}-0123456789abcdef-01` };
    const answer = await one.fetch(new Request("http://one.test/hello", { headers }));
    assertEquals(await answer.text(), "hello");
    for (const exporter of exporters) await exporter.close();
    const [first, second] = await read(`traces/${traceId}`);
    assertEquals([first.service, first.parentId, first.name], [
      "one",
      "0123456789abcdef",
      "GET /hello",
    ]);
    assertEquals([second.service, second.parentId], ["two", first.spanId]);
    const lines = await read("logs?app=two");
    assertEquals(lines.length, 1);
    assertEquals(JSON.parse(lines[0].line).trace, traceId);
    const values = await read("points?name=http.server.requests");
    assertEquals(values.map(({ service, value }) => [service, value]), [["one", 1], ["two", 1]]);
    assertEquals((await read("points?name=process.memory.rss"))[0].value, 123);
    const summary = await read("summary");
    assertEquals(summary.map(({ service, requests }) => [service, requests]), [
      ["one", 1],
      ["two", 1],
    ]);
  }));

Deno.test("while the sink is away nobody waits for it and nothing grows", () =>
  withSink(async (market, read, directory) => {
    market.down.add("telemetry-sink");
    const exporter = startExporter(directory, parts("one"));
    const one = program("one", exporter);
    for (let at = 0; at < TELEMETRY_PENDING + 100; at++) {
      await (await one.fetch(new Request("http://one.test/hello"))).body?.cancel();
    }
    assertEquals([exporter.pending, exporter.dropped], [TELEMETRY_PENDING, 100]);
    market.down.delete("telemetry-sink");
    await exporter.close();
    assert(exporter.pending < TELEMETRY_PENDING, "what was kept goes out when it is back");
    assertEquals((await read("points?name=telemetry.dropped"))[0].value, 100);
  }));

Deno.test("what is no telemetry is refused or left out, and nothing comes from the world", () =>
  withSink(async (market, read) => {
    const post = async (path: string, raw: BodyInit, headers = {}) =>
      (await market.askProgram("telemetry-sink", `POST /v1/${path}`, { raw, headers })).status;
    for (const path of ["logs", "traces", "metrics"]) {
      assertEquals(await post(path, "{"), 400);
      assertEquals(await post(path, " ".repeat(2 ** 20 + 1)), 413);
      assertEquals(await post(path, "{}", { "x-forwarded-for": "203.0.113.1" }), 404);
      for (const odd of ["null", "[]", "7", '{"resourceLogs":[7,null,{}]}', "{}"]) {
        assertEquals(await post(path, odd), 200, `${path} ${odd}`);
      }
    }
    assertEquals(await post("traces", '{"resourceSpans":{}}'), 400);
    const span = (more: object) =>
      JSON.stringify({
        resourceSpans: [{ scopeSpans: [{ spans: [{ name: "x", ...more }] }] }],
      });
    assertEquals(await post("traces", span({ traceId: "no", spanId: 7 })), 200);
    assertEquals(await read("traces"), []);
  }));

Deno.test("two replicas of the sink share what is kept, its bounds, and their turns", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "market-" });
  const MOST = 100_000;
  const stores = await Promise.all([1, 2].map(() => openTelemetryStore(folder, MOST)));
  const line = (at: number) => ({
    ...{ wallMs: at, app: at % 2 ? "odd" : "even", replica: "r" },
    line: `line ${at} ${"x".repeat(1_000)}`,
  });
  const find = (which: number, more: { app?: string; grep?: string } = {}) =>
    stores[which]!.lines({ sinceMs: 0, limit: 1_000, ...more });
  try {
    // Each writes half of them, both at once.
    for (let at = 0; at < 300; at += 10) {
      await Promise.all(
        stores.map((store, which) =>
          store.addLines(Array.from({ length: 5 }, (_, more) => line(at + which * 5 + more)))
        ),
      );
    }
    const kept = await find(0);
    assertEquals(await find(1), kept);
    const bytes = kept.reduce((sum, { line }) => sum + line.length, 0);
    assert(bytes <= MOST && bytes > MOST * 0.7, `${bytes} bytes are kept`);
    const numbers = kept.map(({ wallMs }) => wallMs).sort((a, b) => a - b);
    assertEquals(numbers, numbers.map((_, at) => 300 - numbers.length + at), "the newest");
    assert((await find(0, { app: "odd" })).every(({ wallMs }) => wallMs % 2 === 1));
    assertEquals((await find(1, { grep: "line 299 " })).map(({ wallMs }) => wallMs), [299]);
    const turns = (now: number) => Promise.all(stores.map((each) => each.turn("x", now, 1_000)));
    assertEquals((await turns(5_000)).filter(Boolean).length, 1);
    assertEquals(await turns(5_999), [false, false]);
    assertEquals((await turns(6_000)).filter(Boolean).length, 1);
  } finally {
    for (const store of stores) await store.close();
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("a damaged file is put aside, and all begins anew", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "market-" });
  try {
    const file = `${folder}/telemetry-sink.db`;
    Deno.writeTextFileSync(file, "no database at all, but long enough to be looked at".repeat(100));
    const store = await openTelemetryStore(folder);
    await store.addLines([{ wallMs: 1, app: "a", replica: "r", line: "hello" }]);
    assertEquals((await store.lines({ sinceMs: 0, limit: 9 })).length, 1);
    await store.close();
    assert(Deno.readTextFileSync(`${file}.damaged`).startsWith("no database"));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("openTelemetryStore() keeps the newest and no more", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "market-" });
  const store = await openTelemetryStore(folder, 100_000);
  try {
    const span = (at: number) => ({
      traceId: String(at).padStart(32, "0"),
      spanId: String(at).padStart(16, "0"),
      parentId: null,
      service: "one",
      name: "GET /",
      startMs: at,
      durationMs: 1,
      ...{ instance: "one.1", failed: false, logged: true },
    });
    await store.addSpans(Array.from({ length: SINK_SPANS + 10 }, (_, at) => span(at)));
    assertEquals((await store.summaries(0))[0]!.requests, SINK_SPANS);
    assertEquals(await store.trace(String(9).padStart(32, "0")), []);
    assertEquals((await store.trace(String(10).padStart(32, "0"))).length, 1);
  } finally {
    await store.close();
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("a trace is told in the order of its calls, whatever the clocks and the ways say", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "market-" });
  const store = await openTelemetryStore(folder, 100_000);
  const traceId = "a".repeat(32);
  const span = (spanId: string, parentId: string | null, startMs: number, durationMs: number) => ({
    ...{ traceId, spanId, parentId, startMs, durationMs },
    ...{ service: spanId, instance: "", name: "GET /", failed: false, logged: true },
  });
  try {
    // The innermost ends first and is sent first; the second machine's clock is 5 ms behind.
    await store.addSpans([
      span("c", "b", 100, 1),
      span("b", "a", 95, 3),
      span("d", "a", 104, 2),
      span("a", "of another cluster", 100, 7),
      span("y", "z", 1, 1),
      span("z", "y", 1, 1),
    ]);
    assertEquals((await store.trace(traceId)).map(({ spanId }) => spanId), [
      "a",
      "b",
      "c",
      "d",
      "y",
      "z",
    ]);
    assertEquals((await store.slowest(0, 9)).map(({ spanId }) => spanId), ["a"]);
  } finally {
    await store.close();
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("spans that are in no log are taken once, by whichever replica", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "market-" });
  const stores = await Promise.all([1, 2].map(() => openTelemetryStore(folder, 100_000)));
  const span = (at: number) => ({
    ...{ traceId: "a".repeat(32), spanId: String(at).padStart(16, "0"), parentId: null },
    ...{ service: "one", instance: "one.1", name: "GET /", startMs: at, durationMs: 1 },
    ...{ failed: at === 4, logged: at % 2 === 1 },
  });
  try {
    await stores[0]!.addSpans([1, 2, 3, 4, 6].map(span));
    assertEquals(await stores[1]!.takeSpans(2), [span(2), span(4)]);
    assertEquals(await stores[0]!.takeSpans(9), [span(6)]);
    assertEquals(await stores[1]!.takeSpans(9), []);
    await stores[1]!.addSpans([span(7), span(8)]);
    const taken = await Promise.all(stores.map((each) => each.takeSpans(9)));
    assertEquals(taken.flat(), [span(8)]);
  } finally {
    for (const store of stores) await store.close();
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("sums, gauges and histograms are kept, with what attributes tell apart put together", () =>
  withSink(async (market, read) => {
    const post = (metrics: object[]) =>
      market.askProgram("telemetry-sink", "POST /v1/metrics", {
        json: { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] },
      });
    const at = { timeUnixNano: `${Date.now()}000000` };
    const sum = (name: string, more: object, ...values: (number | string)[]) => ({
      name,
      unit: "{thing}",
      sum: { ...more, dataPoints: values.map((asInt) => ({ ...at, asInt })) },
    });
    const bounds = { explicitBounds: [1, 2] };
    const durations = (name: string, aggregationTemporality: number, ...counts: unknown[]) => ({
      name,
      unit: "s",
      histogram: {
        aggregationTemporality,
        dataPoints: counts.map((bucketCounts) => ({ ...at, ...bounds, bucketCounts })),
      },
    });
    const growing = { aggregationTemporality: 2, isMonotonic: true };
    assertEquals(
      (await post([
        sum("made", growing, "3", 4),
        sum("stock", { aggregationTemporality: 2 }, 5),
        sum("fresh", { aggregationTemporality: 1, isMonotonic: true }, 6),
        sum("none", growing),
        sum("odd", growing, "many"),
        durations("took", 2, ["1", "0", "2"], ["1", "1", "0"]),
        durations("fresh.took", 1, ["1", "0", "2"]),
        durations("odd.took", 2, ["1", "no", "2"]),
        { name: "other", exponentialHistogram: { dataPoints: [at] } },
        { name: "nothing" },
      ])).status,
      200,
    );
    const kept = async (name: string) =>
      (await read(`points?name=${name}`)).map(({ kind, unit, value, buckets }) => (
        { kind, unit, value, ...(buckets ? { buckets } : {}) }
      ));
    assertEquals(await kept("made"), [{ kind: "counter", unit: "{thing}", value: 7 }]);
    assertEquals(await kept("stock"), [{ kind: "gauge", unit: "{thing}", value: 5 }]);
    assertEquals(await kept("took"), [{
      ...{ kind: "histogram", unit: "s", value: 5 },
      buckets: { bounds: [1, 2], counts: [2, 1, 2] },
    }]);
    for (const name of ["fresh", "none", "odd", "fresh.took", "odd.took", "other", "nothing"]) {
      assertEquals(await kept(name), [], name);
    }
  }));

Deno.test("what the sink was told it says in its own log: values, and spans that no log has", () =>
  withSink(async (market, _, directory) => {
    const exporter = startExporter(directory, parts("one"));
    exporter.measure(() => Promise.resolve({ "jobs.waiting": { value: 3, unit: "{job}" } }));
    exporter.measure(() => Promise.reject(new Error("the queue is away")));
    const one = program("one", exporter);
    await (await one.fetch(new Request("http://one.test/hello"))).body?.cancel();
    const span = { traceId: "b".repeat(32), spanId: "c".repeat(16), name: "SELECT" };
    const attributes = [{ key: "service.name", value: { stringValue: "afar" } }];
    await market.askProgram("telemetry-sink", "POST /v1/traces", {
      json: { resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans: [span] }] }] },
    });
    await exporter.close();
    const lines = (event: string) =>
      market.lines("telemetry-sink").filter((line) => line.event === event);
    // It has perhaps had its turn a moment before.
    market.advance(SINK_SUMMARY_MS);
    await eventually(
      "the sink has said so",
      () => lines("spans").length > 0 && lines("metrics").length > 0,
    );
    const { of: whose, metrics } = lines("metrics").at(-1)!;
    assertEquals(whose, { app: "one", replica: "one-1" });
    assertEquals(metrics, {
      "process.memory.rss": { value: 123, unit: "By" },
      "jobs.waiting": { value: 3, unit: "{job}" },
    });
    // The request of `one` stands in its own log.
    const [{ of, spans } = { of: null, spans: [] }] = lines("spans");
    assertEquals(of, { app: "afar", replica: "" });
    assertEquals((spans as { name: string }[]).map(({ name }) => name), ["SELECT"]);
  }));

Deno.test("the sink takes what another program's OpenTelemetry sends", () =>
  withSink(async (market, read) => {
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      market.services["telemetry-sink"].fetch,
    );
    try {
      const code =
        'console.log("hello from afar"); await fetch("http://127.0.0.1:9/").catch(() => {});';
      const { success } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-config", `data:text/javascript,${encodeURIComponent(code)}`],
        env: {
          OTEL_DENO: "true",
          OTEL_SERVICE_NAME: "afar",
          OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
          OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${server.addr.port}`,
        },
        stdout: "null",
        stderr: "null",
      }).output();
      assert(success);
      await eventually("its line and its span have come", async () => {
        const lines = await read("logs?app=afar&grep=hello");
        const spans = (await read("traces")).filter(({ service }) => service === "afar");
        return lines.length > 0 && spans.length > 0;
      });
    } finally {
      await server.shutdown();
    }
  }));
