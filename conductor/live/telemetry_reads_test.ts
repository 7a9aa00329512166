import { assertEquals, assertStringIncludes } from "@std/assert";
import { now } from "../../core/live/clock.ts";
import type { MetricsView, MetricTotals } from "../../core/metric_view.ts";
import type {
  SpanSeriesView,
  SpanTotals,
  TraceSpanView,
  TraceView,
} from "../../core/trace_view.ts";
import type { DeckGrants } from "../trust/deck_grants.ts";
import { manifestOf, Rig } from "../rig_test.ts";
import type { HttpParts } from "./http.ts";
import { withFolder } from "./rig_test.ts";
import { tellsOf } from "../telemetry/teller.ts";
import { Telemetry } from "./telemetry.ts";
import { readTelemetry } from "./telemetry_reads.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const OTHER = "0af7651916cd43dd8448eb211c80319d";

interface Told {
  readonly app: string;
  readonly trace?: string;
  readonly span?: string;
  readonly parent?: string;
  readonly ms?: number;
  readonly status?: number;
  readonly of?: { readonly app: string; readonly replica: string };
  readonly metrics?: Readonly<Record<string, number>>;
  readonly spans?: readonly object[];
}

/** A node's answer to `GET /logs?follow=1`: what it has, an empty line, and then nothing more. */
function logsOf(told: readonly Told[]): Response {
  const lines = told.map(({ app, ...rest }, at) =>
    JSON.stringify({
      replica: `${app}.1`,
      number: at + 1,
      at: now().wallMs,
      stream: "stdout",
      line: JSON.stringify({ event: "request", method: "GET", route: `/${app}`, ...rest }),
    })
  );
  const text = new TextEncoder().encode(`${lines.join("\n")}\n\n`);
  const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(text) });
  return new Response(body, { headers: { "skr8tr-boot": "00000000000000b1" } });
}

const LINES: readonly Told[] = [
  { app: "vault", trace: TRACE, span: "00000000000000b1", parent: "00000000000000a1", ms: 40 },
  { app: "web", trace: TRACE, span: "00000000000000a1", ms: 50, status: 500 },
  { app: "web", trace: OTHER, span: "00000000000000a1", ms: 7, status: 200 },
];

/** What a collector of the shop tells of others, and what an app tells of itself. */
const COLLECTED: readonly Told[] = [
  { app: "sink", of: { app: "web", replica: "web.1" }, metrics: { memory: 7 } },
  { app: "sink", of: { app: "vault", replica: "vault.1" }, metrics: { gold: 7 } },
  {
    app: "sink",
    of: { app: "web", replica: "web.1" },
    spans: [{ trace: TRACE, span: "00000000000000c1", ms: 3, name: "SELECT" }],
  },
  {
    app: "sink",
    of: { app: "vault", replica: "vault.1" },
    spans: [{ trace: TRACE, span: "00000000000000c2", ms: 3 }],
  },
  { app: "vault", metrics: { doors: 2 } },
];

type Ask = (path: string, grants?: DeckGrants) => Promise<Response>;

/** A conductor's telemetry of one node that has two apps of two namespaces, over HTTP. */
async function withTelemetry(
  folder: string,
  key: Uint8Array | undefined,
  lines: readonly Told[],
  work: (ask: Ask) => Promise<void>,
): Promise<void> {
  const rig = new Rig();
  rig.addNode(1);
  rig.apply("web", manifestOf("web", ["namespace shop"]));
  rig.apply("sink", manifestOf("sink", ["namespace shop"]));
  rig.apply("vault", manifestOf("vault", ["namespace bank"]));
  const node = Deno.serve(
    { hostname: "127.0.0.9", port: 0, onListen: () => {} },
    () => logsOf(lines),
  );
  const telemetry = new Telemetry({
    path: `${folder}/telemetry.db`,
    maxBytes: 1_000_000,
    ...(key === undefined ? {} : { key }),
    nodes: () => rig.machine.fleet.values(),
    tellsOf: (teller, app, replica) => tellsOf(rig.machine.state, teller, app, replica),
    sample: () => ({ wallMs: now().wallMs, nodes: {}, apps: {} }),
    wallMs: () => now().wallMs,
    ask: (_, path, signal) => fetch(`http://127.0.0.9:${node.addr.port}${path}`, { signal }),
  });
  try {
    const came = Promise.withResolvers<void>();
    let count = 0;
    telemetry.follow(() => ++count === lines.length && came.resolve());
    await telemetry.recalled;
    if (lines.length > 0) await came.promise;
    const parts = { telemetry, machine: rig.machine, now } as unknown as HttpParts;
    await work((path, grants = null) => {
      const url = new URL(`http://conductor/api/telemetry${path}`);
      return readTelemetry(parts, url.pathname.split("/").slice(3), url, grants);
    });
  } finally {
    telemetry[Symbol.dispose]();
    await node.shutdown();
  }
}

async function bodyOf<T>(response: Response | Promise<Response>): Promise<T> {
  const { status } = await response;
  assertEquals(status, 200);
  return await (await response).json();
}

const traces = async (ask: Ask, query: string, grants: DeckGrants = null) =>
  (await bodyOf<{ traces: TraceView[] }>(ask(`/traces${query}`, grants))).traces;

const spansOf = async (ask: Ask, grants: DeckGrants = null) =>
  (await bodyOf<{ spans: TraceSpanView[] }>(ask(`/traces/${TRACE}`, grants))).spans;

