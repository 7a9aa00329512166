// What is wrong around the apps: without a tower nobody is found, without an ingress nobody is served.

import type { Instant } from "../core/instant.ts";
import { AROUND_SILENT_MS } from "../core/limits.ts";
import { clockOffMs, clockText } from "./clocks.ts";
import type { ConductorMachine } from "./machine.ts";
import { type App, currentOf } from "./state.ts";

/** What an app lacks around it, for its reasons. */
export function lacksAround(machine: ConductorMachine, app: App, now: Instant): string[] {
  const { port, routes } = currentOf(app).spec;
  if (app.down || app.stopped) return [];
  const tower = port === undefined ? null : towerFault(machine, now);
  return [
    ...(tower === null ? [] : [`${tower}: nobody finds ${app.name} by its name`]),
    ...(routes.length > 0 && isUnserved(machine, now)
      ? [`no ingress is heard: nobody serves the routes of ${app.name}`]
      : []),
    ...wrongClocks(machine, app),
  ];
}

/** Nodes of the app with clocks that are off. */
function wrongClocks({ fleet }: ConductorMachine, app: App): string[] {
  const nodes = new Set([...app.placements.values()].map(({ node }) => node));
  return [...nodes].flatMap((id) => {
    const node = fleet.get(id);
    const off = node && clockOffMs(node);
    return off === undefined ? [] : [clockText(node!.name, off)];
  }).sort();
}

/** The same of all apps in a line each. */
export function aroundProblems(machine: ConductorMachine, now: Instant): string[] {
  const tower = towerFault(machine, now);
  const routed = [...machine.state.apps.values()].filter((app) =>
    !app.down && !app.stopped && currentOf(app).spec.routes.length > 0
  );
  return [
    ...(tower === null ? [] : [`${tower}: no name is found, and routes stand as they were`]),
    ...(routed.length > 0 && isUnserved(machine, now)
      ? [`no ingress is heard: nobody serves the routes of ${someOf(routed)}`]
      : []),
  ];
}

function towerFault({ tower }: ConductorMachine, now: Instant): string | null {
  if (!tower || tower.lostMonoMs === null) return null;
  const silentMs = now.monoMs - tower.lostMonoMs;
  return silentMs < AROUND_SILENT_MS ? null : `the tower at ${tower.at} is not heard`;
}

/** A conductor that was never told of a tower, in a simulation, knows nothing of ingresses, either. */
function isUnserved({ tower, traffic, startedMonoMs }: ConductorMachine, now: Instant): boolean {
  const upMs = now.monoMs - startedMonoMs;
  return tower !== null && upMs >= AROUND_SILENT_MS && !traffic.isHeard(now.monoMs);
}

function someOf(apps: readonly App[]): string {
  const names = apps.slice(0, 5).map(({ name }) => name).sort().join(", ");
  return apps.length > 5 ? `${names} and ${apps.length - 5} more` : names;
}
