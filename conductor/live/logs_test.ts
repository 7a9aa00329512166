import { assert, assertEquals } from "@std/assert";
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

/** A node whose replicas have said these lines, and say what they are told to. */
function talker(pasts: Readonly<Record<string, readonly number[]>>) {
  const controllers = new Map<string, ReadableStreamDefaultController<string>>();
  const asText = (replica: string, at: number) =>
    `${JSON.stringify({ at, line: `${replica} ${at}` })}\n`;
  const server = Deno.serve({ hostname, port: 0, onListen() {} }, ({ url }) => {
    const replica = new URL(url).pathname.split("/").at(-1)!;
    const body = new ReadableStream<string>({
      start(controller) {
        const past = (pasts[replica] ?? []).map((at) => asText(replica, at)).join("");
        controller.enqueue(`${past}\n`);
        controllers.set(replica, controller);
      },
    });
    return new Response(body.pipeThrough(new TextEncoderStream()));
  });
  return {
    port: server.addr.port,
    says: (replica: string, at: number) => controllers.get(replica)!.enqueue(asText(replica, at)),
    [Symbol.asyncDispose]: () => {
      for (const controller of controllers.values()) controller.close();
      return server[Symbol.asyncDispose]();
    },
  };
}

Deno.test("lines that are followed begin by their times over all replicas, then come as written", async () => {
  await using one = talker({ "web.1": [10, 30, 50], "web.3": [5] });
  await using two = talker({ "web.2": [20, 40, 60] });
  const rig = new Rig();
  rig.addNode(1, { host: hostname, port: one.port });
  rig.addNode(2, { host: hostname, port: two.port });
  rig.live(4_000);
  rig.apply("web", "app web {\n  exec /bin/web\n  replicas 2\n}\n");
  const told: string[] = [];
  let changed = () => {};
  /** Waits until so many lines were told. */
  const until = async (count: number) => {
    const endMs = performance.now() + 30_000;
    while (told.length < count) {
      assert(performance.now() < endMs, `only ${told.join()}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const stop = streamLogs({
    machine: rig.machine,
    app: "web",
    lines: 10,
    follow: true,
    last: 4,
    wants: ({ wallMs }) => wallMs !== 40,
    now: () => ({ monoMs: rig.monoMs, wallMs: rig.wallMs }),
    watch: (_, look) => {
      changed = look;
      return () => {};
    },
    send: ({ line }) => told.push(line),
    end: () => {},
  });
  try {
    await until(4);
    assertEquals(told, ["web.2 20", "web.1 30", "web.1 50", "web.2 60"]);
    two.says("web.2", 40); // not wanted
    two.says("web.2", 70);
    await until(5);
    one.says("web.1", 65);
    await until(6);
    rig.ask(rig.signed("SCALE|logs-scale-1|web|3"));
    rig.live(1_000);
    changed();
    await until(7);
    assertEquals(told.slice(4), ["web.2 70", "web.1 65", "web.3 5"]);
  } finally {
    stop();
  }
});
