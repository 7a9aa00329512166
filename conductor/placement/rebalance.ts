/**
 * Which replicas would be better off elsewhere: after a node came, came back or was lost, replicas
 * stay where they are until somebody asks for this. A move must be worth its while, and moving what
 * was moved back must not be: so each one makes the worse node better than the better one was.
 */

import { REBALANCE_LOAD, REBALANCE_MOVES } from "../../core/limits.ts";
import { whyNot } from "./feasible.ts";
import type { Candidate, Ledger } from "./ledger.ts";
import { compareRanks, explainRank, type Rank, rank } from "./rank.ts";
import { type App, currentOf, existsOnce, holdsVolume, type Placement } from "../state.ts";

export interface Move {
  readonly app: string;
  readonly replica: string;
  /** Ids. */
  readonly from: string;
  readonly to: string;
  readonly reason: string;
}

/** At most `REBALANCE_MOVES` moves, the ones of earlier names first. The ledger is left as it was. */
export function rebalance(apps: Iterable<App>, ledger: Ledger): Move[] {
  const moves: Move[] = [];
  const specs = new Map<string, ReturnType<typeof currentOf>["spec"]>();
  for (const app of [...apps].sort((a, b) => a.name < b.name ? -1 : 1)) {
    const { spec } = currentOf(app);
    // What runs to its end is not begun anew elsewhere; what has a volume cannot move.
    if (app.down || spec.type !== "service" && spec.type !== "wasm") continue;
    if (holdsVolume(spec) || existsOnce(spec)) continue;
    specs.set(app.name, spec);
    const moved = new Set<string>();
    while (moves.length < REBALANCE_MOVES) {
      const move = bestMove(app, ledger, moved);
      if (!move) break;
      ledger.give(move.from, spec);
      ledger.take(move.to, spec);
      moved.add(move.replica);
      moves.push(move);
    }
  }
  for (const { app, from, to } of moves) {
    ledger.give(to, specs.get(app)!);
    ledger.take(from, specs.get(app)!);
  }
  return moves;
}

function bestMove(app: App, ledger: Ledger, moved: ReadonlySet<string>): Move | null {
  const { spec, generation } = currentOf(app);
  const here = new Map<string, Placement>();
  for (const placement of app.placements.values()) {
    const { replica, node, leaving, moving } = placement;
    if (leaving || moving || moved.has(replica) || placement.generation !== generation) continue;
    here.set(node, placement);
  }
  const nodes = ledger.all();
  const groups = groupsOf(app.name, spec, nodes);
  let best: { readonly node: Candidate; readonly rank: Rank } | null = null;
  for (const node of nodes) {
    if (whyNot(spec, node) !== null) continue;
    const its = rank(spec, node, groups);
    if (!best || compareRanks(its, best.rank) < 0) best = { node, rank: its };
  }
  if (!best) return null;
  let worst: { readonly placement: Placement; readonly rank: Rank } | null = null;
  for (const [id, placement] of here) {
    if (id === best.node.id) continue;
    // As if it were not there: how good would the place be for it now?
    ledger.give(id, spec);
    const its = rank(spec, ledger.node(id), groupsOf(app.name, spec, nodes));
    ledger.take(id, spec);
    if (!worst || compareRanks(its, worst.rank) > 0) worst = { placement, rank: its };
  }
  if (!worst || !isWorthIt(best.rank, worst.rank)) return null;
  const { replica, node: from } = worst.placement;
  const why = `${explainRank(best.rank)} on ${best.node.name}`;
  const reason = `move ${replica} off ${ledger.node(from).name}: ${why}`;
  return { app: app.name, replica, from, to: best.node.id, reason };
}

function groupsOf(
  app: string,
  { place: { spread } }: ReturnType<typeof currentOf>["spec"],
  nodes: readonly Candidate[],
): Map<string, number> {
  const groups = new Map<string, number>();
  if (spread === "node") return groups;
  for (const node of nodes) {
    const group = node.labels[spread.label] ?? "";
    groups.set(group, (groups.get(group) ?? 0) + (node.apps.get(app) ?? 0));
  }
  return groups;
}

/** Says whether a place is so much better that it pays to move there. */
function isWorthIt(to: Rank, from: Rank): boolean {
  for (const criterion of ["missed", "far", "crowd"] as const) {
    if (to[criterion] !== from[criterion]) return to[criterion] < from[criterion];
  }
  if (Math.abs(to.load - from.load) > REBALANCE_LOAD) return to.load < from.load;
  return to.replicas < from.replicas && from.load >= to.load - REBALANCE_LOAD / 2;
}
