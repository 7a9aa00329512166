// Thousands of nodes that fall silent at once.

import { assert, assertEquals } from "@std/assert";
import {
  CONDUCTOR_TICK_MS,
  PROBES_BEFORE_DEATH,
  PROBES_PER_SECOND,
  SUSPICION_MAX_MS,
} from "../../core/limits.ts";
import { beatEveryMs, suspectAfterMs } from "./fleet.ts";
import { Rig, type RigNode } from "../rig_test.ts";

const NODES = 2_000;
const EVERY_MS = beatEveryMs(NODES);

/** Nodes that have just beaten. */
function crowd(): { readonly rig: Rig; readonly nodes: readonly RigNode[] } {
  const rig = new Rig();
  for (let number = 1; number <= NODES; number++) rig.addNode(number);
  return { rig, nodes: [...rig.nodes.values()] };
}

/** Lets time go on; what the conductor sends to find out about suspects comes back, with its time. */
function pass(rig: Rig, ms: number, live: readonly RigNode[]) {
  const asked: { readonly atMs: number; readonly to: string; readonly kind: string }[] = [];
  const endMs = rig.monoMs + ms;
  while (rig.monoMs < endMs) {
    rig.sent.length = 0;
    // Each beats once in its time, a few at a time.
    const turn = Math.floor(rig.monoMs / 25) % (EVERY_MS / 25);
    live.forEach((node, at) => at % (EVERY_MS / 25) === turn && node.beat());
    rig.advance(25);
    for (const { to, message } of rig.sent) {
      if (!message.k.startsWith("probe")) continue;
      asked.push({ atMs: rig.monoMs, to, kind: message.k });
    }
  }
  return asked;
}

/** The most of these in any second. */
function mostInOneSecond(asked: readonly { readonly atMs: number }[]): number {
  let most = 0;
  let from = 0;
  asked.forEach(({ atMs }, at) => {
    while (asked[from]!.atMs <= atMs - 1_000) from++;
    most = Math.max(most, at - from + 1);
  });
  return most;
}

const MOST = PROBES_PER_SECOND * (1 + CONDUCTOR_TICK_MS / 1_000);

Deno.test("half of a large fleet is lost: a bounded number of probes a second, and all are told dead", () => {
  const { rig, nodes } = crowd();
  const [lost, live] = [nodes.slice(0, NODES / 2), nodes.slice(NODES / 2)];
  const asked = pass(rig, suspectAfterMs(NODES) + SUSPICION_MAX_MS + 6_000, live);
  const most = mostInOneSecond(asked);
  assert(most > PROBES_PER_SECOND / 2, `no crowd: ${most} a second`);
  assert(most <= MOST, `${most} probes and questions in a second`);
  const states = (some: readonly RigNode[]) =>
    new Set(some.map(({ id }) => rig.machine.fleet.get(id)!.state));
  assertEquals([states(lost), states(live)], [new Set(["dead"]), new Set(["ready"])]);
  const probes = new Map<string, number>();
  for (const { to, kind } of asked) {
    if (kind === "probe") probes.set(to, (probes.get(to) ?? 0) + 1);
  }
  const least = Math.min(...lost.map(({ host }) => probes.get(host) ?? 0));
  assert(least >= PROBES_BEFORE_DEATH, `one was called dead after ${least} probes`);
});

Deno.test("a whole fleet falls silent: the probes are bounded, come to an end, and nobody is dead", () => {
  const { rig } = crowd();
  const asked = pass(rig, suspectAfterMs(NODES) + SUSPICION_MAX_MS + 6_000, []);
  assert(asked.length >= NODES * PROBES_BEFORE_DEATH, `${asked.length} probes`);
  assert(mostInOneSecond(asked) <= MOST, `${mostInOneSecond(asked)} probes in a second`);
  assertEquals(
    new Set([...rig.machine.fleet.values()].map(({ state }) => state)),
    new Set(["silent"]),
  );
  assertEquals(pass(rig, 10_000, []), [], "an island asks nobody any more");
});
