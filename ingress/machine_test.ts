import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Instant } from "../core/instant.ts";
import { INGRESS_ALIVE_MS } from "../core/limits.ts";
import type { Endpoint, Route, WatchMessage } from "../core/mesh.ts";
import { RequestHead } from "./http1.ts";
import { type IngressEffect, IngressMachine } from "./machine.ts";

const at = (monoMs: number): Instant => ({ monoMs, wallMs: 1_700_000_000_000 + monoMs });

function endpoint(replica: string, app = "shop", port = 8000): Endpoint {
  return { replica, app, generation: 1, node: "n1", host: "127.0.0.1", port };
}

function route(path: string, app: string): Route {
  return { app, path, sticky: false, weight: 100, tlsRequired: false };
}

function snapshot(
  endpoints: readonly Endpoint[],
  more: Partial<Extract<WatchMessage, { k: "snapshot" }>> = {},
): WatchMessage {
  const tower = "0011223344556677";
  return { k: "snapshot", tower, revision: 1, complete: true, endpoints, routes: [], ...more };
}

function started(...messages: WatchMessage[]): IngressMachine {
  const machine = new IngressMachine({ name: "i" }, at(0));
  machine.step({ k: "connected" }, at(0));
  for (const message of messages) machine.step({ k: "message", message }, at(1));
  return machine;
}

function ids(machine: IngressMachine): string[] {
  return [...machine.allReplicas()].filter((each) => !each.gone).map((each) =>
    each.endpoint.replica
  ).sort();
}

function acks(effects: readonly IngressEffect[]): unknown[] {
  return effects.flatMap((each) =>
    each.k === "send" && each.message.k !== "figures" ? [each.message] : []
  );
}

Deno.test("IngressMachine acknowledges each message with what is still busy", () => {
  const machine = started(snapshot([endpoint("a"), endpoint("b")]));
  const replica = [...machine.allReplicas()][0]!;
  replica.outstanding = 1;
  const delta: WatchMessage = { k: "delta", revision: 2, up: [], down: ["a", "b", "unknown"] };
  const effects = machine.step({ k: "message", message: delta }, at(2));
  assertEquals(acks(effects), [{ k: "ack", revision: 2, busy: ["a"] }]);
  assertEquals(effects.filter((each) => each.k === "forget").length, 1);
  replica.outstanding = 0;
  assertEquals(acks(machine.idle(replica, at(3))), [{ k: "ack", revision: 2, busy: [] }]);
  assertEquals(machine.idle(replica, at(4)), []);
});

Deno.test("IngressMachine says nothing without a stream, and speaks up again every INGRESS_ALIVE_MS", () => {
  const machine = started(snapshot([]));
  assertEquals(acks(machine.step({ k: "tick" }, at(2))), []);
  assertEquals(acks(machine.step({ k: "tick" }, at(1 + INGRESS_ALIVE_MS))).length, 1);
  machine.step({ k: "lost" }, at(1000));
  assertEquals(machine.step({ k: "tick" }, at(5000)), []);
  assertEquals(acks(machine.step({ k: "connected" }, at(5001))).length, 1);
});

Deno.test("IngressMachine acknowledges nothing to a tower before its snapshot", () => {
  const machine = started(snapshot([endpoint("a")], { revision: 900 }));
  const [replica] = machine.allReplicas();
  replica!.outstanding = 1;
  machine.step(
    { k: "message", message: { k: "delta", revision: 901, up: [], down: ["a"] } },
    at(2),
  );
  machine.step({ k: "lost" }, at(3));
  machine.step({ k: "connected" }, at(4));
  assertEquals(acks(machine.step({ k: "tick" }, at(10_000))), []);
  replica!.outstanding = 0;
  assertEquals(acks(machine.idle(replica!, at(10_001))), []);
  const message = snapshot([], { revision: 5, tower: "ff11223344556677" });
  assertEquals(acks(machine.step({ k: "message", message }, at(10_002))), [
    { k: "ack", revision: 5, busy: [] },
  ]);
});

Deno.test("IngressMachine removes nothing for an incomplete snapshot", () => {
  const machine = started(
    snapshot([endpoint("a")], { routes: [route("/", "shop")] }),
    snapshot([endpoint("b")], { complete: false, tower: "ff11223344556677", revision: 7 }),
  );
  assertEquals(ids(machine), ["a", "b"]);
  assertEquals(machine.routes.destinations.length, 1);
  const message: WatchMessage = { k: "complete", revision: 8, endpoints: [endpoint("b")] };
  machine.step({ k: "message", message }, at(3));
  assertEquals(ids(machine), ["b"]);
  assertEquals(machine.routes.destinations.length, 1);
});

