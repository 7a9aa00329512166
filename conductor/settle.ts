/** What follows from a decision that is durable: bookings, orders, and its lines in the history. */

import type { Instant } from "../core/instant.ts";
import type { Cluster } from "./cluster.ts";
import { dropStatus } from "./fleet/fleet.ts";
import { describeRun } from "./jobs/job_state.ts";
import type { Decision } from "./placement/plan.ts";
import { type App, type Placement, placementOf, specOf } from "./state.ts";

/** @param before the placements that the decision ends, as they were */
export function settleDecision(
  cluster: Cluster,
  decision: Decision,
  before: ReadonlyMap<string, Placement>,
  now: Instant,
): void {
  const { state, orders } = cluster;
  for (const place of decision.place) {
    book(cluster, state.apps.get(place.app)!, place);
    orders.want("run", place.replica, place.node, now.monoMs);
  }
  for (const replica of decision.leave) {
    const placement = before.get(replica);
    if (placement) orders.want("stop", replica, placement.node, now.monoMs);
  }
  for (const replica of decision.gone) {
    const placement = before.get(replica);
    if (placement) forget(cluster, placement);
  }
  for (const { replica } of decision.relabel ?? []) {
    const placement = placementOf(state, replica);
    if (placement) orders.want("run", replica, placement.node, now.monoMs);
  }
  for (const { app, run } of decision.runs ?? []) {
    cluster.record(now, { kind: `run-${run.state}`, app, text: describeRun(app, run) });
  }
  tellReasons(cluster, decision, before, now);
}

/** One reason an operation, in the order of the lists. */
function tellReasons(
  cluster: Cluster,
  decision: Decision,
  before: ReadonlyMap<string, Placement>,
  now: Instant,
): void {
  const { place, leave, gone, move = [], relabel = [], scale = [] } = decision;
  const appOf = (replica: string) => placementOf(cluster.state, replica)?.app;
  const apps = [
    ...place.map((each) => each.app),
    ...[...leave, ...gone].map((replica) => before.get(replica)?.app),
    ...move.map(appOf),
    ...relabel.map(({ replica }) => appOf(replica)),
    ...scale.map((each) => each.app),
  ];
  decision.reasons.forEach((text, at) => {
    const app = apps[at];
    const kind = at < apps.length - scale.length ? "decided" : "scaled";
    cluster.record(now, { kind, ...(app === undefined ? {} : { app }), text });
  });
}

/** Books what the replica takes of its node. */
export function book(
  cluster: Cluster,
  app: App,
  place: Pick<Placement, "node" | "generation" | "part">,
): void {
  const spec = specOf(app, place);
  if (spec) cluster.ledger.take(place.node, spec);
}

/** The replica has no place any more. */
function forget(cluster: Cluster, placement: Placement): void {
  const { state, ledger, orders, fleet } = cluster;
  const { replica, node, app } = placement;
  const spec = specOf(state.apps.get(app)!, placement);
  if (spec) ledger.give(node, spec);
  orders.drop(replica);
  cluster.readySince.delete(app, replica);
  cluster.answeredStops.delete(replica);
  cluster.accepted(replica);
  const known = fleet.get(node);
  const status = known?.statuses.get(replica);
  if (known && status?.state === "finished") {
    dropStatus(known, replica);
    // The node drops it, too, when it knows that it may.
    if (!placement.leaving) orders.want("stop", replica, node, -Infinity);
  } else if (known && status && known.state !== "dead") {
    // Its node was given up and is back already: what has moved must not run there, too.
    orders.want("stop", replica, node, -Infinity);
  }
}
