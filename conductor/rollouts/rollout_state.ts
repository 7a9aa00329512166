/**
 * What the log says about rollouts, folded. Everything that a rollout needs to go on after a restart
 * of the conductor is here; what else it looks at, nodes and ingresses tell again.
 */

import type { Entry, RolloutTurn } from "../../core/log.ts";
import type { App, Generation } from "../state.ts";

/** A durable point in time: an entry of the log, and when it was written. */
export interface Moment {
  readonly sequence: number;
  readonly wallMs: number;
}

export interface Rollout {
  /** `deploy`: a new manifest; `restart`: the same once more; `back`: after a failed deploy. */
  readonly kind: "deploy" | "restart" | "back";
  /** The generation that takes over. */
  readonly generation: number;
  /** What served before, if anything did: the new one's figures are held against its. */
  readonly from?: number;
  /**
   * `rolling`: goes on; `paused`: stands still until an operator lets it go on; `failed`: has been
   * told so, has nothing to go back to, and goes on trying; `done`.
   */
  readonly phase: "rolling" | "paused" | "failed" | "done";
  readonly begun: Moment;
  /** The last step forward: its begin, a replica placed or let go, a turn, a resumption. */
  readonly step: Moment;
  /** Since when the canary has had its share of requests. */
  readonly canarySince?: Moment;
  /** The canary was as good as the old: the rest follows. */
  readonly promoted?: true;
  /** Replicas placed up to this entry are not judged any more: an operator said to go on. */
  readonly forgivenSequence: number;
  /** Why it is paused, failed or done. */
  readonly reason?: string;
  /** The replica that shows why, and its node's name. */
  readonly replica?: string;
  readonly node?: string;
}

/** What became of a generation's rollout. */
export interface Outcome {
  /** `superseded`: another generation came, or the app was taken down, before it was decided. */
  readonly result: "done" | "failed" | "rolled-back" | "superseded";
  readonly reason: string;
  readonly wallMs: number;
  readonly replica?: string;
  readonly node?: string;
}

/** The last generation that is known to be good: what a failed rollout may go back to. */
export function lastGoodOf(app: App): number | undefined {
  const { rollout } = app;
  if (!rollout) return app.target ?? app.generations.at(-1)?.generation;
  if (rollout.phase === "done" || rollout.kind !== "deploy") return rollout.generation;
  return rollout.from;
}

/** A manifest was applied: its rollout begins. To be called before the generation is added. */
export function beginDeploy(app: App, generation: number, at: Moment): void {
  const from = app.down || app.stopped ? undefined : lastGoodOf(app);
  supersede(app, at.wallMs, `generation ${generation} came`);
  begin(app, "deploy", generation, from, at);
  delete app.target;
}

/** The generation that was being rolled out, if one was, is not any more. */
export function supersede(app: App, wallMs: number, reason: string): void {
  const { rollout } = app;
  if (rollout?.kind !== "deploy" || rollout.phase === "done") return;
  settle(app, rollout.generation, { result: "superseded", reason, wallMs });
}

/**
 * All replicas of the wanted generation are to be replaced, one batch after another. Whatever entry
 * gives cause for it (an operator's RESTART, a changed secret) calls this where it is applied, so
 * that cause and restart cannot be told apart by a crash in between.
 */
export function beginRestart(app: App, generation: number, at: Moment, reason?: string): void {
  app.renewSequence = at.sequence;
  const { rollout } = app;
  // One that is under way replaces them all anyway.
  if (rollout && rollout.phase !== "done" && rollout.kind !== "restart") {
    app.rollout = { ...rollout, step: at };
    return;
  }
  begin(app, "restart", generation, generation, at);
  if (reason !== undefined) app.rollout = { ...app.rollout!, reason };
}

function begin(
  app: App,
  kind: Rollout["kind"],
  generation: number,
  from: number | undefined,
  at: Moment,
): void {
  app.rollout = {
    kind,
    generation,
    ...(from === undefined ? {} : { from }),
    phase: "rolling",
    begun: at,
    step: at,
    forgivenSequence: 0,
  };
}

/** Replicas were placed or let go: the rollout has made a step. */
export function noteStep(app: App, at: Moment): void {
  if (app.rollout && app.rollout.phase !== "done") app.rollout = { ...app.rollout, step: at };
}

export function pauseRollout(app: App, reason: string): void {
  if (app.rollout) app.rollout = { ...app.rollout, phase: "paused", reason };
}

/** It goes on, whatever its replicas have done so far; a canary's time begins anew. */
export function resumeRollout(app: App, at: Moment): void {
  if (!app.rollout) return;
  const { reason: _reason, replica: _replica, node: _node, canarySince, ...rest } = app.rollout;
  app.rollout = {
    ...rest,
    ...(canarySince ? { canarySince: at } : {}),
    phase: "rolling",
    step: at,
    forgivenSequence: at.sequence,
  };
}

/** Takes a turn that the conductor has decided. */
export function applyTurn(app: App, turn: RolloutTurn, entry: Entry): void {
  const at: Moment = { sequence: entry.sequence, wallMs: entry.wallMs };
  if (turn.turn === "restart") {
    return beginRestart(app, turn.generation, at, turn.reason);
  }
  if (!app.rollout) begin(app, "deploy", turn.generation, undefined, at);
  const rollout = app.rollout!;
  const why = {
    reason: turn.reason,
    ...(turn.replica === undefined ? {} : { replica: turn.replica }),
    ...(turn.node === undefined ? {} : { node: turn.node }),
  };
  switch (turn.turn) {
    case "before-done":
      change(app, turn.generation, { beforeDone: true });
      app.rollout = { ...rollout, step: at };
      return;
    case "canary":
      app.rollout = { ...rollout, step: at, canarySince: at };
      return;
    case "promoted":
      app.rollout = { ...rollout, step: at, promoted: true };
      return;
    case "done": {
      const { replica: _replica, node: _node, ...rest } = rollout;
      app.rollout = { ...rest, phase: "done", step: at, reason: turn.reason };
      if (rollout.kind === "deploy") {
        settle(app, turn.generation, {
          result: "done",
          reason: turn.reason,
          wallMs: entry.wallMs,
        });
      }
      return;
    }
    case "failed":
      return applyFailure(app, turn, why, at);
    default:
      turn.turn satisfies never;
  }
}

function applyFailure(
  app: App,
  turn: RolloutTurn,
  why: Pick<Outcome, "reason" | "replica" | "node">,
  at: Moment,
): void {
  const rollout = app.rollout!;
  const { back, generation } = turn;
  if (rollout.kind === "deploy") {
    const result = back === undefined ? "failed" : "rolled-back";
    settle(app, generation, { result, ...why, wallMs: at.wallMs });
  }
  if (back === undefined) {
    app.rollout = { ...rollout, ...why, phase: turn.hold ? "paused" : "failed", step: at };
    return;
  }
  app.target = back;
  begin(app, "back", back, generation, at);
  // The old ones are all still there where the canary never got further than its share.
  const promoted = rollout.promoted ? { promoted: true as const } : {};
  app.rollout = { ...app.rollout!, ...why, ...promoted };
}

function settle(app: App, generation: number, outcome: Outcome): void {
  change(app, generation, { outcome });
}

function change(app: App, generation: number, more: Partial<Generation>): void {
  app.generations = app.generations.map((each) =>
    each.generation === generation ? { ...each, ...more } : each
  );
}
