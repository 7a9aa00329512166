import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import {
  DATAGRAM_BYTES,
  LEASE_MS,
  TOWER_WARMUP_MAX_MS,
  TOWER_WARMUP_MS,
  V1_LEASE_MS,
} from "../core/limits.ts";
import { digestOf, type Mesh } from "../core/mesh.ts";
import { bootId, endpointOf, LOCAL, NodeVoice, Rig, routeOf, STRANGER } from "./testing.ts";

const ONE = endpointOf("r1");
const TWO = endpointOf("r2", "api", 8_002);

function digest(...endpoints: readonly { readonly replica: string; readonly port: number }[]) {
  return digestOf(endpoints.map(({ replica, port }) => [replica, port]));
}

// ---- v1 -------------------------------------------------------------------------------------------

for (
  const [command, reply] of [
    ["PING", "OK|PONG|tower"],
    ["REGISTER|api|10.0.0.1|80", "OK|REGISTERED|api"],
    ["DEREGISTER|api|10.0.0.1|80", "ERR|NOT_FOUND|api"],
    ["LOOKUP|api", "ERR|NOT_FOUND|api"],
    ["LIST", "OK|LIST|0|"],
    ["HELLO", "ERR|unknown command"],
    ["list", "ERR|unknown command"],
    ["LOOKUP|", "ERR|LOOKUP needs a service name"],
    ["REGISTER|api|somewhere|80", "ERR|REGISTER needs an IP address"],
    ["REGISTER|api|10.0.0.1|0", "ERR|REGISTER needs a port from 1 to 65535"],
    [
      "REGISTER|_x|10.0.0.1|80",
      "ERR|REGISTER needs a service name that begins with a letter or digit",
    ],
  ] as const
) {
  Deno.test(`TowerMachine answers ${command} with ${reply}`, () => {
    assertEquals(Rig.ready().plain(command), reply);
  });
}

