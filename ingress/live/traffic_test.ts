// What the ingress tells of its requests, and what it does for apps that sleep and nodes that are lost.

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Figure, WatcherMessage } from "../../core/mesh.ts";
import {
  answering,
  connect,
  endpoint,
  eventually,
  exchange,
  FakeTower,
  ok,
  openBackend,
  route,
  testIngress,
} from "./testing.ts";

const GET = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
const POST = "POST / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc";

function figuresOf(tower: FakeTower, generation: number): Figure | undefined {
  return tower.messages.filter((each) => each.k === "figures").flatMap((each) => each.apps)
    .findLast((each) => each.generation === generation);
}

const wakes = (tower: FakeTower) =>
  tower.messages.filter((each: WatcherMessage) => each.k === "wake").length;

Deno.test("the tower is told of requests, errors, what is under way and how long it took", async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => release = resolve);
  await using backend = answering(async ({ head }) => {
    if (head.startsWith("GET /slow")) await held;
    return head.startsWith("GET /bad") ? "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n" : ok("x");
  });
  const one = endpoint("shop", backend.port, { generation: 7 });
  await using tower = FakeTower.complete([one], [route("/", "shop")]);
  await using ingress = await testIngress({ tower: tower.address });
  await tower.acked(1);
  for (const path of ["/", "/", "/bad"]) {
    await exchange(ingress.httpPort, GET.replace("GET /", `GET ${path}`));
  }
  using waiting = await connect(ingress.httpPort);
  await waiting.write(GET.replace("GET /", "GET /slow"));
  await eventually("the figures", () => figuresOf(tower, 7)?.inFlight === 1);
  const figure = figuresOf(tower, 7)!;
  assertEquals([figure.requests, figure.errors], [3, 1]);
  assertEquals(figure.latency.reduce((sum, each) => sum + each, 0), 3);
  release();
  await eventually("the end", () => figuresOf(tower, 7)?.requests === 4);
  assertEquals(figuresOf(tower, 7)!.inFlight, 0);
});

Deno.test("requests for an app that sleeps are held, it is asked for, then they are answered", async () => {
  await using backend = answering(({ body }) => ok(`woken ${body}`));
  await using tower = FakeTower.complete([], [route("/", "shop", { wake: true })]);
  await using ingress = await testIngress({ tower: tower.address });
  await tower.acked(1);
  const answers = [GET, POST, GET].map((request) => exchange(ingress.httpPort, request));
  await eventually("the wake", () => wakes(tower) > 0);
  await eventually("three held", () => ingress.machine.holds.size === 3);
  tower.delta([endpoint("shop", backend.port)], []);
  for (const answer of await Promise.all(answers)) assertMatch(answer, /woken/);
  assertMatch(await answers[1]!, /woken abc$/);
  assertEquals(ingress.machine.holds.size, 0);
});

Deno.test("a request is not held for an app that is not to be woken, nor beyond the bounds", async () => {
  const routes = [route("/", "shop"), route("/sleepy", "sleepy", { wake: true })];
  await using tower = FakeTower.complete([], routes);
  await using ingress = await testIngress({ tower: tower.address });
  await tower.acked(1);
  assertMatch(await exchange(ingress.httpPort, GET), /^HTTP\/1\.1 503 .*\r\nRetry-After: 1\r\n/s);
  for (let count = 0; ingress.machine.holds.add("sleepy", `filler ${count}`, 1);) count++;
  const answer = await exchange(ingress.httpPort, GET.replace("GET /", "GET /sleepy"));
  assertMatch(answer, /^HTTP\/1\.1 503 .*\r\nRetry-After: 1\r\n/s);
  ingress.machine.holds.take("sleepy");
});

Deno.test("an app whose only replica is started again costs no request that may be sent again", async () => {
  let backend = answering(() => ok("first"));
  const one = endpoint("shop", backend.port);
  await using tower = FakeTower.complete([one], [route("/", "shop")]);
  await using ingress = await testIngress({ tower: tower.address });
  await tower.acked(1);
  for (let round = 0; round < 3; round++) {
    assertMatch(await exchange(ingress.httpPort, GET), /first$|again$/);
    backend.die();
    const answers = [GET, POST, GET, POST].map((each) => exchange(ingress.httpPort, each));
    await eventually("all wait", () => ingress.machine.recovering.size === 4);
    backend = answering(() => ok("again"));
    // It says itself anew under its name, at another port.
    tower.delta([{ ...one, port: backend.port }], []);
    for (const answer of await Promise.all(answers)) assertMatch(answer, /again$/);
    assertEquals(ingress.machine.recovering.size, 0);
  }
  // What does not come back is not waited for without end, and not at all after a while.
  backend.die();
  assertMatch(await exchange(ingress.httpPort, GET), /^HTTP\/1\.1 503 [^]*\r\nRetry-After: 1\r\n/);
  assertEquals(wakes(tower), 0, "nobody is asked to wake what is not asleep");
});

Deno.test("what waits for a replica on a lost node is tried elsewhere at once", async () => {
  // It takes connections and requests, and answers nothing: as a machine that has vanished.
  await using silent = openBackend(async (wire) => {
    while (await wire.read() !== null);
  });
  await using good = answering(() => ok("alive"));
  const [lost, alive] = [
    endpoint("shop", silent.port, { node: "n1" }),
    endpoint("shop", good.port, { node: "n2" }),
  ];
  await using tower = FakeTower.complete([lost], [route("/", "shop")]);
  await using ingress = await testIngress({ tower: tower.address });
  await tower.acked(1);
  const waiting = Array.from({ length: 150 }, () => exchange(ingress.httpPort, GET));
  const unsafe = exchange(ingress.httpPort, POST);
  await eventually("all under way", () => {
    const [replica] = ingress.machine.allReplicas();
    return replica!.outstanding === 151;
  });
  tower.delta([alive], [lost.replica], [lost.replica]);
  for (const answer of await Promise.all(waiting)) assertMatch(answer, /alive$/);
  // It may have been done there: it is not done again, and not waited for long.
  assertMatch(await unsafe, /^HTTP\/1\.1 504 /);
  await eventually("all idle", () => tower.ack?.busy.length === 0);
  assert([...ingress.machine.allReplicas()].every((each) => each.outstanding === 0));
});
