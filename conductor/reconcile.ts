/**
 * The difference between what one app shall be and what it is, as named buckets of operations.
 * Nothing is chosen here (which node: choose.ts) and nothing is done.
 */

import type { Run } from "../core/job.ts";
import type { RolloutTurn } from "../core/log.ts";
import type { AppSpec } from "../core/manifest/spec.ts";
import type { ReplicaStatus } from "../core/mesh.ts";
import { whyReplaced } from "../core/replacing.ts";
import { type Around, orderOf, rollout, type Scene } from "./rollouts/rollout.ts";
import type { Rollout } from "./rollouts/rollout_state.ts";
import {
  type App,
  currentOf,
  existsOnce,
  generationOf,
  holdsVolume,
  newestOf,
  type Placement,
} from "./state.ts";

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
  /** Why its node will not run it, and for how long it has said so. */
  readonly refusal?: { readonly reason: string; readonly forMs: number };
}

export interface Buckets {
  /** Indices of replicas that are to be placed. */
  readonly place: readonly number[];
  /** The run of each of `place`, if the app is a job. */
  readonly runOf?: readonly number[];
  /** Runs of a job as they are now, where that changed. */
  readonly runs?: readonly Run[];
  /** Of which generation, where it is not the current one. */
  readonly placeGeneration?: number | undefined;
  /** What runs before the generation's first replica is to be placed. */
  readonly before?: true;
  /** Replicas that go on as the current generation's. */
  readonly relabel?: readonly Operation[];
  /** What the rollout decides first: nothing is moved before that stands in the log. */
  readonly turn?: RolloutTurn;
  readonly leave: readonly Operation[];
  /** The same, once it is known that what replaces them can run. */
  readonly replace?: readonly Operation[];
  /** The same of replicas that are to live elsewhere, on whichever node can run them. */
  readonly move?: readonly Operation[];
  /** Old replicas that may leave first, should the new ones find no place beside them. */
  readonly yield: readonly Placement[];
  readonly gone: readonly Operation[];
  /** Of a system app: the node that each index stands for. */
  readonly seats?: readonly string[];
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
  if (app.down || app.stopped) return 0;
  const { scale, replicas } = currentOf(app).spec;
  const count = app.count ?? replicas;
  if (!scale) return count;
  if (count === 0 && scale.idleAfterMs !== undefined) return 0;
  return Math.min(scale.max, Math.max(scale.min, count));
}

const NOTHING: Buckets = { place: [], leave: [], yield: [], gone: [], wait: [] };

/** Where nothing is known besides the app's replicas. */
const CALM: Omit<Around, "missingNeeds"> = {
  unplaced: [],
  sinceMs: () => 0,
  upMs: 0,
  comparison: () => null,
  busy: false,
};

/** Compares the app with what is seen of it. */
export function reconcile(
  app: App,
  sights: readonly Sight[],
  missingNeeds: readonly string[],
  around: Omit<Around, "missingNeeds"> = CALM,
): Buckets {
  const gone: Operation[] = [];
  const here: Sight[] = [];
  for (const sight of sights) {
    const because = goneBecause(sight, app);
    if (because) gone.push(because);
    else here.push(sight);
  }
  const staying = here.filter((sight) => !sight.placement.leaving);
  if (app.down || app.stopped) {
    const why = app.down ? "the app was taken down" : "the app was stopped";
    return { ...NOTHING, leave: staying.map(({ placement }) => leaving(placement, why)), gone };
  }
  const wanted = wantedOf(app);
  const { parts, replicas, outdated, fresh } = sorted(app, here);
  const relabel = relabels(app, outdated);
  const renamed = new Set(relabel.map((each) => each.replica));
  const old = outdated.filter((sight) => !renamed.has(sight.placement.replica));
  for (const sight of outdated) if (renamed.has(sight.placement.replica)) fresh.push(sight);
  const { surplus, kept } = split(fresh, wanted);
  const scene = sceneOf(app, kept, old, replicas.length, parts, { missingNeeds, ...around });
  const next = isRolling(app, scene) ? rollout(scene) : null;
  const moves = next?.kind === "moves" ? next : null;
  const due = Math.min(
    next === null ? Infinity : moves?.place ?? 0,
    roomOf(currentOf(app).spec, wanted, replicas.length),
  );
  return {
    place: missingIndices(moves?.fill ? [...kept, ...old] : kept, wanted).slice(0, due),
    ...(moves?.fill ? { placeGeneration: scene.rollout.from } : {}),
    ...(next?.kind === "turn" ? { turn: { ...next.turn, app: app.name } } : {}),
    ...(moves?.before ? { before: true } : {}),
    ...(relabel.length > 0 ? { relabel } : {}),
    leave: [
      ...surplus.map(({ placement }) => leaving(placement, "more replicas than wanted")),
      ...(moves?.leave ?? []).map((sight) => leaving(sight.placement, whyLeaves(scene, sight))),
      ...idleParts(app, parts, scene),
    ],
    ...(moves?.replace
      ? { replace: moves.replace.map((sight) => leaving(sight.placement, whyLeaves(scene, sight))) }
      : {}),
    yield: (moves?.yield ?? []).map((sight) => sight.placement),
    gone,
    wait: [...moves?.wait ?? [], ...waits(here)],
    ...(moves?.againMs === undefined ? {} : { againMs: moves.againMs }),
  };
}

