import type { Fleet, FleetNode } from "./fleet.ts";

/**
 * Who was heard last, so that it can be said of any node whether others are heard without looking
 * through all of them: the latest two are enough, since at most one of them is the node itself.
 */
export class Heard {
  #latest: FleetNode | null = null;
  #latestMonoMs = -Infinity;
  #secondMonoMs = -Infinity;

  constructor(fleet: Fleet) {
    for (const node of fleet.values()) {
      if (node.state === "unknown" || node.state === "silent") continue;
      if (node.countedMonoMs > this.#latestMonoMs) {
        this.#secondMonoMs = this.#latestMonoMs;
        this.#latestMonoMs = node.countedMonoMs;
        this.#latest = node;
      } else if (node.countedMonoMs > this.#secondMonoMs) this.#secondMonoMs = node.countedMonoMs;
    }
  }

  /** Says whether another node was heard after this moment: then the observer is no island. */
  othersThan(node: FleetNode, sinceMonoMs: number): boolean {
    return (node === this.#latest ? this.#secondMonoMs : this.#latestMonoMs) > sinceMonoMs;
  }
}
