/**
 * What nodes started by themselves, for a request, while no conductor led (node/sleepers.ts): it is
 * in no log, and serves until its app has a replica that is.
 */

import type { Instant } from "../../core/instant.ts";
import type { ReplicaStatus } from "../../core/mesh.ts";
import type { Cluster } from "../cluster.ts";
import { servingOf } from "../sights.ts";
import type { App } from "../state.ts";

/** Replica -> where it runs. */
export type StandIns = Map<string, { readonly app: string; readonly node: string }>;

/** Says whether the replica is to serve on for now: then it is remembered. */
export function standsIn(cluster: Cluster, node: string, status: ReplicaStatus): boolean {
  const { standIn, replica, app, state } = status;
  if (!standIn || state === "stopping" || state === "finished") return false;
  if (!lacks(cluster, cluster.state.apps.get(app))) return false;
  cluster.standIns.set(replica, { app, node });
  return true;
}

/** Wakes the apps of stand-ins, and ends those that are not needed any more. By who leads. */
export function relieve(cluster: Cluster, now: Instant): void {
  for (const [replica, { app: name, node }] of cluster.standIns) {
    const app = cluster.state.apps.get(name);
    const status = cluster.fleet.get(node)?.statuses.get(replica);
    if (status && lacks(cluster, app)) {
      cluster.autoscale.wake(app);
      continue;
    }
    cluster.standIns.delete(replica);
    if (status) cluster.orders.want("stop", replica, node, now.monoMs);
  }
}

/** Says whether the app is to run, and no replica of the log's serves. */
function lacks(cluster: Cluster, app: App | undefined): boolean {
  return app !== undefined && !app.down && !app.stopped &&
    servingOf(cluster, app.name).length === 0;
}
