/** The recent past of nodes and traffic, for charts: one sample every `DECK_SAMPLE_MS`. */

import type {
  DeckSample,
  LoadsView,
  NodeSample,
  TrafficSample,
  TrafficView,
} from "../../core/deck_view.ts";
import {
  DECK_SAMPLE_APPS,
  DECK_SAMPLE_NODES,
  DECK_SAMPLES,
  DECK_SPARK_SAMPLES,
  DECK_SPARK_STEP,
} from "../../core/limits.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { Recent } from "./recent.ts";

/** What an app's requests were like lately; `null` where no ingress told of any. */
export type TrafficOf = (app: string) => TrafficSample | null;

/**
 * Looks at the fleet and at the traffic; of very large clusters only the first.
 *
 * @param most so many nodes are told of
 */
export function takeSample(
  fleet: Fleet,
  apps: Iterable<string>,
  trafficOf: TrafficOf,
  wallMs: number,
  most = DECK_SAMPLE_NODES,
): DeckSample {
  const nodes: Record<string, NodeSample> = {};
  let count = 0;
  for (const { name, beat, state } of fleet.values()) {
    if (!beat || state !== "ready") continue;
    if (++count > most) break;
    const used = beat.ramTotalBytes - beat.ramFreeBytes;
    nodes[name] = {
      cpuPercent: Math.round(beat.cpuPercent),
      ramPercent: beat.ramTotalBytes === 0 ? 0 : Math.round(100 * used / beat.ramTotalBytes),
    };
  }
  const traffic: Record<string, TrafficSample> = {};
  count = 0;
  for (const app of apps) {
    const sample = trafficOf(app);
    if (!sample) continue;
    if (++count > DECK_SAMPLE_APPS) break;
    traffic[app] = sample;
  }
  return { wallMs, nodes, apps: traffic };
}

const LOAD = ["cpuPercent", "ramPercent"] as const;
const TRAFFIC = ["requestsPerSecond", "errorsPerSecond", "p50Ms", "p95Ms"] as const;

/** The last `DECK_SAMPLES` samples, by node and by app. */
export class History {
  readonly #nodes = new Recent(LOAD, DECK_SAMPLES, DECK_SAMPLE_NODES);
  readonly #apps = new Recent(TRAFFIC, DECK_SAMPLES, DECK_SAMPLE_APPS);
  #last: DeckSample | null = null;

  add(sample: DeckSample): void {
    this.recall(sample);
    this.#last = sample;
  }

  /** Takes in a sample of before this process, oldest first: what is now, it does not tell. */
  recall({ wallMs, nodes, apps }: DeckSample): void {
    this.#nodes.add(wallMs, Object.entries(nodes));
    this.#apps.add(wallMs, Object.entries(apps));
  }

  /** The newest sample; `null` before the first. */
  get last(): DeckSample | null {
    return this.#last;
  }

  /** The load of all nodes over the last while, coarse: what small charts of all of them show. */
  loads(): LoadsView {
    const [last, step] = [DECK_SPARK_SAMPLES, DECK_SPARK_STEP];
    return {
      wallMs: this.#nodes.times(last, step),
      nodes: Object.fromEntries(
        [...this.#nodes.keys()].map((name) => [name, this.#nodes.of(name, last, step)]),
      ),
    };
  }

  /** The load of one node over all that is kept. */
  load(node: string): LoadsView {
    return { wallMs: this.#nodes.times(), nodes: { [node]: this.#nodes.of(node) } };
  }

  /** An app's requests over all that is kept. */
  traffic(app: string): TrafficView {
    return { app, wallMs: this.#apps.times(), ...this.#apps.of(app) };
  }
}
