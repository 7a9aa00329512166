/** What the conductor tells people and programs: its state as core/view.ts has it. */

import type { Instant } from "../../core/instant.ts";
import { HOPELESS_RESTARTS } from "../../core/limits.ts";
import type { AppSpec } from "../../core/manifest/spec.ts";
import { byApp, byIndex, byName } from "../../core/status_changes.ts";
import type { AppView, NodeView, PlanView, ReplicaState, ReplicaView } from "../../core/view.ts";
import { whyRefused } from "../commands.ts";
import { lacksAround } from "./around.ts";
import { clockOffMs } from "../fleet/clocks.ts";
import { type DeckGrants, shows } from "../trust/deck_grants.ts";
import { describeExit } from "../events.ts";
import type { FleetNode } from "../fleet/fleet.ts";
import { jobReasons, jobView } from "../jobs/job_views.ts";
import { isJob } from "../jobs/job_state.ts";
import type { ConductorMachine } from "../machine.ts";
import { type Booking, planApp } from "../placement/plan.ts";
import type { Sight } from "../reconcile.ts";
import { beginDeploy, lastGoodOf, type Rollout } from "../rollouts/rollout_state.ts";
import { rolloutView } from "../rollouts/rollout_views.ts";
import { scaleView } from "./scale_view.ts";
import { type App, currentOf, isOutdated, newestOf } from "../state.ts";
import { ONLY_V1, type V1Node } from "../fleet/v1_nodes.ts";

export function nodeView(machine: ConductorMachine, node: FleetNode, now: Instant): NodeView {
  const { beat } = node;
  const bar = machine.state.bars.get(node.id)?.kind;
  const off = clockOffMs(node);
  return {
    id: node.id,
    name: node.name,
    host: beat?.host ?? "",
    port: beat?.port ?? 0,
    state: node.state === "ready" ? "ready" : "dead",
    cpuPercent: beat?.cpuPercent ?? 0,
    cores: beat?.cores ?? 0,
    ramTotalBytes: beat?.ramTotalBytes ?? 0,
    ramFreeBytes: beat?.ramFreeBytes ?? 0,
    gpu: beat?.gpu ?? false,
    labels: beat?.labels ?? {},
    replicas: machine.state.byNode.get(node.id)?.size ?? 0,
    silentMs: Math.max(0, Math.round(now.monoMs - node.heardMonoMs)),
    ...(bar === undefined ? {} : { bar }),
    ...(off === undefined ? {} : { clockOffMs: off }),
    ...(node.state === "silent" ? { reason: "neither it nor any other node is heard" } : {}),
  };
}

function v1NodeView(node: V1Node, now: Instant): NodeView {
  return {
    id: node.id,
    name: node.name,
    host: node.host,
    port: 0,
    state: node.dead ? "dead" : "ready",
    cpuPercent: node.cpuPercent,
    cores: 0,
    ramTotalBytes: 0,
    ramFreeBytes: node.ramFreeMb * 2 ** 20,
    gpu: node.gpu,
    labels: {},
    replicas: 0,
    silentMs: Math.max(0, Math.round(now.monoMs - node.heardMonoMs)),
    reason: ONLY_V1,
  };
}

/** One node of either kind, by its id. */
export function nodeViewOf(
  machine: ConductorMachine,
  id: string,
  now: Instant,
): NodeView | undefined {
  const node = machine.fleet.get(id);
  if (node) return nodeView(machine, node, now);
  const v1 = machine.v1Nodes.get(id);
  return v1 && v1NodeView(v1, now);
}

export function nodeViews(machine: ConductorMachine, now: Instant): NodeView[] {
  const mesh = [...machine.fleet.values()].map((node) => nodeView(machine, node, now));
  const v1 = [...machine.v1Nodes.values()].map((node) => v1NodeView(node, now));
  return [...mesh, ...v1]
    .sort(byName);
}

