import { assertEquals } from "@std/assert";
import { DECK_SAMPLE_NODES, DECK_SAMPLES } from "../core/limits.ts";
import type { Beat } from "../core/mesh.ts";
import { addNode, type Fleet } from "./fleet.ts";
import { History, takeSample } from "./history.ts";

function fleetOf(count: number): Fleet {
  const fleet: Fleet = new Map();
  for (let at = 0; at < count; at++) {
    const node = addNode(fleet, String(at).padStart(32, "0"), `node-${at}`, 0);
    node.state = "ready";
    node.beat = { cpuPercent: 41.6, ramTotalBytes: 1_000, ramFreeBytes: 250 } as Beat;
  }
  return fleet;
}

Deno.test("takeSample() tells load of nodes that are heard, and traffic where there is any", () => {
  const fleet = fleetOf(2);
  [...fleet.values()][1]!.state = "dead";
  const traffic = {
    requestsPerSecond: 3,
    errorsPerSecond: 0,
    p50Ms: 1,
    p95Ms: 2,
    p99Ms: 3,
    inFlight: 1,
  };
  const sample = takeSample(fleet, ["a", "b"], (app) => app === "b" ? traffic : null, 7);
  assertEquals(sample, {
    wallMs: 7,
    nodes: { "node-0": { cpuPercent: 42, ramPercent: 75 } },
    apps: { b: traffic },
  });
});

Deno.test("takeSample() looks at a bounded number of nodes", () => {
  const sample = takeSample(fleetOf(DECK_SAMPLE_NODES + 10), [], () => null, 0);
  assertEquals(Object.keys(sample.nodes).length, DECK_SAMPLE_NODES);
});

Deno.test("History keeps the last samples", () => {
  const history = new History();
  for (let wallMs = 0; wallMs < DECK_SAMPLES + 5; wallMs++) {
    history.add({ wallMs, nodes: {}, apps: {} });
  }
  assertEquals(history.samples().length, DECK_SAMPLES);
  assertEquals(history.samples()[0]?.wallMs, 5);
});

Deno.test("History keeps the routes of its newest sample only", () => {
  const history = new History();
  const sample = (wallMs: number) => ({ wallMs, nodes: {}, apps: {}, routes: [] });
  for (const wallMs of [1, 2]) history.add(sample(wallMs));
  assertEquals(history.samples(), [{ wallMs: 1, nodes: {}, apps: {} }, sample(2)]);
});
