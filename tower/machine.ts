// The tower: one registry, what nodes and operators say to it, and what its watchers are told.

import { type Address, inNetworks } from "../core/address.ts";
import type { Instant } from "../core/instant.ts";
import {
  TOWER_DRAINS,
  TOWER_PULSE_MS,
  TOWER_WARMUP_MAX_MS,
  TOWER_WARMUP_MS,
} from "../core/limits.ts";
import {
  decodeMesh,
  encodeMesh,
  type Mesh,
  type MeshMessage,
  type Route,
  watcherShape,
} from "../core/mesh.ts";
import { maySay } from "../core/seal/permits.ts";
import type { Peer } from "../core/seal/primitives.ts";
import { parseShaped } from "../core/shape.ts";
import { type Drain, Drains } from "./drains.ts";
import { Blindness } from "./blindness.ts";
import { Registry } from "./registry.ts";
import { Sleepers } from "./sleepers.ts";
import { type Access, accessOf, answerPlain } from "./v1.ts";
import { type Role, Watch, type WatchEffect } from "./watch.ts";

/** What a tower is told. */
export type TowerEvent =
  /** First of all, once. */
  | { readonly k: "start" }
  | { readonly k: "datagram"; readonly text: string; readonly from: Address }
  /** A watch stream was opened; `app` if it asks for one app only. Ids are never used again. */
  | {
    readonly k: "watcher-connected";
    readonly watcher: number;
    readonly host: string;
    readonly app: string | null;
    /** Who has proved to be there, where the stream is sealed. */
    readonly peer?: Peer;
  }
  | { readonly k: "watcher-message"; readonly watcher: number; readonly text: string }
  | { readonly k: "watcher-closed"; readonly watcher: number }
  /** The time asked for by `wake` has come (early or late does no harm). */
  | { readonly k: "tick" };

/** What a tower wants done. */
export type TowerEffect =
  | WatchEffect
  | { readonly k: "datagram"; readonly text: string; readonly to: Address }
  /** Send a `tick` at this time; replaces what was asked before. */
  | { readonly k: "wake"; readonly atMonoMs: number }
  | {
    readonly k: "log";
    readonly level: "info" | "warn";
    readonly message: string;
    readonly fields: Readonly<Record<string, unknown>>;
  };

export interface TowerOptions {
  /** This start of the tower: 16 lower-case hex characters. */
  readonly boot: string;
  /** Networks that may read without a seal, besides loopback. */
  readonly plain?: readonly string[];
  /** Whether unsealed daemons beyond loopback may take part. */
  readonly meshOpen?: boolean;
  /** Whether only sealed ones may. */
  readonly sealed?: boolean;
  readonly registry?: Registry;
}

/** What happened so far, for `/metrics`. */
export interface TowerCounters {
  /** v1 commands, lookups and mesh messages that were understood, by verb or kind. */
  readonly handled: Map<string, number>;
  /** Neither v1 nor a mesh message for a tower, or from a watcher and malformed. */
  garbage: number;
  /** From an address that may not. */
  refused: number;
  /** Of an earlier boot of a node, or older than what is known. */
  stale: number;
  /** Turned away because a bound was reached. */
  full: number;
  nodesLapsed: number;
  drained: number;
}

/**
 * The tower's machine. `step` takes one event and the time, and returns what is to be done; it
 * holds no clock, no socket and no chance.
 */
export class TowerMachine {
  readonly registry: Registry;
  readonly watch: Watch;
  readonly drains = new Drains();
  readonly access: Access;
  readonly counters: TowerCounters = {
    handled: new Map(),
    garbage: 0,
    refused: 0,
    stale: 0,
    full: 0,
    nodesLapsed: 0,
    drained: 0,
  };
  readonly #boot: string;
  /** Where each node was heard last: there it is told when a replica is drained. */
  readonly #nodeAddress = new Map<string, Address>();
  readonly #watcherHost = new Map<number, string>();
  /** Who has proved to be at the other end of a sealed stream. */
  readonly #watcherPeer = new Map<number, Peer>();
  /** When the list is complete: at the first if every known node has said all, else by the last. */
  #complete: { readonly firstMs: number; readonly lastMs: number } | null = null;
  readonly #blindness = new Blindness();
  readonly #sleepers = new Sleepers();
  #wakeMs = Infinity;
  /** The greatest term of a conductor that was heard of. */
  #term = 0;
  #effects: TowerEffect[] = [];

