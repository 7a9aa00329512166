import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { promtool } from "../../core/live/promtool_testing.ts";
import { serve, type Service } from "./service.ts";
import { openMetrics } from "./service_metrics.ts";

const LOCAL = { hostname: "127.0.0.1", port: 0, signals: false } as const;

async function ask(service: Service, path: string, init?: RequestInit): Promise<string> {
  return await (await fetch(`http://127.0.0.1:${service.port}${path}`, init)).text();
}

Deno.test("serve() with metrics counts requests and tells of them in the style of Prometheus", async () => {
  const metrics = await openMetrics();
  const bytes = metrics.histogram("shop_upload_bytes", "Size of what is uploaded.", {
    buckets: [10, 100],
    labels: ["kind"],
  });
  metrics.gauge("shop_carts", "Carts that are open.", () => 3);
  const inFlight = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  await using service = serve(async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/slow") {
      inFlight.resolve();
      await release.promise;
    }
    if (pathname === "/bad") throw new Error("a mistake of the service, for this test");
    bytes.observe(50, { kind: "picture" });
    return new Response("ok", { status: pathname === "/none" ? 404 : 200 });
  }, { ...LOCAL, metrics });
  await ask(service, "/");
  await ask(service, "/none", { method: "POST", body: "x" });
  await ask(service, "/bad");
  await ask(service, "/", { method: "BREW" });
  await ask(service, "/health");
  const slow = ask(service, "/slow");
  await inFlight.promise;
  const text = await ask(service, "/metrics");
  for (
    const line of [
      'http_requests_total{method="GET",status="200"} 1',
      'http_requests_total{method="POST",status="404"} 1',
      'http_requests_total{method="GET",status="500"} 1',
      'http_requests_total{method="other",status="200"} 1',
      "http_requests_in_flight 1",
      'http_request_duration_seconds_count{method="GET"} 2',
      'shop_upload_bytes_bucket{le="10",kind="picture"} 0',
      'shop_upload_bytes_bucket{le="100",kind="picture"} 3',
      "shop_carts 3",
    ]
  ) assert(text.split("\n").includes(line), `${line} is not in\n${text}`);
  release.resolve();
  await slow;
  await promtool(["check", "metrics"], text);
});

Deno.test("serve() shows no metrics to what came through the ingress, or without the option", async () => {
  const own = () => new Response("the service's own page");
  await using told = serve(own, { ...LOCAL, metrics: await openMetrics() });
  await using silent = serve(own, LOCAL);
  const via = { headers: { via: "1.1 skr8tr" } };
  assertMatch(await ask(told, "/metrics"), /^# HELP http_requests_total/);
  assertEquals(await ask(told, "/metrics", via), "the service's own page");
  assertEquals(await ask(silent, "/metrics"), "the service's own page");
});

Deno.test("openMetrics() refuses names that are taken or none", async () => {
  const metrics = await openMetrics();
  metrics.counter("shop_orders_total", "Orders taken.");
  assertThrows(
    () => metrics.counter("shop_orders_total", "Again."),
    TypeError,
    "shop_orders_total",
  );
  assertThrows(() => metrics.gauge("two words", "Wrong.", () => 1), TypeError);
  const counter = metrics.counter("shop_visits_total", "Visits.", ["page"]);
  assertThrows(() => counter.add(-1));
  counter.add(2, { page: "front" });
  assertMatch(await metrics.text(), /^shop_visits_total\{page="front"\} 2$/m);
});

Deno.test("openMetrics() loads the prom-client that the daemons have", async () => {
  const { imports } = JSON.parse(await Deno.readTextFile("deno.json"));
  const text = await Deno.readTextFile(new URL("service_metrics.ts", import.meta.url));
  assert(text.includes(`import("${imports["prom-client"]}")`));
});