function replicaState(sight: Sight): ReplicaState {
  if (sight.node === "dead" || sight.node === "silent") return "unreachable";
  return sight.status?.state ?? "placed";
}

function replicaView(machine: ConductorMachine, sight: Sight): ReplicaView {
  const { placement, status, nodeName } = sight;
  const { part } = placement;
  const reason = machine.refused.get(placement.replica) ?? status?.reason;
  return {
    replica: placement.replica,
    ...(part === undefined ? {} : { part }),
    index: placement.index,
    generation: placement.generation,
    node: nodeName,
    nodeId: placement.node,
    host: machine.fleet.get(placement.node)?.beat?.host ?? "",
    ...(status?.port === undefined ? {} : { port: status.port }),
    ...(status?.pid === undefined ? {} : { pid: status.pid }),
    state: replicaState(sight),
    sinceWallMs: status?.sinceWallMs ?? 0,
    restarts: status?.restarts ?? 0,
    ...(reason === undefined ? {} : { reason }),
    ...(status?.exit ? { exit: status.exit } : {}),
  };
}

export function appView(machine: ConductorMachine, app: App, now: Instant): AppView {
  const { generation, spec, key, wallMs } = currentOf(app);
  const sights = machine.sightsOf(app, now);
  const replicas = sights.map((sight) => replicaView(machine, sight));
  const counted = replicas.filter((each, at) => {
    const { placement } = sights[at]!;
    return each.part === undefined && !placement.leaving && !isOutdated(app, placement);
  });
  const ready = counted.filter((each) => each.state === "ready").length;
  const wanted = machine.wantedOf(app);
  return {
    app: app.name,
    namespace: spec.namespace,
    type: spec.type,
    generation,
    wanted,
    ready,
    ...scaleView(machine, app, now),
    state: stateOf(machine, app, replicas, counted, ready, wanted),
    reasons: [...reasonsOf(machine, app, replicas), ...lacksAround(machine, app, now)],
    replicas: replicas.sort(byIndex),
    signedBy: key,
    signedWallMs: wallMs,
    ...rolling(machine, app, sights, now),
    ...(isJob(spec) ? jobView(machine.state, app, replicas) : {}),
  };
}

function rolling(
  machine: ConductorMachine,
  app: App,
  sights: readonly Sight[],
  now: Instant,
): Pick<AppView, "rollout" | "newest"> {
  const rollout = rolloutView(app, sights, machine.comparisonOf(app, now));
  const { generation, outcome } = newestOf(app);
  return {
    ...(rollout ? { rollout } : {}),
    newest: { generation, ...(outcome ? { outcome } : {}) },
  };
}

function stateOf(
  machine: ConductorMachine,
  app: App,
  replicas: readonly ReplicaView[],
  counted: readonly ReplicaView[],
  ready: number,
  wanted: number,
): AppView["state"] {
  if (app.down) return "down";
  if (app.stopped) return "stopped";
  if (ready >= wanted && replicas.length === counted.length) return "ready";
  const stuck = machine.unplaced.has(app.name) || counted.some(isHopeless) ||
    counted.some((each) => machine.refused.has(each.replica)) ||
    (isUnderWay(app) && newestOf(app).outcome?.result === "failed");
  if (stuck) return "failing";
  const wasReady = counted.length >= wanted &&
    counted.every((each) => each.restarts > 0 || each.state === "ready");
  return wasReady ? "degraded" : "deploying";
}

function isUnderWay({ rollout }: App): boolean {
  return rollout !== undefined && rollout.phase !== "done";
}

/** Says whether waiting for this replica is in vain without a change. */
function isHopeless(replica: ReplicaView): boolean {
  if (replica.state === "ready") return false;
  if (replica.exit?.why === "launch") return true;
  if (replica.state === "finished") return replica.exit?.code !== 0;
  return replica.restarts >= HOPELESS_RESTARTS;
}

