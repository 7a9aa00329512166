/**
 * Which replicas may be stopped for a new generation: those whose replacement has a node that said it
 * could run it. Until then the old ones go on.
 */

import { chooseFor } from "./choose.ts";
import type { Ledger } from "./ledger.ts";
import type { Verdict } from "./preparing.ts";
import type { Buckets, Operation } from "./reconcile.ts";
import { type App, currentOf, holdsVolume, type Placement, specOf } from "./state.ts";

/** Whether a node can run the app's current generation. */
export type Prepared = (node: string) => Verdict;

/** Where nothing is executed, nobody is asked. */
export const UNASKED: Prepared = () => ({ at: "ok" });

export interface Replacing {
  readonly leave: readonly Operation[];
  /** What is not stopped yet, and why. */
  readonly wait: readonly string[];
  /** Why no node would take what replaces them, node by node. */
  readonly refusals: readonly string[];
}

export function mayReplace(
  app: App,
  buckets: Buckets,
  ledger: Ledger,
  prepared: Prepared,
): Replacing {
  const olds = (buckets.replace ?? []).flatMap((operation) => {
    const placement = app.placements.get(operation.replica);
    return placement ? [{ operation, placement }] : [];
  });
  if (olds.length === 0) return { leave: [], wait: [], refusals: [] };
  const { nodes, refusals } = nextNodes(app, olds.map((each) => each.placement), buckets, ledger);
  const leave: Operation[] = [];
  const wait: string[] = [];
  for (const [at, { operation }] of olds.entries()) {
    const node = nodes[at];
    if (node === undefined) continue;
    const line = waitLine(app, operation.replica, ledger.node(node).name, prepared(node));
    if (line === null) leave.push(operation);
    else wait.push(line);
  }
  return { leave, wait, refusals };
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
  const { choices, refusals } = chooseFor(spec, wanted, ledger, home, seats);
  for (const { node } of choices) ledger.give(node, spec);
  for (const { node, spec } of booked) ledger.take(node, spec);
  const nodes = indices.map((index) => choices.find((each) => each.index === index)?.node);
  return { nodes, refusals };
}
