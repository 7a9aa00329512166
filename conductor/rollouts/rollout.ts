/**
 * The story of a rollout, top to bottom: what is done next, from what the log and the nodes say now.
 * Pure, and asked at every change, so that nothing depends on having heard everything in between.
 *
 * A step is one of two things. A turn is a judgement, and goes into the log before anything follows
 * from it. Moves are replicas to place and to let go, which go into the log as a decision.
 */

import type { RolloutTurn } from "../../core/log.ts";
import type { AppSpec } from "../../core/manifest/spec.ts";
import {
  FIRST_SETTLE_MS,
  HOPELESS_RESTARTS,
  ROLLOUT_REFUSED_MS,
  ROLLOUT_WATCH_MS,
} from "../../core/limits.ts";
import { type Comparison, describeComparison, whyWorse } from "./compare.ts";
import { describeExit } from "../events.ts";
import type { Sight } from "../reconcile.ts";
import type { Moment, Rollout } from "./rollout_state.ts";
import { existsOnce } from "../state.ts";

/** Answers of the new generation that tell something where the manifest has no canary. */
const MIN_REQUESTS = 100;

/** What is known around an app, besides its replicas. */
export interface Around {
  /** Apps that it needs and that serve nothing now. */
  readonly missingNeeds: readonly string[];
  /** Why replicas found no node when they were last to be placed. */
  readonly unplaced: readonly string[];
  /** How long ago something of the log was, in ms. */
  sinceMs(moment: Moment): number;
  /** How long the conductor has been up, in ms: while it was not, nobody could be in time. */
  readonly upMs: number;
  /** What the ingresses saw of both generations; `null` where none has told anything. */
  comparison(): Comparison | null;
  /** Whether requests come in at all: then it is worth waiting for their figures. */
  readonly busy: boolean;
  /** Why a node that was asked before anything is stopped could not run the new generation. */
  readonly unprepared?: {
    readonly nodeName: string;
    readonly reason: string;
    readonly forMs: number;
  };
}

export interface Scene {
  readonly rollout: Rollout;
  /** The generation that takes over. */
  readonly spec: AppSpec;
  readonly beforeDone: boolean;
  /** The signed generation that may be gone back to. */
  readonly fallback: number | undefined;
  readonly wanted: number;
  /** Its replicas that count. */
  readonly fresh: readonly Sight[];
  /** Those that it replaces. */
  readonly old: readonly Sight[];
  /** How many replicas there are in all, those that are leaving included: they still run. */
  readonly here: number;
  /** What runs before its first replica, if that is placed; and one of another generation. */
  readonly before: Sight | undefined;
  readonly otherBefore: Sight | undefined;
  readonly around: Around;
}

export interface Moves {
  readonly kind: "moves";
  /** How many of its replicas may be placed now. */
  readonly place: number;
  readonly leave: readonly Sight[];
  /** Serving ones that leave first, as soon as it is known that the new ones can run. */
  readonly replace?: readonly Sight[];
  /** Old replicas that may leave first, should the new ones find no place beside them. */
  readonly yield: readonly Sight[];
  /** Its `before` is to be placed. */
  readonly before?: true;
  /** Places go to the old generation: what stands still is kept as it is. */
  readonly fill?: true;
  readonly wait?: readonly string[];
  /** Look again after this many ms, where time alone changes the answer. */
  readonly againMs?: number;
}

export interface Turn {
  readonly kind: "turn";
  readonly turn: Omit<RolloutTurn, "app">;
}

const STILL: Moves = { kind: "moves", place: 0, leave: [], yield: [] };

/** What the rollout does next. */
export function rollout(scene: Scene): Turn | Moves {
  if (scene.rollout.phase === "paused") return standStill(scene);
  if (isOver(scene)) return turn(scene, "done", `${scene.wanted} of ${scene.wanted} are ready`);

  const fault = faultOf(scene);
  if (fault) return fail(scene, fault);

  const { missingNeeds } = scene.around;
  if (missingNeeds.length > 0 && scene.fresh.length === 0) {
    return { ...STILL, wait: missingNeeds.map((need) => `needs ${need} first`) };
  }
  if (!isPrepared(scene)) return prepare(scene);
  if (!isTried(scene)) return tryWithFew(scene);
  return replaceNext(scene);
}

