// The watch streams: who listens, and what each is told.

import {
  TOWER_WATCHERS,
  WATCH_DELTA_ITEMS,
  WATCH_GONE_REPLICAS,
  WATCH_HELLO_MS,
} from "../core/limits.ts";
import type { Endpoint, Route, WatcherMessage, WatchMessage } from "../core/mesh.ts";
import type { Changes, Registry } from "./registry.ts";

/** What a watcher says it is. */
export type Role = Extract<WatcherMessage, { k: "hello" }>["role"];

/** What a watch asks of the outside: text to a stream, or its end. */
export type WatchEffect =
  | { readonly k: "send"; readonly watcher: number; readonly text: string; readonly whole: boolean }
  | {
    readonly k: "close";
    readonly watcher: number;
    readonly code: number;
    readonly reason: string;
  };

interface Watcher {
  readonly id: number;
  /** Only this app's endpoints, and no routes; all of it when `null`. */
  readonly app: string | null;
  readonly connectedMs: number;
  /** `null` until its hello; it is told nothing before. */
  role: Role | null;
}

/**
 * All watch streams of a tower. Every message is written once and shared by all who get it.
 *
 * A stream begins with `hello` from the watcher and a `snapshot` for it, then deltas as they
 * happen. A stream opened as `/watch?app=NAME` gets only that app's endpoints and no routes; its
 * revisions have gaps.
 */
export class Watch {
  readonly #watchers = new Map<number, Watcher>();
  /** Those that were told a snapshot of everything, and of one app. */
  readonly #all = new Set<Watcher>();
  readonly #byApp = new Map<string, Set<Watcher>>();
  readonly #silent = new Set<Watcher>();
  readonly #registry: Registry;
  readonly #boot: string;
  #routes: readonly Route[] = [];
  #routesText = "[]";
  #snapshotText: string | null = null;
  #revision: number;
  #complete = false;
  /** What went while the list was not complete: who connects then may still have it. */
  readonly #gone = new Set<string>();

  constructor(registry: Registry, boot: string, revision: number) {
    this.#registry = registry;
    this.#boot = boot;
    this.#revision = revision;
  }

  /** Grows with every change that watchers are told of. */
  get revision(): number {
    return this.#revision;
  }

  /** False while a fresh tower has not heard of every node yet. */
  get isComplete(): boolean {
    return this.#complete;
  }

  /** The table of routes that was published last. */
  get routes(): readonly Route[] {
    return this.#routes;
  }

  has(watcher: number): boolean {
    return this.#watchers.has(watcher);
  }

  /** The one app that a stream asked for; `null` if for everything. */
  appOf(watcher: number): string | null {
    return this.#watchers.get(watcher)?.app ?? null;
  }

  /** What a watcher said it is; `null` before its hello. */
  roleOf(watcher: number): Role | null {
    return this.#watchers.get(watcher)?.role ?? null;
  }

