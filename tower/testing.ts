// A tower's machine with a clock of its own, for tests.

import type { Address } from "../core/address.ts";
import {
  decodeMesh,
  encodeMesh,
  type Endpoint,
  type MeshMessage,
  type Route,
  type WatcherMessage,
  type WatchMessage,
  watchShape,
} from "../core/mesh.ts";
import { parseShaped } from "../core/shape.ts";
import { type TowerEffect, TowerMachine, type TowerOptions } from "./machine.ts";

export const LOCAL: Address = { hostname: "127.0.0.11", port: 7775 };
export const STRANGER: Address = { hostname: "192.0.2.7", port: 40_000 };

/** A node id of 32 characters, and a boot of 16. */
export const nodeId = (number: number) => number.toString(16).padStart(32, "0");
export const bootId = (number: number) => number.toString(16).padStart(16, "0");

/** An endpoint of a replica `r<number>` of an app. */
export function endpointOf(replica: string, app = "api", port = 8_001): Endpoint {
  return { replica, app, generation: 1, node: "node-1", host: "127.0.0.11", port };
}

export function routeOf(app: string, path: string): Route {
  return { app, path, sticky: false, weight: 1, tlsRequired: false };
}

/** Drives one machine and keeps what it did. */
export class Rig {
  readonly machine: TowerMachine;
  readonly closed: { readonly watcher: number; readonly reason: string }[] = [];
  readonly log: string[] = [];
  nowMs: number;
  #wakeMs = Infinity;
  #sent: { readonly text: string; readonly to: Address }[] = [];
  readonly #streams = new Map<number, string[]>();
  #watchers = 0;

  constructor(options: Partial<TowerOptions> & { readonly startMs?: number } = {}) {
    this.nowMs = options.startMs ?? 1_000;
    this.machine = new TowerMachine({ boot: bootId(0x70), ...options }, this.#now());
    this.#run(this.machine.step({ k: "start" }, this.#now()));
  }

  /** A tower whose list is complete. */
  static ready(options: ConstructorParameters<typeof Rig>[0] = {}): Rig {
    const rig = new Rig(options);
    rig.advance(2_000);
    return rig;
  }

  /** Sends a plain command; returns the reply, or `null` for none. */
  plain(text: string, from: Address = LOCAL): string | null {
    this.#run(this.machine.step({ k: "datagram", text, from }, this.#now()));
    return this.#take()[0] ?? null;
  }

  /** Sends a mesh message; returns what came back, pushes to others included. */
  mesh(message: MeshMessage, from: Address = LOCAL): MeshMessage[] {
    const text = encodeMesh(message);
    this.#run(this.machine.step({ k: "datagram", text, from }, this.#now()));
    return this.pushed();
  }

  /** The mesh messages sent since the last question. */
  pushed(): MeshMessage[] {
    return this.#take().map((text) => decodeMesh(text)!);
  }

  /** Lets time pass, with the ticks that the machine asked for. */
  advance(byMs: number): void {
    const untilMs = this.nowMs + byMs;
    while (this.#wakeMs <= untilMs) {
      this.nowMs = Math.max(this.nowMs, this.#wakeMs);
      this.#wakeMs = Infinity;
      this.#run(this.machine.step({ k: "tick" }, this.#now()));
    }
    this.nowMs = untilMs;
  }

  /** Opens a stream, without a hello. */
  connect(host = "127.0.0.1", app: string | null = null): number {
    const watcher = ++this.#watchers;
    this.#streams.set(watcher, []);
    const event = { k: "watcher-connected", watcher, host, app } as const;
    this.#run(this.machine.step(event, this.#now()));
    return watcher;
  }

  /** Opens a stream and says hello; what it is told waits in `heard`. */
  watch(
    role: "ingress" | "conductor" | "client",
    options: { readonly name?: string; readonly app?: string; readonly host?: string } = {},
  ): number {
    const watcher = this.connect(options.host, options.app ?? null);
    this.say(watcher, { k: "hello", role, name: options.name ?? `${role}-${watcher}` });
    return watcher;
  }

  say(watcher: number, message: WatcherMessage): void {
    this.sayText(watcher, JSON.stringify(message));
  }

  sayText(watcher: number, text: string): void {
    this.#run(this.machine.step({ k: "watcher-message", watcher, text }, this.#now()));
  }

  /** An ingress acknowledges the current revision, or an older one. */
  ack(watcher: number, busy: readonly string[] = [], revision = this.revision): void {
    this.say(watcher, { k: "ack", revision, busy });
  }

  hangUp(watcher: number): void {
    this.#run(this.machine.step({ k: "watcher-closed", watcher }, this.#now()));
  }

  /** What a watcher was told since the last question. */
  heard(watcher: number): WatchMessage[] {
    return this.#streams.get(watcher)!.splice(0).map((text) => parseShaped(watchShape, text)!);
  }

  get revision(): number {
    return this.machine.watch.revision;
  }

  /** Replica ids that are listed, sorted. */
  get listed(): string[] {
    return this.machine.registry.endpoints().map((endpoint) => endpoint.replica).sort();
  }

  #now() {
    return { monoMs: this.nowMs, wallMs: this.nowMs };
  }

  #take(): string[] {
    const sent = this.#sent;
    this.#sent = [];
    return sent.map((datagram) => datagram.text);
  }

  #run(effects: readonly TowerEffect[]): void {
    for (const effect of effects) {
      switch (effect.k) {
        case "datagram":
          this.#sent.push(effect);
          break;
        case "send":
          this.#streams.get(effect.watcher)!.push(effect.text);
          break;
        case "close":
          this.closed.push(effect);
          break;
        case "wake":
          this.#wakeMs = effect.atMonoMs;
          break;
        case "log":
          this.log.push(effect.message);
          break;
        default:
          effect satisfies never;
      }
    }
  }
}

/** Messages as a node writes them. */
export class NodeVoice {
  readonly node: string;
  readonly boot: string;
  #request = 0;
  #order: number;

  constructor(number: number, boot: number) {
    this.node = nodeId(number);
    this.boot = bootId(boot);
    this.#order = boot * 1_000;
  }

  register(endpoints: readonly Endpoint[]): MeshMessage {
    const { node, boot } = this;
    return { k: "register", node, boot, request: this.#id(), order: ++this.#order, endpoints };
  }

  /** All pages of a whole registration. */
  whole(endpoints: readonly Endpoint[], perPage = 64): MeshMessage[] {
    const { node, boot } = this;
    const pages = Math.max(1, Math.ceil(endpoints.length / perPage));
    const request = this.#id();
    const order = ++this.#order;
    return Array.from({ length: pages }, (_, page) => ({
      k: "register",
      node,
      boot,
      request,
      order,
      endpoints: endpoints.slice(page * perPage, (page + 1) * perPage),
      whole: { page, pages },
    }));
  }

  deregister(replica: string): MeshMessage {
    const { node, boot } = this;
    return { k: "deregister", node, boot, replica, order: ++this.#order };
  }

  lease(count: number, digest: number): MeshMessage {
    return { k: "lease", node: this.node, boot: this.boot, count, digest, port: 7_775 };
  }

  #id(): string {
    return `${this.boot.slice(-4)}-${++this.#request}`;
  }
}