// ---- The end --------------------------------------------------------------------------------------

/** All of the new are there and proven, none of the old is, and no figures are waited for. */
function isOver(scene: Scene): boolean {
  const { fresh, old, wanted } = scene;
  if (old.length > 0 || scene.before || fresh.length < wanted) return false;
  if (fresh.filter(isProven(scene)).length < wanted) return false;
  return !isWatched(scene) || whyWorseNow(scene) === null && watchLeftMs(scene) <= 0;
}

/**
 * What the ingresses see in the first seconds tells, too: a canary may have got too few requests to
 * be judged by, and never got all of them.
 */
function isWatched({ rollout, around, fresh }: Scene): boolean {
  if (rollout.kind !== "deploy" || rollout.phase === "failed") return false;
  if (!fresh.some((sight) => isOfThis(rollout, sight))) return false;
  return rollout.from !== undefined && around.busy;
}

function watchLeftMs({ rollout, around }: Scene): number {
  return ROLLOUT_WATCH_MS - around.sinceMs(rollout.step);
}

// ---- What goes wrong ------------------------------------------------------------------------------

interface Fault {
  readonly reason: string;
  readonly sight?: Sight;
  /** Nobody knows what was done: an operator has to look before anything goes on. */
  readonly hold?: true;
}

/** Why the new generation is worse than the old, or cannot be had; `null` while all is well. */
function faultOf(scene: Scene): Fault | null {
  const { kind, phase } = scene.rollout;
  // On the way back there is nothing better to go to; and what was told once is not told again.
  if (kind === "back" || phase !== "rolling") return null;
  return faultBefore(scene) ?? faultyReplica(scene) ?? unprepared(scene) ?? worse(scene) ??
    late(scene);
}

function faultBefore({ before, rollout }: Scene): Fault | null {
  if (!before || isForgiven(rollout, before)) return null;
  const { status, node, nodeName, placement } = before;
  if (node === "dead") {
    const reason =
      `${nodeName} was lost while \`before\` ran there as ${placement.replica}: nobody ` +
      "knows whether it was done";
    return { reason, sight: before, hold: true };
  }
  if (status?.state !== "finished" || status.exit?.code === 0) return null;
  const { exit } = status;
  if (exit?.why === "lost" || exit?.why === "stopped") {
    const reason = `\`before\` on ${nodeName} ended and nobody knows whether it was done`;
    return { reason, sight: before, hold: true };
  }
  const how = exit ? describeExit(exit) : "it ended";
  return { reason: `\`before\` failed on ${nodeName}: ${how}`, sight: before };
}

/** A new replica that ended by itself; with nothing better to go back to, one that keeps ending. */
function faultyReplica(scene: Scene): Fault | null {
  const strict = scene.rollout.from !== undefined;
  for (const sight of scene.fresh) {
    const { placement, nodeName, status, refusal } = sight;
    if (!isOfThis(scene.rollout, sight) || isForgiven(scene.rollout, sight)) continue;
    if (refusal && refusal.forMs >= ROLLOUT_REFUSED_MS) {
      const reason = `${nodeName} will not run ${placement.replica}: ${refusal.reason}`;
      return { reason, sight };
    }
    if (!status?.exit || !(strict ? hasEnded(status) : isHopeless(status))) continue;
    const again = status.restarts > 1 ? `, restarted ${status.restarts} times` : "";
    const reason = `${placement.replica} on ${nodeName}: ${describeExit(status.exit)}${again}`;
    return { reason, sight };
  }
  return null;
}

/** It cannot even be started where an old one is to be stopped for it. */
function unprepared({ rollout, around }: Scene): Fault | null {
  if (!around.unprepared || around.unprepared.forMs < ROLLOUT_REFUSED_MS) return null;
  const { nodeName, reason } = around.unprepared;
  return { reason: `generation ${rollout.generation} cannot run on ${nodeName}: ${reason}` };
}

type Status = NonNullable<Sight["status"]>;

function hasEnded({ exit }: Status): boolean {
  return exit !== undefined && exit.why !== "stopped" && exit.why !== "lost";
}