  /** How many streams of each role there are; `null` for those that have not said hello. */
  count(role: Role | null): number {
    if (role === null) return this.#silent.size;
    let sum = 0;
    for (const watcher of this.#watchers.values()) if (watcher.role === role) sum++;
    return sum;
  }

  /** When a stream has to be closed for want of a hello, ms. */
  get nextExpiryMs(): number {
    const first = this.#silent.values().next().value;
    return first === undefined ? Infinity : first.connectedMs + WATCH_HELLO_MS;
  }

  connected(id: number, app: string | null, nowMs: number): WatchEffect[] {
    if (this.#watchers.size >= TOWER_WATCHERS) {
      return [{ k: "close", watcher: id, code: 1013, reason: "too many watchers" }];
    }
    const watcher: Watcher = { id, app, connectedMs: nowMs, role: null };
    this.#watchers.set(id, watcher);
    this.#silent.add(watcher);
    return [];
  }

  closed(id: number): void {
    const watcher = this.#watchers.get(id);
    if (watcher === undefined) return;
    this.#watchers.delete(id);
    this.#silent.delete(watcher);
    this.#all.delete(watcher);
    if (watcher.app === null) return;
    const group = this.#byApp.get(watcher.app);
    group?.delete(watcher);
    if (group?.size === 0) this.#byApp.delete(watcher.app);
  }

  /** Closes one stream and forgets it. */
  close(id: number, code: number, reason: string): WatchEffect {
    this.closed(id);
    return { k: "close", watcher: id, code, reason };
  }

  /** Tells a watcher that the tower is there. */
  alive(id: number): WatchEffect {
    return { k: "send", watcher: id, text: encode({ k: "alive" }), whole: false };
  }

  /** Closes the streams that have not said hello in time. */
  expire(nowMs: number): WatchEffect[] {
    const effects: WatchEffect[] = [];
    for (const watcher of this.#silent) {
      if (watcher.connectedMs + WATCH_HELLO_MS > nowMs) break;
      effects.push(this.close(watcher.id, 1008, "no hello came"));
    }
    return effects;
  }

  /** A watcher said who it is: from here on it is told everything, beginning with a snapshot. */
  hello(id: number, role: Role): WatchEffect[] {
    const watcher = this.#watchers.get(id);
    if (watcher === undefined) return [];
    watcher.role = role;
    this.#silent.delete(watcher);
    if (watcher.app === null) this.#all.add(watcher);
    else {
      const group = this.#byApp.get(watcher.app);
      if (group === undefined) this.#byApp.set(watcher.app, new Set([watcher]));
      else group.add(watcher);
    }
    const effects: WatchEffect[] = [
      { k: "send", watcher: id, text: this.#snapshot(watcher.app), whole: true },
    ];
    // A new conductor cannot tell how much the figures grow before it has heard them whole.
    if (role === "conductor") effects.push(...this.forward({ k: "figures-please" }, "ingress"));
    if (this.#gone.size > 0) {
      const down = Array.from(this.#gone);
      const text = encode({ k: "delta", revision: this.#revision, up: [], down });
      effects.push({ k: "send", watcher: id, text, whole: true });
    }
    // From here on it may ask for that. An ingress is told it at each `ack`.
    if (role !== "ingress") effects.push(this.alive(id));
    return effects;
  }

  /** Tells every watcher what changed in the registry. */
  tell(changes: Changes): WatchEffect[] {
    const effects: WatchEffect[] = [];
    const up = Array.from(changes.up.values());
    const down = Array.from(changes.down.values());
    for (const { replica } of up) this.#gone.delete(replica);
    for (const { replica } of down) this.#remember(replica);
    const items = Math.max(up.length, down.length);
    for (let at = 0; at < items; at += WATCH_DELTA_ITEMS) {
      this.#advance();
      const part = [at, at + WATCH_DELTA_ITEMS] as const;
      this.#delta(up.slice(...part), down.slice(...part), changes.lost, effects);
    }
    return effects;
  }

  /** A replica that is not listed here may be in tables of the time before this tower: it is gone. */
  tellGone(replica: string): WatchEffect[] {
    this.#advance();
    this.#remember(replica);
    const text = encode({ k: "delta", revision: this.#revision, up: [], down: [replica] });
    return this.#toAll(this.#watchers.values(), text, false);
  }

  /** Hands a message on to all watchers of a role; it says nothing of the list. */
  forward(message: WatchMessage, to: Role): WatchEffect[] {
    let text: string | null = null;
    const effects: WatchEffect[] = [];
    for (const { id, role } of this.#all) {
      if (role !== to) continue;
      effects.push({ k: "send", watcher: id, text: text ??= encode(message), whole: false });
    }
    return effects;
  }

  /** The conductor published its table of routes. Nothing happens if it is the same. */
  publish(routes: readonly Route[]): WatchEffect[] {
    const text = JSON.stringify(routes);
    if (text === this.#routesText) return [];
    this.#routes = routes;
    this.#routesText = text;
    this.#advance();
    return this.#toAll(
      this.#all,
      encode({ k: "routes", revision: this.#revision, routes }),
      false,
    );
  }

  /** The list is complete from here on; says it whole to everyone. */
  complete(): WatchEffect[] {
    this.#complete = true;
    this.#gone.clear();
    this.#advance();
    const revision = this.#revision;
    const endpoints = this.#registry.endpoints();
    const effects = this.#toAll(this.#all, encode({ k: "complete", revision, endpoints }), true);
    for (const [app, group] of this.#byApp) {
      const own = this.#registry.placesOf(app);
      const text = encode({ k: "complete", revision, endpoints: own });
      effects.push(...this.#toAll(group, text, true));
    }
    return effects;
  }

  #remember(replica: string): void {
    if (!this.#complete && this.#gone.size < WATCH_GONE_REPLICAS) this.#gone.add(replica);
  }

  #advance(): void {
    this.#revision++;
    this.#snapshotText = null;
  }

  #delta(
    up: Endpoint[],
    down: Endpoint[],
    lost: ReadonlySet<string>,
    effects: WatchEffect[],
  ): void {
    const revision = this.#revision;
    const write = (up: Endpoint[], down: Endpoint[]) => {
      const ids = down.map((endpoint) => endpoint.replica);
      const lostIds = lost.size === 0 ? [] : ids.filter((id) => lost.has(id));
      return encode({
        k: "delta",
        revision,
        up,
        down: ids,
        ...(lostIds.length === 0 ? {} : { lost: lostIds }),
      });
    };
    if (this.#all.size > 0) effects.push(...this.#toAll(this.#all, write(up, down), false));
    if (this.#byApp.size === 0) return;
    const upByApp = Map.groupBy(up, (endpoint) => endpoint.app);
    const downByApp = Map.groupBy(down, (endpoint) => endpoint.app);
    for (const app of new Set([...upByApp.keys(), ...downByApp.keys()])) {
      const group = this.#byApp.get(app);
      if (group === undefined) continue;
      const text = write(upByApp.get(app) ?? [], downByApp.get(app) ?? []);
      effects.push(...this.#toAll(group, text, false));
    }
  }

  #snapshot(app: string | null): string {
    if (app === null && this.#snapshotText !== null) return this.#snapshotText;
    const text = encode({
      k: "snapshot",
      tower: this.#boot,
      revision: this.#revision,
      complete: this.#complete,
      endpoints: app === null ? this.#registry.endpoints() : this.#registry.placesOf(app),
      routes: app === null ? this.#routes : [],
    });
    if (app === null) this.#snapshotText = text;
    return text;
  }

  #toAll(watchers: Iterable<Watcher>, text: string, whole: boolean): WatchEffect[] {
    const effects: WatchEffect[] = [];
    for (const { id, role } of watchers) {
      if (role !== null) effects.push({ k: "send", watcher: id, text, whole });
    }
    return effects;
  }
}

function encode(message: WatchMessage): string {
  return JSON.stringify(message);
}
