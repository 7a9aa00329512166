import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  DRAINED_MEMORY_MS,
  INGRESS_ALIVE_MS,
  INGRESS_LEASE_MS,
  LEASE_MS,
  TOWER_WARMUP_MS,
} from "../core/limits.ts";
import { Drains } from "./drains.ts";
import { endpointOf, NodeVoice, Rig } from "./testing.ts";

const node = () => new NodeVoice(1, 1);

/** What the tower said about drains: `[replica, drained]`. */
function answers(rig: Rig, messages = rig.pushed()): (readonly [string, boolean])[] {
  return messages.flatMap((each) =>
    each.k === "deregister-ok" ? [[each.replica, each.drained] as const] : []
  );
}

function leave(rig: Rig, voice: NodeVoice, replica: string) {
  return answers(rig, rig.mesh(voice.deregister(replica)));
}

/** A complete tower that lists r1 and r2, with a node's voice. */
function scene(): [Rig, NodeVoice] {
  const rig = Rig.ready();
  const voice = node();
  rig.mesh(voice.register([endpointOf("r1"), endpointOf("r2")]));
  return [rig, voice];
}

Deno.test("Drains: with no ingress a replica is drained at once, and so is an unknown one", () => {
  const [rig, voice] = scene();
  assertEquals(leave(rig, voice, "r1"), [["r1", true]]);
  assertEquals(leave(rig, voice, "r1"), [["r1", true]]);
  assertEquals(leave(rig, voice, "never-heard-of"), [["never-heard-of", true]]);
});

Deno.test("Drains: clients and conductors are not waited for", () => {
  const [rig, voice] = scene();
  rig.watch("client");
  rig.watch("conductor");
  assertEquals(leave(rig, voice, "r1"), [["r1", true]]);
});

Deno.test("Drains: the answer is pushed as soon as every ingress has acknowledged", () => {
  const [rig, voice] = scene();
  const one = rig.watch("ingress");
  const two = rig.watch("ingress");
  const before = rig.revision;
  assertEquals(leave(rig, voice, "r1"), [["r1", false]]);
  rig.ack(one);
  rig.ack(two, [], before);
  assertEquals(answers(rig), []);
  assertEquals(leave(rig, voice, "r1"), [["r1", false]], "a repetition gets the present answer");
  rig.ack(two);
  assertEquals(answers(rig), [["r1", true]]);
  rig.ack(two);
  assertEquals(answers(rig), [], "it is said once");
  assertEquals(leave(rig, voice, "r1"), [["r1", true]], "and again to who asks");
});

Deno.test("Drains: requests in flight hold it back until they are done", () => {
  const [rig, voice] = scene();
  const ingress = rig.watch("ingress");
  leave(rig, voice, "r1");
  rig.ack(ingress, ["r1"]);
  rig.ack(ingress, ["r1"]);
  leave(rig, voice, "r2");
  rig.ack(ingress, ["r1"]);
  assertEquals(answers(rig), [["r2", true]]);
  rig.ack(ingress);
  assertEquals(answers(rig), [["r1", true]]);
});

Deno.test("Drains: an ingress that comes with requests under way is waited for, though all was drained", () => {
  const [rig, voice] = scene();
  assertEquals(leave(rig, voice, "r1"), [["r1", true]]);
  // It has left another tower.
  const ingress = rig.watch("ingress");
  assertEquals(leave(rig, voice, "r1"), [["r1", true]], "nothing is known of its requests yet");
  rig.ack(ingress, ["r1"]);
  assertEquals(leave(rig, voice, "r1"), [["r1", false]]);
  rig.ack(ingress, ["r1"]);
  assertEquals([answers(rig), rig.machine.drains.waiting], [[], 1]);
  rig.ack(ingress);
  assertEquals([answers(rig), rig.machine.drains.waiting], [[["r1", true]], 0]);
  // It is remembered from the end that was one.
  rig.advance(DRAINED_MEMORY_MS - 100);
  rig.mesh(voice.lease(0, 0));
  rig.advance(LEASE_MS);
  assertEquals(rig.machine.drains.of("r1"), undefined);
});

