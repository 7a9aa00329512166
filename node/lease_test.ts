import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { DRAINED_FRESH_MS, LEASE_MS, RETRY_MAX_MS, STEADY_DATAGRAM_BYTES } from "../core/limits.ts";
import { digestOf, encodeMesh, type Endpoint, type Mesh } from "../core/mesh.ts";
import { pagesOf, TowerLink } from "./lease.ts";

const SELF = { node: "a".repeat(32), boot: "b".repeat(16), port: 7775 };
const TOWER = "d".repeat(16);

function endpoint(replica: string, port = 8001): Endpoint {
  return { replica, app: "web", generation: 1, node: "node-1", host: "10.0.0.5", port };
}

function leaseOk(digest: number, tower = TOWER): Mesh<"lease-ok"> {
  return { k: "lease-ok", tower, node: SELF.node, digest };
}

function registerOk(request: string): Mesh<"register-ok"> {
  return { k: "register-ok", tower: TOWER, node: SELF.node, request };
}

function deregisterOk(replica: string, drained: boolean): Mesh<"deregister-ok"> {
  return { k: "deregister-ok", tower: TOWER, node: SELF.node, replica, drained };
}

function kinds(messages: readonly { readonly k: string }[]): string[] {
  return messages.map((each) => each.k);
}

/** A link that has greeted its tower and has nothing to say. */
function settled(): TowerLink {
  const link = new TowerLink(SELF, true);
  link.tick(0);
  link.onLeaseOk(leaseOk(0), 1);
  for (const message of link.tick(1)) {
    if (message.k === "register") link.onRegisterOk(registerOk(message.request));
  }
  assertEquals(link.tick(2), []);
  return link;
}

Deno.test("the first answer of a tower is followed by a whole registration, an empty one, too", () => {
  const link = new TowerLink(SELF, true);
  assertEquals(kinds(link.tick(0)), ["lease"]);
  link.onLeaseOk(leaseOk(0), 1);
  const [whole] = link.tick(1);
  assert(whole?.k === "register");
  assertEquals([whole.endpoints, whole.whole], [[], { page: 0, pages: 1 }]);
});

Deno.test("a registration is repeated with backoff until it is answered", () => {
  const link = settled();
  link.register(endpoint("web-1"), 1_000);
  const times: number[] = [];
  for (let nowMs = 1_000; nowMs < 9_000; nowMs += 10) {
    if (link.tick(nowMs).some((each) => each.k === "register")) times.push(nowMs);
  }
  assertEquals(times.slice(0, 5), [1_000, 1_100, 1_300, 1_700, 2_500]);
  assertEquals(times.at(-1)! - times.at(-2)!, RETRY_MAX_MS);
  const request = link.tick(20_000).find((each) => each.k === "register");
  assert(request?.k === "register");
  link.onRegisterOk(registerOk(request.request));
  assertEquals(kinds(link.tick(30_000)), ["lease"]);
});

Deno.test("another digest or another tower brings a whole registration, a crossing answer does not", () => {
  const link = settled();
  link.register(endpoint("web-1"), 1_000);
  const [sent] = link.tick(1_000).filter((each) => each.k === "register");
  link.onLeaseOk(leaseOk(0), 1_001);
  assertEquals(link.tick(1_002).filter((each) => each.k === "register"), []);
  assert(sent?.k === "register");
  link.onRegisterOk(registerOk(sent.request));
  const mine = digestOf([["web-1", 8001]]);
  link.onLeaseOk(leaseOk(mine), 5_000);
  assertEquals(link.tick(5_000).filter((each) => each.k === "register"), []);
  link.onLeaseOk(leaseOk(mine + 1), 5_001);
  assertEquals(link.tick(5_001).filter((each) => each.k === "register").length, 1);
  link.onLeaseOk(leaseOk(mine, "e".repeat(16)), 5_002);
  assertEquals(link.tick(5_002).filter((each) => each.k === "register").length, 1);
});

Deno.test("orders grow with every new message, repetitions and pages of a whole keep theirs", () => {
  const link = settled();
  const orders: number[] = [];
  const note = (nowMs: number) => {
    for (const each of link.tick(nowMs)) if (each.k !== "lease") orders.push(each.order ?? -1);
  };
  link.register(endpoint("web-1"), 1_000);
  note(1_000);
  note(1_100);
  link.deregister("web-1", false, Infinity, 1_150);
  note(1_150);
  for (let index = 0; index < 40; index++) link.adopt(endpoint(`web-${index}`));
  link.registerWhole(1_160);
  note(1_160);
  assertEquals(orders.slice(0, 3), [orders[0]!, orders[0]!, orders[0]! + 1]);
  assert(orders.length > 6);
  assertEquals(new Set(orders.slice(3)), new Set([orders[0]! + 2]));
});

Deno.test("a deregistered replica is not registered again by a message that was on its way", () => {
  const link = settled();
  link.register(endpoint("web-1"), 1_000);
  link.register(endpoint("web-2"), 1_000);
  link.deregister("web-1", false, Infinity, 1_001);
  const named = link.tick(3_000).flatMap((each) =>
    each.k === "register" ? each.endpoints.map((one) => one.replica) : []
  );
  assertEquals(named, ["web-2"]);
});

