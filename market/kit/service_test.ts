import { assert, assertEquals, assertMatch } from "@std/assert";
import { Problem } from "./problem.ts";
import { createService, type Kit } from "./service.ts";
import { ask, testSurroundings } from "./testing.ts";

const around = testSurroundings("test-svc");
const create = (build: (kit: Kit) => void) => createService(around, build);

Deno.test("a bug is a 500 that says nothing about itself, and a line that says all", async () => {
  const service = create(({ app }) => {
    app.get("/bug/:secret", () => {
      throw new Error("secret of the house");
    });
  });
  around.lines.length = 0;
  const { status, body } = await ask(service, "GET /bug/session-key");
  assertEquals([status, body], [500, { error: "something went wrong here", field: "server" }]);
  const [bug, request] = around.lines;
  assertMatch(String(bug!.error), /secret of the house/);
  assertEquals([request!.level, request!.route, request!.status], ["error", "/bug/:secret", 500]);
  assert(!JSON.stringify(around.lines).includes("session-key"), "what stands in a path is logged");
});

Deno.test("a Problem is answered as it is, with its details and headers", async () => {
  const service = create(({ app }) => {
    app.post("/", () => {
      throw new Problem(409, "items[0]", "sold out", {
        details: { available: 0 },
        headers: { "retry-after": "9" },
      });
    });
  });
  const { status, body, headers } = await ask(service, "POST /");
  assertEquals([status, body], [409, { error: "sold out", field: "items[0]", available: 0 }]);
  assertEquals(headers.get("retry-after"), "9");
  assertEquals(headers.get("x-replica"), "test-svc-1");
  assertEquals(headers.get("cache-control"), "no-store");
});

Deno.test("/health is 503 with the reason until the service is ready", async () => {
  let missing: string | undefined = "waiting for stock";
  const service = create(({ readyWhen }) => readyWhen(() => missing));
  const before = await ask(service, "GET /health");
  assertEquals([before.status, before.body.error], [503, "waiting for stock"]);
  missing = undefined;
  const after = await ask(service, "GET /health");
  assertEquals([after.status, after.body], [200, "ok"]);
});

Deno.test("/metrics is a histogram that adds up, with labels escaped, and the service's own", async () => {
  const service = create(({ app, metrics }) => {
    metrics.gauge("market_answer", "An answer.", () => 42);
    app.get('/say/:word{"+}', (c) => c.text("said"));
    app.get("/ok", (c) => {
      metrics.count("market_ok_total", "Said ok.");
      return c.text("ok");
    });
  });
  for (let time = 0; time < 3; time++) await ask(service, "GET /ok");
  await ask(service, "GET /nowhere");
  await ask(service, 'GET /say/"');
  const { body } = await ask(service, "GET /metrics");
  const labels = 'service="test-svc",method="GET",route="/ok",status="200"';
  assert(body.includes(`http_request_duration_seconds_count{${labels}} 3\n`));
  assert(body.includes(`http_request_duration_seconds_bucket{${labels},le="+Inf"} 3\n`));
  assert(body.includes('route="other",status="404"} 1\n'));
  assert(body.includes('market_ok_total{service="test-svc"} 3\n'));
  assert(body.includes('market_answer{service="test-svc"} 42\n'));
  for (const line of body.trim().split("\n")) {
    assertMatch(line, /^(# (HELP|TYPE) \w+ .+|\w+\{(\w+="(\\.|[^"\\])*",?)+\} [\d.e+-]+)$/);
  }
});

Deno.test("close() releases in the opposite order of taking", async () => {
  const closed: string[] = [];
  const service = create(({ onClose }) => {
    onClose(() => void closed.push("first"));
    onClose(() => void closed.push("second"));
  });
  await service.close();
  assertEquals(closed, ["second", "first"]);
});
