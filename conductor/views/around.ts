// What is wrong around the apps: without a tower nobody is found, without an ingress nobody is served,
// and without a log that can be written nothing is accepted.

import type { Instant } from "../../core/instant.ts";
import { AROUND_SILENT_MS, TOWER_UNHEARD_MS } from "../../core/limits.ts";
import { clockOffMs, clockText } from "../fleet/clocks.ts";
import type { ConductorMachine } from "../machine.ts";
import type { FleetNode } from "../fleet/fleet.ts";
import { type App, currentOf } from "../state.ts";

/** What an app lacks around it, for its reasons. */
export function lacksAround(machine: ConductorMachine, app: App, now: Instant): string[] {
  const { port, routes } = currentOf(app).spec;
  if (app.down || app.stopped) return [];
  const lost = port === undefined ? [] : lostTowers(machine, now);
  return [
    ...(lost.length === machine.towers.size ? lost : [])
      .map((at) => `${unheard(at)}: nobody finds ${app.name} by its name`),
    ...(routes.length > 0 && isUnserved(machine, now) ? [unserved(machine, app.name)] : []),
    ...deafNodes(machine, app, lost),
    ...wrongClocks(machine, app),
  ];
}

/**
 * Nodes of the app that a tower does not answer: what becomes ready there is not found by it.
 *
 * @param lost towers that the conductor does not hear, either
 */
function deafNodes({ fleet }: ConductorMachine, app: App, lost: readonly string[]): string[] {
  return nodesOf(app).flatMap((id) => {
    const node = fleet.get(id);
    return node
      ? unheardBy(node, lost).map((at) => `${node.name} does not hear the tower at ${at}`)
      : [];
  }).sort();
}

/** The same of all nodes, in a line for each tower. */
function deafProblems({ fleet }: ConductorMachine, lost: readonly string[]): string[] {
  const names = new Map<string, string[]>();
  for (const node of fleet.values()) {
    for (const at of unheardBy(node, lost)) {
      const told = names.get(at) ?? [];
      told.push(node.name);
      names.set(at, told);
    }
  }
  return [...names].map(([at, nodes]) =>
    `the tower at ${at} does not answer ${someOf(nodes)}: what runs there is not found by it`
  );
}

/** Towers that are heard here, and do not answer this node. */
function unheardBy({ state, beat }: FleetNode, lost: readonly string[]): readonly string[] {
  if (state !== "ready" || !beat?.unheard) return [];
  return beat.unheard.filter((at) => !lost.includes(at));
}

function nodesOf(app: App): string[] {
  return [...new Set([...app.placements.values()].map(({ node }) => node))];
}

/** Nodes of the app with clocks that are off. */
function wrongClocks({ fleet }: ConductorMachine, app: App): string[] {
  return nodesOf(app).flatMap((id) => {
    const node = fleet.get(id);
    const off = node && clockOffMs(node);
    return off === undefined ? [] : [clockText(node!.name, off)];
  }).sort();
}

/** The same of all apps in a line each. */
export function aroundProblems(machine: ConductorMachine, now: Instant): string[] {
  const lost = lostTowers(machine, now);
  const means = lost.length === machine.towers.size
    ? "no name is found, and routes stand as they were"
    : "names are found and routes told by another";
  const routed = [...machine.state.apps.values()].filter((app) =>
    !app.down && !app.stopped && currentOf(app).spec.routes.length > 0
  );
  return [
    ...unwritten(machine, now),
    ...lost.map((at) => `${unheard(at)}: ${means}`),
    ...(routed.length > 0 && isUnserved(machine, now)
      ? [unserved(machine, someOf(routed.map(({ name }) => name)))]
      : []),
    ...deafProblems(machine, lost),
  ];
}

/** Nobody asks for the log to be written where nothing changes: when it failed is told, too. */
function unwritten({ storeFault }: ConductorMachine, now: Instant): string[] {
  if (storeFault === null) return [];
  const agoS = Math.round((now.monoMs - storeFault.monoMs) / 1_000);
  return [
    `the log could not be written ${agoS} s ago, and nothing was written since: ` +
    `${storeFault.reason}; what is asked for is refused while that is so`,
  ];
}

/** The towers that have not been heard for a while. */
function lostTowers({ towers }: ConductorMachine, now: Instant): string[] {
  return [...towers].flatMap(([at, lostMonoMs]) =>
    lostMonoMs !== null && now.monoMs - lostMonoMs >= TOWER_UNHEARD_MS ? [at] : []
  );
}

const unheard = (at: string) => `the tower at ${at} is not heard`;

/** Ingresses are heard through towers: behind one that is gone they may serve on as they did. */
function unserved({ towers }: ConductorMachine, apps: string): string {
  const way = `the tower${towers.size > 1 ? "s" : ""} at ${[...towers.keys()].join(", ")}`;
  return `no ingress is heard through ${way}: where none runs, nobody serves the routes of ${apps}`;
}

/** A conductor that was never told of a tower, in a simulation, knows nothing of ingresses, either. */
function isUnserved({ towers, traffic, startedMonoMs }: ConductorMachine, now: Instant): boolean {
  const upMs = now.monoMs - startedMonoMs;
  return towers.size > 0 && upMs >= AROUND_SILENT_MS && !traffic.isHeard(now.monoMs);
}

function someOf(all: readonly string[]): string {
  const names = all.slice(0, 5).sort().join(", ");
  return all.length > 5 ? `${names} and ${all.length - 5} more` : names;
}
