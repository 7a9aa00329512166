// The conductor's streams to all its towers: while it leads, and no longer.

import type { Address } from "../../core/address.ts";
import type { Seal } from "../../core/live/roster_seal.ts";
import type { Route, WatcherMessage } from "../../core/mesh.ts";
import type { ConductorEvent } from "../effects.ts";
import { TowerWord } from "../fleet/tower_word.ts";
import { TowerLink } from "./tower.ts";

export class TowerLinks implements Disposable {
  readonly #word = new TowerWord();
  #links: TowerLink[] = [];

  constructor(
    private readonly towers: readonly Address[],
    private readonly receive: (event: ConductorEvent) => void,
    private readonly seal?: Seal,
  ) {}

  /** @param term in which the conductor leads; 0: alone, without terms */
  open(term: number): void {
    this[Symbol.dispose]();
    this.#word.begin(term);
    const { receive, seal } = this;
    this.#links = this.towers.map((tower) => new TowerLink(tower, this.#word, receive, seal));
  }

  publish(routes: readonly Route[]): void {
    this.#send(this.#word.publish(routes));
  }

  lost(nodes: readonly string[]): void {
    this.#send(this.#word.lost(nodes));
  }

  #send(message: WatcherMessage): void {
    for (const link of this.#links) link.send(message);
  }

  [Symbol.dispose](): void {
    for (const link of this.#links.splice(0)) link[Symbol.dispose]();
  }
}
