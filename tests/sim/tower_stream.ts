// The stream of a virtual daemon to its towers, by the real `core/dial.ts`.

import { Dial, type DialEffect, type DialEvent, type DialOptions } from "../../core/dial.ts";
import { isAlive, type WatcherMessage } from "../../core/mesh.ts";
import type { Prng } from "../../core/prng.ts";
import type { Network, Stream } from "./network.ts";
import type { TowerHost } from "./tower_host.ts";

/** What of its daemon a stream needs, and what it tells it. */
export interface StreamOwner {
  readonly host: string;
  readonly network: Network;
  readonly prng: Prng;
  nowMs(): number;
  /** Runs it when the daemon runs, and later. */
  enter(run: () => void): void;
  later(delayMs: number, run: () => void): void;
  connected(tower: TowerHost): void;
  lost(tower: TowerHost, stood: boolean, sinceMs: number): void;
  heard(text: string): void;
}

export class TowerStream {
  readonly #dial: Dial;
  #dueMs = Infinity;
  /** The stream that is under way or stands. */
  #stream: Stream | null = null;
  #closed = false;

  constructor(
    private readonly owner: StreamOwner,
    private readonly towers: readonly TowerHost[],
    options: DialOptions,
  ) {
    this.#dial = new Dial(options, owner.prng);
  }

  start(): void {
    this.#step({ on: "start" });
  }

  close(): void {
    this.#closed = true;
    this.#stream?.break();
    this.#stream = null;
  }

  /** It stands and carries nothing. */
  get hangs(): boolean {
    return this.#stream?.hangs ?? false;
  }

  send(message: WatcherMessage): void {
    this.#stream?.toServer(JSON.stringify(message));
  }

  #step(event: DialEvent): void {
    if (this.#closed) return;
    const { owner } = this;
    for (const effect of this.#dial.step(event, owner.nowMs())) this.#perform(effect);
    const { dueMs } = this.#dial;
    if (dueMs >= this.#dueMs) return;
    this.#dueMs = dueMs;
    owner.later(Math.max(0.1, dueMs - owner.nowMs()), () => {
      if (this.#dueMs !== dueMs) return;
      this.#dueMs = Infinity;
      this.#step({ on: "tick" });
    });
  }

  #perform(effect: DialEffect): void {
    switch (effect.do) {
      case "dial":
        return this.#connect(this.towers[effect.tower]!, effect.call);
      case "close":
        return this.#stream?.break();
      case "ask":
        return this.send({ k: "ping" });
      case "connected":
        return this.owner.connected(this.towers[effect.tower]!);
      case "lost":
        return this.owner.lost(this.towers[effect.tower]!, effect.stood, effect.sinceMs);
      default:
        effect satisfies never;
    }
  }

  #connect(tower: TowerHost, call: number): void {
    const { owner } = this;
    const stream = tower.up ? owner.network.stream(owner.host, tower.host) : null;
    if (!stream) return owner.later(1, () => this.#step({ on: "closed", call }));
    this.#stream = stream;
    stream.onOpen = () => owner.enter(() => this.#step({ on: "opened", call }));
    stream.onClientLost = () => {
      // Nothing comes from there any more, even before it finds that out.
      if (this.#stream === stream) this.#stream = null;
      owner.enter(() => this.#step({ on: "closed", call }));
    };
    stream.onClient = (text) =>
      owner.enter(() => {
        if (this.#closed || !this.#dial.isCurrent(call)) return;
        this.#step({ on: "heard", call, alive: isAlive(text) });
        owner.heard(text);
      });
    tower.accept(stream);
  }
}