/**
 * How many more there may be beside those that are still here: where the old must go first, what is
 * leaving counts, also after a stop or a smaller number.
 */
function roomOf(spec: AppSpec, wanted: number, here: number): number {
  return orderOf(spec) === "stop-first" ? Math.max(0, wanted - here) : Infinity;
}

/** Says whether anything is to be replaced or judged; what needs others waits for them, too. */
function isRolling(app: App, { old, around, fresh, wanted }: Scene): boolean {
  if (old.length > 0) return true;
  if (app.rollout !== undefined && app.rollout.phase !== "done") return true;
  return around.missingNeeds.length > 0 && fresh.length === 0 && wanted > 0;
}

function sceneOf(
  app: App,
  fresh: readonly Sight[],
  old: readonly Sight[],
  here: number,
  parts: readonly Sight[],
  around: Around,
): Scene {
  const current = currentOf(app);
  const isMine = ({ placement }: Sight) =>
    !placement.leaving && placement.generation === current.generation;
  return {
    rollout: app.rollout ?? impliedRollout(current.generation),
    spec: current.spec,
    beforeDone: current.beforeDone ?? false,
    fallback: fallbackOf(app),
    wanted: wantedOf(app),
    fresh,
    old,
    here,
    before: parts.find(isMine),
    otherBefore: parts.find((sight) => !isMine(sight)),
    around,
  };
}

/** The signed generation that may be gone back to, as far as it is still kept. */
function fallbackOf(app: App): number | undefined {
  const { fallback } = newestOf(app);
  return fallback !== undefined && generationOf(app, fallback) ? fallback : undefined;
}

/** In a log of an earlier version no rollout stands. */
function impliedRollout(generation: number): Rollout {
  const never = { sequence: 0, wallMs: 0 };
  const phase = "rolling";
  return { kind: "deploy", generation, phase, begun: never, step: never, forgivenSequence: 0 };
}

/** What is there, by its part in a rollout; one walk, for there may be many. */
function sorted(app: App, here: readonly Sight[]) {
  const { generation } = currentOf(app);
  const renew = app.renewSequence ?? -1;
  const parts: Sight[] = [];
  const outdated: Sight[] = [];
  const fresh: Sight[] = [];
  for (const sight of here) {
    const { placement } = sight;
    if (placement.part !== undefined) parts.push(sight);
    else if (placement.leaving) continue;
    else if (placement.generation !== generation || (placement.placedSequence ?? 0) <= renew) {
      outdated.push(sight);
    } else fresh.push(sight);
  }
  const replicas = parts.length === 0 ? here : here.filter((sight) => !parts.includes(sight));
  return { parts, replicas, outdated, fresh };
}

