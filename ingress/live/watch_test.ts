// The ingress and a tower that changes its mind, with requests under way.

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Endpoint } from "../../core/mesh.ts";
import {
  answering,
  type Backend,
  connect,
  endpoint,
  eventually,
  exchange,
  FakeTower,
  ok,
  openBackend,
  route,
  snapshot,
  testIngress,
} from "./testing.ts";

const GET = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
const GET_CLOSE = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";

Deno.test("the ingress says hello, applies what the tower says and acknowledges it", async () => {
  await using one = answering(() => ok("one"));
  await using two = answering(() => ok("two"));
  const [first, second] = [endpoint("shop", one.port), endpoint("shop", two.port)];
  await using tower = FakeTower.complete([first], [route("/", "shop")]);
  await using ingress = await testIngress({ tower: tower.address });
  await tower.acked(1);
  assertEquals(tower.messages[0], { k: "hello", role: "ingress", name: "test" });
  assertMatch(await exchange(ingress.httpPort, GET_CLOSE), /one$/);
  await tower.acked(tower.delta([second], [first.replica]));
  for (let count = 0; count < 3; count++) {
    assertMatch(await exchange(ingress.httpPort, GET_CLOSE), /two$/);
  }
  tower.send({ k: "routes", revision: 9, routes: [route("/elsewhere", "shop")] });
  await tower.acked(9);
  assertMatch(await exchange(ingress.httpPort, GET_CLOSE), /^HTTP\/1\.1 404 /);
});

Deno.test("it acknowledges again and again, so that its lease does not lapse", async () => {
  await using tower = FakeTower.complete([], []);
  await using _ingress = await testIngress({ tower: tower.address });
  await eventually("three acks", () => tower.messages.filter(({ k }) => k === "ack").length >= 3);
});

Deno.test("a replica that is down gets nothing new, is busy until its requests have ended", async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => release = resolve);
  await using slow = answering(async () => {
    await held;
    return ok("slow");
  });
  await using quick = answering(() => ok("quick"));
  const [leaving, staying] = [endpoint("shop", slow.port), endpoint("shop", quick.port)];
  await using tower = FakeTower.complete([leaving], [route("/", "shop")]);
  await using ingress = await testIngress({ tower: tower.address });
  await tower.acked(1);
  using client = await connect(ingress.httpPort);
  await client.write(GET);
  await eventually("the request is under way", () => slow.requests === 1);
  const revision = tower.delta([staying], [leaving.replica]);
  await tower.acked(revision, [leaving.replica]);
  for (let count = 0; count < 5; count++) {
    assertMatch(await exchange(ingress.httpPort, GET_CLOSE), /quick$/);
  }
  release();
  await client.readUntil("slow");
  await tower.acked(revision, []);
  assertEquals(slow.requests, 1);
});

Deno.test("an incomplete snapshot removes nothing, the complete list does", async () => {
  await using one = answering(() => ok("one"));
  const first = endpoint("shop", one.port);
  const tower = FakeTower.complete([first], [route("/", "shop")]);
  const { port } = tower;
  await using ingress = await testIngress({ tower: tower.address });
  await tower.acked(1);
  await tower[Symbol.asyncDispose]();
  await eventually("the stream is lost", () => !ingress.machine.summary().connected);
  assertMatch(await exchange(ingress.httpPort, GET_CLOSE), /one$/);
  await using restarted = new FakeTower(
    snapshot([], [], { complete: false, tower: "ffffffffffffffff", revision: 5 }),
    port,
  );
  await restarted.acked(5);
  assertMatch(await exchange(ingress.httpPort, GET_CLOSE), /one$/);
  restarted.send({ k: "complete", revision: 6, endpoints: [] });
  await restarted.acked(6);
  assertMatch(await exchange(ingress.httpPort, GET_CLOSE), /^HTTP\/1\.1 503 /);
});

Deno.test("what is no watch message ends the stream, which begins anew", async () => {
  await using tower = FakeTower.complete([], []);
  await using _ingress = await testIngress({ tower: tower.address });
  await tower.acked(1);
  tower.send({ k: "nonsense", revision: 2 } as never);
  await eventually(
    "a second hello",
    () => tower.messages.filter(({ k }) => k === "hello").length === 2,
  );
});

/** A backend that answers `app:path`, sometimes after a moment. */
function numbered(name: string): Backend {
  return answering(async ({ head }) => {
    const path = head.split(" ")[1]!;
    if (path.endsWith("7")) await new Promise((resolve) => setTimeout(resolve, 2));
    return ok(`<${name}${path}>`);
  });
}

