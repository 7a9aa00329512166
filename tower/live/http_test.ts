import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { endpointOf, NodeVoice, Rig, routeOf, STRANGER } from "../testing.ts";
import { createHandler } from "./http.ts";
import { createMetrics } from "./metrics.ts";

function handlerOf(rig: Rig) {
  const handler = createHandler({
    machine: rig.machine,
    metrics: () =>
      Promise.resolve(createMetrics({
        machine: rig.machine,
        udp: () => ({ received: 11, dropped: 2, sent: 9, sendFailed: 0 }),
        seal: () => undefined,
        dns: () => new Map([["NOERROR", 4]]),
        slowWatchers: () => 1,
        startedWallMs: 1_700_000_000_000,
      })),
    watch: () => {
      throw new Error("nothing here upgrades");
    },
  });
  return async (path: string, init: RequestInit = {}, hostname = "127.0.0.1") =>
    await handler(new Request(`http://tower:7772${path}`, init), { remoteAddr: { hostname } });
}

function scene(rig = Rig.ready()) {
  const node = new NodeVoice(1, 1);
  rig.mesh(node.register([endpointOf("r1"), endpointOf("r2", "web", 9_000)]));
  return { rig, get: handlerOf(rig) };
}

Deno.test("GET /lookup/<app> gives the ready replicas, and 404 with none", async () => {
  const { get } = scene();
  const found = await get("/lookup/api");
  assertEquals(found.status, 200);
  assertEquals(found.headers.get("content-type"), "application/json");
  assertEquals(await found.json(), {
    app: "api",
    endpoints: [
      { replica: "r1", host: "127.0.0.11", port: 8_001, node: "node-1", generation: 1 },
    ],
  });
  const unknown = await get("/lookup/nothing");
  assertEquals([unknown.status, await unknown.json()], [404, { app: "nothing", endpoints: [] }]);
  assertEquals((await get("/lookup/%ff")).status, 400);
  assertEquals((await get("/lookup/a/b")).status, 404);
});

Deno.test("GET /lookup/<app> of a fresh tower says that it may not know all yet", async () => {
  const fresh = await scene(new Rig()).get("/lookup/api");
  assertEquals(fresh.headers.get("skr8tr-complete"), "false");
  assertEquals((await scene().get("/lookup/api")).headers.get("skr8tr-complete"), "true");
});

Deno.test("GET /list gives everything, with what is left of each lease", async () => {
  const { rig, get } = scene();
  const body = await (await get("/list")).json();
  assertEquals([body.count, body.complete, body.revision], [2, true, rig.revision]);
  const { ttlMs, ...endpoint } = body.endpoints[0];
  assertEquals([endpoint, typeof ttlMs], [endpointOf("r1"), "number"]);
  assertEquals(
    await (await handlerOf(Rig.ready())("/list")).json().then((list) => list.endpoints),
    [],
  );
});

for (const count of [499, 500, 501, 1_000, 1_001]) {
  Deno.test(`GET /list joins its parts correctly at ${count} endpoints`, async () => {
    const rig = Rig.ready();
    for (let at = 0; at < count; at++) rig.plain(`REGISTER|api|10.0.${at >> 8}.${at & 255}|80`);
    const body = await (await handlerOf(rig)("/list")).json();
    assertEquals(
      new Set(body.endpoints.map((each: { replica: string }) => each.replica)).size,
      count,
    );
  });
}

Deno.test("GET /list survives changes while it is read", async () => {
  const rig = Rig.ready();
  for (let at = 0; at < 2_000; at++) rig.plain(`REGISTER|api|10.0.${at >> 8}.${at & 255}|80`);
  const reader = (await handlerOf(rig)("/list")).body!.getReader();
  let text = "";
  const decoder = new TextDecoder();
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    text += decoder.decode(chunk.value, { stream: true });
    for (let at = 0; at < 2_000; at += 3) {
      rig.plain(`DEREGISTER|api|10.0.${at >> 8}.${at & 255}|80`);
    }
  }
  const listed = JSON.parse(text).endpoints.length;
  assertEquals(listed >= 1_333 && listed <= 2_000, true, `${listed} listed`);
});

Deno.test("GET /routes gives the table that was published last", async () => {
  const { rig, get } = scene();
  rig.say(rig.watch("conductor"), { k: "publish", routes: [routeOf("api", "/api")] });
  assertEquals(await (await get("/routes")).json(), {
    revision: rig.revision,
    routes: [routeOf("api", "/api")],
  });
});

for (
  const [what, path, init, host, status] of [
    ["health of a stranger's load balancer", "/health", {}, STRANGER.hostname, 200],
    ["a stranger's lookup", "/lookup/api", {}, STRANGER.hostname, 403],
    ["a stranger's list", "/list", {}, STRANGER.hostname, 403],
    ["a stranger's metrics", "/metrics", {}, STRANGER.hostname, 403],
    ["a stranger's watch", "/watch", {}, STRANGER.hostname, 403],
    ["a watch that is no WebSocket", "/watch", {}, "127.0.0.1", 426],
    [
      "a web page that wants to watch",
      "/watch",
      { headers: { upgrade: "websocket", origin: "https://evil.example" } },
      "127.0.0.1",
      403,
    ],
    ["a POST", "/list", { method: "POST", body: "x" }, "127.0.0.1", 405],
    ["a HEAD", "/list", { method: "HEAD" }, "127.0.0.1", 200],
    ["nothing it has", "/nothing", {}, "127.0.0.1", 404],
  ] as const
) {
  Deno.test(`createHandler() answers ${what} with ${status}`, async () => {
    const response = await scene().get(path, init, host);
    assertEquals(response.status, status);
    await response.body?.cancel();
  });
}

Deno.test("GET /metrics reports what happened, in Prometheus' form", async () => {
  const { rig, get } = scene();
  rig.plain("PING");
  rig.plain("LOOKUP|api");
  rig.plain("nonsense");
  rig.plain("PING", STRANGER);
  rig.watch("ingress");
  const response = await get("/metrics");
  assertMatch(response.headers.get("content-type")!, /^text\/plain; version=0\.0\.4/);
  const text = await response.text();
  for (
    const line of [
      "skr8tr_tower_endpoints 2",
      "skr8tr_tower_apps 2",
      "skr8tr_tower_nodes 1",
      "skr8tr_tower_complete 1",
      "skr8tr_tower_live_ingresses 1",
      'skr8tr_tower_watchers{role="ingress"} 1',
      "skr8tr_tower_datagrams_received_total 11",
      'skr8tr_tower_datagrams_dropped_total{reason="malformed"} 2',
      'skr8tr_tower_datagrams_dropped_total{reason="garbage"} 1',
      'skr8tr_tower_datagrams_dropped_total{reason="refused"} 1',
      'skr8tr_tower_messages_total{kind="LOOKUP"} 1',
      'skr8tr_tower_messages_total{kind="register"} 1',
      "skr8tr_tower_slow_watchers_total 1",
      'skr8tr_tower_dns_answers_total{rcode="NOERROR"} 4',
      "process_start_time_seconds 1700000000",
    ]
  ) assertStringIncludes(text, `\n${line}\n`);
  for (const name of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    const isTotal = name[1]!.endsWith("_total");
    assertEquals(isTotal, name[2] === "counter", `${name[1]} is a ${name[2]}`);
  }
});
