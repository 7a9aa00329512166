// The real health worker against servers that answer in every way.

import { assertEquals, assertStringIncludes } from "@std/assert";
import type { HealthCheck } from "../../core/manifest/spec.ts";
import type { NodeEvent } from "../effects.ts";
import type { LaunchPlan } from "../plan.ts";
import { until } from "./fake_cluster.ts";
import { Prober } from "./prober.ts";

const PLAN: LaunchPlan = {
  exec: "",
  args: [],
  env: {},
  path: "",
  cwd: "/",
  volumes: [],
  limits: {},
};

function prober() {
  const events: Extract<NodeEvent, { on: "probed" }>[] = [];
  let number = 0;
  const each = new Prober({
    host: "127.0.0.1",
    workerUrl: new URL("./health.worker.ts", import.meta.url),
    environmentOf: () => ({}),
    dispatch: (event) => event.on === "probed" && events.push(event),
    hung: () => {},
  });
  const ask = async (check: HealthCheck, port?: number, timeoutMs = 1_000) => {
    const probe = `p${++number}`;
    each.probe({
      do: "probe",
      replica: "r",
      probe,
      check,
      ...(port === undefined ? {} : { port }),
      timeoutMs,
      plan: PLAN,
    });
    const event = await until("a verdict", () => events.find((one) => one.probe === probe), 30_000);
    return [event.result, event.detail] as const;
  };
  return { ask, [Symbol.dispose]: () => each[Symbol.dispose]() };
}

/** A raw server that answers each connection with this text, and perhaps leaves it open. */
function raw(answer: string, open = false) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections: Deno.Conn[] = [];
  const requests: string[] = [];
  (async () => {
    for await (const connection of listener) {
      connections.push(connection);
      const buffer = new Uint8Array(1024);
      const length = await connection.read(buffer);
      requests.push(new TextDecoder().decode(buffer.subarray(0, length ?? 0)));
      await connection.write(new TextEncoder().encode(answer)).catch(() => {});
      if (!open) connection.close();
    }
  })();
  return {
    port: listener.addr.port,
    requests,
    [Symbol.dispose]() {
      listener.close();
      for (const each of connections) {
        try {
          each.close();
        } catch {
          // Closed already.
        }
      }
    },
  };
}

const GET: HealthCheck = { kind: "get", path: "/health?x=1", status: 200 };

Deno.test("GET passes on the status it wants, and says what it got instead", async () => {
  using all = prober();
  using good = raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  assertEquals(await all.ask(GET, good.port), ["passed", ""]);
  assertEquals(good.requests[0]?.split("\r\n").slice(0, 2), [
    "GET /health?x=1 HTTP/1.1",
    `Host: 127.0.0.1:${good.port}`,
  ]);
  const cases: [string, string][] = [
    ["HTTP/1.1 500 Oops\r\n\r\n", "GET /health?x=1 answered 500, not 200"],
    ["HTTP/1.1 301 Moved\r\nLocation: /\r\n\r\n", "GET /health?x=1 answered 301, not 200"],
    ["SSH-2.0-OpenSSH\r\n", "GET /health?x=1 got no HTTP answer"],
    ["", "GET /health?x=1 got no HTTP answer"],
    ["x".repeat(5_000), "GET /health?x=1 got no HTTP answer"],
  ];
  for (const [answer, detail] of cases) {
    using server = raw(answer);
    assertEquals(await all.ask(GET, server.port), ["failed", detail]);
  }
});

Deno.test("GET does not wait for a body, and gives up on a server that says nothing", async () => {
  using all = prober();
  using stream = raw("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\npart", true);
  assertEquals(await all.ask(GET, stream.port), ["passed", ""]);
  using silent = raw("", true);
  assertEquals(await all.ask(GET, silent.port, 100), ["failed", "no answer within 100 ms"]);
});

Deno.test("TCP passes where something listens; nothing there is told as refused", async () => {
  using all = prober();
  const port = (() => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    return listener.addr.port;
  })();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  assertEquals(await all.ask({ kind: "tcp" }, listener.addr.port), ["passed", ""]);
  assertEquals(await all.ask({ kind: "tcp" }, port), [
    "refused",
    `nothing listens at 127.0.0.1:${port}`,
  ]);
  assertEquals((await all.ask({ kind: "tcp" }))[0], "failed");
});

Deno.test("the worker's permissions are the node's address and nothing else", async () => {
  const probe = `
    const tries = {
      net: () => Deno.connect({ hostname: "127.0.0.2", port: 9 }),
      read: () => Deno.readTextFile("/etc/hostname"),
      write: () => Deno.writeTextFile("/tmp/skr8tr-must-not-be", ""),
      run: () => new Deno.Command("true").output(),
      env: () => Promise.resolve().then(() => Deno.env.get("HOME")),
    };
    self.onmessage = async (event) => {
      if (event.data.k !== "probe") return;
      const allowed = [];
      for (const [name, attempt] of Object.entries(tries)) {
        try { await attempt(); allowed.push(name); }
        catch (error) { if (error.name !== "NotCapable") allowed.push(name + " " + error.name); }
      }
      self.postMessage({ k: "probed", probe: event.data.probe, result: "failed", detail: "allowed: " + allowed.join() });
    };`;
  const workerUrl = new URL(`data:text/javascript,${encodeURIComponent(probe)}`);
  const details: string[] = [];
  using each = new Prober({
    host: "127.0.0.1",
    workerUrl,
    environmentOf: () => ({}),
    dispatch: (event) => event.on === "probed" && details.push(event.detail),
    hung: () => {},
  });
  each.probe({
    do: "probe",
    replica: "r",
    probe: "p",
    check: { kind: "tcp" },
    port: 1,
    timeoutMs: 1_000,
    plan: PLAN,
  });
  await until("its answer", () => details.length > 0);
  assertEquals(details[0], "allowed: ");
});

Deno.test("EXEC passes on code 0, tells other codes, and is killed with its children", async () => {
  using all = prober();
  const ask = (command: string, timeoutMs?: number) =>
    all.ask({ kind: "exec", command }, undefined, timeoutMs);
  assertEquals(await ask("true"), ["passed", ""]);
  assertEquals(await ask("exit 3"), ["failed", "EXEC exit 3: exited with code 3"]);
  const started = performance.now();
  const [result, detail] = await ask("sleep 30 & sleep 30", 100);
  assertEquals(result, "failed");
  assertStringIncludes(detail, "no answer within 100 ms");
  assertEquals(performance.now() - started < 10_000, true);
});
