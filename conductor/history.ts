/** The recent past of nodes and traffic, for charts: one sample every `DECK_SAMPLE_MS`. */

import type { DeckSample, NodeSample, TrafficSample } from "../core/deck_view.ts";
import { DECK_SAMPLE_APPS, DECK_SAMPLE_NODES, DECK_SAMPLES } from "../core/limits.ts";
import type { Fleet } from "./fleet.ts";

/** What an app's requests were like lately; `null` where no ingress told of any. */
export type TrafficOf = (app: string) => TrafficSample | null;

/** Looks at the fleet and at the traffic; of very large clusters only the first by name. */
export function takeSample(
  fleet: Fleet,
  apps: Iterable<string>,
  trafficOf: TrafficOf,
  wallMs: number,
): DeckSample {
  const nodes: Record<string, NodeSample> = {};
  let count = 0;
  for (const { name, beat, state } of fleet.values()) {
    if (!beat || state !== "ready") continue;
    if (++count > DECK_SAMPLE_NODES) break;
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

/** The last `DECK_SAMPLES` samples, oldest first. */
export class History {
  readonly #samples: DeckSample[] = [];

  /** Routes are told of the newest only: their past would be most of what a viewer is sent first. */
  add(sample: DeckSample): void {
    const last = this.#samples.at(-1);
    if (last?.routes) {
      const { routes: _, ...rest } = last;
      this.#samples[this.#samples.length - 1] = rest;
    }
    this.#samples.push(sample);
    if (this.#samples.length > DECK_SAMPLES) this.#samples.shift();
  }

  samples(): readonly DeckSample[] {
    return this.#samples;
  }
}
