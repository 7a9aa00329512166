/** The recent past of each route's requests, for charts: bounded, in memory. */

import type { RouteSample, RoutesView } from "../../core/deck_view.ts";
import { DECK_SAMPLE_ROUTES, DECK_SAMPLES } from "../../core/limits.ts";
import { Recent } from "./recent.ts";

const COLUMNS = ["requestsPerSecond", "errorsPerSecond", "p50Ms", "p99Ms"] as const;

export class RouteHistory {
  /** By app and route, with a space between them. */
  readonly #recent = new Recent(COLUMNS, DECK_SAMPLES, DECK_SAMPLE_ROUTES);

  /** Takes in a sample's routes. */
  add(wallMs: number, routes: readonly RouteSample[]): void {
    this.#recent.add(wallMs, routes.map((each) => [`${each.app} ${each.route}`, each]));
  }

  /** What is known of an app's routes, or of one of them. */
  of(app: string, route?: string): RoutesView {
    const keys = [...this.#recent.keys()].filter((key) =>
      route === undefined ? key.startsWith(`${app} `) : key === `${app} ${route}`
    );
    return {
      wallMs: this.#recent.times(),
      routes: keys.map((key) => ({
        app,
        route: key.slice(app.length + 1),
        ...this.#recent.of(key),
      })),
    };
  }
}
