// The conductor's streams to all its towers: while it leads, and no longer.

import type { Address } from "../../core/address.ts";
import type { Seal } from "../../core/live/roster_seal.ts";
import type { Route } from "../../core/mesh.ts";
import type { ConductorEvent } from "../effects.ts";
import { TowerLink } from "./tower.ts";

export class TowerLinks implements Disposable {
  #links: TowerLink[] = [];
  /** Whoever begins to lead says which nodes are dead before its streams are there. */
  #lost: readonly string[] = [];

  constructor(
    private readonly towers: readonly Address[],
    private readonly receive: (event: ConductorEvent) => void,
    private readonly seal?: Seal,
  ) {}

  /** @param term in which the conductor leads; 0: alone, without terms */
  open(term: number): void {
    this[Symbol.dispose]();
    const { receive, seal } = this;
    this.#links = this.towers.map((tower) => new TowerLink(tower, term, receive, seal));
    for (const link of this.#links) link.lost(this.#lost);
  }

  publish(routes: readonly Route[]): void {
    for (const link of this.#links) link.publish(routes);
  }

  lost(nodes: readonly string[]): void {
    this.#lost = nodes;
    for (const link of this.#links) link.lost(nodes);
  }

  [Symbol.dispose](): void {
    for (const link of this.#links.splice(0)) link[Symbol.dispose]();
  }
}