function isHopeless(status: Status): boolean {
  if (status.state === "ready" || !hasEnded(status)) return false;
  if (status.state === "finished" || status.exit?.why === "launch") return true;
  return status.restarts >= HOPELESS_RESTARTS;
}

function worse(scene: Scene): Fault | null {
  const reason = whyWorseNow(scene);
  return reason === null ? null : { reason };
}

function whyWorseNow({ rollout, spec, around }: Scene): string | null {
  if (rollout.kind !== "deploy" || rollout.from === undefined) return null;
  const comparison = around.comparison();
  return comparison &&
    whyWorse(comparison, spec.rollout.canary?.minRequests ?? MIN_REQUESTS);
}

/** Nothing has moved on for as long as the manifest allows, because of a new replica. */
function late(scene: Scene): Fault | null {
  const { rollout, spec, fresh, wanted, around } = scene;
  if (rollout.canarySince && !rollout.promoted) return null;
  const { timeoutMs } = spec.rollout;
  if (standsStillMs(scene) < timeoutMs) return null;
  const sight = fresh.find((each) =>
    isOfThis(rollout, each) && each.readyForMs === 0 && each.node === "ready" &&
    (each.status !== undefined || each.reported)
  );
  const within = `within ${timeoutMs / 1000} s`;
  if (sight) {
    const { placement, nodeName, status, refusal } = sight;
    const why = refusal?.reason ?? status?.reason ??
      (status?.exit ? describeExit(status.exit) : `it is ${status?.state ?? "not accepted"}`);
    return {
      reason: `${placement.replica} on ${nodeName}: not ready ${within}: ${why}`,
      sight,
    };
  }
  const [unplaced] = around.unplaced;
  if (unplaced === undefined || fresh.length >= wanted) return null;
  return { reason: `${unplaced} (${within})` };
}

function standsStillMs({ rollout, around }: Scene): number {
  return Math.min(around.upMs, around.sinceMs(rollout.step));
}

/** Placed by this rollout: what was only relabelled has a past that this one is not judged by. */
function isOfThis(rollout: Rollout, { placement }: Sight): boolean {
  return (placement.placedSequence ?? Infinity) > rollout.begun.sequence;
}

/** An operator has seen what it did, and said to go on. */
function isForgiven(rollout: Rollout, { placement }: Sight): boolean {
  return (placement.placedSequence ?? 0) <= rollout.forgivenSequence;
}

/** Back to what is signed for this case; where nothing is, or pausing was asked for, it is told. */
function fail(scene: Scene, { reason, sight, hold }: Fault): Turn {
  const { onFailure } = scene.spec.rollout;
  const isBack = scene.rollout.kind === "deploy" && onFailure === "rollback" && !hold;
  const back = isBack ? scene.fallback : undefined;
  // A `before` that failed is never tried again by itself.
  const stays = back === undefined &&
    (hold || onFailure === "pause" || sight?.placement.part === "before");
  return turn(scene, "failed", reason, {
    ...(back === undefined ? {} : { back }),
    ...(stays ? { hold: true } : {}),
    ...(sight ? { replica: sight.placement.replica, node: sight.nodeName } : {}),
  });
}

// ---- Before the first replica ---------------------------------------------------------------------

function isPrepared({ spec, beforeDone, rollout }: Scene): boolean {
  return !spec.before || beforeDone || rollout.kind === "back";
}

function prepare(scene: Scene): Turn | Moves {
  const { before, otherBefore, rollout } = scene;
  if (otherBefore) {
    const { placement, nodeName, node } = otherBefore;
    const where = node === "dead"
      ? `${nodeName}, which is dead: skr8tr rollout resume starts another one all the same`
      : nodeName;
    return {
      ...STILL,
      wait: [
        `the \`before\` of generation ${placement.generation} has to end first: ` +
        `${placement.replica} on ${where}`,
      ],
    };
  }
  if (!before) return { ...STILL, before: true };
  if (before.status?.state === "finished") {
    if (before.status.exit?.code === 0) {
      return turn(scene, "before-done", `\`before\` is done on ${before.nodeName}`);
    }
    // It was seen to fail, and an operator said to go on: once more.
    if (isForgiven(rollout, before)) return { ...STILL, leave: [before] };
  }
  if (before.node === "dead" && isForgiven(rollout, before)) return { ...STILL, leave: [before] };
  return {
    ...STILL,
    wait: [`\`before\` runs on ${before.nodeName} (${before.placement.replica})`],
  };
}

