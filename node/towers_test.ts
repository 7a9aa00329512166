import { assert, assertEquals } from "@std/assert";
import {
  LEASE_AGAIN_MS,
  LEASE_RENEW_MS,
  TOWER_SILENT_MS,
  TOWER_UNHEARD_MS,
} from "../core/limits.ts";
import type { Endpoint, Mesh } from "../core/mesh.ts";
import { Towers } from "./towers.ts";

const SELF = { node: "a".repeat(32), boot: "b".repeat(16), port: 7775 };
const ONE = { hostname: "10.0.0.1", port: 7772 };
const TWO = { hostname: "10.0.0.2", port: 7772 };
const WEB: Endpoint = {
  replica: "web.1",
  app: "web",
  generation: 1,
  node: "node-1",
  host: "10.0.0.9",
  port: 20_000,
};

function leaseOk(tower: string, digest = 0): Mesh<"lease-ok"> {
  return { k: "lease-ok", tower: tower.repeat(16), node: SELF.node, digest };
}

/** Two towers that both have answered a lease. */
function towers(): Towers {
  const both = new Towers(SELF, [ONE, TWO]);
  both.onLeaseOk(leaseOk("1"), ONE, 0);
  both.onLeaseOk(leaseOk("2"), TWO, 0);
  for (const { to, message } of both.tick(0)) {
    if (message.k === "register") answer(both, to, message.request, 0);
  }
  return both;
}

function answer(both: Towers, from: typeof ONE, request: string, nowMs: number): void {
  const ok: Mesh<"register-ok"> = {
    k: "register-ok",
    tower: from === ONE ? "1".repeat(16) : "2".repeat(16),
    node: SELF.node,
    request,
  };
  both.onRegisterOk(ok, from, nowMs);
}

function drained(
  both: Towers,
  from: typeof ONE,
  order: number,
  nowMs: number,
  isDrained = true,
): void {
  both.onDeregisterOk(
    {
      k: "deregister-ok",
      tower: from === ONE ? "1".repeat(16) : "2".repeat(16),
      node: SELF.node,
      replica: "web.1",
      drained: isDrained,
      order,
    },
    from,
    nowMs,
  );
}

/** Registers a replica at both; they acknowledge it. */
function listed(): Towers {
  const both = towers();
  both.register(WEB, 10);
  for (const { to, message } of both.tick(10)) {
    if (message.k === "register") answer(both, to as typeof ONE, message.request, 20);
  }
  return both;
}

Deno.test("Towers tells each everything, and a replica is listed when all have said so", () => {
  const both = towers();
  both.register(WEB, 10);
  const sent = both.tick(10).filter(({ message }) => message.k === "register");
  assertEquals(sent.map(({ to }) => to), [ONE, TWO]);
  const [first, second] = sent.map(({ message }) => message as Mesh<"register">);
  answer(both, ONE, first!.request, 20);
  assert(!both.isListed("web.1", 20));
  answer(both, TWO, second!.request, 30);
  assert(both.isListed("web.1", 30));
});

Deno.test("Towers calls a replica drained when all that answer have", () => {
  const both = listed();
  both.deregister("web.1", true, 10_000, 100);
  const orders = both.tick(100).map(({ message }) => message)
    .filter((message): message is Mesh<"deregister"> => message.k === "deregister");
  assertEquals(orders.length, 2);
  drained(both, ONE, orders[0]!.order!, 110);
  assertEquals(both.takeDrained(110), []);
  drained(both, TWO, orders[1]!.order!, 120);
  assertEquals(both.takeDrained(120), ["web.1"]);
  assertEquals(both.takeDrained(130), []);
});

Deno.test("Towers waits for an ingress that leaves one tower, which waits for it, for another", () => {
  const both = listed();
  both.deregister("web.1", true, 10_000, 100);
  const orders = both.tick(100).map(({ message }) => message)
    .filter((message): message is Mesh<"deregister"> => message.k === "deregister");
  const two = orders[1]!.order;
  // The second has no ingress. The first has one that is at work there, and stands still.
  for (let nowMs = 110; nowMs < 1_600; nowMs += 100) {
    drained(both, TWO, two!, nowMs);
    assertEquals(both.takeDrained(nowMs), []);
  }
  assert(both.tick(1_600).some(({ to, message }) => to === TWO && message.k === "deregister"));
  // The ingress has come to the second.
  for (let nowMs = 1_600; nowMs < TOWER_SILENT_MS + 2_000; nowMs += 100) {
    drained(both, TWO, two!, nowMs, false);
    assertEquals(both.takeDrained(nowMs), []);
  }
  const doneMs = TOWER_SILENT_MS + 3_000;
  drained(both, TWO, two!, doneMs);
  assertEquals(both.takeDrained(doneMs), ["web.1"]);
  assert(both.tick(doneMs + 500).every(({ to, message }) => to === ONE || message.k === "lease"));
});

