import { assert, assertEquals } from "@std/assert";
import { NODE_DEAD_MS } from "../../core/limits.ts";
import type { Beat } from "../../core/mesh.ts";
import { addNode, type FleetNode, needsReport, takeBeat } from "./fleet.ts";

const FROM = { hostname: "10.0.1.1", port: 7775 };

function beatOf(boot: string, bootWallMs: number, beat: number): Beat {
  return {
    node: "a".repeat(32),
    boot: boot.repeat(16),
    bootWallMs,
    beat,
    name: "node-1",
    host: "10.0.1.1",
    port: 7775,
    cpuPercent: 1,
    cores: 4,
    ramTotalBytes: 1,
    ramFreeBytes: 1,
    gpu: false,
    labels: {},
    replicas: 0,
    digest: 0,
    sequence: 0,
  };
}

function heard(...beats: readonly Beat[]): FleetNode {
  const node = addNode(new Map(), "a".repeat(32), "node-1", 0);
  for (const beat of beats) takeBeat(node, beat, FROM, 1_000);
  return node;
}

Deno.test("takeBeat() ignores a late beat of a boot it never knew, and hears the living one on", () => {
  const node = heard(beatOf("b", 2_000, 1));
  assertEquals(takeBeat(node, beatOf("a", 1_000, 9), FROM, 1_200), false);
  assertEquals(node.beat?.boot, "b".repeat(16));
  assert(takeBeat(node, beatOf("b", 2_000, 2), FROM, 1_300));
});

Deno.test("takeBeat() believes a boot whose clock was set back once the known one is silent", () => {
  const node = heard(beatOf("b", 2_000, 1));
  assert(takeBeat(node, beatOf("c", 1_000, 1), FROM, 1_000 + NODE_DEAD_MS));
  assertEquals(node.beat?.boot, "c".repeat(16));
});

Deno.test("takeBeat() ignores repeated beats and those of a boot that has passed", () => {
  const node = heard(beatOf("a", 1_000, 5), beatOf("b", 2_000, 1));
  assertEquals(takeBeat(node, beatOf("b", 2_000, 1), FROM, 1_100), false);
  assertEquals(takeBeat(node, beatOf("a", 1_000, 6), FROM, 90_000), false);
});

Deno.test("needsReport() asks every boot, also one that says it runs nothing", () => {
  const node = heard(beatOf("a", 1_000, 1));
  assert(needsReport(node, 1_000));
  takeBeat(node, beatOf("a", 1_000, 2), FROM, 1_250);
  assert(needsReport(node, 1_250), "until it has answered");
});
