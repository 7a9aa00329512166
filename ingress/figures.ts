import { FIGURES_APPS, FIGURES_PAGE, LATENCY_BOUNDS_MS } from "../core/limits.ts";
import type { Figure, Figures, Route, RouteFigure } from "../core/mesh.ts";

/** What was seen of one generation of an app. Counted with each request, so: plain numbers. */
export class Counted {
  requests = 0;
  errors = 0;
  inFlight = 0;
  readonly latency: number[] = new Array(LATENCY_BOUNDS_MS.length + 1).fill(0);
  toldRequests = 0;
  toldInFlight = 0;

  constructor(readonly app: string, readonly generation: number) {}

  /** A request has ended. One that its client gave up says nothing of the app. */
  count(status: number, elapsedMs: number): void {
    this.requests++;
    if (status === 499) return;
    if (status >= 500) this.errors++;
    let bucket = 0;
    while (bucket < LATENCY_BOUNDS_MS.length && elapsedMs > LATENCY_BOUNDS_MS[bucket]!) bucket++;
    this.latency[bucket]!++;
  }
}

/** The figures that rollouts and scaling are judged by: what this ingress has seen since its start. */
export class FigureBook {
  private readonly byKey = new Map<string, Counted>();
  private order = 0;

  /** The figures of a generation, made when first asked for; 0 where no replica took part. */
  of(app: string, generation: number): Counted {
    const key = `${generation} ${app}`;
    let counted = this.byKey.get(key);
    if (counted === undefined) {
      if (this.byKey.size >= FIGURES_APPS) this.forgetOne();
      this.byKey.set(key, counted = new Counted(app, generation));
    }
    return counted;
  }

  // The oldest with nothing under way; should it be seen again it begins at 0, which a listener
  // knows by its having fallen.
  private forgetOne(): void {
    for (const [key, counted] of this.byKey) {
      if (counted.inFlight > 0) continue;
      this.byKey.delete(key);
      return;
    }
  }

  /** Brings `inFlight` up to date. */
  inFlight(replicas: Iterable<InFlight>, held: Iterable<readonly [app: string, count: number]>) {
    for (const counted of this.byKey.values()) counted.inFlight = 0;
    for (const { counted, outstanding } of replicas) counted.inFlight += outstanding;
    for (const [app, count] of held) this.of(app, 0).inFlight += count;
  }

  /**
   * The messages that say what has changed since the last call, or everything; at least one.
   *
   * @param routes what is to be told of routes
   */
  tell(
    boot: string,
    name: string,
    whole: boolean,
    routes: readonly RouteFigure[] = [],
  ): ({ readonly k: "figures" } & Figures)[] {
    const apps: Figure[] = [];
    for (const counted of this.byKey.values()) {
      const { requests, inFlight } = counted;
      const same = requests === counted.toldRequests && inFlight === counted.toldInFlight;
      if (same && !whole) continue;
      counted.toldRequests = requests;
      counted.toldInFlight = inFlight;
      const { app, generation, errors, latency } = counted;
      apps.push({ app, generation, requests, errors, inFlight, latency: latency.slice() });
    }
    const messages: ({ readonly k: "figures" } & Figures)[] = [];
    const most = Math.max(apps.length, routes.length);
    for (let at = 0; at === 0 || at < most; at += FIGURES_PAGE) {
      const page = { apps: apps.slice(at, at + FIGURES_PAGE) };
      const told = routes.slice(at, at + FIGURES_PAGE);
      const more = told.length === 0 ? {} : { routes: told };
      const order = ++this.order;
      messages.push({ k: "figures", boot, name, whole, order, ...page, ...more });
    }
    return messages;
  }
}

/** A route as people know it: its host, if it has one, and its path. */
export function routeName({ host, path }: Pick<Route, "host" | "path">): string {
  return `${host ?? ""}${path}`;
}

/** What was seen of the routes that there are. */
export class RouteBook {
  private byKey = new Map<string, Counted>();

  /** Goes on to count for these routes, and for no others; of very many, for the first. */
  keep(routes: readonly Route[]): void {
    const before = this.byKey;
    this.byKey = new Map();
    for (const route of routes.slice(0, FIGURES_APPS)) {
      const key = keyOf(route);
      this.byKey.set(key, before.get(key) ?? new Counted(route.app, 0));
    }
  }

  /** The figures of a route that is kept. */
  of(route: Route): Counted {
    return this.byKey.get(keyOf(route)) ?? new Counted(route.app, 0);
  }

  /** What has changed since the last call, or everything. */
  changed(whole: boolean): RouteFigure[] {
    const changed: RouteFigure[] = [];
    for (const [key, counted] of this.byKey) {
      const { app, requests, errors, latency } = counted;
      if (requests === counted.toldRequests && !whole) continue;
      counted.toldRequests = requests;
      const route = key.slice(app.length + 1);
      changed.push({ app, route, requests, errors, latency: latency.slice() });
    }
    return changed;
  }
}

function keyOf(route: Route): string {
  return `${route.app} ${routeName(route)}`;
}

/** Something with requests under way. */
export interface InFlight {
  readonly counted: Counted;
  readonly outstanding: number;
}
