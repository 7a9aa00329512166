// The conductor's stream to the tower: the table of routes and the word of lost nodes go there, what
// the ingresses see of the requests comes from there.

import type { Address } from "../../core/address.ts";
import { type Route, type WatcherMessage, watchShape } from "../../core/mesh.ts";
import { parseShaped } from "../../core/shape.ts";
import { logger } from "../../core/live/log.ts";
import type { Seal } from "../../core/live/roster_seal.ts";
import type { ConductorEvent } from "../effects.ts";

/** How the messages begin that are for conductors; the list of replicas need not be read here. */
const OURS = /^\{"k":"(?:figures|wake)"/;

/** Keeps the tower's table of routes as the conductor has it, through restarts of either. */
export class TowerLink implements Disposable {
  readonly #tower: Address;
  readonly #seal: Seal | undefined;
  readonly #receive: (event: ConductorEvent) => void;
  /** `null`: whoever begins to lead has not published yet, and the tower keeps what it has. */
  #routes: readonly Route[] | null = null;
  #lost: readonly string[] = [];
  #socket: WebSocket | null = null;
  #waitMs = 50;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  #wasHeard: boolean | null = null;

  readonly #term: { readonly term?: number };

  /** @param term in which the conductor leads; 0: alone, without terms */
  constructor(
    tower: Address,
    term: number,
    receive: (event: ConductorEvent) => void,
    seal?: Seal,
  ) {
    this.#term = term === 0 ? {} : { term };
    this.#receive = receive;
    this.#tower = tower;
    this.#seal = seal;
    this.#connect();
  }

  publish(routes: readonly Route[]): void {
    this.#routes = routes;
    this.#sendRoutes();
  }

  /** These nodes are dead, and no others. Said again to a tower that comes back. */
  lost(nodes: readonly string[]): void {
    this.#lost = nodes;
    if (this.connected) this.#send({ k: "lost", nodes, ...this.#term });
  }

  get connected(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  #sendRoutes(): void {
    const routes = this.#routes;
    if (routes && this.connected) this.#send({ k: "publish", routes, ...this.#term });
  }

  #send(message: WatcherMessage): void {
    this.#socket?.send(JSON.stringify(message));
  }

  #connect(): void {
    const { hostname, port } = this.#tower;
    const socket = this.#seal?.socket(this.#tower, { role: "tower" }, "/watch") ??
      new WebSocket(`ws://${hostname}:${port}/watch`);
    this.#socket = socket;
    const at = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
    socket.onopen = () => {
      this.#heard(at, true);
      this.#waitMs = 50;
      this.#send({ k: "hello", role: "conductor", name: "conductor" });
      this.#sendRoutes();
      if (this.#lost.length > 0) this.#send({ k: "lost", nodes: this.#lost, ...this.#term });
    };
    socket.onmessage = ({ data }) => {
      if (typeof data === "string" && OURS.test(data)) this.#take(data);
    };
    socket.onerror = (event) => event.preventDefault();
    socket.onclose = () => {
      if (this.#closed) return;
      this.#heard(at, false);
      logger("tower").debug("no stream to the tower; again in {ms} ms", { ms: this.#waitMs });
      this.#timer = setTimeout(() => this.#connect(), this.#waitMs);
      this.#waitMs = Math.min(1_000, this.#waitMs * 2);
    };
  }

  /** Told when it changes. */
  #heard(at: string, heard: boolean): void {
    if (this.#wasHeard === heard) return;
    this.#wasHeard = heard;
    this.#receive({ on: "tower", at, heard });
  }

  #take(text: string): void {
    const message = parseShaped(watchShape, text);
    if (message?.k === "figures") {
      const { k: _k, ...figures } = message;
      this.#receive({ on: "figures", figures });
    } else if (message?.k === "wake") this.#receive({ on: "wake", app: message.app });
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }
}