  constructor(options: TowerOptions, now: Instant) {
    this.#boot = options.boot;
    this.registry = options.registry ?? new Registry();
    const mesh = options.meshOpen ? "open" : options.sealed ? "sealed" : "loopback";
    this.access = accessOf(options.plain ?? [], mesh, inNetworks);
    // Revisions go on growing over a restart, so that an ingress's last word to the tower before
    // cannot be taken for one to this (256 changes a second are room enough; 40 bits until 2106).
    const revision = Math.floor(now.wallMs / 1_000) % 2 ** 32 * 256;
    this.watch = new Watch(this.registry, options.boot, revision);
  }

  step(event: TowerEvent, now: Instant): TowerEffect[] {
    const nowMs = now.monoMs;
    this.#effects = [];
    if (event.k === "start") {
      this.#complete = { firstMs: nowMs + TOWER_WARMUP_MS, lastMs: nowMs + TOWER_WARMUP_MAX_MS };
    }
    const isBlind = this.#blindness.step(nowMs, this.#wakeMs);
    if (!isBlind) this.#expire(nowMs, event.k === "tick");
    this.#handle(event, nowMs);
    this.#tell();
    if (!isBlind) this.#completeIfDue(nowMs);
    this.#wake(nowMs, event.k === "tick");
    return this.#effects;
  }