Deno.test("Towers does not wait for one that is silent, neither to list nor to drain", () => {
  const both = listed();
  const laterMs = TOWER_SILENT_MS + 100;
  both.onLeaseOk(leaseOk("1"), ONE, laterMs);
  both.register({ ...WEB, replica: "web.2" }, laterMs);
  for (const { to, message } of both.tick(laterMs)) {
    if (message.k === "register" && to === ONE) answer(both, ONE, message.request, laterMs);
  }
  assert(both.isListed("web.2", laterMs));
  both.deregister("web.1", true, laterMs + 10_000, laterMs);
  const order = both.tick(laterMs).map(({ message }) => message)
    .find((message): message is Mesh<"deregister"> => message.k === "deregister")!.order!;
  drained(both, ONE, order, laterMs + 10);
  assertEquals(both.takeDrained(laterMs + 10), ["web.1"]);
});

Deno.test("Towers that all are silent list and drain nothing by themselves", () => {
  const both = listed();
  both.register({ ...WEB, replica: "web.2" }, 60_000);
  assert(!both.isListed("web.2", 60_000));
  both.deregister("web.1", true, 70_000, 60_000);
  assert(both.isLeaving("web.1", 60_000));
  assertEquals(both.takeDrained(60_000), []);
});

Deno.test("without a tower nobody has to list a replica", () => {
  const none = new Towers(SELF, []);
  assert(none.isListed("web.1", 0));
  assertEquals(none.dueMs, Infinity);
  assertEquals(none.tick(0), []);
});

/** When each tower is asked by a lease in the first so many ms, in which only the first answers. */
function leaseTimes(both: Towers, untilMs: number): { first: number[]; second: number[] } {
  const [first, second]: [number[], number[]] = [[], []];
  for (let nowMs = 1; nowMs < untilMs; nowMs++) {
    for (const { to, message } of both.tick(nowMs)) {
      if (message.k !== "lease") continue;
      (to === ONE ? first : second).push(nowMs);
      if (to === ONE) both.onLeaseOk(leaseOk("1"), ONE, nowMs);
    }
  }
  return { first, second };
}

Deno.test("a lease that one of several towers does not answer is repeated until the tower is silent", () => {
  const { first, second } = leaseTimes(towers(), 4_000);
  const gaps = (times: readonly number[]) => times.slice(1).map((ms, at) => ms - times[at]!);
  // The lease before had no answer from either.
  assertEquals(first.shift(), LEASE_AGAIN_MS);
  assert(gaps(first).every((ms) => ms === LEASE_RENEW_MS), `${first}`);
  const doubted = second.filter((ms) => ms < TOWER_SILENT_MS);
  assert(gaps(doubted).every((ms) => ms === LEASE_AGAIN_MS), `${second}`);
  assert(doubted.length > 10, `${second}`);
  const given = second.filter((ms) => ms >= TOWER_SILENT_MS + LEASE_AGAIN_MS);
  assert(gaps(given).every((ms) => ms === LEASE_RENEW_MS), `${second}`);
});

Deno.test("a lease that a single tower does not answer is sent at its time", () => {
  const one = new Towers(SELF, [ONE]);
  const times: number[] = [];
  for (let nowMs = 1; nowMs < 2_000; nowMs++) {
    for (const { message } of one.tick(nowMs)) if (message.k === "lease") times.push(nowMs);
  }
  assertEquals(times, [1, 501, 1_001, 1_501]);
});

Deno.test("a node names the towers that do not answer it, once it has listened for long enough", () => {
  const one = new Towers(SELF, [ONE]);
  one.listen(0);
  assertEquals(one.unheard(TOWER_UNHEARD_MS - 1), []);
  assertEquals(one.unheard(TOWER_UNHEARD_MS), [ONE]);
  one.onLeaseOk(leaseOk("1"), ONE, TOWER_UNHEARD_MS);
  assertEquals(one.unheard(2 * TOWER_UNHEARD_MS - 1), []);
  // It stood still itself.
  one.listen(10 * TOWER_UNHEARD_MS);
  assertEquals(one.unheard(10 * TOWER_UNHEARD_MS), []);
  const both = towers();
  both.onLeaseOk(leaseOk("2"), TWO, TOWER_UNHEARD_MS);
  assertEquals(both.unheard(TOWER_UNHEARD_MS), [ONE]);
  assertEquals(new Towers(SELF, []).unheard(TOWER_UNHEARD_MS), []);
});

Deno.test("a node that was not there gives every tower its time before it does not wait for it", () => {
  const both = listed();
  const nowMs = 10 * TOWER_SILENT_MS;
  both.deregister("web.1", true, Infinity, nowMs);
  both.tick(nowMs);
  both.listen(nowMs);
  drained(both, ONE, 3, nowMs);
  assertEquals(both.takeDrained(nowMs + TOWER_SILENT_MS - 1), [], "the second may be there");
  drained(both, ONE, 3, nowMs + TOWER_SILENT_MS);
  assertEquals(both.takeDrained(nowMs + TOWER_SILENT_MS), ["web.1"]);
});