function reasonsOf(
  machine: ConductorMachine,
  app: App,
  replicas: readonly ReplicaView[],
): string[] {
  if (app.down) return [];
  const { rollout } = app;
  const stands = rollout?.phase === "paused" ||
    rollout?.phase === "failed" && rollout.from !== undefined;
  const still = stands ? rollout : undefined;
  return [
    ...(still
      ? [`the rollout of generation ${still.generation} ${phaseText(still)}: ${still.reason}`]
      : []),
    ...machine.unplaced.get(app.name) ?? [],
    ...machine.waiting.get(app.name) ?? [],
    ...jobReasons(app),
    ...replicas.flatMap((each) => {
      if (each.state === "ready" || each.state === "stopping") return [];
      const why = [each.reason, ...lastEnd(each)].filter((text) => text !== undefined);
      return why.length === 0 ? [] : [`${each.replica} on ${each.node}: ${why.join("; ")}`];
    }),
  ];
}

/** How it ended last, with the last line that it wrote, unless its reason says that already. */
function lastEnd({ reason = "", exit }: ReplicaView): string[] {
  if (!exit) return [];
  const told = describeExit(exit);
  if (exit.why === "launch" && reason.includes(exit.tail ?? "")) return [];
  const line = exit.why === "exit" ? exit.tail?.trimEnd().split("\n").at(-1) : undefined;
  return [line ? `${told}, after it wrote: ${line.slice(0, LAST_LINE_CHARACTERS)}` : told];
}

/** How much of a replica's last line is told in a reason. */
const LAST_LINE_CHARACTERS = 120;

function phaseText({ phase, kind }: Rollout): string {
  if (phase === "failed") return "failed and goes on trying";
  return kind === "back" ? "(the way back) stands still" : "stands still";
}

/** @param grants whose apps are left out that they do not show */
export function appViews(
  machine: ConductorMachine,
  now: Instant,
  grants: DeckGrants = null,
): AppView[] {
  return [...machine.state.apps.values()]
    .filter((app) => !app.down || app.placements.size > 0)
    .filter((app) => shows(grants, currentOf(app).spec.namespace))
    .map((app) => appView(machine, app, now))
    .sort(byApp);
}

/** What applying these apps would do. Nothing is changed. */
export function planView(
  machine: ConductorMachine,
  manifests: readonly { readonly spec: AppSpec; readonly manifest: string }[],
  now: Instant,
): PlanView {
  const bookings: Booking[] = [];
  const apps = manifests.map(({ spec, manifest }) => {
    const known = machine.state.apps.get(spec.name);
    const last = known?.generations.at(-1);
    const isUp = known !== undefined && !known.down && !known.stopped;
    const unchanged = isUp && known.target === undefined && last?.manifest === manifest;
    const generation = (last?.generation ?? 0) + 1;
    const next = { generation, sequence: machine.state.head.sequence + 1, manifest, spec };
    const app: App = {
      ...known ?? { name: spec.name, placements: new Map(), placed: 0, generations: [] },
      down: false,
      generations: unchanged
        ? known.generations
        : [...known?.generations ?? [], { ...next, key: "", wallMs: now.wallMs }],
    };
    const fallback = known && isUp ? lastGoodOf(known) : undefined;
    if (!unchanged) {
      beginDeploy(app, generation, { sequence: next.sequence, wallMs: now.wallMs });
      delete app.stopped;
    }
    const refused = unchanged ? null : whyRefused(machine.state, spec);
    if (refused !== null) {
      return { app: spec.name, generation, unchanged, operations: [], unplaced: [], refused };
    }
    const buckets = machine.bucketsOf(app, now, []);
    const { decision, unplaced } = planApp(app, buckets, machine.ledger, bookings, true);
    return {
      app: spec.name,
      generation,
      ...(fallback === undefined ? {} : { fallback }),
      unchanged,
      operations: [...decision.reasons, ...buckets.wait.map((text) => `wait: ${text}`)],
      unplaced,
    };
  });
  for (const { node, spec } of bookings) machine.ledger.give(node, spec);
  return { apps };
}
