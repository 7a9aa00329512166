import type { Instant } from "../core/instant.ts";
import { FIGURES_CANARY_MS, FIGURES_MS, INGRESS_ALIVE_MS, WAKE_AGAIN_MS } from "../core/limits.ts";
import type { Endpoint, Route, WatcherMessage, WatchMessage } from "../core/mesh.ts";
import { AppPool, type Canary, Replica } from "./balance.ts";
import { FigureBook, RouteBook } from "./figures.ts";
import { Holds } from "./holds.ts";
import { RateLimit } from "./limit.ts";
import { type Match, RouteTable } from "./route.ts";
import type { RequestHead } from "./http1.ts";

/** What happens to the ingress's tables. */
export type IngressEvent =
  /** The watch stream stands; its first message is a snapshot. */
  | { readonly k: "connected" }
  /** It broke. The tables stay. */
  | { readonly k: "lost" }
  | { readonly k: "message"; readonly message: WatchMessage }
  /** From time to time, at least every `INGRESS_ALIVE_MS`. */
  | { readonly k: "tick" };

/** What the live side must do. */
export type IngressEffect =
  /** Send to the tower. */
  | { readonly k: "send"; readonly message: WatcherMessage }
  /** This replica is gone and idle: its connections can be closed. */
  | { readonly k: "forget"; readonly replica: Replica }
  /** It is lost with its node: nothing more comes from there, whatever is under way. */
  | { readonly k: "lost"; readonly replica: Replica }
  /** An app has a replica: what was held for it can go on. */
  | { readonly k: "awake"; readonly app: string }
  /** The routes have changed. */
  | { readonly k: "routes" };

export interface IngressOptions {
  /** Name in the tower's list of watchers. */
  readonly name: string;
  /** Names this start of the ingress among its figures: 16 lower-case hex characters. */
  readonly boot?: string;
  /** Routes that stand beside the published ones. */
  readonly staticRoutes?: readonly Route[];
  /** Replicas that stand beside the registered ones. */
  readonly staticEndpoints?: readonly Endpoint[];
}

/**
 * The ingress's tables: which replicas there are, which routes lead to them, what the tower has
 * been told about them.
 *
 * Loss: the watch stream loses nothing while it stands. After a break the first message is a
 * snapshot. A snapshot that is not complete (a tower that has just started) adds and removes
 * nothing; with no tower at all the last table serves on.
 */
export class IngressMachine {
  /** What is counted of the requests, for whoever judges by it. */
  readonly figures = new FigureBook();
  private readonly routeFigures = new RouteBook();
  /** Requests that wait until their app has a replica; what they are only the live side knows. */
  readonly holds = new Holds<unknown>();
  /** The same for apps whose last replica has just died and is being started again. */
  readonly recovering = new Holds<unknown>();
  private readonly pools = new Map<string, AppPool>();
  private readonly replicas = new Map<string, Replica>();
  /** Removed, with requests still on them. */
  private readonly leaving = new Map<string, Replica>();
  private readonly fixed: ReadonlySet<string>;
  private readonly staticRoutes: readonly Route[];
  private published: readonly Route[] = [];
  private limits = new Map<string, RateLimit>();
  private table: RouteTable;
  private revision = 0;
  private tower = "";
  private connected = false;
  private ackedAtMs = -Infinity;
  private figuresAtMs = -Infinity;
  private readonly wokenAtMs = new Map<string, number>();
  private judged = false;
  /** Apps that are waited for and have got a replica by the message at hand. */
  private readonly came = new Set<string>();
  private told = false;
  private everTold = false;

  constructor(readonly options: IngressOptions, now: Instant) {
    this.staticRoutes = options.staticRoutes ?? [];
    const endpoints = options.staticEndpoints ?? [];
    this.fixed = new Set(endpoints.map((each) => each.replica));
    for (const endpoint of endpoints) this.up(endpoint, now, true);
    this.table = this.tableOf(this.published);
  }

  /** Finds the route of a request. */
  match(bytes: Uint8Array, head: RequestHead): Match | null {
    return this.table.match(bytes, head);
  }

  /** All that a request can be routed to. */
  get routes(): RouteTable {
    return this.table;
  }

  /** All replicas that take requests, and those that finish some. */
  *allReplicas(): Iterable<Replica> {
    yield* this.replicas.values();
    yield* this.leaving.values();
  }

  /** What a person asks the admin port. */
  summary(): {
    readonly tower: string;
    readonly connected: boolean;
    readonly revision: number;
    readonly endpoints: number;
    readonly routes: number;
    readonly busy: readonly string[];
  } {
    return {
      tower: this.tower,
      connected: this.connected,
      revision: this.revision,
      endpoints: this.replicas.size,
      routes: this.table.destinations.length,
      busy: [...this.leaving.keys()],
    };
  }

  /** Whether the tower's table has been seen since the start. */
  get informed(): boolean {
    return this.everTold;
  }