Deno.test("Drains: a replica that others work on waits for an ingress that comes later, too", () => {
  const [rig, voice] = scene();
  const one = rig.watch("ingress");
  leave(rig, voice, "r1");
  const two = rig.watch("ingress");
  rig.ack(two, ["r1"]);
  rig.ack(one);
  assertEquals(answers(rig), []);
  rig.advance(INGRESS_LEASE_MS - 100);
  rig.ack(one);
  assertEquals(answers(rig), []);
  rig.advance(200);
  assertEquals(answers(rig), [["r1", true]], "but not beyond its lease");
});

Deno.test("Drains: a silent ingress is not waited for beyond its lease", () => {
  const [rig, voice] = scene();
  const silent = rig.watch("ingress");
  const alive = rig.watch("ingress");
  const busy = rig.watch("ingress");
  leave(rig, voice, "r1");
  rig.ack(silent, ["r1"]);
  for (let passedMs = 0; passedMs < INGRESS_LEASE_MS; passedMs += INGRESS_ALIVE_MS) {
    assertEquals(answers(rig), [], `after ${passedMs} ms`);
    rig.ack(alive);
    rig.ack(busy, ["r1"]);
    rig.mesh(voice.lease(0, 0));
    rig.advance(INGRESS_ALIVE_MS);
  }
  assertEquals(answers(rig), []);
  rig.ack(busy);
  assertEquals(answers(rig), [["r1", true]]);
  assertEquals(leave(rig, voice, "r2"), [["r2", false]], "the living are waited for");
  rig.ack(alive);
  rig.ack(busy);
  assertEquals(answers(rig), [["r2", true]]);
});

Deno.test("Drains: an ingress whose stream broke is waited for until its lease lapses", () => {
  const [rig, voice] = scene();
  const ingress = rig.watch("ingress");
  rig.hangUp(ingress);
  leave(rig, voice, "r1");
  rig.advance(INGRESS_LEASE_MS - 1);
  assertEquals(answers(rig), []);
  rig.advance(1);
  assertEquals(answers(rig), [["r1", true]]);
});

Deno.test("Drains: an ingress that comes back goes on where it was", () => {
  const [rig, voice] = scene();
  const first = rig.watch("ingress", { name: "edge" });
  leave(rig, voice, "r1");
  rig.ack(first, ["r1"]);
  rig.hangUp(first);
  const second = rig.watch("ingress", { name: "edge" });
  assertEquals(answers(rig), [], "its snapshot says nothing of its requests in flight");
  rig.ack(second, ["r1"]);
  assertEquals(answers(rig), []);
  rig.ack(second);
  assertEquals(answers(rig), [["r1", true]]);
});

Deno.test("Drains: an ingress that comes later is not waited for", () => {
  const [rig, voice] = scene();
  const early = rig.watch("ingress");
  leave(rig, voice, "r1");
  rig.watch("ingress");
  rig.ack(early);
  assertEquals(answers(rig), [["r1", true]]);
});

Deno.test("Drains: a replica of a node that had gone silent still waits for its requests", () => {
  const [rig, voice] = scene();
  const ingress = rig.watch("ingress");
  for (let passedMs = 0; passedMs <= LEASE_MS; passedMs += INGRESS_ALIVE_MS) {
    rig.ack(ingress);
    rig.advance(INGRESS_ALIVE_MS);
  }
  assertEquals(rig.listed, []);
  rig.ack(ingress, ["r1"]);
  assertEquals(leave(rig, voice, "r1"), [["r1", false]], "unlisted, and yet in use");
  assertEquals(leave(rig, voice, "r2"), [["r2", true]]);
  rig.ack(ingress);
  assertEquals(answers(rig), [["r1", true]]);
});

Deno.test("Drains: being registered again ends a drain", () => {
  const [rig, voice] = scene();
  const ingress = rig.watch("ingress");
  leave(rig, voice, "r1");
  rig.mesh(voice.register([endpointOf("r1")]));
  rig.ack(ingress);
  assertEquals(answers(rig), []);
  assertEquals(leave(rig, voice, "r1"), [["r1", false]]);
  rig.ack(ingress);
  assertEquals(answers(rig), [["r1", true]]);
});