Deno.test("IngressMachine keeps its routes when another tower has not been told any", () => {
  const routes = [route("/", "shop")];
  const machine = started(snapshot([], { routes }), snapshot([], { tower: "ff11223344556677" }));
  assertEquals(machine.routes.destinations.length, 1);
  machine.step({ k: "message", message: snapshot([], { tower: "ff11223344556677" }) }, at(2));
  assertEquals(machine.routes.destinations.length, 0);
});

Deno.test("IngressMachine takes a replica back that comes up again while it is busy", () => {
  const machine = started(snapshot([endpoint("a")]));
  const [replica] = machine.allReplicas();
  replica!.outstanding = 1;
  const say = (up: Endpoint[], down: string[]) =>
    machine.step({ k: "message", message: { k: "delta", revision: 2, up, down } }, at(2));
  say([], ["a"]);
  assertEquals(acks(say([endpoint("a")], [])), [{ k: "ack", revision: 2, busy: [] }]);
  assertEquals([...machine.allReplicas()], [replica]);
});

Deno.test("IngressMachine never removes what was given by flags", () => {
  const machine = new IngressMachine({
    name: "i",
    staticRoutes: [route("/", "fixed")],
    staticEndpoints: [endpoint("static", "fixed")],
  }, at(0));
  machine.step({ k: "connected" }, at(0));
  machine.step({ k: "message", message: snapshot([]) }, at(1));
  assertEquals([ids(machine), machine.routes.destinations.length], [["static"], 1]);
});

Deno.test("IngressMachine ends with the tower's list, however it was told", () => {
  const id = fc.constantFrom("a", "b", "c", "d", "e");
  const delta = fc.record({ up: fc.uniqueArray(id), down: fc.uniqueArray(id) });
  const step = fc.oneof(
    delta.map((each) => ({ kind: "delta" as const, ...each })),
    fc.uniqueArray(id).map((up) => ({ kind: "complete" as const, up, down: [] as string[] })),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
    const machine = started(snapshot([]));
    const expected = new Set<string>();
    steps.forEach(({ kind, up, down }, index) => {
      if (kind === "complete") expected.clear();
      for (const each of up) expected.add(each);
      for (const each of down) expected.delete(each);
      const revision = index + 2;
      const endpoints = up.map((each) => endpoint(each));
      machine.step({
        k: "message",
        message: kind === "delta"
          ? { k: "delta", revision, up: endpoints, down }
          : { k: "complete", revision, endpoints },
      }, at(index));
      assertEquals(ids(machine), [...expected].sort());
    });
  }));
});

Deno.test("IngressMachine divides requests as a route's canary says, until it is gone", () => {
  const old = [endpoint("a"), endpoint("b")];
  const fresh = { ...endpoint("c"), generation: 2 };
  const canary = { ...route("/", "shop"), canary: { generation: 2, percent: 25 } };
  const machine = started(snapshot([...old, fresh], { routes: [canary] }));
  const pool = () => machine.routes.destinations[0]!.pool;
  const toCanary = () =>
    Array.from({ length: 100 }, () => pool().pick(1e6)!).filter((each) =>
      each.endpoint.generation === 2
    ).length;
  assertEquals(toCanary(), 25);
  // A replica that comes later falls on its side, too.
  const message: WatchMessage = { k: "delta", revision: 2, up: [endpoint("d")], down: [] };
  machine.step({ k: "message", message }, at(2));
  assertEquals(toCanary(), 25);
  const routes: WatchMessage = { k: "routes", revision: 3, routes: [route("/", "shop")] };
  machine.step({ k: "message", message: routes }, at(3));
  assertEquals(toCanary(), 25, "a quarter of the four replicas");
  machine.step({ k: "message", message: { k: "delta", revision: 4, up: [], down: ["d"] } }, at(4));
  assertEquals(Math.round(toCanary()), 33);
});

function figuresOf(effects: readonly IngressEffect[]) {
  return effects.flatMap((each) =>
    each.k === "send" && each.message.k === "figures" ? [each.message] : []
  );
}

Deno.test("IngressMachine tells its figures each second, four times as often for a canary, whole when asked", () => {
  const machine = started(snapshot([endpoint("a")], { routes: [route("/", "shop")] }));
  const [replica] = machine.allReplicas();
  const toldIn = (fromMs: number) => {
    let count = 0;
    for (let ms = fromMs; ms < fromMs + 4_000; ms += 250) {
      count += figuresOf(machine.step({ k: "tick" }, at(ms))).length;
    }
    return count;
  };
  assertEquals(toldIn(2_000), 4);
  const canary = { ...route("/", "shop"), canary: { generation: 1, percent: 10 } };
  const message: WatchMessage = { k: "routes", revision: 3, routes: [canary] };
  machine.step({ k: "message", message }, at(7_000));
  assertEquals(toldIn(8_000), 16);
  replica!.counted.count(500, 7);
  replica!.outstanding = 2;
  const [figures] = figuresOf(machine.step({ k: "tick" }, at(13_000)));
  const { app, generation, requests, errors, inFlight } = figures!.apps[0]!;
  assertEquals([app, generation, requests, errors, inFlight], ["shop", 1, 1, 1, 2]);
  const please = { k: "message", message: { k: "figures-please" } } as const;
  const [whole] = figuresOf(machine.step(please, at(13_001)));
  assertEquals([whole!.whole, whole!.apps.length], [true, 1]);
  machine.step({ k: "lost" }, at(14_000));
  assertEquals(toldIn(15_000), 0, "nobody listens");
  assertEquals(figuresOf(machine.step({ k: "connected" }, at(20_000)))[0]!.whole, true);
});

