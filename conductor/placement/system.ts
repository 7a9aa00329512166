/**
 * Apps of type `system`: one replica on every eligible node, also as nodes come and go. To
 * `reconcile()` and its rollouts such an app is one of so many replicas, whose index says on which
 * node it lives.
 */

import type { AppSpec } from "../../core/manifest/spec.ts";
import { whyNever } from "./feasible.ts";
import type { Candidate } from "./ledger.ts";
import type { Buckets, Sight } from "../reconcile.ts";
import type { App } from "../state.ts";

/** A node, and whether it counts as there: one that is suspected of being silent still does. */
export interface Seat {
  readonly node: Candidate;
  readonly present: boolean;
}

/**
 * Nodes on which the app shall have a replica, by name. A cordoned node keeps the one that it has; one
 * that is being drained does not.
 */
export function seatsOf(
  spec: AppSpec,
  seats: readonly Seat[],
  draining: (node: string) => boolean,
): Candidate[] {
  return seats.filter(({ node, present }) => {
    if (!present || draining(node.id) || whyNever(spec, node) !== null) return false;
    return node.bar === null || node.apps.has(spec.name);
  }).map((seat) => seat.node);
}

/** Compares a system app by `compare`, with as many replicas as there are seats. */
export function compareSystem(
  app: App,
  sights: readonly Sight[],
  nodes: readonly Candidate[],
  compare: (app: App, sights: readonly Sight[]) => Buckets,
): Buckets {
  const seatOf = new Map(nodes.map((node, index) => [node.id, index]));
  const seated: Sight[] = [];
  const leave: Buckets["leave"][number][] = [];
  for (const sight of sights) {
    const { placement, nodeName } = sight;
    const index = seatOf.get(placement.node);
    if (index !== undefined) seated.push({ ...sight, placement: { ...placement, index } });
    // What is on its way out, or out, is compared as ever; it has no seat.
    else if (placement.leaving || sight.node === "dead") {
      seated.push({ ...sight, placement: { ...placement, index: nodes.length } });
    } else leave.push({ replica: placement.replica, reason: `it has no place on ${nodeName} now` });
  }
  seated.sort((a, b) => a.placement.index - b.placement.index);
  const buckets = compare({ ...app, count: nodes.length }, seated);
  return {
    ...buckets,
    leave: [...buckets.leave, ...leave],
    seats: nodes.map((node) => node.id),
  };
}
