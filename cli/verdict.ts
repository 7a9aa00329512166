// When a deploy has succeeded, and when it has failed for good.

import type { AppView, ReplicaView } from "../core/view.ts";
import { exitText } from "./render/words.ts";

/** A replica that fell this often without being ready will not be ready by itself. */
const HOPELESS_RESTARTS = 3;

/** What an app's view says about the deploy of one of its generations. */
export type Verdict =
  | { readonly kind: "waiting" }
  | { readonly kind: "ready" }
  | {
    readonly kind: "failed";
    readonly reason: string;
    /** The replica that shows why, if one does: as it is seen, or as it was. */
    readonly replica?: ReplicaView | { readonly replica: string; readonly node: string };
  };

/** Judges whether generation `generation` is as wanted, still on its way, or lost. */
export function verdictOf(view: AppView, generation: number): Verdict {
  const decided = outcomeOf(view, generation);
  if (decided) return decided;
  if (view.generation !== generation) {
    return {
      kind: "failed",
      reason: view.generation > generation
        ? `generation ${view.generation} was deployed meanwhile`
        : `went back to generation ${view.generation}${because(view)}`,
    };
  }
  if (view.state === "down") return { kind: "failed", reason: "was taken down meanwhile" };
  if (view.state === "ready") return { kind: "ready" };
  if (view.type === "job" && view.state === "failing") {
    const replica = view.replicas.find((each) => each.exit);
    return { kind: "failed", reason: view.reasons.join("; "), ...(replica ? { replica } : {}) };
  }
  const hopeless = view.replicas.find((replica) =>
    replica.generation === generation && isHopeless(replica, view.type)
  );
  if (!hopeless) return { kind: "waiting" };
  return { kind: "failed", reason: whyReplica(hopeless), replica: hopeless };
}

/**
 * What the conductor has decided; `null` where it has not told, or where all that is left is that
 * the generation's replicas are ready now.
 */
function outcomeOf(view: AppView, generation: number): Verdict | null {
  const { newest, rollout } = view;
  if (!newest || view.state === "down") return null;
  if (newest.generation > generation) {
    return {
      kind: "failed",
      reason: `generation ${newest.generation} was deployed meanwhile`,
    };
  }
  if (newest.generation < generation) return { kind: "waiting" };
  if (!newest.outcome) return view.type === "job" ? null : { kind: "waiting" };
  const { result, reason, replica, node } = newest.outcome;
  if (result === "done") return null;
  const back = result === "rolled-back" && rollout?.kind === "back"
    ? `; back to generation ${rollout.generation}`
    : "";
  return {
    kind: "failed",
    reason: reason + back,
    ...(replica !== undefined && node !== undefined ? { replica: { replica, node } } : {}),
  };
}

/** What an app's view says about a rolling restart that began after entry `sequence` of the log. */
export function restartVerdict(view: AppView): Verdict {
  const { rollout } = view;
  if (view.state === "down") return { kind: "failed", reason: "was taken down meanwhile" };
  if (!rollout || rollout.phase === "done") {
    return view.state === "ready" ? { kind: "ready" } : { kind: "waiting" };
  }
  if (rollout.phase !== "failed" && rollout.phase !== "paused") return { kind: "waiting" };
  const { reason = "it stands still", replica, node } = rollout;
  return {
    kind: "failed",
    reason,
    ...(replica !== undefined && node !== undefined ? { replica: { replica, node } } : {}),
  };
}

function because(view: AppView): string {
  return view.reasons.length === 0 ? "" : `: ${view.reasons.join("; ")}`;
}

/** Says whether waiting longer would be in vain. */
function isHopeless(replica: ReplicaView, type: AppView["type"]): boolean {
  const { exit, state, restarts } = replica;
  if (state === "ready" || exit === undefined || exit.why === "stopped") return false;
  if (state === "finished") return type !== "job" || exit.code !== 0;
  return exit.why === "launch" || restarts >= HOPELESS_RESTARTS;
}

/** Why a replica is not ready: in its node's words, or else by how it ended. */
export function whyReplica(replica: ReplicaView): string {
  const { exit, reason, restarts, state } = replica;
  const ended = exit && exit.why !== "stopped" ? exitText(exit) : `still ${state}`;
  const again = restarts === 0
    ? ""
    : `, restarted ${restarts === 1 ? "once" : `${restarts} times`}`;
  return (reason ?? ended) + again;
}

/** Why the deploy is not done when its time is up, from the last view. */
export function whyLate(view: AppView | undefined, generation: number): {
  readonly reason: string;
  readonly replica?: ReplicaView;
} {
  if (!view) return { reason: "the conductor never said how it is doing" };
  const late = view.replicas.find((replica) =>
    replica.generation === generation && replica.state !== "ready"
  );
  if (late) return { reason: whyReplica(late), replica: late };
  return { reason: view.reasons.join("; ") || `${view.ready} of ${view.wanted} are ready` };
}
