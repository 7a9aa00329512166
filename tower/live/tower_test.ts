import { assert, assertEquals, assertRejects } from "@std/assert";
import { TOWER_WARMUP_MS, WATCH_BUFFER_BYTES } from "../../core/limits.ts";
import { Failure } from "../../core/errors.ts";
import type { Mesh } from "../../core/mesh.ts";
import { endpointOf, routeOf } from "../testing.ts";
import { Asker, LiveNode, WatchClient } from "./testing.ts";
import { type LiveTower, startTower } from "./tower.ts";

const start = (port = 0): LiveTower => startTower({ hostname: "127.0.0.1", port });

/** Starts a tower where another was a moment ago. */
async function startAgain(port: number): Promise<LiveTower> {
  const untilMs = performance.now() + 5_000;
  for (;;) {
    try {
      return start(port);
    } catch (error) {
      if (!(error instanceof Failure) || performance.now() > untilMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

Deno.test("startTower() answers v1 over UDP and drops garbage of any size", async () => {
  await using tower = start();
  await using asker = new Asker(tower.address);
  assertEquals(await asker.ask("REGISTER|api|10.0.0.1|80"), "OK|REGISTERED|api");
  assertEquals(await asker.ask("LOOKUP|api"), "OK|LOOKUP|api|10.0.0.1|80");
  asker.send("");
  asker.send("PING\0");
  asker.send("x".repeat(16_385));
  asker.send(`{"k":"register",${"[".repeat(16_000)}`);
  assertEquals(await asker.ask("PING"), "OK|PONG|tower");
  assertEquals(await asker.ask("LIST"), "OK|LIST|1|api:10.0.0.1:80:30");
});

Deno.test("startTower() pushes a delta to a watcher and drained to the node", async () => {
  await using tower = start();
  await using ingress = new WatchClient(tower.address, "ingress");
  await using conductor = new WatchClient(tower.address, "conductor");
  await using node = new LiveNode(tower.address);
  const snapshot = await ingress.next("snapshot");
  assertEquals([snapshot.endpoints, snapshot.complete], [[], false]);
  await conductor.next("complete", TOWER_WARMUP_MS + 5_000);
  const { revision } = await ingress.next("complete");
  ingress.say({ k: "ack", revision, busy: [] });

  node.add(endpointOf("r1"));
  const up = await ingress.next("delta");
  assertEquals([up.up, up.down], [[endpointOf("r1")], []]);

  conductor.say({ k: "publish", routes: [routeOf("api", "/")] });
  assertEquals((await ingress.next("routes")).routes, [routeOf("api", "/")]);

  node.remove("r1");
  const down = await ingress.next("delta");
  assertEquals(down.down, ["r1"]);
  const isAnswer = (drained: boolean) => (message: { k: string }) =>
    message.k === "deregister-ok" && (message as Mesh<"deregister-ok">).drained === drained;
  await node.inbox.next(isAnswer(false), "the answer that an ingress is waited for");
  ingress.say({ k: "ack", revision: down.revision, busy: ["r1"] });
  ingress.say({ k: "ack", revision: down.revision, busy: [] });
  await node.inbox.next(isAnswer(true), "the news that it is drained");
});

Deno.test("startTower() after a crash is complete again within its warm-up", async () => {
  const first = start();
  const { address } = first;
  await using one = new LiveNode(address, 1);
  await using two = new LiveNode(address, 2);
  const many = Array.from({ length: 20 }, (_, at) => endpointOf(`a${at}`, "api", 8_000 + at));
  one.add(...many);
  two.add(endpointOf("b1", "web"));
  {
    await using watcher = new WatchClient(address, "client");
    await watcher.next("snapshot");
    while (first.machine.registry.size < 21) await watcher.next("delta");
  }
  await first.stop();
  await using second = await startAgain(address.port);
  await using watcher = new WatchClient(address, "client");
  assertEquals((await watcher.next("snapshot")).complete, false);
  const complete = await watcher.next("complete", TOWER_WARMUP_MS + 5_000);
  const expected = [...many.map((each) => each.replica), "b1"].sort();
  assertEquals(complete.endpoints.map((each) => each.replica).sort(), expected);
  assertEquals(second.machine.watch.isComplete, true);
});

Deno.test("startTower() serves 10,000 endpoints in LIST, /list and a snapshot", async () => {
  await using tower = start();
  // A lease in between would say that it holds nothing yet.
  await using node = new LiveNode(tower.address, 1, Infinity);
  const many = Array.from(
    { length: 10_000 },
    (_, at) => endpointOf(`replica-${at}`, `app-${at % 500}`, 1_024 + at % 60_000),
  );
  // As the node would do it, in pages that its socket can take: a page at a time, each answered.
  for (let at = 0; at < many.length; at += 64) {
    node.say(node.voice.register(many.slice(at, at + 64)));
    const isOk = (each: { k: string }) => each.k === "register-ok";
    await node.inbox.next(isOk, `page ${at / 64}`);
  }

  await using asker = new Asker(tower.address);
  const reply = await asker.ask("LIST");
  assert(reply.startsWith("OK|LIST|10000|") && reply.endsWith(",[...]"), reply.slice(0, 60));

  const { hostname, port } = tower.address;
  const list = await (await fetch(`http://${hostname}:${port}/list`)).json();
  const ids = (endpoints: readonly { replica: string }[]) =>
    endpoints.map((each) => each.replica).sort();
  assertEquals([list.count, ids(list.endpoints)], [10_000, ids(many)]);

  await using watcher = new WatchClient(tower.address, "client");
  assertEquals(ids((await watcher.next("snapshot")).endpoints), ids(many));
  await using narrow = new WatchClient(tower.address, "client", "?app=app-7");
  assertEquals((await narrow.next("snapshot")).endpoints.length, 20);
});

Deno.test("startTower() closes a watcher that does not read, and others do not notice", async () => {
  await using tower = start();
  await using node = new LiveNode(tower.address);
  await using asker = new Asker(tower.address);
  const { hostname, port } = tower.address;
  using lazy = await Deno.connect({ hostname, port });
  const key = btoa("0123456789abcdef");
  const hello = JSON.stringify({ k: "hello", role: "client", name: "lazy" });
  await lazy.write(
    new TextEncoder().encode(
      `GET /watch HTTP/1.1\r\nhost: ${hostname}\r\nconnection: upgrade\r\nupgrade: websocket\r\n` +
        `sec-websocket-version: 13\r\nsec-websocket-key: ${key}\r\n\r\n`,
    ),
  );
  await lazy.write(maskedFrame(hello));
  await using watcher = new WatchClient(tower.address, "client");
  await watcher.next("snapshot");
  const perMessage = 64 * 200;
  const rounds = Math.ceil((WATCH_BUFFER_BYTES + 16 * 1024 * 1024) / perMessage);
  let isClosed = false;
  for (let round = 0; round < rounds && !isClosed; round++) {
    const batch = Array.from(
      { length: 64 },
      (_, at) =>
        endpointOf(`replica-${at}-${"x".repeat(40)}`, "a".repeat(60), 1_024 + round % 60_000),
    );
    node.say(node.voice.register(batch));
    await watcher.next("delta");
    isClosed = tower.machine.watch.count("client") === 1;
  }
  assert(isClosed, "the lazy watcher is still held");
  assertEquals(await asker.ask("PING"), "OK|PONG|tower");
});

Deno.test("startTower() refuses a taken port and a network that is none, with the remedy", async () => {
  await using tower = start();
  const failure = await assertRejects(() => Promise.try(() => start(tower.address.port)), Failure);
  assertEquals((failure as Failure).code, "port-taken");
  const wrong = () => startTower({ hostname: "127.0.0.1", port: 0, plain: ["10.0.0.0/33"] });
  assertEquals((await assertRejects(() => Promise.try(wrong), Failure) as Failure).code, "usage");
});

/** One masked text frame of under 126 bytes (RFC 6455, 5.2), its mask all zero. */
function maskedFrame(text: string): Uint8Array<ArrayBuffer> {
  const payload = new TextEncoder().encode(text);
  return new Uint8Array([0x81, 0x80 | payload.length, 0, 0, 0, 0, ...payload]);
}
