import { assertEquals } from "@std/assert";
import {
  DRAINED_MEMORY_MS,
  INGRESS_ALIVE_MS,
  INGRESS_LEASE_MS,
  LEASE_MS,
  TOWER_WARMUP_MS,
} from "../core/limits.ts";
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

Deno.test("Drains: nothing is drained before a fresh tower's list is complete", () => {
  const rig = new Rig();
  const voice = node();
  rig.mesh(voice.register([endpointOf("r1")]));
  const ingress = rig.watch("ingress");
  rig.heard(ingress);
  assertEquals(leave(rig, voice, "r1"), [["r1", false]]);
  assertEquals(leave(rig, voice, "of-the-tower-before"), [["of-the-tower-before", false]]);
  assertEquals(
    rig.heard(ingress).map((each) => each.k === "delta" && each.down),
    [["r1"], ["of-the-tower-before"]],
    "watchers that still hold it are told",
  );
  rig.advance(TOWER_WARMUP_MS - 100);
  rig.ack(ingress);
  assertEquals(answers(rig), []);
  rig.advance(100);
  assertEquals(answers(rig), []);
  rig.ack(ingress);
  assertEquals(answers(rig), [["r1", true], ["of-the-tower-before", true]]);
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
