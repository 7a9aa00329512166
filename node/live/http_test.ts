import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { FakeWorld, NODE } from "../fake_world.ts";
import { until } from "./fake_cluster.ts";
import { handleHttp, type NodeView } from "./http.ts";
import { Logs } from "./logs.ts";
import { nodeMetrics } from "./metrics.ts";

function bench(more: Partial<NodeView> = {}) {
  const folder = Deno.makeTempDirSync({ prefix: "skr8tr-http-" });
  Deno.mkdirSync(`${folder}/web-1`);
  const world = new FakeWorld().start();
  world.record(1, "web", "  port 8001");
  world.run("web-1", "web", 1);
  world.advance(100);
  const logs = new Logs(folder);
  const { machine } = world;
  const counters = { received: 5, dropped: 1, sent: 4, sendFailed: 0 };
  const view: NodeView = {
    copy: () => "",
    machine,
    logs,
    plain: ["10.1.0.0/16"],
    open: false,
    hasLog: (replica) => replica === "web-1",
    metrics: () =>
      nodeMetrics({
        machine,
        udp: { counters } as Parameters<typeof nodeMetrics>[0]["udp"],
        plain: { counters: { answered: 2, ignored: 3 } },
        prober: { replacements: 1 },
        autoscaler: { replacements: 2 },
        streams: { open: 3 },
        uses: () =>
          Promise.resolve([{ app: "web", replica: "web-1", cpuS: 1.5, residentBytes: 4_096 }]),
      }),
    artifact: (_, sha256) => new Response(`bytes of ${sha256}`),
    exec: (replica, body) => Promise.resolve({ status: 200, text: `${replica}: ${body}` }),
    stream: () => new Response("a stream"),
    ...more,
  };
  return {
    world,
    logs,
    write: (text: string) => Deno.writeTextFileSync(`${folder}/web-1/log`, text, { append: true }),
    get: (path: string, from = "127.0.0.1", init?: RequestInit) =>
      handleHttp(new Request(`http://node${path}`, init), from, view),
    [Symbol.dispose]() {
      logs[Symbol.dispose]();
      Deno.removeSync(folder, { recursive: true });
    },
  };
}

Deno.test("GET /replicas and /health", async () => {
  using all = bench();
  const body = await (await all.get("/replicas")).json();
  assertEquals([body.node, body.name, body.replicas.length], [NODE, "node-1", 1]);
  assertEquals([body.replicas[0].replica, body.replicas[0].state], ["web-1", "ready"]);
  assertEquals(await (await all.get("/health")).json(), { ok: true });
});

Deno.test("GET /logs gives the last lines as JSON", async () => {
  using all = bench();
  all.write("one\ntwo\nthree\n");
  const lines = (await (await all.get("/logs/web-1?lines=2")).text()).trim().split("\n");
  assertEquals(lines.map((each) => JSON.parse(each).line), ["two", "three"]);
  assertEquals(typeof JSON.parse(lines[0]!).at, "number");
});

Deno.test("GET /logs with follow goes on, and ends when the reader leaves", async () => {
  using all = bench();
  all.write("one\n");
  const response = await all.get("/logs/web-1?follow=1");
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  const next = async () => JSON.parse((await reader.read()).value!).line;
  const past = (await reader.read()).value!;
  assertEquals(JSON.parse(past).line, "one");
  assert(past.endsWith("\n\n"), "an empty line says that this was the past");
  all.write("two\n");
  assertEquals(await next(), "two");
  await reader.cancel();
  all.logs.forget("web-1");
  all.write("three\n");
  await until("read", () => all.logs.lines("web-1", 1)[0]?.line === "three");
});

Deno.test("what is not there is 404, what is malformed 400, what is not GET 405", async () => {
  using all = bench();
  const codes = await Promise.all(
    [
      "/",
      "/nothing",
      "/logs",
      "/logs/web-9",
      "/logs/..%2f..%2fx",
      "/replicas/web-1",
      "/logs/web-1/x",
    ]
      .map(async (path) => (await all.get(path)).status),
  );
  assertEquals(codes, [404, 404, 404, 404, 404, 404, 404]);
  assertEquals((await all.get("/logs/%")).status, 404);
  assertEquals((await all.get("/logs/web-1?lines=x")).status, 400);
  assertEquals((await all.get("/replicas", "127.0.0.1", { method: "POST" })).status, 405);
});

Deno.test("a stranger may not even ask for a stream", async () => {
  using all = bench();
  assertEquals((await all.get("/stream", "192.0.2.1")).status, 403);
  assertEquals(await (await all.get("/stream")).text(), "a stream");
});

Deno.test("only loopback and --plain networks may read, unless the mesh is open", async () => {
  using all = bench();
  using open = bench({ open: true });
  const ask = async (one: typeof all, from: string) => (await one.get("/health", from)).status;
  assertEquals(await ask(all, "127.0.0.9"), 200);
  assertEquals(await ask(all, "10.1.2.3"), 200);
  assertEquals(await ask(all, "10.2.2.3"), 403);
  assertEquals(await ask(open, "10.2.2.3"), 200);
});

Deno.test("GET /metrics is Prometheus text", async () => {
  using all = bench();
  const response = await all.get("/metrics");
  const text = await response.text();
  for (
    const line of [
      'skr8tr_node_replicas{state="ready"} 1',
      'skr8tr_node_replicas{state="waiting"} 0',
      'skr8tr_node_restarts_total{app="web",replica="web-1"} 0',
      'skr8tr_node_datagrams_total{result="dropped"} 1',
      'skr8tr_node_plain_commands_total{result="ignored"} 3',
      "skr8tr_node_streams 3",
      "skr8tr_node_health_workers_replaced_total 1",
      "skr8tr_node_autoscale_workers_replaced_total 2",
      'skr8tr_node_replica_cpu_seconds_total{app="web",replica="web-1"} 1.5',
      'skr8tr_node_replica_resident_bytes{app="web",replica="web-1"} 4096',
      "skr8tr_node_log_sequence 1",
    ]
  ) assertStringIncludes(text, line);
});
