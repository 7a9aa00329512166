/**
 * The difference between what one app shall be and what it is, as named buckets of operations.
 * Nothing is chosen here (which node: choose.ts) and nothing is done.
 */

import { currentOf, generationOf, holdsVolume } from "./state.ts";
import type { App, Placement } from "./state.ts";
import type { AppSpec } from "../core/manifest/spec.ts";
import type { ReplicaStatus } from "../core/mesh.ts";

/** One replica of the app as the conductor sees it now. */
export interface Sight {
  readonly placement: Placement;
  readonly status: ReplicaStatus | undefined;
  readonly node: "unknown" | "ready" | "silent" | "dead";
  /** Its node's name. */
  readonly nodeName: string;
  /** The node is known not to have it (its order was answered and its digest agrees). */
  readonly absent: boolean;
  /** Its node has told what it runs: without a status there, it runs nowhere. */
  readonly reported: boolean;
  /** How long it has been ready, in ms; 0 while it is not. */
  readonly readyForMs: number;
}

export interface Buckets {
  /** Indices of replicas of the current generation that are to be placed. */
  readonly place: readonly number[];
  readonly leave: readonly Operation[];
  /** Old replicas that may leave first, should the new ones find no place beside them. */
  readonly yield: readonly Placement[];
  readonly gone: readonly Operation[];
  /** What it waits for, one line each. */
  readonly wait: readonly string[];
  /** Look again after this many ms, where time alone changes the answer. */
  readonly againMs?: number;
}

export interface Operation {
  readonly replica: string;
  readonly reason: string;
}

/**
 * How many replicas the app wants: the manifest's `replicas`, or what was set since by an operator or
 * the autoscaler; within the bounds of `scale`, where only an idle app may be at none.
 */
export function wantedOf(app: App): number {
  if (app.down) return 0;
  const { scale, replicas } = currentOf(app).spec;
  const count = app.count ?? replicas;
  if (!scale) return count;
  if (count === 0 && scale.idleAfterMs !== undefined) return 0;
  return Math.min(scale.max, Math.max(scale.min, count));
}

/** Why the app is not placed at all, or `null`: kinds of workload that have no behaviour yet. */
export function notBuilt(spec: AppSpec): string | null {
  if (spec.type !== "service") return `type ${spec.type} is not acted on yet`;
  return null;
}

const NOTHING: Buckets = { place: [], leave: [], yield: [], gone: [], wait: [] };

/** Compares the app with what is seen of it. */
export function reconcile(app: App, sights: readonly Sight[], missingNeeds: string[]): Buckets {
  const gone = sights.flatMap((sight) => goneBecause(sight, app));
  const goneIds = new Set(gone.map((each) => each.replica));
  const here = sights.filter((sight) => !goneIds.has(sight.placement.replica));
  const staying = here.filter((sight) => !sight.placement.leaving);
  if (app.down) {
    const leave = staying.map(({ placement }) => leaving(placement, "the app was taken down"));
    return { ...NOTHING, leave, gone };
  }
  const current = currentOf(app);
  const blocked = notBuilt(current.spec);
  if (blocked !== null) return { ...NOTHING, gone, wait: [blocked] };
  if (missingNeeds.length > 0 && staying.length === 0) {
    return { ...NOTHING, gone, wait: missingNeeds.map((need) => `needs ${need} first`) };
  }
  const wanted = wantedOf(app);
  const { surplus, kept } = split(staying, current.generation, wanted);
  const isOld = (sight: Sight) => sight.placement.generation !== current.generation;
  const step = here.some(isOld)
    ? rolloutStep(current.spec, wanted, kept, staying.filter(isOld), here.length)
    : { place: Infinity, leave: [], yield: [] };
  const missing = missingIndices(kept, wanted);
  return {
    place: missing.slice(0, step.place),
    leave: [
      ...surplus.map(({ placement }) => leaving(placement, "more replicas than wanted")),
      ...step.leave.map(({ placement }) =>
        leaving(placement, `generation ${current.generation} takes over`)
      ),
    ],
    yield: step.yield.map((sight) => sight.placement),
    gone,
    wait: waits(here),
    ...(step.againMs === undefined ? {} : { againMs: step.againMs }),
  };
}

