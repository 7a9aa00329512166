/** What each node has given away: the sums that placing, feasibility and ranking look at. */

import { invariant } from "../../core/errors.ts";
import type { AppSpec } from "../../core/manifest/spec.ts";

/** A node as the scheduler sees it: what it has, and what is taken. */
export interface Candidate {
  readonly id: string;
  name: string;
  alive: boolean;
  /** Why nothing may be placed here whatever its room, or `null`. */
  bar: string | null;
  ramTotalBytes: number;
  cores: number;
  gpu: boolean;
  labels: Readonly<Record<string, string>>;
  ramUsedBytes: number;
  coresUsed: number;
  replicas: number;
  /** App -> its replicas here. */
  readonly apps: Map<string, number>;
  /** App -> replicas here that will not have it beside them. */
  readonly avoided: Map<string, number>;
  /** Fixed port -> replicas that insist on it; more than one only while one of them leaves. */
  readonly fixedPorts: Map<number, number>;
}

export class Ledger {
  readonly #candidates = new Map<string, Candidate>();
  /** Ids of nodes in the order of their names: every walk is the same every time. */
  #ordered: Candidate[] | null = null;

  /** The node's line, made if it is new. A node not heard of yet has nothing to give. */
  node(id: string): Candidate {
    let candidate = this.#candidates.get(id);
    if (!candidate) {
      candidate = {
        id,
        name: id,
        alive: false,
        bar: null,
        ramTotalBytes: 0,
        cores: 0,
        gpu: false,
        labels: {},
        ramUsedBytes: 0,
        coresUsed: 0,
        replicas: 0,
        apps: new Map(),
        avoided: new Map(),
        fixedPorts: new Map(),
      };
      this.#candidates.set(id, candidate);
      this.#ordered = null;
    }
    return candidate;
  }

  /** Tells what a node has. */
  describe(id: string, facts: Partial<Candidate>): void {
    const candidate = this.node(id);
    if (facts.name !== undefined && facts.name !== candidate.name) this.#ordered = null;
    Object.assign(candidate, facts);
  }

  /** A copy that may be changed without consequences. */
  fork(): Ledger {
    const fork = new Ledger();
    for (const [id, node] of this.#candidates) {
      fork.#candidates.set(id, {
        ...node,
        apps: new Map(node.apps),
        avoided: new Map(node.avoided),
        fixedPorts: new Map(node.fixedPorts),
      });
    }
    return fork;
  }

  /** Forgets a node on which nothing is booked. */
  drop(id: string): void {
    invariant((this.#candidates.get(id)?.replicas ?? 0) === 0, `node ${id} still has replicas`);
    this.#candidates.delete(id);
    this.#ordered = null;
  }

  /** All nodes, by name and then id. */
  all(): readonly Candidate[] {
    this.#ordered ??= [...this.#candidates.values()].sort((a, b) =>
      a.name < b.name ? -1 : a.name > b.name ? 1 : a.id < b.id ? -1 : 1
    );
    return this.#ordered;
  }

  /** Books one replica of the app on the node. */
  take(id: string, spec: AppSpec): void {
    this.#book(id, spec, 1);
  }

  /** Gives back what `take` took. */
  give(id: string, spec: AppSpec): void {
    this.#book(id, spec, -1);
  }

  #book(id: string, spec: AppSpec, sign: 1 | -1): void {
    const node = this.node(id);
    node.ramUsedBytes += sign * (spec.ramBytes ?? 0);
    // Fractions are kept to a millionth: sums must not depend on the order of their parts.
    node.coresUsed = Math.round((node.coresUsed + sign * (spec.cpu ?? 0)) * 1e6) / 1e6;
    node.replicas += sign;
    bump(node.apps, spec.name, sign);
    for (const app of spec.place.avoid) bump(node.avoided, app, sign);
    if (spec.port?.fixed) bump(node.fixedPorts, spec.port.number, sign);
    invariant(node.replicas >= 0, `node ${node.name} gave back more replicas than it had`);
  }
}

function bump<K>(counts: Map<K, number>, key: K, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