Deno.test("TowerMachine hands v1 lookups out in turn and lists what is left of each lease", () => {
  const rig = Rig.ready();
  for (const last of [1, 2, 3]) rig.plain(`REGISTER|api|10.0.0.${last}|80`);
  const turns = Array.from({ length: 6 }, () => rig.plain("LOOKUP|api")!.split("|")[3]);
  assertEquals(turns, ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.1", "10.0.0.2", "10.0.0.3"]);
  rig.advance(10_000);
  rig.plain("REGISTER|api|10.0.0.2|80");
  assertEquals(
    rig.plain("LIST"),
    "OK|LIST|3|api:10.0.0.1:80:20,api:10.0.0.2:80:30,api:10.0.0.3:80:20",
  );
  assertEquals(rig.plain("DEREGISTER|api|10.0.0.1|80"), "OK|DEREGISTERED|api");
  assertEquals(rig.plain("LIST"), "OK|LIST|2|api:10.0.0.2:80:30,api:10.0.0.3:80:20");
  rig.advance(V1_LEASE_MS - 9_999);
  assertEquals(rig.plain("LIST"), "OK|LIST|1|api:10.0.0.2:80:10");
  rig.advance(10_000);
  assertEquals(rig.plain("LIST"), "OK|LIST|0|");
});

Deno.test("TowerMachine answers LIST past one datagram with the true count and whole entries", () => {
  const rig = Rig.ready();
  for (let at = 0; at < 10_000; at++) {
    rig.plain(`REGISTER|service-${at}|10.1.${at >> 8}.${at & 255}|80`);
  }
  const reply = rig.plain("LIST")!;
  assert(reply.length <= DATAGRAM_BYTES, `${reply.length} bytes`);
  const [ok, verb, count, rest] = reply.split("|");
  assertEquals([ok, verb, count], ["OK", "LIST", "10000"]);
  const items = rest!.split(",");
  assertEquals(items.pop(), "[...]");
  assert(items.length > 400, `only ${items.length} entries`);
  for (const item of items) assertMatch(item, /^service-[0-9]+:10\.1\.[0-9]+\.[0-9]+:80:[0-9]+$/);
});

Deno.test("TowerMachine cuts LIST only when it does not fit, at every size around the limit", () => {
  const rig = Rig.ready();
  let cuts = 0;
  for (let at = 0; at < 700; at++) {
    rig.plain(`REGISTER|service-${at}|10.1.${at >> 8}.${at & 255}|80`);
    const reply = rig.plain("LIST")!;
    assert(reply.length <= DATAGRAM_BYTES);
    const items = reply.split("|")[3]!.split(",");
    const isCut = items.at(-1) === "[...]";
    if (isCut) cuts++;
    else assertEquals(items.length, at + 1);
    // Once cut, it is as full as whole entries allow.
    if (isCut) assert(reply.length > DATAGRAM_BYTES - 40, `${reply.length} at ${at}`);
  }
  assert(cuts > 0 && cuts < 300, `${cuts} cuts`);
});

Deno.test("TowerMachine answers strangers no reads, and their writes by less than they sent", () => {
  const rig = Rig.ready();
  for (const read of ["PING", "LIST", "LOOKUP|api", "NONSENSE"]) {
    assertEquals(rig.plain(read, STRANGER), null, read);
  }
  for (const write of ["REGISTER|a|10.0.0.1|8", "DEREGISTER|a|10.0.0.1|8"]) {
    const reply = rig.plain(write, STRANGER)!;
    assertEquals(reply, "ERR|UNAUTHORIZED");
    assert(reply.length <= write.length);
  }
  assertEquals(rig.mesh(new NodeVoice(1, 1).register([ONE]), STRANGER), []);
  assertEquals(rig.machine.registry.size, 0);
  assertEquals(rig.machine.counters.refused, 7);
});

Deno.test("TowerMachine lets --plain networks read and only an open mesh write", () => {
  const plain = Rig.ready({ plain: ["192.0.2.0/24"] });
  assertEquals(plain.plain("PING", STRANGER), "OK|PONG|tower");
  assertEquals(plain.plain("REGISTER|a|10.0.0.1|80", STRANGER), "ERR|UNAUTHORIZED");
  const open = Rig.ready({ meshOpen: true });
  assertEquals(open.plain("REGISTER|a|10.0.0.1|80", STRANGER), "OK|REGISTERED|a");
  assertEquals(open.plain("PING", STRANGER), null);
  assertEquals(open.mesh(new NodeVoice(1, 1).register([ONE]), STRANGER).length, 1);
});

Deno.test("TowerMachine drops garbage, counts it and goes on", () => {
  const rig = Rig.ready();
  const garbage = [
    "{",
    "{}",
    '{"k":"lease"}',
    '{"k":"beat"}',
    '{"k":"constructor"}',
    "[1]",
    "null",
    "\u{1F600}",
    `{"k":"lease-ok","tower":"${bootId(1)}","node":"${"0".repeat(32)}","digest":1}`,
  ];
  for (const text of garbage) rig.plain(text);
  assertEquals(rig.machine.counters.garbage, garbage.length);
  assertEquals(rig.plain("PING"), "OK|PONG|tower");
});

// ---- Nodes ------------------------------------------------------------------------------------------

Deno.test("TowerMachine lists what a node registers and renews it by its digest", () => {
  const rig = Rig.ready();
  const node = new NodeVoice(1, 1);
  const message = node.register([ONE, TWO]) as Mesh<"register">;
  assertEquals(rig.mesh(message), [
    { k: "register-ok", tower: bootId(0x70), node: node.node, request: message.request },
  ]);
  assertEquals(rig.listed, ["r1", "r2"]);
  for (let round = 0; round < 20; round++) {
    rig.advance(LEASE_MS - 100);
    const answer = rig.mesh(node.lease(2, digest(ONE, TWO)));
    assertEquals((answer[0] as Mesh<"lease-ok">).digest, digest(ONE, TWO));
  }
  assertEquals(rig.listed, ["r1", "r2"]);
});

Deno.test("TowerMachine does not renew on a digest that differs, and says what it holds", () => {
  const rig = Rig.ready();
  const node = new NodeVoice(1, 1);
  rig.mesh(node.register([ONE]));
  rig.advance(LEASE_MS - 100);
  const answer = rig.mesh(node.lease(2, digest(ONE, TWO)));
  assertEquals((answer[0] as Mesh<"lease-ok">).digest, digest(ONE));
  rig.advance(200);
  assertEquals(rig.listed, []);
});

Deno.test("TowerMachine takes all endpoints of a silent node down in one delta", () => {
  const rig = Rig.ready();
  const client = rig.watch("client");
  const lost = new NodeVoice(1, 1);
  const alive = new NodeVoice(2, 1);
  rig.mesh(lost.register([ONE, TWO]));
  rig.mesh(alive.register([endpointOf("r3")]));
  rig.heard(client);
  for (let passedMs = 0; passedMs < LEASE_MS + 100; passedMs += 500) {
    rig.mesh(alive.lease(1, digest(endpointOf("r3"))));
    rig.advance(500);
  }
  const [delta, ...more] = rig.heard(client);
  assert(delta?.k === "delta");
  assertEquals([delta.up, delta.down.toSorted(), more], [[], ["r1", "r2"], []]);
  assertEquals(rig.listed, ["r3"]);
  assertEquals(rig.machine.counters.nodesLapsed, 1);
});

Deno.test("TowerMachine replaces everything of a node by the pages of a whole registration", () => {
  const rig = Rig.ready();
  const node = new NodeVoice(1, 1);
  rig.mesh(node.register([ONE, TWO]));
  const many = Array.from({ length: 130 }, (_, at) => endpointOf(`x${at}`, "web", 9_000 + at));
  const [first, second, third] = node.whole([TWO, ...many]);
  assertEquals(rig.mesh(third!), []);
  assertEquals(rig.mesh(first!), []);
  assertEquals(rig.mesh(first!), []);
  assert(rig.listed.includes("r1"), "nothing goes before all pages are there");
  assertEquals(rig.mesh(second!).map((each) => each.k), ["register-ok"]);
  assertEquals(rig.listed, [TWO, ...many].map((each) => each.replica).sort());
  assertEquals(
    rig.mesh(second!).map((each) => each.k),
    ["register-ok"],
    "a repetition is answered",
  );
  assertEquals(rig.mesh(node.whole([])[0]!).length, 1);
  assertEquals(rig.listed, []);
});

Deno.test("TowerMachine ignores a node's earlier boot once it has heard a later one", () => {
  const rig = Rig.ready();
  const before = new NodeVoice(1, 1);
  const after = new NodeVoice(1, 2);
  rig.mesh(before.register([ONE]));
  assertEquals(rig.mesh(after.lease(0, 0)).length, 1);
  assertEquals(rig.listed, ["r1"], "what ran before the restart is listed until the node says");
  assertEquals(rig.mesh(before.deregister("r1")), []);
  assertEquals(rig.mesh(before.register([TWO])), []);
  assertEquals(rig.mesh(before.lease(1, digest(ONE))), []);
  assertEquals(rig.listed, ["r1"]);
  assertEquals(rig.machine.counters.stale, 3);
  rig.mesh(after.whole([TWO])[0]!);
  assertEquals(rig.listed, ["r2"]);
});

Deno.test("TowerMachine returns to the boot that goes on renewing when two came in wrong order", () => {
  const rig = Rig.ready();
  const living = new NodeVoice(1, 2);
  const dead = new NodeVoice(1, 1);
  rig.mesh(living.register([ONE]));
  rig.mesh(dead.lease(0, 0));
  for (let beat = 0; beat < 20; beat++) {
    rig.mesh(living.lease(1, digest(ONE)));
    rig.advance(500);
    assertEquals(rig.listed, ["r1"], `after ${beat} renewals`);
  }
});

Deno.test("TowerMachine knows a boot that it never heard in its time by its orders", () => {
  const rig = Rig.ready();
  const missed = new NodeVoice(1, 2);
  const living = new NodeVoice(1, 3);
  rig.mesh(new NodeVoice(1, 1).register([ONE]));
  rig.mesh(living.whole([TWO])[0]!);
  assertEquals(rig.mesh(missed.register([ONE])), []);
  assertEquals(rig.mesh(missed.lease(1, digest(ONE))), []);
  assertEquals(rig.mesh(missed.deregister("r2")), []);
  assertEquals(rig.listed, ["r2"]);
  assertEquals(rig.mesh(living.lease(1, digest(TWO))).length, 1);
});

Deno.test("TowerMachine takes a boot with lower orders once it renews: clocks may be set back", () => {
  const rig = Rig.ready();
  const after = new NodeVoice(1, 1);
  rig.mesh(new NodeVoice(1, 9).register([ONE]));
  rig.mesh(after.lease(1, digest(TWO)));
  rig.mesh(after.whole([TWO])[0]!);
  assertEquals(rig.listed, ["r2"]);
});

Deno.test("TowerMachine does not let late copies undo what was said after them", () => {
  const rig = Rig.ready();
  const node = new NodeVoice(1, 1);
  const add = node.register([ONE]);
  const [whole] = node.whole([ONE, TWO]);
  const remove = node.deregister("r1");
  const again = node.register([{ ...ONE, port: 9_999 }]);
  rig.mesh(remove);
  rig.mesh(add);
  rig.mesh(whole!);
  assertEquals(rig.listed, ["r2"], "the registrations are older than the removal");
  rig.mesh(again);
  assertEquals(rig.listed, ["r1", "r2"]);
  rig.mesh(remove);
  rig.mesh(add);
  rig.mesh(whole!);
  assertEquals(rig.listed, ["r1", "r2"]);
  assertEquals(rig.machine.registry.entry("r1")!.endpoint.port, 9_999);
});

Deno.test("TowerMachine keeps the later of two registrations, whichever comes last", () => {
  const rig = Rig.ready();
  const node = new NodeVoice(1, 1);
  const before = node.register([ONE]);
  const after = node.register([{ ...ONE, port: 9_999 }]);
  for (const message of [before, after, before]) rig.mesh(message);
  assertEquals(rig.machine.registry.entry("r1")!.endpoint.port, 9_999);
});

// ---- Watching ---------------------------------------------------------------------------------------

Deno.test("TowerMachine says snapshot, complete and deltas to a watcher of a fresh tower", () => {
  const rig = new Rig();
  const node = new NodeVoice(1, 1);
  rig.mesh(node.register([ONE]));
  const watcher = rig.watch("client");
  const [snapshot, ...more] = rig.heard(watcher);
  assert(snapshot?.k === "snapshot");
  assertEquals([snapshot.complete, snapshot.endpoints], [false, [ONE]]);
  assertEquals(more, [{ k: "alive" }]);
  rig.mesh(node.register([TWO]));
  assertEquals(rig.heard(watcher), [
    { k: "delta", revision: rig.revision, up: [TWO], down: [] },
  ]);
  rig.advance(TOWER_WARMUP_MS);
  assertEquals(rig.heard(watcher), [
    { k: "complete", revision: rig.revision, endpoints: [ONE, TWO] },
  ]);
  const late = rig.watch("client");
  const [whole] = rig.heard(late);
  assert(whole?.k === "snapshot" && whole.complete);
});

Deno.test("TowerMachine says to whoever asks that it is there, and before that it may be asked", () => {
  const rig = Rig.ready();
  const conductor = rig.watch("conductor");
  assertEquals(rig.heard(conductor).map((each) => each.k), ["snapshot", "alive"]);
  rig.say(conductor, { k: "ping" });
  assertEquals(rig.heard(conductor), [{ k: "alive" }]);
  // An ingress hears it at each acknowledgement.
  const ingress = rig.watch("ingress");
  assertEquals(rig.heard(ingress).map((each) => each.k), ["snapshot"]);
  rig.say(ingress, { k: "ack", revision: rig.revision, busy: [] });
  assertEquals(rig.heard(ingress), [{ k: "alive" }]);
  assertEquals(rig.closed, []);
});

Deno.test("TowerMachine is not complete while a node it knows is still saying what it holds", () => {
  const rig = new Rig();
  const node = new NodeVoice(1, 1);
  const watcher = rig.watch("client");
  rig.mesh(node.lease(2, digest(ONE, TWO)));
  const [first, second] = node.whole([ONE, TWO], 1);
  rig.advance(TOWER_WARMUP_MS);
  rig.mesh(first!);
  rig.advance(1_000);
  assertEquals(rig.heard(watcher).map((each) => each.k), ["snapshot", "alive", "delta"]);
  rig.mesh(second!);
  assertEquals(rig.heard(watcher).map((each) => each.k), ["delta", "complete"]);
});

Deno.test("TowerMachine is complete although nodes that have said all go on changing", () => {
  const rig = new Rig();
  const node = new NodeVoice(1, 1);
  rig.mesh(node.whole([ONE])[0]!);
  rig.mesh(node.lease(2, digest(ONE, TWO)));
  rig.advance(TOWER_WARMUP_MS);
  assertEquals(rig.machine.watch.isComplete, true);
});

Deno.test("TowerMachine does not wait for ever for a node that never agrees", () => {
  const rig = new Rig();
  const node = new NodeVoice(1, 1);
  for (let passedMs = 0; passedMs < TOWER_WARMUP_MAX_MS; passedMs += 500) {
    assertEquals(rig.machine.watch.isComplete, false, `after ${passedMs} ms`);
    rig.mesh(node.register([ONE]));
    rig.mesh(node.lease(1, 12345));
    rig.advance(500);
  }
  assertEquals(rig.machine.watch.isComplete, true);
});

Deno.test("TowerMachine says nothing to watchers when nothing changes", () => {
  const rig = Rig.ready();
  const node = new NodeVoice(1, 1);
  const watcher = rig.watch("client");
  rig.mesh(node.register([ONE]));
  rig.heard(watcher);
  rig.mesh(node.register([ONE]));
  rig.mesh(node.lease(1, digest(ONE)));
  rig.mesh(node.whole([ONE])[0]!);
  rig.mesh(node.deregister("other"));
  rig.plain("LIST");
  assertEquals(rig.heard(watcher), []);
});

Deno.test("TowerMachine tells a watcher of one app only of that app", () => {
  const rig = Rig.ready();
  const node = new NodeVoice(1, 1);
  const web = endpointOf("w1", "web");
  rig.mesh(node.register([ONE, web]));
  const conductor = rig.watch("conductor");
  rig.say(conductor, { k: "publish", routes: [routeOf("api", "/")] });
  const watcher = rig.watch("client", { app: "api" });
  const [snapshot] = rig.heard(watcher);
  assert(snapshot?.k === "snapshot");
  assertEquals([snapshot.endpoints, snapshot.routes], [[ONE], []]);
  rig.mesh(node.deregister("w1"));
  assertEquals(rig.heard(watcher), []);
  rig.mesh(node.deregister("r1"));
  assertEquals(rig.heard(watcher).map((each) => each.k === "delta" && each.down), [["r1"]]);
});

Deno.test("TowerMachine keeps the published routes, and sends them only when they change", () => {
  const rig = Rig.ready();
  const ingress = rig.watch("ingress");
  const conductor = rig.watch("conductor");
  rig.heard(ingress);
  const routes = [routeOf("api", "/api"), routeOf("web", "/")];
  rig.say(conductor, { k: "publish", routes });
  assertEquals(rig.heard(ingress), [{ k: "routes", revision: rig.revision, routes }]);
  rig.say(conductor, { k: "publish", routes });
  assertEquals(rig.heard(ingress), []);
  rig.hangUp(conductor);
  const late = rig.watch("ingress");
  const [snapshot] = rig.heard(late);
  assertEquals(snapshot?.k === "snapshot" && snapshot.routes, routes);
});

for (
  const [name, role, text] of [
    ["no JSON", null, "hello"],
    ["an ack before hello", null, '{"k":"ack","revision":1,"busy":[]}'],
    ["a second hello", "client", '{"k":"hello","role":"client","name":"x"}'],
    ["routes from an ingress", "ingress", '{"k":"publish","routes":[]}'],
    ["an ack from a client", "client", '{"k":"ack","revision":1,"busy":[]}'],
  ] as const
) {
  Deno.test(`TowerMachine closes a watcher that sends ${name}`, () => {
    const rig = Rig.ready();
    const watcher = role === null ? rig.connect() : rig.watch(role);
    rig.sayText(watcher, text);
    assertEquals(rig.closed.map((each) => each.watcher), [watcher]);
    rig.heard(watcher);
    rig.mesh(new NodeVoice(1, 1).register([ONE]));
    assertEquals(rig.heard(watcher), [], "it is told nothing more");
  });
}

Deno.test("TowerMachine closes a stream that says no hello within its time", () => {
  const rig = Rig.ready();
  const silent = rig.connect();
  rig.watch("client");
  rig.advance(5_000);
  assertEquals(rig.closed.map((each) => each.watcher), [silent]);
});

Deno.test("TowerMachine lets strangers watch as clients with --plain, never as an ingress", () => {
  const rig = Rig.ready({ plain: ["192.0.2.0/24"] });
  const client = rig.watch("client", { host: STRANGER.hostname });
  assertEquals(rig.heard(client).map((each) => each.k), ["snapshot", "alive"]);
  const ingress = rig.watch("ingress", { host: STRANGER.hostname });
  assertEquals(rig.heard(ingress).length, 0);
  const far = rig.watch("client", { host: "203.0.113.1" });
  assertEquals(rig.heard(far).length, 0);
  assertEquals(rig.closed.map((each) => each.watcher), [ingress, far]);
});

Deno.test("TowerMachine answers a datagram to where it came from", () => {
  const rig = Rig.ready();
  const effects = rig.machine.step(
    { k: "datagram", text: "PING", from: LOCAL },
    { monoMs: rig.nowMs, wallMs: 0 },
  );
  assertEquals(effects, [{ k: "datagram", text: "OK|PONG|tower", to: LOCAL }]);
});

Deno.test("TowerMachine survives whatever is sent to it, and still answers", () => {
  const node = new NodeVoice(1, 1);
  const valid = [
    "REGISTER|api|10.0.0.1|80",
    "LOOKUP|api",
    ...[node.register([ONE]), ...node.whole([ONE, TWO], 1), node.deregister("r1"), node.lease(1, 2)]
      .map((message) => JSON.stringify(message)),
    JSON.stringify({ k: "hello", role: "ingress", name: "x" }),
    JSON.stringify({ k: "ack", revision: 1, busy: ["r1"] }),
    JSON.stringify({ k: "publish", routes: [routeOf("api", "/")] }),
  ];
  const bent = fc.tuple(
    fc.constantFrom(...valid),
    fc.array(fc.tuple(fc.nat(400), fc.string({ unit: "binary", maxLength: 1 })), { maxLength: 4 }),
  ).map(([text, changes]) => {
    for (const [at, by] of changes) text = text.slice(0, at) + by + text.slice(at + 1);
    return text;
  });
  const text = fc.oneof(fc.constantFrom(...valid), bent, fc.string({ unit: "binary" }), fc.json());
  const rig = Rig.ready();
  fc.assert(
    fc.property(text, fc.nat(3_000), (sent, ms) => {
      rig.plain(sent);
      rig.sayText(rig.watch("ingress"), sent);
      rig.sayText(rig.connect(), sent);
      rig.advance(ms);
      rig.pushed();
      assertEquals(rig.plain("PING"), "OK|PONG|tower");
    }),
    { numRuns: 5_000 },
  );
});
