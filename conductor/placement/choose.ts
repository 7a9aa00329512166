/** Picks nodes for several replicas of one app: feasible, then best ranked, one after another. */

import type { AppSpec } from "../../core/manifest/spec.ts";
import { whyNot } from "./feasible.ts";
import type { Candidate, Ledger } from "./ledger.ts";
import { compareRanks, explainRank, type Rank, rank } from "./rank.ts";
import { holdsVolume } from "../state.ts";

export interface Choice {
  readonly node: string;
  readonly reason: string;
}

/** Node id -> why it cannot run this, though it seems to have room for it. */
export type Unable = ReadonlyMap<string, string>;

/** Node id -> replicas of the app there that leave, or are to be replaced. */
export type Passing = ReadonlyMap<string, number>;

const NONE: Unable = new Map();
const NO_PASSING: Passing = new Map();

/**
 * Chooses a node for each of `count` replicas and books it in the ledger. Fewer choices than asked
 * come back where no node can take more; `refusals` then says why, node by node.
 */
export function choose(
  spec: AppSpec,
  count: number,
  ledger: Ledger,
  home?: string,
  unable = NONE,
  passing = NO_PASSING,
): { readonly choices: Choice[]; readonly refusals: string[] } {
  if (count === 0) return { choices: [], refusals: [] };
  const nodes = ledger.all();
  const able = unable.size === 0 ? nodes : nodes.filter((node) => !unable.has(node.id));
  const queue = new Queue(spec, able, home, passing);
  const choices: Choice[] = [];
  while (choices.length < count) {
    const best = queue.takeBest();
    if (!best) return { choices, refusals: refusals(spec, nodes, home, unable) };
    ledger.take(best.node.id, spec);
    queue.putBack(best.node);
    home ??= homeOf(spec, best.node);
    queue.home = home;
    choices.push({ node: best.node.id, reason: explainRank(best.rank) });
  }
  return { choices, refusals: [] };
}

/** The node of each of these replicas, by index; those that found none are left out. */
export interface Chosen {
  readonly choices: readonly (Choice & { readonly index: number })[];
  readonly refusals: readonly string[];
}

/**
 * Chooses for replicas of these indices. Where each index has its `seat` (a system app's), the
 * replica goes to that node and nowhere else.
 */
export function chooseFor(
  spec: AppSpec,
  indices: readonly number[],
  ledger: Ledger,
  home?: string,
  seats?: readonly string[],
  unable = NONE,
  passing = NO_PASSING,
): Chosen {
  if (seats) return chooseSeats(spec, indices, seats, ledger);
  const { choices, refusals } = choose(spec, indices.length, ledger, home, unable, passing);
  return { choices: choices.map((each, at) => ({ ...each, index: indices[at]! })), refusals };
}

function chooseSeats(
  spec: AppSpec,
  indices: readonly number[],
  seats: readonly string[],
  ledger: Ledger,
): Chosen {
  const choices: Chosen["choices"][number][] = [];
  const refusals: string[] = [];
  for (const index of indices) {
    const node = ledger.node(seats[index]!);
    const why = whyNot(spec, node);
    if (why === null) {
      ledger.take(node.id, spec);
      choices.push({ index, node: node.id, reason: "one on every node" });
    } else refusals.push(`${node.name}: ${why}`);
  }
  return { choices, refusals };
}

function homeOf(spec: AppSpec, node: Candidate): string | undefined {
  return holdsVolume(spec) ? node.id : undefined;
}

/** Why each node cannot take one, `node-3: needs 256 MiB, 181 MiB free`. */
export function refusals(
  spec: AppSpec,
  nodes: readonly Candidate[],
  home?: string,
  unable = NONE,
): string[] {
  if (nodes.length === 0) return ["no node has joined"];
  return nodes.flatMap((node) => {
    const why = whyNot(spec, node, home) ?? unable.get(node.id) ?? null;
    return why === null ? [] : [`${node.name}: ${why}`];
  });
}

interface Ranked {
  readonly node: Candidate;
  readonly rank: Rank;
  readonly order: number;
}

/**
 * A binary heap of feasible nodes, best first. Booking a replica changes only the rank of its own
 * node, so one replica costs O(log nodes); with `spread label:` it changes a whole group's, and the
 * ranks are then compared afresh at each step.
 */
class Queue {
  home: string | undefined;
  readonly #spec: AppSpec;
  readonly #passing: Passing;
  readonly #groups = new Map<string, number>();
  readonly #order = new Map<string, number>();
  #heap: Ranked[] = [];

  constructor(
    spec: AppSpec,
    nodes: readonly Candidate[],
    home: string | undefined,
    passing: Passing,
  ) {
    this.#spec = spec;
    this.#passing = passing;
    this.home = home;
    const { spread } = spec.place;
    nodes.forEach((node, index) => {
      this.#order.set(node.id, index);
      if (spread !== "node") {
        this.#count(node, (node.apps.get(spec.name) ?? 0) - (passing.get(node.id) ?? 0));
      }
    });
    for (const node of nodes) {
      if (whyNot(spec, node, home) === null) this.#heap.push(this.#ranked(node));
    }
    this.#heap.sort(better);
  }

  takeBest(): Ranked | undefined {
    for (;;) {
      if (this.#spec.place.spread !== "node") this.#rerank();
      const best = this.#heap[0];
      if (!best) return undefined;
      const last = this.#heap.pop()!;
      if (this.#heap.length > 0) this.#sink(last);
      if (whyNot(this.#spec, best.node, this.home) === null) return best;
    }
  }

  putBack(node: Candidate): void {
    if (this.#spec.place.spread !== "node") this.#count(node, 1);
    this.#heap.push(this.#ranked(node));
    this.#rise(this.#heap.length - 1);
  }

  #count(node: Candidate, by: number): void {
    const { spread } = this.#spec.place;
    if (spread === "node") return;
    const group = node.labels[spread.label] ?? "";
    this.#groups.set(group, (this.#groups.get(group) ?? 0) + by);
  }

  #ranked(node: Candidate): Ranked {
    const order = this.#order.get(node.id)!;
    const passing = this.#passing.get(node.id) ?? 0;
    return { node, rank: rank(this.#spec, node, this.#groups, passing), order };
  }

  #rerank(): void {
    this.#heap = this.#heap.map((each) => this.#ranked(each.node)).sort(better);
  }

  #rise(at: number): void {
    const heap = this.#heap;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (better(heap[parent]!, heap[at]!) <= 0) return;
      [heap[parent], heap[at]] = [heap[at]!, heap[parent]!];
      at = parent;
    }
  }

  #sink(item: Ranked): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && better(heap[child + 1]!, heap[child]!) < 0) child++;
      if (better(item, heap[child]!) <= 0) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = item;
  }
}

function better(a: Ranked, b: Ranked): number {
  return compareRanks(a.rank, b.rank) || a.order - b.order;
}