function leaving(placement: Placement, reason: string): Operation {
  return { replica: placement.replica, reason };
}

function goneBecause(sight: Sight, app: App): Operation[] {
  const { placement, status, node, nodeName, absent } = sight;
  const { replica } = placement;
  if (placement.leaving) {
    if (status?.state === "finished") return [{ replica, reason: `it has ended on ${nodeName}` }];
    if (absent) return [{ replica, reason: `${nodeName} does not have it` }];
  }
  if (node === "dead" && !isBound(app, placement)) {
    return [{ replica, reason: `${nodeName} is dead` }];
  }
  if (placement.leaving) return [];
  if (status?.state === "finished" && status.exit?.why === "stopped") {
    return [{ replica, reason: `it was stopped on ${nodeName}` }];
  }
  return [];
}

/** Says whether the replica holds a volume of its node: then another node cannot take over. */
function isBound(app: App, placement: Placement): boolean {
  const spec = generationOf(app, placement.generation)?.spec;
  return app.home === placement.node && spec !== undefined && holdsVolume(spec);
}

/** The current generation's replicas: those that count, and those too many. */
function split(
  staying: readonly Sight[],
  generation: number,
  wanted: number,
): { readonly kept: Sight[]; readonly surplus: Sight[] } {
  const kept: Sight[] = [];
  const surplus: Sight[] = [];
  const taken = new Set<number>();
  for (const sight of staying) {
    const { placement } = sight;
    if (placement.generation !== generation) continue;
    const fits = placement.index < wanted && !taken.has(placement.index);
    taken.add(placement.index);
    (fits ? kept : surplus).push(sight);
  }
  return { kept, surplus };
}

function missingIndices(kept: readonly Sight[], wanted: number): number[] {
  const taken = new Set(kept.map((sight) => sight.placement.index));
  return Array.from({ length: wanted }, (_, index) => index).filter((index) => !taken.has(index));
}

interface Step {
  /** How many may be placed now. */
  readonly place: number;
  readonly leave: readonly Sight[];
  readonly yield: readonly Sight[];
  readonly againMs?: number;
}

/**
 * How far the replacement of `old` by `current` may go now.
 *
 * @param here how many replicas there are in all, those that are leaving included: they still run.
 */
function rolloutStep(
  spec: AppSpec,
  wanted: number,
  current: readonly Sight[],
  old: readonly Sight[],
  here: number,
): Step {
  const { batch, order, settleMs } = spec.rollout;
  // Without a health check nothing but time tells whether a replica is any good.
  const mustStandMs = spec.health ? 0 : settleMs;
  const standing = current.filter((sight) => sight.node !== "dead" && sight.readyForMs > 0);
  const proven = standing.filter((sight) => sight.readyForMs >= mustStandMs);
  const serving = old.filter(isServing);
  const idle = old.filter(isIdle);
  const againMs = standing.length > proven.length
    ? Math.max(1, mustStandMs - Math.max(...standing.map((sight) => sight.readyForMs)))
    : undefined;
  const again = againMs === undefined ? {} : { againMs };
  const unavailable = Math.max(0, wanted - proven.length - serving.length);
  const stoppable = [...idle, ...serving.slice(0, Math.max(0, batch - unavailable))];

  if (order === "stop-first") {
    return { place: Math.max(0, wanted - here), leave: stoppable, yield: [], ...again };
  }
  const spare = Math.max(0, serving.length - Math.max(0, wanted - proven.length));
  return {
    place: Math.max(0, wanted + batch - here),
    leave: [...idle, ...serving.slice(0, spare)],
    yield: stoppable,
    ...again,
  };
}

function isServing(sight: Sight): boolean {
  return sight.node !== "dead" && sight.status?.state === "ready";
}

/** Known to be of no use now. What has not been heard of yet, after a restart, may be serving. */
function isIdle(sight: Sight): boolean {
  if (sight.node === "dead") return true;
  return sight.status ? sight.status.state !== "ready" : sight.reported;
}

function waits(here: readonly Sight[]): string[] {
  return here.flatMap(({ placement, node, nodeName }) =>
    node === "dead" ? [`${placement.replica}: its volume is on ${nodeName}, which is dead`] : []
  );
}