Deno.test("lines of any app become traces and series, over HTTP", async () => {
  await withFolder((folder) =>
    withTelemetry(folder, undefined, LINES, async (ask) => {
      const found = await traces(ask, "");
      assertEquals(
        found.map(({ trace, name, ms, spans, failed, apps }) => (
          { trace, name, ms, spans, failed, apps }
        )),
        [
          ...[{
            trace: TRACE,
            name: "GET /web",
            ms: 50,
            spans: 2,
            failed: 1,
            apps: ["web", "vault"],
          }],
          ...[{ trace: OTHER, name: "GET /web", ms: 7, spans: 1, failed: 0, apps: ["web"] }],
        ],
      );
      assertEquals((await traces(ask, "?app=vault")).map(({ trace }) => trace), [TRACE]);
      assertEquals((await traces(ask, "?limit=1")).length, 1);
      assertEquals((await traces(ask, "?failed=1")).length, 1);
      const spans = await spansOf(ask);
      assertEquals(spans.map(({ app, depth }) => [app, depth]), [["web", 0], ["vault", 1]]);
      const { apps } = await bodyOf<{ apps: SpanTotals[] }>(ask("/apps"));
      assertEquals(apps.map(({ app, requests, failed }) => [app, requests, failed]), [
        ["web", 2, 1],
        ["vault", 1, 0],
      ]);
      const series = await bodyOf<SpanSeriesView>(ask("/series?app=web"));
      assertEquals(series.startWallMs.length, series.p99Ms.length);
    })
  );
});

Deno.test("who may see one namespace sees no other's spans, by whatever question", async () => {
  const shop = [{ role: "viewer", namespaces: ["shop"] }] as const;
  await withFolder((folder) =>
    withTelemetry(folder, undefined, LINES, async (ask) => {
      assertEquals((await spansOf(ask, shop)).map(({ app }) => app), ["web"]);
      for (const path of ["/traces", "/apps", `/traces/${TRACE}`, "/traces?app=web"]) {
        const text = await (await ask(path, shop)).text();
        assertStringIncludes(text, "web");
        assertEquals(text.includes("vault"), false, `${path}: ${text}`);
      }
      assertEquals(await traces(ask, "?app=vault", shop), []);
      const refused = [["/series?app=vault", 404], ["", 403], ["?app=vault", 403]] as const;
      for (const [path, status] of refused) {
        assertEquals((await ask(path, shop)).status, status, path);
      }
      assertEquals((await ask("?app=web", shop)).status, 200);
      const nobody = await ask(`/traces/${TRACE}`, []);
      assertEquals(nobody.status, 404);
    })
  );
});

Deno.test("values and spans come from their app's log, or from a collector's of its namespace", async () => {
  const bank = [{ role: "viewer", namespaces: ["bank"] }] as const;
  await withFolder((folder) =>
    withTelemetry(folder, undefined, COLLECTED, async (ask) => {
      const { apps } = await bodyOf<{ apps: MetricTotals[] }>(ask("/metrics"));
      assertEquals(apps, [
        { app: "vault", replicas: 1, metrics: 1 },
        { app: "web", replicas: 1, metrics: 1 },
      ]);
      const valuesOf = async (query: string) =>
        (await bodyOf<MetricsView>(ask(`/metrics?${query}`))).series.map((
          { name, replica, by, values },
        ) => [name, replica, by, values.at(-1)]);
      assertEquals(await valuesOf("app=web"), [["memory", "web.1", "sink", 7]]);
      assertEquals(await valuesOf("app=web&name=mem"), [["memory", "web.1", "sink", 7]]);
      assertEquals(await valuesOf("app=web&name=none"), []);
      assertEquals(await valuesOf("app=web&replica=web.2"), []);
      assertEquals(await valuesOf("app=vault"), [["doors", "vault.1", undefined, 2]]);
      assertEquals((await spansOf(ask)).map(({ app, name, by }) => [app, name, by]), [
        ["web", "SELECT", "sink"],
      ]);
      const shown = await bodyOf<{ apps: MetricTotals[] }>(ask("/metrics", bank));
      assertEquals(shown.apps.map(({ app }) => app), ["vault"]);
      assertEquals((await ask("/metrics?app=web", bank)).status, 404);
    })
  );
});

Deno.test("what is not there is said to be so", async () => {
  await withFolder((folder) =>
    withTelemetry(folder, undefined, [], async (ask) => {
      for (
        const [path, status] of [
          ["/traces/0123", 404],
          ["/traces/0123/more", 404],
          ["/nothing", 404],
          ["/apps/web", 404],
          ["/series", 400],
          ["/metrics?app=none", 404],
          ["/metrics", 200],
          ["/metrics?app=web&limit=many", 200],
          ["/traces?limit=many&since=soon", 200],
        ] as const
      ) assertEquals((await ask(path)).status, status, path);
    })
  );
});

for (const key of [undefined, new Uint8Array(32).fill(3)]) {
  const how = key === undefined ? "in plain" : "encrypted";
  Deno.test(`a conductor that starts again knows the traces that were gathered, ${how}`, async () => {
    await withFolder(async (folder) => {
      await withTelemetry(folder, key, LINES, async () => {});
      await withTelemetry(folder, key, [], async (ask) => {
        assertEquals((await spansOf(ask)).map(({ app }) => app), ["web", "vault"]);
        const { apps } = await bodyOf<{ apps: SpanTotals[] }>(ask("/apps"));
        assertEquals(apps.map(({ requests }) => requests), [2, 1]);
      });
    });
  });
}
