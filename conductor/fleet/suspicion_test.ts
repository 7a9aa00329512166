import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { NODE_DEAD_MS, SUSPICION_MIN_MS, WITNESSED_MAX_MS } from "../../core/limits.ts";
import type { MeshMessage } from "../../core/mesh.ts";
import { suspectAfterMs } from "./fleet.ts";
import { manifestOf, Rig, type RigNode } from "../rig_test.ts";
import { Awareness, suspicionMs } from "./suspicion.ts";

// Facts about memberlist's detector, of which the formulas come; where they are there.
const corpora = Deno.env.get("CORPORA");
const facts = corpora === undefined
  ? null
  : JSON.parse(await Deno.readTextFile(`${corpora}/swim-facts/facts.json`));
if (!facts) console.log("not run: CORPORA names no folder: the tables of swim-facts");

Deno.test({
  name: "suspicionMs() agrees with memberlist's table of what remains",
  ignore: !facts,
  fn() {
    for (const row of facts.tables.remaining_suspicion) {
      const { confirmations, k, elapsed_ms, min_ms, max_ms, expect_ms } = row;
      const whole = suspicionMs(confirmations, k, min_ms, max_ms);
      assertEquals(whole - elapsed_ms, expect_ms, JSON.stringify(row));
    }
  },
});

Deno.test({
  name: "suspicionMs() fires when memberlist's timer does",
  ignore: !facts,
  fn() {
    const { k, min_ms, max_ms, tolerance_ms, cases } = facts.tables.suspicion_timer;
    for (const { from, confirm, fires_ms } of cases) {
      // The accuser itself and a repeated word are no news.
      const said = confirm.map((word: string) => word.replace("(no)", ""));
      const confirmations = new Set(said.filter((word: string) => word !== from)).size;
      const firesMs = suspicionMs(Math.min(k, confirmations), k, min_ms, max_ms);
      assert(Math.abs(firesMs - fires_ms) <= tolerance_ms, `${said}: ${firesMs}, ${fires_ms}`);
    }
  },
});

Deno.test({
  name: "Awareness scores and scales as memberlist's table says",
  ignore: !facts,
  fn() {
    const awareness = new Awareness(8);
    for (const { delta, score, scaled_1s_ms } of facts.tables.awareness) {
      awareness.note(delta);
      assertEquals([awareness.score, awareness.scale(1_000)], [score, scaled_1s_ms]);
    }
  },
});

Deno.test("suspicionMs() is shortened by each confirmation and never below the least", () => {
  fc.assert(fc.property(
    fc.integer({ min: 0, max: 6 }),
    fc.integer({ min: 1, max: 6 }),
    fc.integer({ min: 1, max: 5_000 }),
    fc.integer({ min: 0, max: 30_000 }),
    (confirmations, k, minMs, moreMs) => {
      const maxMs = minMs + moreMs;
      const one = suspicionMs(confirmations, k, minMs, maxMs);
      assert(one >= minMs && one <= maxMs);
      assert(suspicionMs(confirmations + 1, k, minMs, maxMs) <= one);
      assertEquals(suspicionMs(k, k, minMs, maxMs), minMs);
      assertEquals(suspicionMs(0, k, minMs, maxMs), maxMs);
    },
  ));
});

function cluster(nodes: number): Rig {
  const rig = new Rig();
  for (let number = 1; number <= nodes; number++) rig.addNode(number);
  rig.live(1_000);
  return rig;
}

const nodesOf = (rig: Rig): RigNode[] => [...rig.nodes.values()];
const sentTo = (rig: Rig, kind: MeshMessage["k"]) =>
  rig.sent.filter(({ message }) => message.k === kind).map(({ to }) => to);

/** Witnesses that answer the conductor with this verdict. */
function witness(node: RigNode, verdict: "alive" | "silent" | "late"): void {
  const receive = node.receive.bind(node);
  node.receive = (message) => {
    receive(message);
    if (message.k !== "probe-please") return;
    const { request, suspect } = message;
    node.say({ k: "probe-result", node: node.id, boot: node.boot, request, suspect, verdict });
  };
}

/** How long from the last beat of a node that falls silent now until it is dead, in ms. */
function deadAfter(rig: Rig, lost: RigNode, mostMs = 60_000): number {
  const heardMs = rig.machine.fleet.get(lost.id)!.heardMonoMs;
  lost.cut = true;
  while (rig.machine.fleet.get(lost.id)!.state !== "dead" && rig.monoMs < heardMs + mostMs) {
    rig.live(50);
  }
  return rig.monoMs - heardMs;
}

Deno.test("a silent node is probed, and two others are asked, before it is dead", () => {
  const rig = cluster(5);
  for (const node of nodesOf(rig).slice(1)) witness(node, "silent");
  const took = deadAfter(rig, nodesOf(rig)[0]!);
  const least = suspectAfterMs(5) + SUSPICION_MIN_MS;
  assert(took >= least && took <= least + 200, `${took}`);
  assert(sentTo(rig, "probe").every((to) => to === "10.0.0.1"));
  assert(sentTo(rig, "probe").length >= 8, `${sentTo(rig, "probe").length} probes`);
  assertEquals(new Set(sentTo(rig, "probe-please")).size, 2, "two witnesses that answer suffice");
});

