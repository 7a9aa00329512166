/** An app's replicas as they are seen now: what the log wants, beside what the nodes have said. */

import type { Instant } from "../core/instant.ts";
import type { Cluster } from "./cluster.ts";
import type { Sight } from "./reconcile.ts";
import { type App, currentOf, type Placement } from "./state.ts";

/** One line for each placement, in their order. */
export function sightsOf(cluster: Cluster, app: App, now: Instant): Sight[] {
  const ready = cluster.readySince.of(app.name);
  // Both are empty nearly always, and this is where most of the time goes.
  const stops = cluster.answeredStops.size > 0 ? cluster.answeredStops : null;
  const refused = cluster.refused.size > 0 ? cluster.refused : null;
  const sights: Sight[] = [];
  for (const placement of app.placements.values()) {
    const { replica } = placement;
    const node = cluster.fleet.get(placement.node);
    const status = node?.statuses.get(replica);
    const readySince = status?.state === "ready" ? ready.get(replica) : undefined;
    const answeredMs = stops?.get(replica);
    const reason = refused?.get(replica);
    const sight: Sight = {
      placement,
      status,
      node: node?.state ?? "unknown",
      nodeName: node?.name ?? placement.node,
      absent: answeredMs !== undefined && !status && node !== undefined &&
        node.mismatchMonoMs === null && node.heardMonoMs > answeredMs,
      reported: !!node?.beat && node.mismatchMonoMs !== -Infinity,
      readyForMs: readySince === undefined ? 0 : Math.max(1, now.monoMs - readySince),
    };
    if (reason === undefined) sights.push(sight);
    else {
      const forMs = now.monoMs - (cluster.refusedSince.get(replica) ?? now.monoMs);
      sights.push({ ...sight, refusal: { reason, forMs } });
    }
  }
  return sights;
}

/** The app's replicas that are ready, and stay. */
export function servingOf(cluster: Cluster, name: string): Placement[] {
  const app = cluster.state.apps.get(name);
  if (!app) return [];
  const serving: Placement[] = [];
  for (const replica of cluster.readySince.of(name).keys()) {
    const placement = app.placements.get(replica);
    if (!placement || placement.leaving) continue;
    if (cluster.fleet.get(placement.node)?.state === "ready") serving.push(placement);
  }
  return serving;
}

/** The apps that this one needs and of which no replica serves. */
export function missingNeeds(cluster: Cluster, app: App): string[] {
  if (app.down) return [];
  return currentOf(app).spec.needs.filter((need) => servingOf(cluster, need).length === 0);
}
