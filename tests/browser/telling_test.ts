// What only OTLP brings: two apps that tell of themselves by OpenTelemetry, and the market's worker,
// as the telemetry sink of the five has it told, at the deck's API, by the CLI and in a browser.

import { assert, assertEquals } from "@std/assert";
import { conductorAt } from "../../cli/conductor.ts";
import type { MetricsView } from "../../core/metric_view.ts";
import type { TraceSpanView, TraceView } from "../../core/trace_view.ts";
import type { AppView } from "../../core/view.ts";
import { type ReadyLine, startClusterTask, until } from "../e2e/cluster_process.ts";
import { haveChromium, launch } from "./browser.ts";
import { assertPagesFit, openDeck } from "./deck_pages.ts";
import { visitor } from "./pages.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname).replace(/\/$/, "");
const COME_MS = 60_000;
const chromium = await haveChromium();

/** A manifest of an app that exports to a collector, and asks another one for each request. */
function manifest(app: string, port: number, collector: string, next = ""): string {
  return `app ${app}
  exec /bin/sh
  args -c 'OTEL_DENO=true OTEL_SERVICE_NAME=$APP OTEL_RESOURCE_ATTRIBUTES=service.instance.id=$REPLICA_ID OTEL_EXPORTER_OTLP_PROTOCOL=http/json OTEL_EXPORTER_OTLP_ENDPOINT=${collector} OTEL_METRIC_EXPORT_INTERVAL=1000 OTEL_BSP_SCHEDULE_DELAY=500 NEXT=${next} exec deno run --no-prompt --cached-only --config ${ROOT}/deno.json --allow-net --allow-env ${ROOT}/tests/browser/telling_app.ts'
  port ${port}
  health {
    check GET /health 200
  }
  route {
    path /${app}
  }
`;
}

Deno.test({
  name: "what apps tell a sink by OTLP is shown in the deck: values over time, and traces",
  // Chromium's driver keeps handles of its own until the process ends.
  sanitizeResources: false,
  sanitizeOps: false,
}, async (t) => {
  await using cluster = await startClusterTask([
    "--shape=five",
    "--only=telemetry-sink,async-worker",
  ]);
  const line = await cluster.ready();
  assert(line.ready, line.error);
  const [hostname, port] = line.conductor.split(":");
  const conductor = conductorAt({ hostname: hostname!, port: Number(port) }, 10_000);
  const addressOf = async (app: string) => {
    const { replicas } = await conductor.get<AppView>(`/api/apps/${app}`);
    return `http://${replicas[0]!.host}:${replicas[0]!.port}`;
  };
  const sink = await addressOf("telemetry-sink");
  const deploy = async (app: string, ...more: [number, string, string?]) => {
    const file = `${cluster.state}/${app}.skr8tr`;
    await Deno.writeTextFile(file, manifest(app, ...more));
    await skr8tr(line, cluster.state, "up", "--wait", file);
  };
  await deploy("world", 8_311, sink);
  await deploy("hello", 8_312, sink, `${await addressOf("world")}/world`);
  const ask = async () => {
    const response = await fetch(`${line.ingress}/hello`);
    await response.body?.cancel();
    return response.ok;
  };
  await until(COME_MS, "/hello answers", ask);

  const valuesOf = async (app: string) => {
    const { series } = await conductor.get<MetricsView>(`/api/telemetry/metrics?app=${app}`);
    return new Map(series.map(({ name, replica, unit, by, values }) => [
      `${name} ${replica}`,
      { unit, by, value: values.findLast((value) => value !== null) },
    ]));
  };
  await t.step("values that came by OTLP alone are at the deck's API", async () => {
    await until(COME_MS, "the values of hello", async () => {
      await ask();
      const values = await valuesOf("hello");
      return (values.get("greetings hello.1")?.value ?? 0) > 0 &&
        values.has("http.server.request.duration.p99 hello.1");
    });
    const values = await valuesOf("hello");
    const by = "telemetry-sink";
    assertEquals(values.get("guests hello.1"), { unit: "{guest}", by, value: 7 });
    assertEquals(values.get("greetings hello.1")?.unit, "{greeting}/s");
    assertEquals(values.get("http.server.request.duration.p99 hello.1")?.unit, "s");
    assert((await valuesOf("world")).has("guests world.1"));
  });
  await t.step("so are those of the market's own programs, replica by replica", async () => {
    const names = ["jobs.waiting", "jobs.dead", "process.memory.rss"]
      .flatMap((name) => [`${name} async-worker.1`, `${name} async-worker.2`]);
    await until(COME_MS, "the values of async-worker", async () => {
      const values = await valuesOf("async-worker");
      return names.every((name) => values.has(name));
    });
    const rss = (await valuesOf("async-worker")).get("process.memory.rss async-worker.1")!;
    assert(rss.value! > 2 ** 24 && rss.unit === "By", JSON.stringify(rss));
  });
  await t.step("skr8tr top shows them", async () => {
    const said = await skr8tr(line, cluster.state, "top", "async-worker", "--grep", "memory");
    assert(/^process\.memory\.rss +async-worker\.1 +[\d.]+ MiB/m.test(said), said);
    assert(!said.includes("jobs.waiting"), said);
  });
  let trace = "";
  await t.step("a request is one trace over both apps, in the order of its calls", async () => {
    await until(COME_MS, "a trace of both", async () => {
      const { traces } = await conductor.get<{ traces: TraceView[] }>(
        "/api/telemetry/traces?app=hello",
      );
      trace = traces.find(({ apps }) => apps.includes("world"))?.trace ?? "";
      return trace !== "";
    });
    const { spans } = await conductor.get<{ spans: TraceSpanView[] }>(
      `/api/telemetry/traces/${trace}`,
    );
    const told = spans.map(({ app, replica, by, depth }) => ({ app, replica, by, depth }));
    const by = "telemetry-sink";
    assertEquals(told[0], { app: "hello", replica: "hello.1", by, depth: 0 });
    assertEquals(told.at(-1)?.app, "world");
    assert(told.at(-1)!.depth > 0, JSON.stringify(told));
    assert(spans.every(({ node }) => /^node-\d$/.test(node)), "where it ran is known");
  });
  if (chromium) await inBrowser(t, `http://${line.conductor}/deck`, trace);
  await cluster.stop();
});