Deno.test("witnesses that were late themselves accuse nobody: others are asked", () => {
  const rig = cluster(6);
  for (const node of nodesOf(rig).slice(1)) witness(node, "late");
  const took = deadAfter(rig, nodesOf(rig)[0]!);
  assert(took >= NODE_DEAD_MS && took <= NODE_DEAD_MS + 200, `${took}`);
  assertEquals(new Set(sentTo(rig, "probe-please")).size, 5, "each was tried");
});

Deno.test("one witness that saw it alive is enough", () => {
  const rig = cluster(3);
  const [lost, one, other] = nodesOf(rig) as [RigNode, RigNode, RigNode];
  witness(one, "alive");
  witness(other, "silent");
  rig.apply("web", manifestOf("web", ["replicas 3"]));
  rig.live(500);
  const took = deadAfter(rig, lost, 20_000);
  assert(took >= 20_000, `dead after ${took} ms`);
  assertEquals(rig.places("web").length, 3, "nothing was moved");
});

Deno.test("a node that only others see is given up in the end, but is not lost", () => {
  const rig = cluster(3);
  for (const node of nodesOf(rig).slice(1)) witness(node, "alive");
  const took = deadAfter(rig, nodesOf(rig)[0]!);
  assert(took >= WITNESSED_MAX_MS && took <= WITNESSED_MAX_MS + 3_000, `${took}`);
  assert(rig.told("node-dead")[0]!.includes("others see it"), rig.told("node-dead").join());
  assertEquals(rig.effects.filter((effect) => effect.do === "lost"), []);
});

Deno.test("an answer to a probe clears a suspect, whatever its beats", () => {
  const rig = cluster(3);
  const [quiet, ...others] = nodesOf(rig) as [RigNode, RigNode, RigNode];
  for (const node of others) witness(node, "silent");
  const { beat } = quiet;
  quiet.beat = () => {};
  const receive = quiet.receive.bind(quiet);
  quiet.receive = (message) => {
    if (message.k === "probe") {
      quiet.say({ k: "probe-ok", by: quiet.id, boot: quiet.boot, request: message.request });
    } else receive(message);
  };
  rig.live(20_000);
  assertEquals(rig.told("node-dead"), []);
  const { suspected, refuted } = rig.machine.suspicion.counters;
  assert(suspected >= 10 && refuted >= suspected - 1, `${suspected} ${refuted}`);
  quiet.beat = beat;
});

Deno.test("where nobody at all is heard nobody is dead, and nothing is moved", () => {
  const rig = cluster(3);
  rig.apply("web", manifestOf("web", ["replicas 3"]));
  rig.live(500);
  const before = rig.places("web");
  for (const node of nodesOf(rig)) node.cut = true;
  rig.live(60_000);
  assertEquals(rig.told("node-dead"), []);
  assertEquals(rig.places("web"), before);
  assertEquals([...rig.machine.fleet.values()].map((node) => node.state), Array(3).fill("silent"));
  const [back, late, gone] = nodesOf(rig) as [RigNode, RigNode, RigNode];
  back.cut = false;
  rig.live(500);
  late.cut = false;
  rig.live(20_000);
  assertEquals(rig.told("node-dead").length, 1, "the one that stayed away when others were back");
  assert(rig.told("node-dead")[0]!.startsWith(gone.name));
  assert(
    before.filter((place) => !place.includes(gone.name)).every((place) =>
      rig.places("web").includes(place)
    ),
    "what was not lost stayed",
  );
});

Deno.test("a conductor that is held up again and again accuses nobody meanwhile", () => {
  const rig = cluster(3);
  for (let stall = 0; stall < 40; stall++) {
    // It hears nothing for 700 ms, and then its timer comes before what waits in the socket.
    rig.monoMs += 700;
    rig.step({ on: "tick" });
    rig.advance(50);
  }
  assertEquals(rig.told("node-dead"), []);
});

Deno.test("the tower hears which nodes are lost, and that one is back", () => {
  const rig = cluster(3);
  for (const node of nodesOf(rig)) witness(node, "silent");
  const lost = nodesOf(rig)[1]!;
  deadAfter(rig, lost);
  const told = () => rig.effects.flatMap((effect) => effect.do === "lost" ? [effect.nodes] : []);
  assertEquals(told(), [[lost.id]]);
  lost.cut = false;
  rig.live(500);
  assertEquals(told(), [[lost.id], []]);
});

Deno.test("a suspect is given no replica until it is heard again", () => {
  const rig = cluster(2);
  const suspect = nodesOf(rig)[0]!;
  suspect.cut = true;
  rig.live(1_000);
  assert(rig.machine.suspicion.has(suspect.id));
  rig.apply("web", manifestOf("web", ["replicas 2"]));
  assertEquals(rig.places("web"), ["web.1@node-2", "web.2@node-2"]);
  suspect.cut = false;
  rig.live(500);
  rig.apply("api", manifestOf("api"));
  assertEquals(rig.places("api"), ["api.1@node-1"]);
});
