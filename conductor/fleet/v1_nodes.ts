/**
 * Nodes of the original, which say no more than `HEARTBEAT|...`. They are shown, and nothing is
 * placed on them: they can neither check a signature nor answer an order.
 */

import { V1_NODE_DEAD_MS, V1_NODES } from "../../core/limits.ts";
import type { MeshV1 } from "../../core/wire.ts";

/** Why nothing is placed there. */
export const ONLY_V1 = "speaks only v1";

export interface V1Node {
  readonly id: string;
  readonly name: string;
  /** IP address that it beats from. */
  readonly host: string;
  readonly cpuPercent: number;
  readonly ramFreeMb: number;
  readonly gpu: boolean;
  readonly heardMonoMs: number;
  readonly dead: boolean;
}

export class V1Nodes {
  readonly #nodes = new Map<string, V1Node>();

  get(id: string): V1Node | undefined {
    return this.#nodes.get(id);
  }

  values(): Iterable<V1Node> {
    return this.#nodes.values();
  }

  /**
   * Takes in a heartbeat. What is news comes back: the node, if it is new or was dead, and a dead
   * one that was forgotten for it. Where `V1_NODES` live ones are known, others are not taken in.
   */
  take(
    beat: Extract<MeshV1, { verb: "HEARTBEAT" }>,
    host: string,
    monoMs: number,
  ): { readonly came?: V1Node; readonly forgotten?: V1Node } {
    const known = this.#nodes.get(beat.node);
    const forgotten = known || this.#nodes.size < V1_NODES ? undefined : this.#longestDead();
    if (!known && this.#nodes.size >= V1_NODES && !forgotten) return {};
    if (forgotten) this.#nodes.delete(forgotten.id);
    const { node: id, cpuPercent, ramFreeMb, gpu } = beat;
    const name = `v1-${id.slice(0, 8)}`;
    const node = { id, name, host, cpuPercent, ramFreeMb, gpu, heardMonoMs: monoMs, dead: false };
    this.#nodes.set(id, node);
    return {
      ...(!known || known.dead ? { came: node } : {}),
      ...(forgotten ? { forgotten } : {}),
    };
  }

  /** Those that have been silent for too long since the last call. */
  takeDead(monoMs: number): V1Node[] {
    const dead: V1Node[] = [];
    for (const node of this.#nodes.values()) {
      if (node.dead || monoMs - node.heardMonoMs < V1_NODE_DEAD_MS) continue;
      this.#nodes.set(node.id, { ...node, dead: true });
      dead.push(node);
    }
    return dead;
  }

  /** The node has been replaced by one that speaks the mesh. */
  drop(id: string): boolean {
    return this.#nodes.delete(id);
  }

  #longestDead(): V1Node | undefined {
    return [...this.#nodes.values()].filter((node) => node.dead)
      .sort((a, b) => a.heardMonoMs - b.heardMonoMs)[0];
  }
}