  step(event: IngressEvent, now: Instant): IngressEffect[] {
    switch (event.k) {
      case "connected":
        this.connected = true;
        // Revisions of the tower before mean nothing to this one until its snapshot is applied.
        this.told = false;
        this.wokenAtMs.clear();
        return [
          { k: "send", message: { k: "hello", role: "ingress", name: this.options.name } },
          ...this.tellFigures(now, true),
        ];
      case "lost":
        this.connected = false;
        return [];
      case "message":
        return this.receive(event.message, now);
      case "tick": {
        if (!this.connected) return [];
        const acks = now.monoMs - this.ackedAtMs >= INGRESS_ALIVE_MS ? this.ack(now) : [];
        return [...acks, ...this.wakeHeld(now), ...this.figuresIfDue(now)];
      }
      default:
        return event satisfies never;
    }
  }

  /** A replica has become idle. To be called whenever `outstanding` falls to 0 on a gone one. */
  idle(replica: Replica, now: Instant): IngressEffect[] {
    if (!replica.gone || replica.outstanding > 0) return [];
    const id = replica.endpoint.replica;
    if (this.leaving.get(id) !== replica) return [];
    this.leaving.delete(id);
    return [{ k: "forget", replica }, ...this.ack(now)];
  }

  /** A request waits for an app without replicas: asks for it, unless that was just done. */
  wake(app: string, now: Instant): IngressEffect[] {
    if (!this.connected || now.monoMs - (this.wokenAtMs.get(app) ?? -Infinity) < WAKE_AGAIN_MS) {
      return [];
    }
    this.wokenAtMs.set(app, now.monoMs);
    return [{ k: "send", message: { k: "wake", app } }];
  }

  private wakeHeld(now: Instant): IngressEffect[] {
    const held = [...this.holds.apps()];
    if (held.length === 0) this.wokenAtMs.clear();
    return held.flatMap(([app]) => this.wake(app, now));
  }

  private figuresIfDue(now: Instant): IngressEffect[] {
    const everyMs = this.judged ? FIGURES_CANARY_MS : FIGURES_MS;
    // A tick that comes a little early is the one that was meant.
    return now.monoMs - this.figuresAtMs < everyMs - 20 ? [] : this.tellFigures(now, false);
  }

  private tellFigures(now: Instant, whole: boolean): IngressEffect[] {
    this.figuresAtMs = now.monoMs;
    this.figures.inFlight(this.allReplicas(), [
      ...this.holds.apps(),
      ...this.recovering.apps(),
    ]);
    const { boot, name } = this.options;
    return this.figures.tell(boot ?? NO_BOOT, name, whole, this.routeFigures.changed(whole))
      .map((message) => ({ k: "send", message }));
  }

  private receive(message: WatchMessage, now: Instant): IngressEffect[] {
    const effects: IngressEffect[] = [];
    switch (message.k) {
      case "snapshot": {
        // A list of no routes from another tower may only mean that it was not told yet.
        const sameTower = message.tower === this.tower;
        this.tower = message.tower;
        if (message.complete) this.replaceEndpoints(message.endpoints, now, effects);
        else for (const endpoint of message.endpoints) this.up(endpoint, now, !this.everTold);
        if (message.complete && (sameTower || message.routes.length > 0)) {
          this.setRoutes(message.routes, effects);
        } else this.setRoutes(unionOf(message.routes, this.published), effects);
        break;
      }
      case "delta":
        for (const endpoint of message.up) this.up(endpoint, now, false);
        this.lose(message.lost ?? [], effects);
        for (const id of message.down) this.down(id, effects);
        break;
      case "routes":
        this.setRoutes(message.routes, effects);
        break;
      case "complete":
        this.replaceEndpoints(message.endpoints, now, effects);
        break;
      case "alive":
        return [];
      case "figures-please":
        return this.tellFigures(now, true);
      case "figures":
      case "wake":
        // For conductors.
        return [];
      default:
        return message satisfies never;
    }
    this.told = true;
    this.everTold = true;
    this.revision = message.revision;
    for (const app of this.came) effects.push({ k: "awake", app });
    this.came.clear();
    effects.push(...this.ack(now));
    return effects;
  }

  /** With a lost node goes also what was leaving there with requests under way. */
  private lose(ids: readonly string[], effects: IngressEffect[]): void {
    const nodes = new Set<string>();
    for (const id of ids) {
      const replica = this.replicas.get(id);
      if (replica === undefined || this.fixed.has(id)) continue;
      nodes.add(replica.endpoint.node);
      replica.lost = true;
      effects.push({ k: "lost", replica });
    }
    if (nodes.size === 0) return;
    for (const replica of this.leaving.values()) {
      if (!nodes.has(replica.endpoint.node)) continue;
      replica.lost = true;
      effects.push({ k: "lost", replica });
    }
  }