Deno.test("a whole registration that names a leaving replica is made anew", () => {
  const link = settled();
  link.adopt(endpoint("web-1"));
  link.adopt(endpoint("web-2"));
  link.registerWhole(1_000);
  link.tick(1_000);
  link.deregister("web-1", false, Infinity, 1_001);
  const named = link.tick(3_000).flatMap((each) =>
    each.k === "register" ? each.endpoints.map((one) => one.replica) : []
  );
  assertEquals(named, ["web-2"]);
});

Deno.test("a drain is asked for until it is done or its time is up; without drain one answer does", () => {
  const link = settled();
  link.adopt(endpoint("web-1"));
  link.deregister("web-1", true, 2_000, 1_000);
  link.tick(1_000);
  assertEquals(link.onDeregisterOk(deregisterOk("web-1", false), 1_010), false);
  assertEquals(kinds(link.tick(1_500)).includes("deregister"), true);
  assertEquals(link.onDeregisterOk(deregisterOk("web-1", true), 1_510), true);
  assertEquals(link.isLeaving("web-1", 1_510), false);
  link.left("web-1");
  assertEquals(kinds(link.tick(1_900)).includes("deregister"), false);

  link.adopt(endpoint("web-2"));
  link.deregister("web-2", true, 3_000, 2_500);
  link.tick(2_500);
  link.tick(3_000);
  assertEquals(link.isLeaving("web-2", 3_000), false);

  link.adopt(endpoint("web-3"));
  link.deregister("web-3", false, Infinity, 4_000);
  link.tick(4_000);
  assertEquals(link.onDeregisterOk(deregisterOk("web-3", false), 4_010), false);
  assertEquals(link.isLeaving("web-3", 4_010), false);
});

Deno.test("a tower is asked on until the replica is gone, and may take back that it is drained", () => {
  const link = settled();
  link.adopt(endpoint("web-1"));
  link.deregister("web-1", true, 60_000, 1_000);
  link.tick(1_000);
  const say = (drained: boolean, nowMs: number) =>
    link.onDeregisterOk(deregisterOk("web-1", drained), nowMs);
  assert(say(true, 1_010));
  assert(kinds(link.tick(1_500)).includes("deregister"));
  assert(!link.isLeaving("web-1", 1_010 + DRAINED_FRESH_MS - 1));
  assert(link.isLeaving("web-1", 1_010 + DRAINED_FRESH_MS), "it may have changed since");
  assert(say(true, 1_600));
  assert(!say(false, 1_700) && link.isLeaving("web-1", 1_700));
  assert(!say(true, 1_710), "a copy of what was said before");
  assert(link.isLeaving("web-1", 1_710));
  assert(say(true, 1_700 + DRAINED_FRESH_MS));
});

Deno.test("a deregistration that nobody answers ends with the lease", () => {
  const link = settled();
  link.adopt(endpoint("web-1"));
  link.deregister("web-1", false, Infinity, 1_000);
  for (let nowMs = 1_000; nowMs <= 1_000 + LEASE_MS; nowMs += 100) link.tick(nowMs);
  assertEquals(link.isLeaving("web-1", 60_000), false);
});

Deno.test("many registrations without an answer become one whole", () => {
  const link = settled();
  for (let index = 0; index < 200; index++) link.register(endpoint(`web-${index}`, index), 1_000);
  const registers = link.tick(1_000).filter((each) => each.k === "register");
  const named = new Set(registers.flatMap((each) => each.endpoints.map((one) => one.replica)));
  assertEquals(named.size, 200);
  assert(registers.some((each) => each.whole !== undefined));
});

Deno.test("pagesOf() keeps every endpoint, each page a steady datagram", () => {
  fc.assert(fc.property(fc.nat(300), fc.integer({ min: 1, max: 63 }), (count, length) => {
    const endpoints = Array.from(
      { length: count },
      (_, index) => ({ ...endpoint(`w-${index}`), app: "a".repeat(length) }),
    );
    const pages = pagesOf(endpoints);
    assertEquals(pages.flat(), endpoints);
    for (const page of pages) {
      const message = encodeMesh({
        k: "register",
        node: SELF.node,
        boot: SELF.boot,
        request: "123456",
        order: 123_456,
        endpoints: page,
        whole: { page: pages.length, pages: pages.length },
      });
      assert(message.length <= STEADY_DATAGRAM_BYTES, `${message.length} bytes`);
      assert(page.length <= 64);
    }
  }));
});

Deno.test("a node without a tower says nothing", () => {
  const link = new TowerLink(SELF, false);
  link.register(endpoint("web-1"), 0);
  assertEquals([link.tick(10_000), link.dueMs], [[], Infinity]);
});

Deno.test("an answer to an earlier deregistration does not end a drain", () => {
  const link = new TowerLink(SELF, true, 5_000);
  link.adopt(endpoint("web-1"));
  link.deregister("web-1", true, 9_000, 0);
  const [sent] = link.tick(0).filter((each) => each.k === "deregister");
  assertEquals(sent?.order, 5_001);
  assertEquals(link.onDeregisterOk({ ...deregisterOk("web-1", true), order: 4_000 }, 10), false);
  assertEquals(link.onDeregisterOk({ ...deregisterOk("web-1", true), order: 5_001 }, 10), true);
});
