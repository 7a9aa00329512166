/** What nodes say of their replicas: statuses, reports of all of them, and answers to orders. */

import type { Address } from "../core/address.ts";
import type { Instant } from "../core/instant.ts";
import { RETRY_MAX_MS } from "../core/limits.ts";
import type { Mesh, ReplicaStatus } from "../core/mesh.ts";
import type { Cluster } from "./cluster.ts";
import { describeChange } from "./events.ts";
import { dropStatus, type FleetNode, takeReport, takeStatus } from "./fleet/fleet.ts";
import { standsIn } from "./placement/stand_ins.ts";
import { type Placement, placementOf } from "./state.ts";

/** One replica's status; it is repeated until it is answered. */
export function hearStatus(
  cluster: Cluster,
  message: Mesh<"status">,
  from: Address,
  now: Instant,
): void {
  const { status } = message;
  const node = cluster.fleet.get(message.node);
  if (node?.beat?.boot !== message.boot) return;
  // Only who leads answers: a standby hears it, and the next beat's digest tells what it missed.
  if (cluster.mayOrder(now)) {
    const { replica, version } = status;
    cluster.send(from, { k: "status-ok", node: node.id, replica, version });
  }
  // The last word of a replica that nobody wants any more: the node drops it at our answer.
  if (status.state === "finished" && !placementOf(cluster.state, status.replica)) {
    dropStatus(node, status.replica);
    cluster.orders.drop(status.replica);
    return;
  }
  const taken = takeStatus(node, message.boot, status);
  if (taken) noteStatus(cluster, node, status, taken.before, now);
}

/** A page of all that a node runs; with the last one it replaces what was known. */
export function hearReport(cluster: Cluster, message: Mesh<"report">, now: Instant): void {
  const { state, orders } = cluster;
  const node = cluster.fleet.get(message.node);
  if (!node) return;
  const before = new Map(node.statuses);
  const taken = takeReport(node, message);
  if (!taken) return;
  for (const status of taken.changed) {
    noteStatus(cluster, node, status, before.get(status.replica), now);
  }
  for (const { app, replica } of taken.removed) cluster.readySince.delete(app, replica);
  cluster.touchNode(node);
  for (const replica of state.byNode.get(node.id) ?? []) {
    if (!node.statuses.has(replica) && !orders.get(replica)) {
      wantWhatIsMissing(cluster, node, replica, now);
    }
  }
}

/** The node does not have what is placed there: it may not have heard the order. */
export function wantWhatIsMissing(
  cluster: Cluster,
  node: FleetNode,
  replica: string,
  now: Instant,
): void {
  const leaving = placementOf(cluster.state, replica)?.leaving ?? true;
  cluster.orders.want(leaving ? "stop" : "run", replica, node.id, now.monoMs);
}

/** What is to be ordered about all that the node has reported. */
export function reconsider(cluster: Cluster, node: FleetNode, now: Instant): void {
  for (const status of node.statuses.values()) wantFor(cluster, node, status, now);
}

/** A node answers an order. */
export function hearAnswer(
  cluster: Cluster,
  message: Mesh<"run-ok" | "run-refused" | "stop-ok">,
  now: Instant,
): void {
  const { orders } = cluster;
  const { replica } = message;
  const node = cluster.fleet.get(message.node);
  if (node?.beat?.boot !== message.boot) return;
  if (message.k === "stop-ok") {
    orders.done("stop", replica);
    if (placementOf(cluster.state, replica)?.leaving) {
      cluster.answeredStops.set(replica, now.monoMs);
    }
    return;
  }
  if (message.k === "run-ok") {
    cluster.accepted(replica);
    return orders.done("run", replica);
  }
  const order = orders.get(replica);
  if (order?.kind !== "run") return;
  order.waitMs = RETRY_MAX_MS;
  const placement = placementOf(cluster.state, replica);
  if (placement) noteRefusal(cluster, placement, now);
  if (!placement || cluster.refused.get(replica) === message.reason) return;
  cluster.refused.set(replica, message.reason);
  cluster.emit({ do: "changed", apps: [placement.app] });
  cluster.record(now, {
    kind: "replica-refused",
    app: placement.app,
    node: node.name,
    replica,
    text: `${node.name} will not run ${replica}: ${message.reason}`,
  });
}

/** A node says whether it can run what others are to be stopped for. */
export function hearPrepared(cluster: Cluster, message: Mesh<"prepared">, now: Instant): void {
  if (cluster.fleet.get(message.node)?.beat?.boot !== message.boot) return;
  if (cluster.preparing.take(message, now.monoMs)) cluster.dirty.add(message.app);
}

/** For how long a node has refused is known to the rollout, which does not wait for ever. */
function noteRefusal(cluster: Cluster, { replica, app }: Placement, now: Instant): void {
  if (!cluster.refusedSince.has(replica)) cluster.refusedSince.set(replica, now.monoMs);
  cluster.dirty.add(app);
}

/** A replica's status is news. */
function noteStatus(
  cluster: Cluster,
  node: FleetNode,
  status: ReplicaStatus,
  before: ReplicaStatus | undefined,
  now: Instant,
): void {
  const { replica } = status;
  if (status.state === "ready") cluster.readySince.add(status.app, replica, now.monoMs);
  else cluster.readySince.delete(status.app, replica);
  const placement = wantFor(cluster, node, status, now);
  if (!placement) return;
  cluster.accepted(replica);
  cluster.dirty.add(placement.app);
  for (const app of cluster.needs.needersOf(placement.app)) cluster.dirty.add(app);
  cluster.emit({ do: "changed", apps: [placement.app] });
  for (const event of describeChange(node.name, before, status)) cluster.record(now, event);
}

/** What is to be ordered about a replica; its placement, if it is to be there. */
function wantFor(
  cluster: Cluster,
  node: FleetNode,
  status: ReplicaStatus,
  now: Instant,
): Placement | null {
  const { orders } = cluster;
  const { replica } = status;
  const placement = placementOf(cluster.state, replica);
  if (!placement || placement.node !== node.id) {
    stopStranger(cluster, node, status, now);
    return null;
  }
  if (status.generation === placement.generation) orders.done("run", replica);
  else if (!placement.leaving) orders.want("run", replica, node.id, now.monoMs);
  if (placement.leaving && status.state !== "finished") {
    orders.want("stop", replica, node.id, now.monoMs);
  }
  return placement;
}

/**
 * The node runs what the log no longer wants there. An app that the log has never heard of is left
 * alone: a conductor with an empty store must not stop the work of a whole cluster.
 */
export function stopStranger(
  cluster: Cluster,
  node: FleetNode,
  status: ReplicaStatus,
  now: Instant,
): void {
  const app = cluster.state.apps.get(status.app);
  if (!app || status.generation > (app.generations.at(-1)?.generation ?? 0)) return;
  if (standsIn(cluster, node.id, status)) return;
  cluster.orders.want("stop", status.replica, node.id, now.monoMs);
}