Deno.test("10,000 numbered requests on 50 connections are never mixed up while replicas come and go", async () => {
  const backends = [numbered("a"), numbered("b"), numbered("c"), numbered("d")];
  const endpoints = backends.map((each) => endpoint("shop", each.port));
  await using tower = FakeTower.complete(endpoints.slice(0, 2), [route("/", "shop")]);
  await using ingress = await testIngress({ tower: tower.address });
  await tower.acked(1);
  let sent = 0;
  const wrong: string[] = [];
  const client = async () => {
    using wire = await connect(ingress.httpPort);
    while (sent < 10_000) {
      const number = sent++;
      await wire.write(`GET /${number} HTTP/1.1\r\nHost: a.test\r\n\r\n`);
      const text = await wire.readUntil(">");
      if (!text.startsWith("HTTP/1.1 200 ") || !text.endsWith(`/${number}>`)) wrong.push(text);
    }
  };
  let changes = 0;
  const churn = async () => {
    let up = new Set([0, 1]);
    while (sent < 10_000) {
      const next = new Set([changes % 4, (changes + 1 + changes % 3) % 4]);
      if (next.size < 2) next.add((changes + 2) % 4);
      const down = [...up].filter((each) => !next.has(each));
      const revision = tower.delta(
        [...next].filter((each) => !up.has(each)).map((each) => endpoints[each]!),
        down.map((each) => endpoints[each]!.replica),
      );
      await tower.acked(revision);
      up = next;
      changes++;
    }
  };
  await Promise.all([churn(), ...Array.from({ length: 50 }, client)]);
  assertEquals(wrong, []);
  assert(changes > 10, `only ${changes} changes`);
  for (const each of backends) await each[Symbol.asyncDispose]();
});

Deno.test("no request fails while replicas are replaced and the old ones stop when drained", async () => {
  // Each generation: a new backend comes up, the old one goes down and is closed as soon as the
  // ingress says that nothing is on it, exactly as a node does it.
  const make = (): [Backend, Endpoint] => {
    const backend = numbered("g");
    return [backend, endpoint("shop", backend.port)];
  };
  let [backend, current] = make();
  await using tower = FakeTower.complete([current], [route("/", "shop")]);
  await using ingress = await testIngress({ tower: tower.address });
  await tower.acked(1);
  let running = true;
  let served = 0;
  const wrong: string[] = [];
  const client = async (method: string) => {
    using wire = await connect(ingress.httpPort);
    while (running) {
      const body = method === "POST" ? "Content-Length: 3\r\n\r\nabc" : "\r\n";
      await wire.write(`${method} /${served} HTTP/1.1\r\nHost: a.test\r\n${body}`);
      const text = await wire.readUntil(">").catch(String);
      if (!text.startsWith("HTTP/1.1 200 ")) wrong.push(text);
      served++;
    }
  };
  const replace = async () => {
    for (let generation = 0; generation < 30; generation++) {
      const [nextBackend, next] = make();
      await tower.acked(tower.delta([next], []));
      await tower.acked(tower.delta([], [current.replica]));
      await backend[Symbol.asyncDispose]();
      [backend, current] = [nextBackend, next];
    }
    running = false;
  };
  const methods = ["GET", "POST", "GET", "POST", "GET", "POST", "GET", "POST"];
  await Promise.all([replace(), ...methods.map(client)]);
  assertEquals(wrong, []);
  assert(served > 500, `only ${served} requests`);
  await backend[Symbol.asyncDispose]();
});

Deno.test("replicas killed under load cost no idempotent request", async () => {
  const backends = [numbered("a"), numbered("b"), numbered("c")];
  await using tower = FakeTower.complete(
    backends.map((each) => endpoint("shop", each.port)),
    [route("/", "shop")],
  );
  await using ingress = await testIngress({ tower: tower.address });
  await tower.acked(1);
  let sent = 0;
  const wrong: string[] = [];
  const client = async () => {
    using wire = await connect(ingress.httpPort);
    while (sent < 4_000) {
      const number = sent++;
      if (number === 1_000) backends[0]!.die();
      if (number === 2_500) backends[1]!.die();
      await wire.write(`GET /${number} HTTP/1.1\r\nHost: a.test\r\n\r\n`);
      const text = await wire.readUntil(">").catch(String);
      if (!text.startsWith("HTTP/1.1 200 ") || !text.endsWith(`/${number}>`)) wrong.push(text);
    }
  };
  await Promise.all(Array.from({ length: 32 }, client));
  assertEquals(wrong, []);
  await backends[2]![Symbol.asyncDispose]();
});

Deno.test("changes of routes and replicas touch no open tunnel", async () => {
  await using chat = openBackend(async (wire) => {
    await wire.readUntil("\r\n\r\n");
    await wire.write(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n",
    );
    for (let text = await wire.read(); text !== null; text = await wire.read()) {
      await wire.write(text);
    }
  });
  const first = endpoint("chat", chat.port);
  await using tower = FakeTower.complete([first], [route("/", "chat")]);
  await using ingress = await testIngress({ tower: tower.address });
  await tower.acked(1);
  using client = await connect(ingress.httpPort);
  await client.write(
    "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n",
  );
  await client.readUntil("\r\n\r\n");
  tower.send({ k: "routes", revision: 2, routes: [route("/other", "other")] });
  await tower.acked(tower.delta([], [first.replica]), [first.replica]);
  await client.write("still here?");
  await client.readUntil("still here?");
  client.close();
  await tower.acked(tower.revision, []);
});