async function inBrowser(t: Deno.TestContext, deck: string, trace: string): Promise<void> {
  const browser = await launch();
  try {
    await t.step("the pages fit, and axe-core finds nothing serious", async () => {
      await assertPagesFit(browser, deck, [
        "metrics",
        "metrics/async-worker",
        "metrics/hello",
        `trace/${trace}`,
      ]);
    });
    const context = await visitor(browser, 1280, "light");
    const page = await context.newPage();
    const chart = (name: string) => page.locator(`.chart [role=img][aria-label^="${name}"]`);
    await t.step("an app's values are found by name, and by replica", async () => {
      await openDeck(page, deck);
      await page.locator("nav a", { hasText: "Metrics" }).click();
      await page.locator("td a", { hasText: "async-worker" }).click();
      await chart("process.memory.rss, MiB: now .1").waitFor();
      await page.locator("canvas").first().waitFor();
      await chart("jobs.waiting").waitFor();
      await page.locator("input[type=search]").fill("jobs.");
      await chart("process.memory.rss").waitFor({ state: "detached" });
      await chart("jobs.dead").waitFor();
      await page.locator("a", { hasText: "async-worker.2" }).click();
      await page.locator("h1", { hasText: "async-worker.2" }).waitFor();
      await chart("process.memory.rss, MiB: now .2").waitFor();
    });
    await t.step("an app's page leads to what it told", async () => {
      await openDeck(page, `${deck}#/app/hello`);
      await page.locator("a", { hasText: "its metrics" }).click();
      await chart("guests: now .1 7").waitFor();
    });
    await t.step("the trace over both apps says who told of it", async () => {
      await openDeck(page, `${deck}#/trace/${trace}`);
      const spans = page.getByRole("region", { name: "Spans" });
      const last = spans.locator("tbody tr").last();
      await last.locator("td", { hasText: /world\.1 on node-\d, told by telemetry-sink/ })
        .waitFor();
    });
    await context.close();
  } finally {
    await browser.close();
  }
}

async function skr8tr(line: ReadyLine, state: string, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "-q", "skr8tr", ...words],
    cwd: ROOT,
    env: {
      SKR8TR_CONDUCTOR: line.conductor,
      SKR8TR_TOWER: line.tower,
      SKR8TR_KEY: `${state}/signing.sec`,
      NO_COLOR: "1",
    },
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assertEquals(code, 0, `${out}${err}`);
  return out!;
}