Deno.test("Drains: nothing is drained before a fresh tower's ingresses have had time to connect", () => {
  const rig = new Rig();
  const voice = node();
  rig.mesh(voice.register([endpointOf("r1")]));
  const early = rig.watch("ingress");
  rig.heard(early);
  assertEquals(leave(rig, voice, "r1"), [["r1", false]]);
  assertEquals(leave(rig, voice, "of-the-tower-before"), [["of-the-tower-before", false]]);
  const gone = [["r1"], ["of-the-tower-before"]];
  assertEquals(rig.heard(early).map((each) => each.k === "delta" && each.down), gone);
  rig.advance(TOWER_WARMUP_MS - 100);
  const late = rig.watch("ingress");
  // An incomplete list removes nothing from the table that it still has: it is told by name.
  assertEquals(rig.heard(late).flatMap((each) => each.k === "delta" ? each.down : []), gone.flat());
  rig.ack(early);
  rig.ack(late);
  assertEquals(answers(rig), []);
  rig.advance(100);
  assertEquals(answers(rig), [["r1", true], ["of-the-tower-before", true]]);
});

Deno.test("Drains: a node that has more to say to a fresh tower does not hold up what leaves", () => {
  const rig = new Rig();
  const voice = node();
  const ingress = rig.watch("ingress");
  rig.mesh(voice.lease(3, 12_345));
  assertEquals(leave(rig, voice, "r1"), [["r1", false]]);
  rig.advance(TOWER_WARMUP_MS);
  assertEquals(rig.machine.watch.isComplete, false);
  rig.ack(ingress);
  assertEquals(answers(rig), [["r1", true]]);
});

Deno.test("Drains: a revision of the tower before counts only as a sign of life", () => {
  const [rig, voice] = scene();
  const ingress = rig.watch("ingress");
  leave(rig, voice, "r1");
  rig.ack(ingress, [], rig.revision + 1_000);
  assertEquals(answers(rig), []);
  leave(rig, voice, "r2");
  rig.ack(ingress);
  assertEquals(answers(rig), [["r1", true], ["r2", true]]);
});

Deno.test("Drains: what is over is forgotten", () => {
  const [rig, voice] = scene();
  for (let at = 0; at < 3_000; at++) leave(rig, voice, `old-${at}`);
  assertEquals(rig.machine.drains.of("old-0")?.drainedMs !== null, true);
  rig.advance(DRAINED_MEMORY_MS);
  rig.mesh(voice.lease(0, 0));
  rig.advance(LEASE_MS + 100);
  assertEquals(rig.machine.drains.of("old-0"), undefined);
  assertEquals(rig.machine.drains.of("old-2999"), undefined);
  assertEquals(rig.machine.drains.waiting, 0);
});

// ---- Against a model ------------------------------------------------------------------------------

/** An ingress as the model sees it: who it is, what it said last, and when. */
interface Seen {
  name: string;
  watcher: number | null;
  revision: number;
  busy: ReadonlySet<string>;
  untilMs: number;
}

/** The rule of Drains, written the slow way: everything is looked at after every event. */
class Model {
  nowMs = 0;
  revision = 1;
  readonly ingresses: Seen[] = [];
  readonly waits = new Map<string, { readonly revision: number; readonly on: Set<Seen> }>();
  /** What is drained, at which revision it left, and since when. */
  readonly over = new Map<string, { readonly revision: number; readonly sinceMs: number }>();

  begin(replica: string): void {
    if (this.waits.has(replica)) return;
    const revision = ++this.revision;
    const on = new Set(this.ingresses.filter((each) => each.untilMs > this.nowMs));
    this.waits.set(replica, { revision, on });
  }

