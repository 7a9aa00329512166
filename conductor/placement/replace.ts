/**
 * Which replicas may be stopped for what replaces them: those whose replacement has a node that said
 * it could run it. Until then the old ones go on.
 */

import { chooseFor, type Unable } from "./choose.ts";
import type { Ledger } from "./ledger.ts";
import type { Verdict } from "./preparing.ts";
import type { Buckets, Operation } from "../reconcile.ts";
import { type App, currentOf, holdsVolume, type Placement, specOf } from "../state.ts";

/** What nodes say of the app's current generation. */
export interface Prepared {
  /** Whether the node can run it. */
  verdict(node: string): Verdict;
  /** Nodes that have said a moment ago that they cannot. */
  unable(): Unable;
  /** Nodes that have said a moment ago that they can, each for one replica. */
  able(): ReadonlySet<string>;
}

/** Where nothing is executed, nobody is asked. */
export const UNASKED: Prepared = {
  verdict: () => ({ at: "ok" }),
  unable: () => new Map(),
  able: () => new Set(),
};

export interface Replacing {
  readonly leave: readonly Operation[];
  /** What is not stopped yet, and why. */
  readonly wait: readonly string[];
  /** Why no node would take what replaces them, node by node. */
  readonly refusals: readonly string[];
}

const NOTHING: Replacing = { leave: [], wait: [], refusals: [] };

interface Old {
  readonly operation: Operation;
  readonly placement: Placement;
}

export function mayReplace(
  app: App,
  buckets: Buckets,
  ledger: Ledger,
  prepared: Prepared,
): Replacing {
  const ofRollout = stopFor(app, oldsOf(app, buckets.replace), buckets, ledger, prepared);
  const movers = oldsOf(app, buckets.move);
  if (movers.length === 0) return ofRollout;
  // One that cannot be run on the best node may still go to the next.
  const unable = new Map<string, string>();
  for (;;) {
    const moved = stopFor(app, movers, buckets, ledger, prepared, unable);
    const faults = [...moved.faults ?? []].filter(([node]) => !unable.has(node));
    for (const [node, reason] of faults) unable.set(node, reason);
    if (faults.length === 0) return bothOf(ofRollout, moved);
  }
}

function bothOf(one: Replacing, other: Replacing): Replacing {
  return {
    leave: [...one.leave, ...other.leave],
    wait: [...one.wait, ...other.wait],
    refusals: [...one.refusals, ...other.refusals],
  };
}

function oldsOf(app: App, operations: readonly Operation[] = []): Old[] {
  return operations.flatMap((operation) => {
    const placement = app.placements.get(operation.replica);
    return placement ? [{ operation, placement }] : [];
  });
}

/** @param unable nodes that are passed over; without it the best node of each counts, and no other */
function stopFor(
  app: App,
  olds: readonly Old[],
  buckets: Buckets,
  ledger: Ledger,
  prepared: Prepared,
  unable?: Unable,
): Replacing & { readonly faults?: ReadonlyMap<string, string> } {
  if (olds.length === 0) return NOTHING;
  const placements = olds.map((each) => each.placement);
  const { nodes, refusals } = nextNodes(app, placements, buckets, ledger, unable);
  const leave: Operation[] = [];
  const wait: string[] = [];
  const faults = new Map<string, string>();
  for (const [at, { operation }] of olds.entries()) {
    const node = nodes[at];
    if (node === undefined) {
      if (unable?.size) wait.push(stuckLine(app, operation.replica));
      continue;
    }
    const verdict = prepared.verdict(node);
    if (verdict.at === "fault") faults.set(node, verdict.reason);
    const line = waitLine(app, operation.replica, ledger.node(node).name, verdict);
    if (line === null) leave.push(operation);
    else wait.push(line);
  }
  return { leave, wait, refusals, faults };
}

function stuckLine(app: App, replica: string): string {
  return `${replica} is not stopped: no other node can run generation ${currentOf(app).generation}`;
}

/** What is waited for before this replica is stopped; `null` where it may be. */
export function waitLine(
  app: App,
  replica: string,
  nodeName: string,
  verdict: Verdict,
): string | null {
  const { generation } = currentOf(app);
  switch (verdict.at) {
    case "ok":
      return null;
    case "wait":
      return `${nodeName} looks whether it can run generation ${generation}, before ${replica} ` +
        "is stopped for it";
    case "fault":
      return `${replica} is not stopped: generation ${generation} cannot run on ${nodeName}: ` +
        verdict.reason;
    default:
      return verdict satisfies never;
  }
}

/** Where the current generation would go if all of these were gone; the ledger is as before then. */
function nextNodes(
  app: App,
  olds: readonly Placement[],
  { seats }: Buckets,
  ledger: Ledger,
  unable?: Unable,
): { readonly nodes: readonly (string | undefined)[]; readonly refusals: readonly string[] } {
  const { spec } = currentOf(app);
  const home = holdsVolume(spec) ? app.home : undefined;
  const indices = olds.map(({ node, index }) => seats ? seats.indexOf(node) : index);
  const booked = olds.flatMap((old) => {
    const spec = specOf(app, old);
    return spec ? [{ node: old.node, spec }] : [];
  });
  for (const { node, spec } of booked) ledger.give(node, spec);
  const wanted = indices.filter((index) => index >= 0);
  const { choices, refusals } = chooseFor(spec, wanted, ledger, home, seats, unable);
  for (const { node } of choices) ledger.give(node, spec);
  for (const { node, spec } of booked) ledger.take(node, spec);
  const nodes = indices.map((index) => choices.find((each) => each.index === index)?.node);
  return { nodes, refusals };
}
