import type { AppSpec } from "../../core/manifest/spec.ts";
import type { Candidate } from "./ledger.ts";

/** How good a node is for one more replica, worst criterion first decided; smaller is better. */
export interface Rank {
  /** Preferred labels that it lacks. */
  readonly missed: number;
  /** Apps it should be near to that do not run there. */
  readonly far: number;
  /** Replicas of the app in its spread group already that stay. */
  readonly crowd: number;
  /** Those there that are on their way out, or to be replaced. */
  readonly passing: number;
  /** The larger share of RAM and cores that would be taken. */
  readonly load: number;
  readonly replicas: number;
}

/**
 * Ranks one node; `groups` counts the app's replicas that stay by value of the spread label,
 * `passing` those on this node that do not: counted with the others, they would drive what replaces
 * them together on the nodes where none of them was.
 */
export function rank(
  spec: AppSpec,
  node: Candidate,
  groups: ReadonlyMap<string, number>,
  passing = 0,
): Rank {
  const { spread, prefer, near } = spec.place;
  return {
    missed: prefer.filter(({ key, value }) => node.labels[key] !== value).length,
    far: near.length === 0 ? 0 : near.filter((app) => !node.apps.has(app)).length,
    crowd: spread === "node"
      ? (node.apps.get(spec.name) ?? 0) - passing
      : groups.get(node.labels[spread.label] ?? "") ?? 0,
    passing,
    load: Math.max(
      (node.ramUsedBytes + (spec.ramBytes ?? 0)) / Math.max(1, node.ramTotalBytes),
      (node.coresUsed + (spec.cpu ?? 0)) / Math.max(0.001, node.cores),
    ),
    replicas: node.replicas,
  };
}

/** Orders two ranks: negative if `a` is the better place. Equal ranks keep the nodes' order. */
export function compareRanks(a: Rank, b: Rank): number {
  return a.missed - b.missed || a.far - b.far || a.crowd - b.crowd || a.passing - b.passing ||
    a.load - b.load || a.replicas - b.replicas;
}

/** Why a node with this rank won, in a few words for the plan. */
export function explainRank(rank: Rank): string {
  if (rank.crowd > 0) return `fewest of the app there (${rank.crowd})`;
  return rank.replicas === 0
    ? "nothing runs there"
    : `most room (${Math.round(rank.load * 100)} %)`;
}