Deno.test("IngressMachine asks again and again for an app that is waited for, until it is there", () => {
  const machine = started(snapshot([], { routes: [{ ...route("/", "shop"), wake: true }] }));
  const wakes = (effects: readonly IngressEffect[]) =>
    acks(effects).filter((each) => (each as { k: string }).k === "wake").length;
  machine.holds.add("shop", {}, 10);
  assertEquals(wakes(machine.wake("shop", at(10))), 1);
  machine.holds.add("shop", {}, 10);
  assertEquals(wakes(machine.wake("shop", at(11))), 0, "just done");
  assertEquals(wakes(machine.step({ k: "tick" }, at(500))), 0);
  assertEquals(wakes(machine.step({ k: "tick" }, at(1_010))), 1);
  const message: WatchMessage = { k: "delta", revision: 2, up: [endpoint("a")], down: [] };
  const effects = machine.step({ k: "message", message }, at(1_200));
  assertEquals(effects.filter((each) => each.k === "awake"), [{ k: "awake", app: "shop" }]);
  assertEquals(machine.holds.take("shop").length, 2);
  assertEquals(wakes(machine.step({ k: "tick" }, at(5_000))), 0);
});

Deno.test("IngressMachine calls lost what is lost, and with it what was leaving on that node", () => {
  const there = { ...endpoint("c"), node: "n2" };
  const machine = started(snapshot([endpoint("a"), endpoint("b"), there]));
  const [a, b] = [...machine.allReplicas()];
  for (const each of [a!, b!]) each.outstanding = 1;
  const down: WatchMessage = { k: "delta", revision: 2, up: [], down: ["b"] };
  machine.step({ k: "message", message: down }, at(2));
  const lost: WatchMessage = { k: "delta", revision: 3, up: [], down: ["a"], lost: ["a", "zz"] };
  const effects = machine.step({ k: "message", message: lost }, at(3));
  assertEquals(
    effects.flatMap((each) => each.k === "lost" ? [each.replica.endpoint.replica] : []),
    ["a", "b"],
  );
  assertEquals([a!.lost, b!.lost], [true, true]);
  assertEquals(ids(machine), ["c"]);
});

Deno.test("IngressMachine keeps a replica, and what it has under way, that goes on as another generation", () => {
  const machine = started(snapshot([endpoint("a"), endpoint("b")]));
  const replica = [...machine.allReplicas()].find((each) => each.endpoint.replica === "a")!;
  replica.outstanding = 2;
  const up = [{ ...endpoint("a"), generation: 2 }];
  const effects = machine.step({
    k: "message",
    message: { k: "delta", revision: 2, up, down: [] },
  }, at(2));
  assertEquals(acks(effects), [{ k: "ack", revision: 2, busy: [] }]);
  assertEquals(ids(machine), ["a", "b"]);
  assertEquals([...machine.allReplicas()].includes(replica), true);
  assertEquals([replica.endpoint.generation, replica.outstanding, replica.gone], [2, 2, false]);
  assertEquals(replica.counted.generation, 2);
});

Deno.test("a request that waits for an app is answered, though its route was away meanwhile", () => {
  const shop = route("/shop", "shop");
  const machine = started(snapshot([], { routes: [shop] }));
  const bytes = new TextEncoder().encode("GET /shop HTTP/1.1\r\nhost: a\r\n\r\n");
  const head = new RequestHead();
  head.restart(0);
  head.parse(bytes, bytes.length);
  const { pool } = machine.match(bytes, head)!.destination;
  machine.holds.add("shop", {}, 10);
  // Another tower was not told of the route yet.
  const other = { tower: "8899aabbccddeeff", routes: [route("/web", "web")] };
  machine.step({ k: "message", message: snapshot([], other) }, at(2));
  assertEquals(machine.match(bytes, head), null);
  machine.step({ k: "message", message: { k: "routes", revision: 2, routes: [shop] } }, at(3));
  const delta: WatchMessage = { k: "delta", revision: 3, up: [endpoint("a")], down: [] };
  const effects = machine.step({ k: "message", message: delta }, at(4));
  assertEquals(effects.filter((each) => each.k === "awake"), [{ k: "awake", app: "shop" }]);
  assertEquals(pool.replicas.map((each) => each.endpoint.replica), ["a"]);
});
