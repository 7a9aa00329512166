// What the ingresses see of each route's requests, for people.

import type { RouteSample } from "../../core/deck_view.ts";
import { DECK_SAMPLE_ROUTES } from "../../core/limits.ts";
import type { Figures, Route } from "../../core/mesh.ts";
import { Traffic } from "./traffic.ts";

/** The requests of all routes, which `Traffic` counts as it does those of apps. */
export class RouteTraffic {
  readonly #traffic = new Traffic();

  /** Takes in what an ingress says. */
  take({ routes = [], ...figures }: Figures, nowMs: number): void {
    const apps = routes.map(({ app, route, ...rest }) => (
      { ...rest, app: keyOf(app, route), generation: 0, inFlight: 0 }
    ));
    this.#traffic.take({ ...figures, apps }, nowMs);
  }

  /** How those of the routes do now that any request took, the most asked first. */
  lately(routes: readonly Pick<Route, "app" | "host" | "path">[], nowMs: number): RouteSample[] {
    const samples: RouteSample[] = [];
    for (const { app, host, path } of routes) {
      const route = `${host ?? ""}${path}`;
      const sample = this.#traffic.lately(keyOf(app, route), nowMs);
      if (sample === null) continue;
      const { inFlight: _, ...rest } = sample;
      samples.push({ app, route, ...rest });
    }
    return samples.toSorted((a, b) => b.requestsPerSecond - a.requestsPerSecond)
      .slice(0, DECK_SAMPLE_ROUTES);
  }
}

function keyOf(app: string, route: string): string {
  return `${app} ${route}`;
}
