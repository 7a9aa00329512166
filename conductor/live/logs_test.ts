import { assertEquals } from "@std/assert";
import type { LogView } from "../../core/view.ts";
import { Rig } from "../rig_test.ts";
import { streamLogs } from "./logs.ts";

const hostname = "127.0.74.1";

Deno.test("lines that are not followed end though a node keeps its connection and says nothing", async () => {
  const line = JSON.stringify({ at: 7, line: "a line" });
  await using able = Deno.serve(
    { hostname, port: 0, onListen() {} },
    () => new Response(line + "\n"),
  );
  using frozen = Deno.listen({ hostname, port: 0 });
  const rig = new Rig();
  rig.addNode(1, { host: hostname, port: able.addr.port });
  rig.addNode(2, { host: hostname, port: frozen.addr.port });
  rig.live(4_000);
  rig.apply("web", "app web {\n  exec /bin/web\n  replicas 2\n}\n");
  const told: LogView[] = [];
  const ended = Promise.withResolvers<void>();
  const stop = streamLogs({
    machine: rig.machine,
    app: "web",
    lines: 10,
    follow: false,
    now: () => ({ monoMs: rig.monoMs, wallMs: rig.wallMs }),
    watch: () => () => {},
    send: (each) => told.push(each),
    end: ended.resolve,
  });
  const late = setTimeout(() => ended.reject(new Error("no end in 30 s")), 30_000);
  try {
    await ended.promise;
  } finally {
    clearTimeout(late);
    stop();
  }
  assertEquals(told.map(({ node, line, wallMs }) => [node, line, wallMs]), [[
    "node-1",
    "a line",
    7,
  ]]);
});