// ---- With a few, first ----------------------------------------------------------------------------

/** Says whether the new generation needs no canary, or has passed it. */
function isTried({ rollout, spec, wanted, old }: Scene): boolean {
  const { kind, from, promoted } = rollout;
  if (!spec.rollout.canary || kind !== "deploy" || from === undefined) return true;
  return promoted === true || wanted === 0 || old.length === 0;
}

/** The canary is one batch at the most: as many replicas as its share of requests asks for. */
function canaryCount({ spec, wanted }: Scene): number {
  const { canary, batch } = spec.rollout;
  return Math.min(batch, Math.max(1, Math.ceil(wanted * (canary?.percent ?? 0) / 100)));
}

function tryWithFew(scene: Scene): Turn | Moves {
  const { rollout, spec, fresh, around } = scene;
  const canary = spec.rollout.canary!;
  const count = canaryCount(scene);
  if (fresh.filter(isProven(scene)).length < count) {
    const few = { ...spec, rollout: { ...spec.rollout, batch: count } };
    const { place, leave, replace, yield: spare, againMs } = replaceNext({ ...scene, spec: few });
    return {
      ...STILL,
      place: Math.max(0, Math.min(place, count - fresh.length)),
      leave: orderOf(spec) === "stop-first" ? leave : notNeeded(scene),
      ...(replace ? { replace } : {}),
      yield: spare,
      ...(againMs === undefined ? {} : { againMs }),
    };
  }
  if (!rollout.canarySince) {
    return turn(scene, "canary", `${canary.percent} % of the requests go to it from here on`);
  }
  const leftMs = canary.durationMs - around.sinceMs(rollout.canarySince);
  if (leftMs > 0) return { ...STILL, againMs: leftMs };
  return turn(scene, "promoted", verdictOf(scene));
}

/**
 * The old ones all stay while a canary is tried, but for what is of no use, and what is more than is
 * wanted: an earlier canary, or what a restart had begun to replace.
 */
function notNeeded({ old, wanted, rollout }: Scene): Sight[] {
  const serving = old.filter(isServing);
  const isBase = ({ placement }: Sight) => placement.generation === rollout.from;
  const lastFirst = [...serving.filter((each) => !isBase(each)), ...serving.filter(isBase)];
  return [...old.filter(isIdle), ...lastFirst.slice(0, Math.max(0, serving.length - wanted))];
}

function verdictOf({ spec, around }: Scene): string {
  const comparison = around.comparison();
  const { minRequests = 0 } = spec.rollout.canary ?? {};
  const answered = comparison?.fresh.requests ?? 0;
  if (!comparison || answered < minRequests) {
    return `the canary stayed up; ${answered} answers are too few to judge by (${minRequests})`;
  }
  return `the canary is as good as the old one: ${describeComparison(comparison)}`;
}

// ---- One batch after another ----------------------------------------------------------------------

/** How far the replacement of the old by the new may go now. */
function replaceNext(scene: Scene): Moves {
  const { rollout, spec, wanted, fresh, old, here } = scene;
  const again = againOf(scene);
  if (old.length === 0 && here === fresh.length) return { ...STILL, place: Infinity, ...again };
  // The way back is taken at once: what is to be replaced is no good.
  const batch = rollout.kind === "back" ? Math.max(1, wanted) : spec.rollout.batch;
  const tried = fresh.filter((sight) => isSpent(rollout, sight));
  const proven = fresh.filter(isProven(scene));
  const serving = old.filter(isServing);
  const idle = old.filter(isIdle);
  const unavailable = Math.max(0, wanted - proven.length - serving.length);
  const stoppable = serving.slice(0, Math.max(0, batch - unavailable));

  if (orderOf(spec) === "stop-first") {
    // What is to be gone back to has run before; what is on trial is looked into first.
    const isSure = rollout.kind === "back";
    return {
      ...STILL,
      place: Math.max(0, wanted - here),
      leave: [...tried, ...idle, ...(isSure ? stoppable : [])],
      ...(isSure || stoppable.length === 0 ? {} : { replace: stoppable }),
      ...again,
    };
  }
  const spare = Math.max(0, serving.length - Math.max(0, wanted - proven.length));
  return {
    ...STILL,
    place: Math.max(0, wanted + batch - here),
    leave: [...tried, ...idle, ...serving.slice(0, spare)],
    yield: [...idle, ...stoppable],
    ...again,
  };
}

