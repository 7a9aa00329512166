import { assert, assertEquals } from "@std/assert";
import {
  INGRESS_LEASE_MS,
  LEASE_MS,
  TOWER_BLIND_MS,
  TOWER_TICK_MS,
  TOWER_WARMUP_MS,
} from "../core/limits.ts";
import { digestOf } from "../core/mesh.ts";
import { endpointOf, NodeVoice, Rig } from "./testing.ts";

const one = endpointOf("a");
const digest = digestOf([["a", one.port]]);

/** A tower with one replica and an ingress, all of them well. */
function calm(): { rig: Rig; node: NodeVoice; ingress: number } {
  const rig = Rig.ready();
  const node = new NodeVoice(1, 1);
  rig.mesh(node.register([one]));
  const ingress = rig.watch("ingress");
  rig.ack(ingress);
  return { rig, node, ingress };
}

Deno.test("a tower that was stopped for longer than any lease lets none lapse on waking", () => {
  const { rig, node, ingress } = calm();
  rig.heard(ingress);
  rig.nowMs += LEASE_MS + 3_000;
  // Whatever is read first, the rest waits in the socket.
  rig.ack(ingress);
  assertEquals(rig.listed, ["a"]);
  rig.mesh(node.lease(1, digest));
  rig.advance(TOWER_BLIND_MS);
  assertEquals([rig.listed, rig.heard(ingress)], [["a"], [{ k: "alive" }]]);
});

Deno.test("a stopped tower does not take the silence of an ingress for consent to a drain", () => {
  const { rig, node, ingress } = calm();
  rig.nowMs += 3_000;
  const answers = rig.mesh(node.deregister("a"));
  assertEquals(answers.map((each) => each.k === "deregister-ok" && each.drained), [false]);
  rig.ack(ingress);
  assertEquals(
    rig.pushed().map((each) => each.k === "deregister-ok" && each.drained),
    [true],
  );
});

Deno.test("a fresh tower that was stopped calls its list complete only after listening", () => {
  const rig = new Rig();
  const node = new NodeVoice(1, 1);
  rig.plain("PING");
  rig.nowMs += TOWER_WARMUP_MS + 1_000;
  rig.plain("PING");
  const late = rig.watch("client");
  const [snapshot] = rig.heard(late);
  assert(snapshot?.k === "snapshot" && !snapshot.complete);
  rig.mesh(node.register([one]));
  rig.advance(TOWER_BLIND_MS);
  const complete = rig.heard(late).find((each) => each.k === "complete");
  assertEquals(complete?.k === "complete" && complete.endpoints, [one]);
});

Deno.test("a tower that is blind only for a moment finds the silent afterwards", () => {
  const { rig } = calm();
  rig.nowMs += LEASE_MS + 3_000;
  rig.plain("PING");
  assertEquals(rig.listed, ["a"]);
  rig.advance(TOWER_BLIND_MS + 100);
  assertEquals(rig.listed, []);
});

Deno.test("a tower that was stopped until just after a lease lets it not lapse", () => {
  for (let lateMs = 1; lateMs <= 2_000; lateMs += 7) {
    const { rig, node } = calm();
    rig.advance(300);
    // The ingress spoke 300 ms ago; the tower stands still until its lease is over by a little.
    rig.nowMs += INGRESS_LEASE_MS - 300 + lateMs;
    const answers = rig.mesh(node.deregister("a"));
    assertEquals(
      answers.map((each) => each.k === "deregister-ok" && each.drained),
      [false],
      `${lateMs} ms late`,
    );
  }
});

Deno.test("a tower that is stopped again soon does not take silence for consent either", () => {
  const { rig, node, ingress } = calm();
  rig.nowMs += 3_000;
  rig.ack(ingress);
  rig.advance(TOWER_BLIND_MS + 100);
  rig.ack(ingress);
  rig.nowMs += 3_000;
  const answers = rig.mesh(node.deregister("a"));
  assertEquals(answers.map((each) => each.k === "deregister-ok" && each.drained), [false]);
});

Deno.test("a tower that runs finds a silent ingress as soon as its lease is over", () => {
  const { rig, node } = calm();
  rig.advance(INGRESS_LEASE_MS - 1);
  assertEquals(rig.machine.drains.liveIngresses, 1);
  rig.advance(TOWER_TICK_MS);
  const answers = rig.mesh(node.deregister("a"));
  assertEquals(answers.map((each) => each.k === "deregister-ok" && each.drained), [true]);
});