  #handle(event: TowerEvent, nowMs: number): void {
    switch (event.k) {
      case "start":
      case "tick":
        return;
      case "datagram":
        if (event.text.startsWith("{")) this.#meshText(event.text, event.from, nowMs);
        else this.#plain(event.text, event.from, nowMs);
        return;
      case "watcher-connected":
        this.#watcherHost.set(event.watcher, event.host);
        if (event.peer) this.#watcherPeer.set(event.watcher, event.peer);
        this.#effects.push(...this.watch.connected(event.watcher, event.app, nowMs));
        return;
      case "watcher-message":
        this.#watcher(event.watcher, event.text, nowMs);
        return;
      case "watcher-closed":
        this.#watcherHost.delete(event.watcher);
        this.#watcherPeer.delete(event.watcher);
        this.watch.closed(event.watcher);
        this.drains.closed(event.watcher);
        return;
      default:
        event satisfies never;
    }
  }

  // ---- Datagrams ------------------------------------------------------------------------------

  #plain(text: string, from: Address, nowMs: number): void {
    const answer = answerPlain(this.registry, text, from.hostname, this.access, nowMs);
    if (answer === null || answer === "ERR|UNAUTHORIZED") this.counters.refused++;
    else if (answer === "ERR|unknown command") this.counters.garbage++;
    else this.#count(text.slice(0, /^[A-Z]*/.exec(text)![0].length));
    if (answer !== null) this.#effects.push({ k: "datagram", text: answer, to: from });
  }

  #meshText(text: string, from: Address, nowMs: number): void {
    if (!from.peer && !this.access.mayWrite(from.hostname)) {
      this.counters.refused++;
      return;
    }
    const message = decodeMesh(text);
    if (message === null || !isForTower(message)) {
      this.counters.garbage++;
      return;
    }
    if (!maySay(from.peer, message)) {
      this.counters.refused++;
      return;
    }
    this.#count(message.k);
    switch (message.k) {
      case "lease":
        return this.#lease(message, from, nowMs);
      case "register":
        return this.#register(message, from, nowMs);
      case "deregister":
        return this.#deregister(message, from, nowMs);
      default:
        message satisfies never;
    }
  }

  #lease(message: Mesh<"lease">, from: Address, nowMs: number): void {
    const digest = this.registry.renew(message, nowMs);
    if (digest === null) return this.#ignored(message.node);
    this.#nodeAddress.set(message.node, from);
    this.#sleepers.note(message.node, message.asleep);
    this.#answer({ k: "lease-ok", tower: this.#boot, node: message.node, digest }, from);
  }

  #register(message: Mesh<"register">, from: Address, nowMs: number): void {
    const result = this.registry.register(message, nowMs);
    switch (result) {
      case "stale":
        this.counters.stale++;
        return;
      case "full":
        this.counters.full++;
        return;
      case "applied":
        this.#answer({
          k: "register-ok",
          tower: this.#boot,
          node: message.node,
          request: message.request,
        }, from);
        // falls through
      case "partial":
        this.#nodeAddress.set(message.node, from);
        return;
      default:
        result satisfies never;
    }
  }

  #deregister(message: Mesh<"deregister">, from: Address, nowMs: number): void {
    const result = this.registry.deregister(message, nowMs);
    if (result === "stale") {
      this.counters.stale++;
      return;
    }
    if (this.registry.node(message.node) !== undefined) {
      this.#nodeAddress.set(message.node, from);
    }
    this.#tell();
    if (this.drains.waiting >= TOWER_DRAINS) {
      this.counters.full++;
      return;
    }
    const { replica, node, order } = message;
    const isNew = this.drains.of(replica) === undefined;
    if (this.registry.entry(replica) !== undefined) {
      // Another node has it. This one has nothing there that could be in use.
      this.#answer(this.#deregisterOk(node, replica, order, true), from);
      return;
    }
    // A fresh tower does not know the replica, but watchers may still know it from the one before.
    if (result === "unknown" && isNew && !this.watch.isComplete) {
      this.#effects.push(...this.watch.tellGone(replica));
    }
    const drain = this.drains.begin(replica, node, this.watch.revision, nowMs);
    drain.order = order;
    const drained = drain.drainedMs !== null;
    if (drained && isNew) this.counters.drained++;
    this.#answer(this.#deregisterOk(node, replica, order, drained), from);
  }

  #deregisterOk(
    node: string,
    replica: string,
    order: number | undefined,
    drained: boolean,
  ): Mesh<"deregister-ok"> {
    return { k: "deregister-ok", tower: this.#boot, node, replica, order, drained };
  }

  #ignored(node: string): void {
    if (this.registry.node(node) === undefined) this.counters.full++;
    else this.counters.stale++;
  }

  #answer(message: MeshMessage, to: Address): void {
    this.#effects.push({ k: "datagram", text: encodeMesh(message), to });
  }

  #count(kind: string): void {
    this.counters.handled.set(kind, (this.counters.handled.get(kind) ?? 0) + 1);
  }

  // ---- Watchers -------------------------------------------------------------------------------

  #watcher(watcher: number, text: string, nowMs: number): void {
    if (!this.watch.has(watcher)) return;
    const message = parseShaped(watcherShape, text);
    const role = this.watch.roleOf(watcher);
    if (message === null || (message.k === "hello") !== (role === null)) {
      this.counters.garbage++;
      this.#close(watcher, 1007, "not a message of the watch stream");
      return;
    }
    switch (message.k) {
      case "hello":
        return this.#hello(watcher, message.role, message.name, nowMs);
      case "ack": {
        if (role !== "ingress") return this.#close(watcher, 1008, "only an ingress acknowledges");
        // A revision that is yet to come was said by an older tower: no more than a sign of life.
        const revision = message.revision > this.watch.revision ? 0 : message.revision;
        this.#effects.push(this.watch.alive(watcher));
        return this.#drained(this.drains.acked(watcher, revision, message.busy, nowMs));
      }
      case "ping":
        this.#effects.push(this.watch.alive(watcher));
        return;
      case "publish":
        if (role !== "conductor") return this.#close(watcher, 1008, "only a conductor publishes");
        if (this.#isOf(message)) this.#publish(message.routes);
        return;
      case "figures":
      case "wake":
        if (role !== "ingress") return this.#close(watcher, 1008, "only an ingress sees requests");
        this.#effects.push(...this.watch.forward(message, "conductor"));
        // A node knows by itself whether a conductor leads that does it.
        if (message.k === "wake") this.#askToWake(message.app, nowMs);
        return;
      case "lost":
        if (role !== "conductor") {
          return this.#close(watcher, 1008, "only a conductor judges nodes");
        }
        if (this.#isOf(message)) this.#lose(message.nodes, nowMs);
        return;
      default:
        message satisfies never;
    }
  }

  #askToWake(app: string, nowMs: number): void {
    const node = this.#sleepers.whom(app, nowMs);
    const to = node === null ? undefined : this.#nodeAddress.get(node);
    if (node !== null && to) this.#answer({ k: "wake-app", node, app }, to);
  }

  #hello(watcher: number, role: Role, name: string, nowMs: number): void {
    const host = this.#watcherHost.get(watcher) ?? "";
    const peer = this.#watcherPeer.get(watcher);
    const may = peer
      ? role === "client" || role === peer.role
      : role === "client"
      ? this.access.mayRead(host)
      : this.access.mayWrite(host);
    if (!may) {
      this.counters.refused++;
      return this.#close(watcher, 1008, "this address may not watch; see --plain and --mesh");
    }
    if (role !== "client" && this.watch.appOf(watcher) !== null) {
      return this.#close(watcher, 1008, "only a client may watch a single app");
    }
    this.#effects.push(...this.watch.hello(watcher, role));
    if (role === "ingress") {
      this.drains.connected(watcher, name, this.watch.revision, nowMs);
    }
    if (role !== "client") this.#log("info", "{role} {name} watches", { role, name });
  }

  /** Says whether this is said by who leads now, as far as anybody has told. */
  #isOf({ term = 0 }: { readonly term?: number | undefined }): boolean {
    if (term < this.#term) return false;
    this.#term = term;
    return true;
  }

  #publish(routes: readonly Route[]): void {
    const effects = this.watch.publish(routes);
    this.#effects.push(...effects);
    if (effects.length > 0) {
      this.#log("info", "{count} routes published", { count: routes.length });
    }
  }

  #lose(nodes: readonly string[], nowMs: number): void {
    for (const node of nodes) {
      const lapsed = this.registry.lose(node, nowMs);
      if (lapsed === null) continue;
      this.counters.nodesLapsed++;
      this.#forget(node);
      this.#log("warn", "node {node} is lost, says the conductor: {endpoints} endpoints go down", {
        ...lapsed,
      });
    }
  }

  #forget(node: string): void {
    this.#nodeAddress.delete(node);
    this.#sleepers.forget(node);
  }

  #close(watcher: number, code: number, reason: string): void {
    this.#effects.push(this.watch.close(watcher, code, reason));
    this.drains.closed(watcher);
  }

  // ---- What time brings -----------------------------------------------------------------------

  #expire(nowMs: number, isTick: boolean): void {
    if (this.registry.nextExpiryMs <= nowMs) {
      for (const { node, endpoints } of this.registry.expire(nowMs)) {
        this.counters.nodesLapsed++;
        this.#forget(node);
        if (endpoints === 0) continue;
        this.#log("warn", "node {node} has gone silent: {endpoints} endpoints go down", {
          node,
          endpoints,
        });
      }
    }
    if (isTick || this.drains.nextExpiryMs <= nowMs) {
      const { settled, lapsed } = this.drains.expire(nowMs);
      for (const name of lapsed) {
        this.#log("warn", "ingress {name} has gone silent: it is not waited for", { name });
      }
      this.#drained(settled);
    }
    if (this.watch.nextExpiryMs <= nowMs) {
      for (const effect of this.watch.expire(nowMs)) {
        this.drains.closed(effect.watcher);
        this.#effects.push(effect);
      }
    }
  }

  /**
   * By `firstMs` every node has spoken and every ingress has connected. One that holds more than it could say until then is waited
   * for: a watcher removes what is not in the complete list.
   */
  #completeIfDue(nowMs: number): void {
    if (this.#complete === null || nowMs < this.#complete.firstMs) return;
    if (!this.drains.isOpen) this.#drained(this.drains.open(this.watch.revision, nowMs));
    if (this.registry.unsettledCount > 0 && nowMs < this.#complete.lastMs) return;
    this.#complete = null;
    this.#effects.push(...this.watch.complete());
    this.#log("info", "the list is complete: {endpoints} endpoints on {nodes} nodes", {
      endpoints: this.registry.size,
      nodes: this.registry.nodeCount,
    });
  }

  get #completeDueMs(): number {
    if (this.#complete === null) return Infinity;
    const { firstMs, lastMs } = this.#complete;
    // After that, while a node is unsettled, it is its next word that completes the list, not time.
    return this.drains.isOpen ? lastMs : firstMs;
  }

  #drained(drains: readonly Drain[]): void {
    for (const { node, replica, order } of drains) {
      this.counters.drained++;
      const to = this.#nodeAddress.get(node);
      if (to !== undefined) this.#answer(this.#deregisterOk(node, replica, order, true), to);
    }
  }

  /** Tells the watchers what has changed since the last telling. */
  #tell(): void {
    const changes = this.registry.takeChanges();
    if (changes === null) return;
    for (const replica of changes.up.keys()) this.drains.forget(replica);
    this.#effects.push(...this.watch.tell(changes));
  }

  #wake(nowMs: number, isTick: boolean): void {
    const firstMs = Math.min(
      this.registry.nextExpiryMs,
      this.#completeDueMs,
      this.drains.nextExpiryMs,
      this.watch.nextExpiryMs,
    );
    const dueMs = firstMs === Infinity
      ? Infinity
      : Math.min(Math.max(firstMs, this.#blindness.untilMs), nowMs + TOWER_PULSE_MS);
    if (isTick) this.#wakeMs = Infinity;
    if (dueMs >= this.#wakeMs) return;
    this.#wakeMs = dueMs;
    this.#effects.push({ k: "wake", atMonoMs: dueMs });
  }

  #log(level: "info" | "warn", message: string, fields: Record<string, unknown>): void {
    this.#effects.push({ k: "log", level, message, fields });
  }
}

type ForTower = Mesh<"lease"> | Mesh<"register"> | Mesh<"deregister">;

function isForTower(message: MeshMessage): message is ForTower {
  return message.k === "lease" || message.k === "register" || message.k === "deregister";
}