  /** Whoever says that it is at work somewhere is waited for, though all others were done. */
  join(spoke: Seen): void {
    for (const replica of spoke.busy) {
      const over = this.over.get(replica);
      if (over && this.nowMs - over.sinceMs < DRAINED_MEMORY_MS) {
        this.over.delete(replica);
        this.waits.set(replica, { revision: over.revision, on: new Set() });
      }
      this.waits.get(replica)?.on.add(spoke);
    }
  }

  /** Who has let go or lapsed; returns what is waited for no more. */
  settle(spoke: Seen | null): string[] {
    const settled: string[] = [];
    for (const [replica, { revision, on }] of this.waits) {
      for (const each of on) {
        const letGo = each === spoke && each.revision >= revision && !each.busy.has(replica);
        if (letGo || each.untilMs <= this.nowMs) on.delete(each);
      }
      if (on.size > 0) continue;
      this.waits.delete(replica);
      this.over.set(replica, { revision, sinceMs: this.nowMs });
      settled.push(replica);
    }
    return settled;
  }
}

const PICK = fc.nat(9);
const EVENT = fc.oneof(
  fc.record({ k: fc.constant("connect" as const), name: fc.constantFrom("a", "b", "c") }),
  fc.record({ k: fc.constant("close" as const), pick: PICK }),
  fc.record({ k: fc.constant("begin" as const) }),
  fc.record({
    k: fc.constant("ack" as const),
    pick: PICK,
    behind: fc.nat(3),
    busy: fc.array(PICK, { maxLength: 3 }),
  }),
  fc.record({
    k: fc.constant("pass" as const),
    ms: fc.constantFrom(1, 300, 700, INGRESS_LEASE_MS),
  }),
);

Deno.test("Drains settles exactly when the rule says so, whatever comes in whatever order", () => {
  let settledEver = 0;
  fc.assert(
    fc.property(fc.array(EVENT, { minLength: 60, maxLength: 120 }), (events) => {
      const drains = new Drains();
      drains.open(1, 0);
      const model = new Model();
      let watchers = 0;
      let replicas = 0;
      for (const event of events) {
        const connected = model.ingresses.filter((each) => each.watcher !== null);
        const picked = "pick" in event
          ? connected[event.pick % (connected.length || 1)]
          : undefined;
        let settled: readonly { readonly replica: string }[] = [];
        let spoke: Seen | null = null;
        if (event.k === "connect") {
          const watcher = ++watchers;
          drains.connected(watcher, event.name, model.revision, model.nowMs);
          const known = model.ingresses.find((each) =>
            each.name === event.name && each.watcher === null && each.untilMs > model.nowMs
          );
          const untilMs = model.nowMs + INGRESS_LEASE_MS;
          if (known) Object.assign(known, { watcher, untilMs });
          else {
            const { name } = event;
            model.ingresses.push(
              { name, watcher, revision: model.revision, busy: new Set(), untilMs },
            );
          }
        } else if (event.k === "close" && picked) {
          drains.closed(picked.watcher!);
          picked.watcher = null;
        } else if (event.k === "begin") {
          const replica = `r${++replicas}`;
          model.begin(replica);
          const drain = drains.begin(replica, "node", model.revision, model.nowMs);
          if (drain.drainedMs !== null) settled = [drain];
        } else if (event.k === "ack" && picked) {
          const revision = Math.max(0, model.revision - event.behind);
          const busy = event.busy.map((each) => `r${replicas - each}`);
          settled = drains.acked(picked.watcher!, revision, busy, model.nowMs);
          picked.revision = Math.max(picked.revision, revision);
          picked.busy = new Set(busy);
          picked.untilMs = model.nowMs + INGRESS_LEASE_MS;
          spoke = picked;
          model.join(picked);
        } else if (event.k === "pass") {
          model.nowMs += event.ms;
          settled = drains.expire(model.nowMs).settled;
        }
        const ids = settled.map((drain) => drain.replica).sort();
        assertEquals(ids, model.settle(spoke).sort());
        assertEquals(drains.waiting, model.waits.size);
        settledEver += ids.length;
      }
    }),
    { numRuns: 500 },
  );
  assert(settledEver > 1_000, `only ${settledEver} drains were settled`);
});
