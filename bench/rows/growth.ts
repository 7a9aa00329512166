import { nodePieces } from "../../conductor/views/pieces.ts";
import type { Figure, Recorder, Row } from "../row.ts";
import { cpuMs, SimulatedFleet } from "../simulated_fleet.ts";
import { median } from "../statistics.ts";

const NODES = [10, 100, 1_000, 10_000] as const;
/** Replicas for each node, in apps of ten for each node at most. */
const PER_NODE = 10;
const APPS = 10;
/** Times ten in nodes may cost at most times so much: linear, with room for n log n and caches. */
const LINEAR = 15;

const COSTS = [
  { key: "schedule", label: "place and know ready", unit: "ms" },
  { key: "list", label: "list all nodes", unit: "ms" },
  { key: "reconcile", label: "lose a tenth, replace", unit: "ms" },
  { key: "memory", label: "heap", unit: "MB" },
] as const;

type Cost = typeof COSTS[number]["key"];

const named = (nodes: number) => nodes.toLocaleString("en-US");

const figures: Figure[] = COSTS.flatMap(({ key, label, unit }) => [
  ...NODES.map((nodes) => ({
    key: `${key}-${nodes}`,
    label: `${label}, ${named(nodes)} nodes`,
    unit,
  })),
  {
    key: `${key}-growth`,
    label: `${label}: 10,000 over 1,000 nodes`,
    unit: "x",
    mustReach: LINEAR,
    goal: 10,
  },
]);

function heapBytes(): number {
  // Without --expose-gc what is garbage counts, too.
  (globalThis as { gc?: () => void }).gc?.();
  return Deno.memoryUsage().heapUsed;
}

function measure(nodes: number): Record<Cost, number> {
  const beforeBytes = heapBytes();
  const fleet = new SimulatedFleet(nodes);
  const schedule = fleet.spent(() => {
    for (let app = 0; app < APPS; app++) {
      fleet.apply(`app-${app}`, nodes * PER_NODE / APPS);
      fleet.answer();
    }
  });
  const memory = (heapBytes() - beforeBytes) / 1_000_000;
  const page = { limit: Infinity, replicas: true, grants: null };
  const lists = Array.from({ length: 5 }, () => {
    const beganMs = cpuMs();
    let length = 0;
    for (const piece of nodePieces(fleet.machine, page, () => fleet.now())) length += piece.length;
    if (length < nodes * 100) throw new Error(`a list of ${length} characters`);
    return cpuMs() - beganMs;
  });
  const reconcile = fleet.spent(() => fleet.lose(nodes / 10));
  if (fleet.ready() !== nodes * PER_NODE) throw new Error("not all replicas are ready");
  return { schedule, list: median(lists), reconcile, memory };
}

export const row: Row = {
  name: "growth",
  measures: "processor time of the conductor's pure machine with simulated nodes, " +
    `${PER_NODE} replicas on each`,
  runs: 5,
  figures,
  async run(recorder: Recorder) {
    if (!("gc" in globalThis)) {
      recorder.note(
        "heap with garbage: deno run --v8-flags=--expose-gc bench/main.ts leaves it out",
      );
    }
    measure(100); // the compiler's warm-up is not the fleet's size
    for (let run = 0; run < recorder.runs; run++) {
      const results = new Map<number, Record<Cost, number>>();
      for (const nodes of NODES) {
        recorder.progress(`run ${run + 1} of ${recorder.runs}: ${named(nodes)} nodes`);
        // The progress is written before the thread is busy.
        await new Promise((resolve) => setTimeout(resolve, 0));
        const result = measure(nodes);
        results.set(nodes, result);
        for (const { key } of COSTS) recorder.sample(`${key}-${nodes}`, result[key]);
      }
      for (const { key } of COSTS) {
        recorder.sample(`${key}-growth`, results.get(10_000)![key] / results.get(1_000)![key]);
      }
    }
  },
};
