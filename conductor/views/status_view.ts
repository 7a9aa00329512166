/** What the conductor says of the whole cluster, and what it calls a problem. */

import type { Instant } from "../../core/instant.ts";
import type { AppView, NodeView, StatusView } from "../../core/view.ts";
import { aroundProblems } from "./around.ts";
import { clockText } from "../fleet/clocks.ts";
import { type DeckGrants, shows } from "../trust/deck_grants.ts";
import type { FleetNode } from "../fleet/fleet.ts";
import type { ConductorMachine } from "../machine.ts";
import { type App, currentOf, newestOf } from "../state.ts";
import { appViews, nodeViews } from "./views.ts";

/** The whole at once: in a large cluster `pieces.ts` makes the same piece by piece. */
export function statusView(
  machine: ConductorMachine,
  version: string,
  now: Instant,
  grants: DeckGrants = null,
): StatusView {
  const nodes = nodeViews(machine, now);
  const apps = appViews(machine, now, grants);
  return {
    ...headView(machine, version, now),
    nodes,
    apps,
    problems: [
      ...nodes.flatMap(problemsOfNode),
      ...apps.flatMap(problemsOfApp),
      ...[...machine.state.apps.values()].flatMap((app) => rolledBack(app, grants)),
      ...[...machine.fleet.values()].flatMap((node) => strangersOn(machine, node, grants)),
      ...(shows(grants) ? aroundProblems(machine, now) : []),
    ],
  };
}

export function headView(
  machine: ConductorMachine,
  version: string,
  now: Instant,
): Pick<StatusView, "conductor" | "sequence"> {
  const upMs = Math.round(now.monoMs - machine.startedMonoMs);
  return {
    conductor: { version, boot: machine.boot, upMs },
    sequence: machine.state.head.sequence,
  };
}

export function problemsOfNode(node: NodeView): string[] {
  if (node.clockOffMs !== undefined) return [clockText(node.name, node.clockOffMs)];
  if (node.state !== "dead") return [];
  return [`${node.name} is dead: silent for ${Math.round(node.silentMs / 1000)} s`];
}

/** Beside those of others a reason has to say whose it is. */
export function problemsOfApp(
  { app, state, reasons, ready, wanted }: Pick<
    AppView,
    "app" | "state" | "reasons" | "ready" | "wanted"
  >,
): readonly string[] {
  if (state !== "failing" && state !== "degraded") return [];
  if (reasons.length === 0) return [`${app}: ${ready} of ${wanted} ready`];
  const saysWhose = (reason: string) =>
    reason.startsWith(`${app}.`) || reason.startsWith(`${app} `) || reason.includes(` ${app} `);
  return reasons.map((reason) => saysWhose(reason) ? reason : `${app}: ${reason}`);
}

/** What was signed last does not run: that stays a problem until something better is signed. */
export function rolledBack(app: App, grants: DeckGrants): string[] {
  if (!shows(grants, currentOf(app).spec.namespace)) return [];
  const { generation, outcome } = newestOf(app);
  if (app.down || outcome?.result !== "rolled-back") return [];
  const { generation: runs } = currentOf(app);
  return [`${app.name} runs generation ${runs}: ${generation} was rolled back: ${outcome.reason}`];
}

/** Replicas of apps that the log has never heard of: its store was lost or is another cluster's. */
export function strangersOn(
  machine: ConductorMachine,
  node: FleetNode,
  grants: DeckGrants,
): string[] {
  if (!shows(grants)) return [];
  const unknown = new Set<string>();
  for (const { app, state } of node.statuses.values()) {
    if (state !== "finished" && !machine.state.apps.has(app)) unknown.add(app);
  }
  if (unknown.size === 0) return [];
  const names = [...unknown].join(", ");
  return [`${node.name} runs ${names}, which this conductor's log does not know: left alone`];
}