/** Replicas of other generations that may go on as they run, and are called by the current one. */
function relabels(app: App, replicas: readonly Sight[]): Operation[] {
  if (app.rollout?.phase === "paused") return [];
  const current = currentOf(app);
  const why = new Map<number, string | null>();
  return replicas.flatMap(({ placement }) => {
    const { generation, replica, leaving } = placement;
    if (leaving || generation === current.generation) return [];
    // A restart replaces it, whatever it is called.
    if ((placement.placedSequence ?? 0) <= (app.renewSequence ?? -1)) return [];
    if (!why.has(generation)) {
      const spec = generationOf(app, generation)?.spec;
      why.set(generation, spec ? whyReplaced(spec, current.spec) : "unknown");
    }
    if (why.get(generation) !== null) return [];
    const reason = `its program is the same in generation ${current.generation}`;
    return [{ replica, reason }];
  });
}

/** A `before` that is done, or of a generation that is not wanted any more, has no place here. */
function idleParts(app: App, parts: readonly Sight[], { before }: Scene): Operation[] {
  return parts.flatMap((sight) => {
    const { placement } = sight;
    if (placement.leaving) return [];
    if (sight !== before) return [leaving(placement, "its generation is not wanted any more")];
    return currentOf(app).beforeDone ? [leaving(placement, "it is done")] : [];
  });
}

function whyLeaves({ rollout, spec }: Scene, { placement }: Sight): string {
  if (placement.part === "before" || placement.generation === rollout.generation) {
    return rollout.kind === "restart" ? "it is restarted" : "it is tried again";
  }
  if (rollout.kind === "back") return `back to generation ${rollout.generation}`;
  return orderOf(spec) === "stop-first"
    ? `generation ${rollout.generation} takes over, after it`
    : `generation ${rollout.generation} takes over`;
}

function leaving(placement: Placement, reason: string): Operation {
  return { replica: placement.replica, reason };
}

function goneBecause(sight: Sight, app: App): Operation | null {
  const { placement, status, node, nodeName, absent } = sight;
  const { replica } = placement;
  if (placement.leaving) {
    if (status?.state === "finished") return { replica, reason: `it has ended on ${nodeName}` };
    if (absent) return { replica, reason: `${nodeName} does not have it` };
  }
  if (node === "dead" && !isBound(app, placement) && !isUnknown(app, placement)) {
    return { replica, reason: `${nodeName} is dead` };
  }
  if (placement.leaving) return null;
  if (status?.state === "finished" && status.exit?.why === "stopped") {
    return { replica, reason: `it was stopped on ${nodeName}` };
  }
  return null;
}

/** What ran before a generation may have been done, or may still go on: an operator has to say. */
function isUnknown(app: App, placement: Placement): boolean {
  return placement.part === "before" &&
    (placement.placedSequence ?? 0) > (app.rollout?.forgivenSequence ?? 0);
}

/**
 * Says whether no other node may take over: the replica holds a volume of its node, or may exist only
 * once and nobody knows that it has ended there.
 */
function isBound(app: App, placement: Placement): boolean {
  const spec = generationOf(app, placement.generation)?.spec;
  if (!spec) return false;
  if (app.released?.nodes.includes(placement.node)) return !app.released.lost;
  if (placement.part === undefined && existsOnce(spec)) return true;
  return app.home === placement.node && holdsVolume(spec);
}

/** The current generation's replicas: those that count, and those too many. */
function split(
  current: readonly Sight[],
  wanted: number,
): { readonly kept: Sight[]; readonly surplus: Sight[] } {
  const kept: Sight[] = [];
  const surplus: Sight[] = [];
  const taken = new Uint8Array(wanted);
  for (const sight of current) {
    const { index } = sight.placement;
    const fits = index < wanted && taken[index] === 0;
    if (fits) taken[index] = 1;
    (fits ? kept : surplus).push(sight);
  }
  return { kept, surplus };
}

function missingIndices(kept: readonly Sight[], wanted: number): number[] {
  const taken = new Uint8Array(wanted);
  for (const { placement: { index } } of kept) if (index < wanted) taken[index] = 1;
  const missing: number[] = [];
  for (let index = taken.indexOf(0); index >= 0; index = taken.indexOf(0, index + 1)) {
    missing.push(index);
  }
  return missing;
}

function waits(here: readonly Sight[]): string[] {
  return here.flatMap(({ placement, node, nodeName }) =>
    node === "dead" && placement.part === undefined
      ? [`${placement.replica}: its volume is on ${nodeName}, which is dead`]
      : []
  );
}
