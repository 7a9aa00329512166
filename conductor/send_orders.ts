/** Sends the orders that are due. What they say comes from the state as it is now. */

import type { Instant } from "../core/instant.ts";
import { maySleep } from "../core/scale.ts";
import { holdersOf } from "./artifacts.ts";
import type { Cluster } from "./cluster.ts";
import { currentOf, generationOf, type Placement, placementOf, type State } from "./state.ts";

export function sendOrders(cluster: Cluster, now: Instant): void {
  const { fleet, orders, state, reign } = cluster;
  if (!cluster.mayOrder(now)) return;
  const holders = new Map<string, readonly string[]>();
  askPrepared(cluster, holders, now);
  for (const order of orders.takeDue(now.monoMs)) {
    const node = fleet.get(order.node);
    const to = node?.address;
    if (!to) continue;
    const by = reign.stampFor(node);
    const stamp = by === undefined ? {} : { reign: by };
    if (order.kind === "stop") {
      const asleep = fallsAsleep(state, order.replica) ? { asleep: true } : {};
      cluster.send(to, {
        ...{ k: "stop", node: order.node, replica: order.replica },
        ...asleep,
        ...stamp,
      });
      // A dead node that is back reports what it still has, and is told anew.
      const isMoot = !state.replicas.has(order.replica) && node.state === "dead";
      if (isMoot) orders.drop(order.replica);
      continue;
    }
    const placement = placementOf(state, order.replica);
    if (!placement) {
      orders.drop(order.replica);
      continue;
    }
    const { replica, app, generation, sequence, index, part } = placement;
    const sources = sourcesOf(cluster, placement, holders);
    cluster.send(to, {
      k: "run",
      node: order.node,
      replica,
      app,
      generation,
      sequence,
      index,
      ...(part === undefined ? {} : { part }),
      ...(sources.length === 0 ? {} : { sources }),
      ...stamp,
    });
  }
}

/**
 * Says whether the replica ends since its app sleeps, so that its node may wake that while nobody
 * leads. What has a volume is left to conductors: it must not run beside another.
 */
function fallsAsleep({ apps, replicas }: State, replica: string): boolean {
  const app = apps.get(replicas.get(replica) ?? "");
  const placement = app?.placements.get(replica);
  if (!app || !placement || placement.part || app.down || app.stopped || app.count !== 0) {
    return false;
  }
  const { generation, spec } = currentOf(app);
  return placement.generation === generation && maySleep(spec) && spec.volumes.length === 0;
}

/** Asks whether nodes can run what others are to be stopped for. */
function askPrepared(
  cluster: Cluster,
  holders: Map<string, readonly string[]>,
  now: Instant,
): void {
  const { fleet, preparing, state } = cluster;
  for (const { app, generation, sequence, node } of preparing.takeDue(now.monoMs)) {
    const to = fleet.get(node)?.address;
    if (!to || !state.apps.has(app)) continue;
    const sources = sourcesOf(cluster, { app, generation, node }, holders);
    cluster.send(to, {
      k: "prepare",
      node,
      app,
      generation,
      sequence,
      ...(sources.length === 0 ? {} : { sources }),
    });
  }
}

/**
 * Other nodes that have what this replica runs from.
 *
 * @param known what was found for the orders before: a thousand of one app are looked for once
 */
function sourcesOf(
  cluster: Cluster,
  { app, generation, node }: Pick<Placement, "app" | "generation" | "node">,
  known: Map<string, readonly string[]>,
): readonly string[] {
  const { state } = cluster;
  const sha256 = generationOf(state.apps.get(app)!, generation)?.spec.artifact?.sha256;
  if (sha256 === undefined) return [];
  const key = `${sha256} ${node}`;
  let holders = known.get(key);
  if (!holders) known.set(key, holders = holdersOf(cluster, sha256, node));
  return holders;
}
