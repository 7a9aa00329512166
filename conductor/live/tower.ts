// The conductor's stream to the tower: the table of routes goes there.

import type { Address } from "../../core/address.ts";
import type { Route, WatcherMessage } from "../../core/mesh.ts";
import { logger } from "../../core/live/log.ts";

/** Keeps the tower's table of routes as the conductor has it, through restarts of either. */
export class TowerLink implements Disposable {
  readonly #url: string;
  #routes: readonly Route[] = [];
  #socket: WebSocket | null = null;
  #waitMs = 50;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(tower: Address) {
    this.#url = `ws://${tower.hostname}:${tower.port}/watch`;
    this.#connect();
  }

  publish(routes: readonly Route[]): void {
    this.#routes = routes;
    this.#sendRoutes();
  }

  /** These nodes are dead now, and no others. */
  lost(_nodes: readonly string[]): void {}

  get connected(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  #sendRoutes(): void {
    if (this.connected) this.#send({ k: "publish", routes: this.#routes });
  }

  #send(message: WatcherMessage): void {
    this.#socket?.send(JSON.stringify(message));
  }

  #connect(): void {
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.onopen = () => {
      this.#waitMs = 50;
      this.#send({ k: "hello", role: "conductor", name: "conductor" });
      this.#sendRoutes();
    };
    socket.onerror = (event) => event.preventDefault();
    socket.onclose = () => {
      if (this.#closed) return;
      logger("tower").debug("no stream to the tower; again in {ms} ms", { ms: this.#waitMs });
      this.#timer = setTimeout(() => this.#connect(), this.#waitMs);
      this.#waitMs = Math.min(1_000, this.#waitMs * 2);
    };
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }
}