  private replaceEndpoints(
    endpoints: readonly Endpoint[],
    now: Instant,
    effects: IngressEffect[],
  ): void {
    const warm = !this.everTold;
    const kept = new Set(endpoints.map((each) => each.replica));
    for (const id of [...this.replicas.keys()]) if (!kept.has(id)) this.down(id, effects);
    for (const endpoint of endpoints) this.up(endpoint, now, warm);
  }

  private up(endpoint: Endpoint, now: Instant, warm: boolean): void {
    if (this.holds.has(endpoint.app) || this.recovering.has(endpoint.app)) {
      this.came.add(endpoint.app);
    }
    const known = this.replicas.get(endpoint.replica);
    if (known !== undefined) {
      if (sameEndpoint(known.endpoint, endpoint)) return this.rename(known, endpoint);
      // The id of a replica is never used again, so this is its new address: the old one is gone.
      this.down(endpoint.replica, []);
    }
    const leaving = this.leaving.get(endpoint.replica);
    let replica: Replica;
    if (leaving !== undefined && sameEndpoint(leaving.endpoint, endpoint)) {
      this.leaving.delete(endpoint.replica);
      replica = leaving;
      replica.gone = replica.lost = false;
    } else {
      const counted = this.figures.of(endpoint.app, endpoint.generation);
      replica = new Replica(endpoint, now.monoMs, warm, counted);
    }
    this.replicas.set(endpoint.replica, replica);
    this.poolOf(endpoint.app).add(replica);
  }

  /** It goes on as another generation's; its connections and requests have no part in that. */
  private rename(replica: Replica, endpoint: Endpoint): void {
    const { app, generation } = endpoint;
    if (replica.endpoint.generation === generation) return;
    this.poolOf(app).remove(replica);
    replica.endpoint = endpoint;
    replica.counted = this.figures.of(app, generation);
    this.poolOf(app).add(replica);
  }

  private down(id: string, effects: IngressEffect[]): void {
    const replica = this.replicas.get(id);
    if (replica === undefined || this.fixed.has(id)) return;
    this.replicas.delete(id);
    this.poolOf(replica.endpoint.app).remove(replica);
    replica.gone = true;
    if (replica.outstanding > 0) this.leaving.set(id, replica);
    else effects.push({ k: "forget", replica });
  }

  private setRoutes(routes: readonly Route[], effects: IngressEffect[]): void {
    if (JSON.stringify(routes) === JSON.stringify(this.published)) return;
    this.published = routes;
    this.table = this.tableOf(routes);
    this.splitPools();
    const routed = new Set(this.table.destinations.map((each) => each.pool));
    for (const [app, pool] of this.pools) {
      // What waits for its replicas looks for them in this one.
      const isAwaited = this.holds.has(app) || this.recovering.has(app);
      if (pool.replicas.length === 0 && !routed.has(pool) && !isAwaited) this.pools.delete(app);
    }
    effects.push({ k: "routes" });
  }

  private splitPools(): void {
    const canaries = new Map<AppPool, Canary>();
    for (const { route, pool } of this.table.destinations) {
      if (route.canary !== undefined) canaries.set(pool, route.canary);
    }
    this.judged = canaries.size > 0;
    for (const pool of this.pools.values()) pool.split(canaries.get(pool) ?? null);
  }

  private tableOf(published: readonly Route[]): RouteTable {
    const before = this.limits;
    this.limits = new Map();
    const routes = [...this.staticRoutes, ...published];
    this.routeFigures.keep(routes);
    return new RouteTable(
      routes,
      (app) => this.poolOf(app),
      (route) => this.limitOf(route, before),
      (route) => this.routeFigures.of(route),
    );
  }

  // A change elsewhere in the table gives nobody new tokens.
  private limitOf(route: Route, before: ReadonlyMap<string, RateLimit>): RateLimit | null {
    const { rate } = route;
    if (rate === undefined) return null;
    const key = JSON.stringify([route.host, route.path, route.app, rate]);
    const limit = this.limits.get(key) ?? before.get(key) ??
      new RateLimit(rate.perSecond, rate.burst);
    this.limits.set(key, limit);
    return limit;
  }

  private poolOf(app: string): AppPool {
    let pool = this.pools.get(app);
    if (pool === undefined) this.pools.set(app, pool = new AppPool(app));
    return pool;
  }

  private ack(now: Instant): IngressEffect[] {
    if (!this.connected || !this.told) return [];
    this.ackedAtMs = now.monoMs;
    const busy = [...this.leaving.keys()];
    return [{ k: "send", message: { k: "ack", revision: this.revision, busy } }];
  }
}

const NO_BOOT = "0".repeat(16);

function sameEndpoint(left: Endpoint, right: Endpoint): boolean {
  return left.host === right.host && left.port === right.port && left.app === right.app;
}

function unionOf(fresh: readonly Route[], old: readonly Route[]): readonly Route[] {
  const key = (route: Route) => `${route.host ?? ""} ${route.path} ${route.app}`;
  const known = new Set(fresh.map(key));
  return [...fresh, ...old.filter((route) => !known.has(key(route)))];
}
