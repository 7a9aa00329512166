// A daemon's stream to its towers, as core/dial.ts says.

import { Dial, type DialEffect, type DialEvent, type DialOptions } from "../dial.ts";
import { isAlive, type WatcherMessage } from "../mesh.ts";
import { createPrng } from "../prng.ts";

/** What becomes of the stream. */
export interface TowerListener {
  connected(tower: number): void;
  /** @param sinceMonoMs since when the tower may be gone */
  lost(tower: number, stood: boolean, sinceMonoMs: number): void;
  /** Says whether it was a message of the watch stream; if not, the stream begins anew. */
  heard(text: string, tower: number): boolean;
}

/** Holds the watch stream of one of the towers, and hands over what comes. */
export class TowerStream implements Disposable {
  readonly #dial: Dial;
  #socket: WebSocket | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerMs = Infinity;
  #closed = false;

  /** @param open begins a stream to the tower of this number */
  constructor(
    private readonly open: (tower: number) => WebSocket,
    options: DialOptions,
    private readonly listener: TowerListener,
  ) {
    this.#dial = new Dial(options, createPrng(crypto.getRandomValues(new Uint32Array(1))[0]!));
    this.#step({ on: "start" });
  }

  get connected(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Sends if the stream stands; what matters is said anew when the next one does. */
  send(message: WatcherMessage): void {
    if (this.connected) this.#socket!.send(JSON.stringify(message));
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  #step(event: DialEvent): void {
    if (this.#closed) return;
    for (const effect of this.#dial.step(event, performance.now())) this.#perform(effect);
    // What is due later than before is found out when that time has come.
    const { dueMs } = this.#dial;
    if (dueMs >= this.#timerMs) return;
    clearTimeout(this.#timer);
    this.#timerMs = dueMs;
    this.#timer = setTimeout(() => {
      this.#timerMs = Infinity;
      this.#step({ on: "tick" });
    }, Math.max(0, dueMs - performance.now()));
  }

  #perform(effect: DialEffect): void {
    switch (effect.do) {
      case "dial":
        return this.#connect(effect.tower, effect.call);
      case "close":
        return this.#socket?.close();
      case "ask":
        return this.send({ k: "ping" });
      case "connected":
        return this.listener.connected(effect.tower);
      case "lost":
        return this.listener.lost(effect.tower, effect.stood, effect.sinceMs);
      default:
        effect satisfies never;
    }
  }

  #connect(tower: number, call: number): void {
    const socket = this.open(tower);
    this.#socket = socket;
    socket.onopen = () => this.#step({ on: "opened", call });
    socket.onmessage = ({ data }) => {
      if (this.#closed || !this.#dial.isCurrent(call)) return;
      const text = typeof data === "string" ? data : "";
      this.#step({ on: "heard", call, alive: isAlive(text) });
      if (!this.listener.heard(text, tower)) socket.close();
    };
    // What follows an error is its close.
    socket.onerror = (event) => event.preventDefault();
    socket.onclose = () => this.#step({ on: "closed", call });
  }
}