/** It failed, and an operator said to go on: it is tried again as another replica. */
function isSpent(rollout: Rollout, sight: Sight): boolean {
  return rollout.forgivenSequence > 0 && isOfThis(rollout, sight) && isForgiven(rollout, sight) &&
    sight.readyForMs === 0 && sight.status !== undefined && hasEnded(sight.status);
}

/** Two processes on the one volume of an app that exists once are never wanted. */
export function orderOf(spec: AppSpec): AppSpec["rollout"]["order"] {
  return existsOnce(spec) ? "stop-first" : spec.rollout.order;
}

/** Without a health check nothing but time tells whether a replica is any good. */
function standMsOf({ rollout, spec }: Scene): number {
  if (spec.health || rollout.kind === "back") return 0;
  const { settleMs } = spec.rollout;
  // Where it replaces nothing, nothing is lost by believing it sooner.
  const isFirst = rollout.from === undefined && rollout.begun.sequence > 0;
  return isFirst ? Math.min(FIRST_SETTLE_MS, settleMs) : settleMs;
}

function isStanding(sight: Sight): boolean {
  return sight.node !== "dead" && sight.readyForMs > 0;
}

function isProven(scene: Scene): (sight: Sight) => boolean {
  const standMs = standMsOf(scene);
  return (sight) =>
    isStanding(sight) &&
    // What was there before the rollout has been proven by that.
    (sight.readyForMs >= standMs || !isOfThis(scene.rollout, sight));
}

/** When time alone changes something: a replica has stood long enough, or the rollout is late. */
function againOf(scene: Scene): { readonly againMs?: number } {
  const { rollout, spec, fresh } = scene;
  const times: number[] = [];
  const proven = isProven(scene);
  const standing = standMsOf(scene) === 0
    ? []
    : fresh.filter((each) => isStanding(each) && !proven(each));
  if (standing.length > 0) {
    times.push(standMsOf(scene) - Math.max(...standing.map((sight) => sight.readyForMs)));
  }
  if (rollout.phase === "rolling" && rollout.kind !== "back") {
    times.push(spec.rollout.timeoutMs - standsStillMs(scene));
    for (const { refusal } of fresh) if (refusal) times.push(ROLLOUT_REFUSED_MS - refusal.forMs);
    const { unprepared } = scene.around;
    if (unprepared) times.push(ROLLOUT_REFUSED_MS - unprepared.forMs);
  }
  if (isWatched(scene) && watchLeftMs(scene) > 0) times.push(watchLeftMs(scene));
  const ahead = times.filter((ms) => ms > 0);
  return ahead.length === 0 ? {} : { againMs: Math.max(1, Math.min(...ahead)) };
}

function isServing(sight: Sight): boolean {
  return sight.node !== "dead" && sight.status?.state === "ready";
}

/** Known to be of no use now. What has not been heard of yet, after a restart, may be serving. */
function isIdle(sight: Sight): boolean {
  if (sight.node === "dead") return true;
  return sight.status ? sight.status.state !== "ready" : sight.reported;
}

// ---- Standing still -------------------------------------------------------------------------------

/** Nothing is replaced; what is lost meanwhile is placed again, as it was where that may be. */
function standStill({ wanted, fresh, old, fallback, rollout }: Scene): Moves {
  const missing = Math.max(0, wanted - fresh.length - old.length);
  const fill = old.length > 0 && rollout.from !== undefined && rollout.from === fallback;
  return { ...STILL, place: missing, ...(fill ? { fill: true } : {}) };
}

function turn(
  scene: Scene,
  name: RolloutTurn["turn"],
  reason: string,
  more: Pick<RolloutTurn, "back" | "hold" | "replica" | "node"> = {},
): Turn {
  const { generation } = scene.rollout;
  return { kind: "turn", turn: { turn: name, generation, reason, ...more } };
}
