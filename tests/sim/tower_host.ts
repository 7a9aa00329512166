import { type TowerEffect, type TowerEvent, TowerMachine } from "../../tower/machine.ts";
import { Daemon, type Ground, towerAt } from "./daemon.ts";
import type { Address } from "../../core/address.ts";
import type { Stream } from "./network.ts";

export class TowerHost extends Daemon {
  machine: TowerMachine | null = null;
  readonly #streams = new Map<number, Stream>();
  #nextWatcher = 1;
  #wakeMs = Infinity;
  #close = () => {};

  readonly address: Address;

  constructor(ground: Ground, readonly index = 1) {
    super(ground, index === 1 ? "tower" : `tower-${index}`, towerAt(index).hostname);
    this.address = towerAt(index);
  }

  protected begin(): void {
    this.machine = new TowerMachine({
      boot: this.ground.prng.hex(16),
      plain: ["10.0.0.0/8"],
      meshOpen: true,
    }, this.now);
    this.#close = this.ground.network.open(
      this.address,
      (text, from) => this.enter(() => this.#step({ k: "datagram", text, from })),
    );
    this.#step({ k: "start" });
  }

  protected end(): void {
    this.machine = null;
    this.#close();
    for (const stream of [...this.#streams.values()]) stream.break();
    this.#streams.clear();
  }

  /** A stream to it stands once it has answered, which it does when it is not paused. */
  accept(stream: Stream): void {
    const watcher = this.#nextWatcher++;
    this.#streams.set(watcher, stream);
    stream.onServer = (text) =>
      this.enter(() => this.#step({ k: "watcher-message", watcher, text }));
    stream.onServerLost = () => {
      this.#streams.delete(watcher);
      this.enter(() => this.#step({ k: "watcher-closed", watcher }));
    };
    this.enter(() => {
      this.#step({ k: "watcher-connected", watcher, host: stream.client, app: null });
      stream.opened();
    });
  }

  #step(event: TowerEvent): void {
    if (!this.machine) return;
    for (const effect of this.machine.step(event, this.now)) this.#perform(effect);
  }

  /** Replaces what was asked for before. */
  #wake(atMs: number): void {
    this.#wakeMs = atMs;
    this.later(Math.max(0.1, atMs - this.now.monoMs), () => {
      if (this.#wakeMs === atMs) this.#step({ k: "tick" });
    });
  }

  #perform(effect: TowerEffect): void {
    switch (effect.k) {
      case "datagram":
        return this.ground.network.send(effect.text, this.address, effect.to);
      case "send":
        return this.#streams.get(effect.watcher)?.toClient(effect.text);
      case "close":
        return this.#streams.get(effect.watcher)?.break();
      case "wake":
        return this.#wake(effect.atMonoMs);
      case "log":
        return;
      default:
        effect satisfies never;
    }
  }
}
