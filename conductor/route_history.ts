/** The recent past of each route's requests, for charts: bounded, in memory. */

import type { RouteSample, RouteSeries, RoutesView } from "../core/deck_view.ts";
import { DECK_SAMPLE_ROUTES, DECK_SAMPLES } from "../core/limits.ts";

const COLUMNS = ["requestsPerSecond", "errorsPerSecond", "p50Ms", "p99Ms"] as const;

interface Past {
  readonly app: string;
  readonly route: string;
  /** Rings of the same places as the times; NaN where nothing was known. */
  readonly values: Readonly<Record<typeof COLUMNS[number], Float32Array>>;
  /** The last sample that told of it. */
  toldAt: number;
}

export class RouteHistory {
  /** Of the sample with number N the time is at N % `DECK_SAMPLES`. */
  readonly #wallMs = new Float64Array(DECK_SAMPLES);
  readonly #routes = new Map<string, Past>();
  #count = 0;

  /** Takes in a sample's routes. */
  add(wallMs: number, routes: readonly RouteSample[]): void {
    const at = this.#count++;
    const slot = at % DECK_SAMPLES;
    this.#wallMs[slot] = wallMs;
    for (const { values } of this.#routes.values()) {
      for (const column of COLUMNS) values[column][slot] = NaN;
    }
    for (const sample of routes) {
      const past = this.#pastOf(sample);
      past.toldAt = at;
      for (const column of COLUMNS) past.values[column][slot] = sample[column];
    }
    this.#forget(at);
  }

  /** What is known of an app's routes, or of one of them. */
  of(app: string, route?: string): RoutesView {
    const slots = this.#slots();
    const routes = [...this.#routes.values()].filter((past) =>
      past.app === app && (route === undefined || past.route === route)
    );
    return {
      wallMs: slots.map((slot) => this.#wallMs[slot]!),
      routes: routes.map((past): RouteSeries => ({
        app,
        route: past.route,
        requestsPerSecond: told(past.values.requestsPerSecond, slots),
        errorsPerSecond: told(past.values.errorsPerSecond, slots),
        p50Ms: told(past.values.p50Ms, slots),
        p99Ms: told(past.values.p99Ms, slots),
      })),
    };
  }

  /** Places in the rings, oldest first. */
  #slots(): number[] {
    const length = Math.min(this.#count, DECK_SAMPLES);
    return Array.from({ length }, (_, at) => (this.#count - length + at) % DECK_SAMPLES);
  }

  #pastOf({ app, route }: RouteSample): Past {
    const key = `${app} ${route}`;
    let past = this.#routes.get(key);
    if (past === undefined) {
      const ring = () => new Float32Array(DECK_SAMPLES).fill(NaN);
      const values = {
        requestsPerSecond: ring(),
        errorsPerSecond: ring(),
        p50Ms: ring(),
        p99Ms: ring(),
      };
      this.#routes.set(key, past = { app, route, values, toldAt: 0 });
    }
    return past;
  }

  /** Drops routes whose past is over, and of too many those that were told of least lately. */
  #forget(at: number): void {
    for (const [key, { toldAt }] of this.#routes) {
      if (at - toldAt >= DECK_SAMPLES) this.#routes.delete(key);
    }
    const over = this.#routes.size - DECK_SAMPLE_ROUTES;
    if (over <= 0) return;
    const oldest = [...this.#routes].sort(([, a], [, b]) => a.toldAt - b.toldAt).slice(0, over);
    for (const [key] of oldest) this.#routes.delete(key);
  }
}

/** Values in the order of their times, with the digits that say something. */
function told(ring: Float32Array, slots: readonly number[]): (number | null)[] {
  return slots.map((slot) => {
    const value = ring[slot]!;
    return Number.isNaN(value) ? null : Number(value.toPrecision(4));
  });
}
