// Following an app until it is known what became of it.

import { Failure } from "../core/errors.ts";
import type { AppView, LogView, ReplicaView, WhyView } from "../core/view.ts";
import type { Conductor } from "./conductor.ts";
import type { Verdict } from "./verdict.ts";

/** How many of a failed replica's last lines are shown. */
const LAST_LINES = 10;
/** A broken watch is taken up again after this, ms. */
const WATCH_AGAIN_MS = 250;

/** What became of it. */
export interface Judged {
  readonly result: "ready" | "failed";
  readonly reason?: string;
  /** Nothing has failed yet: the time was up, and the conductor goes on. */
  readonly late?: true;
  readonly replica?: string;
  readonly node?: string;
  /** The last lines of the replica that shows why. */
  readonly lines?: readonly string[];
}

export interface FollowOptions {
  readonly conductor: Conductor;
  readonly app: string;
  /** When to give up, on `performance.now()`. */
  readonly untilMs: number;
  /** How long it has to stay ready, where the conductor does not say when it is decided, ms. */
  readonly settleMs?: number;
  judge(view: AppView): Verdict;
  /** Why it is not done when its time is up. */
  late(view: AppView | undefined): { readonly reason: string; readonly replica?: ReplicaView };
  onView?(view: AppView): void;
}

/** Follows an app until the verdict is clear or the time is up. */
export async function follow(options: FollowOptions): Promise<Judged> {
  const { conductor, app, untilMs, settleMs = 0 } = options;
  const path = `/api/apps/${app}?watch=1`;
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), untilMs - performance.now());
  let settling: ReturnType<typeof setTimeout> | undefined;
  let settled = false;
  let last: AppView | undefined;
  try {
    while (!stop.signal.aborted) {
      try {
        for await (const view of conductor.lines<AppView>(path, stop.signal)) {
          last = view;
          options.onView?.(view);
          clearTimeout(settling);
          const verdict = options.judge(view);
          if (verdict.kind === "failed") return await failed(conductor, app, verdict);
          if (verdict.kind !== "ready") continue;
          // A conductor that tells of its rollouts has seen it settle already.
          if (settleMs === 0 || view.newest?.outcome) return { result: "ready" };
          settling = setTimeout(() => {
            settled = true;
            stop.abort();
          }, settleMs);
        }
      } catch (error) {
        // The conductor may be restarting; what it has accepted it still knows then.
        if (!(error instanceof Failure) || error.code !== "unreachable") throw error;
        clearTimeout(settling);
      }
      if (!stop.signal.aborted) await new Promise((again) => setTimeout(again, WATCH_AGAIN_MS));
    }
  } finally {
    clearTimeout(timer);
    clearTimeout(settling);
  }
  if (settled) return { result: "ready" };
  const { reason, replica } = options.late(last);
  const late = { reason: `not ready in time: ${reason}`, ...(replica ? { replica } : {}) };
  return { ...await failed(conductor, app, late), late: true };
}

async function failed(
  conductor: Conductor,
  app: string,
  why: { readonly reason: string; readonly replica?: Pick<ReplicaView, "replica" | "node"> },
): Promise<Judged> {
  const { reason } = why;
  if (!why.replica) return { result: "failed", reason };
  const { replica, node } = why.replica;
  // Where and which is said before it.
  const prefix = `${replica} on ${node}: `;
  return {
    result: "failed",
    reason: reason.startsWith(prefix) ? reason.slice(prefix.length) : reason,
    replica,
    node,
    lines: await lastLines(conductor, app, why.replica),
  };
}

/** What the replica wrote last; what its exit says where the conductor cannot ask the node. */
async function lastLines(
  conductor: Conductor,
  app: string,
  replica: Pick<ReplicaView, "replica" | "node"> & Partial<Pick<ReplicaView, "exit">>,
): Promise<readonly string[]> {
  const lines: string[] = [];
  try {
    for await (const log of conductor.lines<LogView>(`/api/logs/${app}?lines=200`)) {
      if (log.replica === replica.replica) lines.push(log.line);
    }
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
  }
  if (lines.length > 0) return lines.slice(-LAST_LINES);
  const tail = replica.exit?.tail ?? await tailOf(conductor, app, replica.replica);
  return tail.split("\n").filter((line) => line !== "").slice(-LAST_LINES);
}

/** A replica that is gone has left its last lines in the history. */
async function tailOf(conductor: Conductor, app: string, replica: string): Promise<string> {
  try {
    const why = await conductor.get<WhyView>(`/api/apps/${app}/why`);
    return why.exits.find((each) => each.replica === replica)?.exit.tail ?? "";
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return "";
  }
}
