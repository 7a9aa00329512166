import { assert, assertEquals } from "@std/assert";
import {
  DECK_SAMPLE_MS,
  DECK_SAMPLE_NODES,
  DECK_SAMPLES,
  DECK_SPARK_SAMPLES,
  DECK_SPARK_STEP,
} from "../../core/limits.ts";
import type { Beat } from "../../core/mesh.ts";
import { addNode, type Fleet } from "../fleet/fleet.ts";
import { History, takeSample } from "./history.ts";

const WALL_MS = 1_790_000_000_000;

const traffic = {
  requestsPerSecond: 3,
  errorsPerSecond: 0,
  p50Ms: 1,
  p95Ms: 2,
  p99Ms: 3,
  inFlight: 1,
};

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

const NAMES = (count: number) =>
  Array.from({ length: count }, (_, at) => `node-${at}.rack-7.east.example`);

/** A history that is full, of so many nodes under some load. */
function fullHistory(nodes: number): History {
  const history = new History();
  const names = NAMES(nodes);
  for (let at = 0; at < DECK_SAMPLES + 5; at++) {
    const load = (node: number) => ({
      cpuPercent: (at * 7 + node) % 101,
      ramPercent: (at + node) % 101,
    });
    history.add({
      wallMs: WALL_MS + at * DECK_SAMPLE_MS,
      nodes: Object.fromEntries(names.map((name, node) => [name, load(node)])),
      apps: at % 2 === 0 ? { shop: { ...traffic, requestsPerSecond: at } } : {},
    });
  }
  return history;
}

Deno.test("History tells the whole past of one node and of one app", () => {
  const history = fullHistory(2);
  const [name] = NAMES(1);
  const { wallMs, nodes } = history.load(name!);
  assertEquals(Object.keys(nodes), [name]);
  assertEquals([wallMs.length, wallMs[0]], [DECK_SAMPLES, WALL_MS + 5 * DECK_SAMPLE_MS]);
  assertEquals(nodes[name!]!.cpuPercent.slice(0, 3), [35, 42, 49]);
  assertEquals(nodes[name!]!.ramPercent.length, DECK_SAMPLES);
  const shop = history.traffic("shop");
  assertEquals(shop.wallMs, wallMs);
  assertEquals(shop.requestsPerSecond.slice(0, 4), [null, 6, null, 8]);
  assertEquals(shop.p95Ms.slice(0, 2), [null, 2]);
  assert(history.traffic("none").p50Ms.every((value) => value === null));
});

Deno.test("History tells the load of all nodes coarsely, up to the newest sample", () => {
  const history = fullHistory(3);
  const { wallMs, nodes } = history.loads();
  assertEquals(wallMs.length, DECK_SPARK_SAMPLES / DECK_SPARK_STEP);
  assertEquals(wallMs.at(-1), history.last?.wallMs);
  assertEquals(wallMs.at(-1)! - wallMs.at(-2)!, DECK_SPARK_STEP * DECK_SAMPLE_MS);
  assertEquals(Object.keys(nodes), NAMES(3));
  assertEquals(nodes[NAMES(1)[0]!]!.cpuPercent.at(-1), ((DECK_SAMPLES + 4) * 7) % 101);
});

Deno.test("History does not take what is recalled for what is", () => {
  const history = new History();
  history.recall({ wallMs: WALL_MS, nodes: { one: { cpuPercent: 7, ramPercent: 8 } }, apps: {} });
  assertEquals(history.load("one").nodes.one!.cpuPercent, [7]);
  assertEquals(history.last, null);
});
