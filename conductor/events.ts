import type { RolloutTurn } from "../core/log.ts";
import { ARTIFACT_CHANGED, type Exit, HEALTH_CHECK, type ReplicaStatus } from "../core/mesh.ts";
import type { EventView } from "../core/view.ts";

/** How a process ended, for people: `exit code 3`, `killed by SIGKILL`. */
export function describeExit(exit: Exit): string {
  const how = exit.signal !== undefined
    ? `killed by ${exit.signal}`
    : exit.code !== undefined
    ? `exit code ${exit.code}`
    : "ended, nobody saw how";
  switch (exit.why) {
    case "exit":
      return how;
    case "stopped":
      return "stopped as told";
    case "launch":
      return `could not be started${exit.tail === undefined ? "" : `: ${exit.tail}`}`;
    case "unhealthy":
      return `killed after failing its health check${checkOf(exit)}`;
    case "oom":
      return "killed: out of memory";
    case "lost":
      return "ended while nobody watched";
    case "timeout":
      return "killed: it took longer than it may";
    default:
      return exit.why satisfies never;
  }
}

/** What the last probe found, if the node said it. */
function checkOf({ tail = "" }: Exit): string {
  const at = tail.lastIndexOf(HEALTH_CHECK);
  return at < 0 ? "" : `: ${tail.slice(at + HEALTH_CHECK.length)}`;
}

/** What the history tells about a replica whose status changed. */
export function describeChange(
  node: string,
  before: ReplicaStatus | undefined,
  after: ReplicaStatus,
): Omit<EventView, "sequence" | "wallMs">[] {
  const { app, replica } = after;
  const at = { app, node, replica };
  const events: Omit<EventView, "sequence" | "wallMs">[] = [];
  if (after.exit && after.exit.wallMs !== before?.exit?.wallMs) {
    const text = `${replica} on ${node}: ${describeExit(after.exit)}`;
    const { generation, exit } = after;
    events.push({ kind: "replica-exited", ...at, generation, exit, text });
  }
  if (after.reason?.startsWith(ARTIFACT_CHANGED) && after.reason !== before?.reason) {
    const text = `${replica} on ${node}: ${after.reason}`;
    events.push({ kind: "artifact-changed", ...at, text });
  }
  if (after.state === "ready" && before?.state !== "ready") {
    const port = after.port === undefined ? "" : ` at port ${after.port}`;
    events.push({ kind: "replica-ready", ...at, text: `${replica} on ${node} is ready${port}` });
  }
  if (before?.state === "ready" && after.state === "starting") {
    const isSame = after.pid !== undefined && after.pid === before.pid;
    const why = after.reason ??
      (isSame ? "its health check fails" : "its program is not there any more");
    events.push({ kind: "replica-unready", ...at, text: `${replica} on ${node}: ${why}` });
  }
  return events;
}

/** What the history tells about a turn of a rollout. */
export function eventOfTurn(turn: RolloutTurn): Omit<EventView, "sequence" | "wallMs"> {
  const { app, generation, reason, back, hold, replica, node } = turn;
  const what = `generation ${generation} of ${app}`;
  const at = {
    app,
    ...(replica === undefined ? {} : { replica }),
    ...(node === undefined ? {} : { node }),
  };
  switch (turn.turn) {
    case "before-done":
      return { kind: "rollout-before", ...at, text: `${what}: ${reason}` };
    case "canary":
      return { kind: "rollout-canary", ...at, text: `${what} is tried: ${reason}` };
    case "promoted":
      return { kind: "rollout-promoted", ...at, text: `${what} goes on: ${reason}` };
    case "done":
      return { kind: "rollout-done", ...at, text: `${what} is in place: ${reason}` };
    case "restart":
      return { kind: "rollout-restart", ...at, text: `${what} is restarted: ${reason}` };
    case "failed": {
      const then = back !== undefined
        ? `back to generation ${back}`
        : hold
        ? "it stands still; skr8tr rollout resume or undo"
        : "there is no signed generation to go back to, it goes on trying";
      return { kind: "rollout-failed", ...at, text: `${what} failed: ${reason}; ${then}` };
    }
    default:
      return turn.turn satisfies never;
  }
}
