// How a job is shown: its state is that of its runs.

import type { Run } from "../../core/job.ts";
import { JOB_RUNS_SHOWN } from "../../core/limits.ts";
import type { AppView, ReplicaView, RunView } from "../../core/view.ts";
import { type App, currentOf, type State } from "../state.ts";

/** What differs from a service's view. */
export function jobView(
  state: State,
  app: App,
  replicas: readonly ReplicaView[],
): Pick<AppView, "state" | "wanted" | "ready" | "runs"> {
  const runs = app.job?.runs ?? [];
  const counted = replicas.filter((each) => each.state !== "finished" && each.state !== "stopping");
  return {
    state: app.down ? "down" : app.stopped ? "stopped" : jobState(app, runs),
    wanted: counted.length,
    ready: counted.filter((each) => each.state === "ready").length,
    runs: runs.slice(-JOB_RUNS_SHOWN).map((run) => runView(state, run)),
  };
}

function runView(state: State, run: Run): RunView {
  const replicas = run.replicas.map((each) => ({
    replica: each.replica,
    node: state.nodes.get(each.node) ?? each.node,
  }));
  return { ...run, replicas };
}

/** The last run that came to something says how the job does; one with a schedule is ready before. */
function jobState(app: App, runs: readonly Run[]): AppView["state"] {
  const last = runs.findLast(({ state }) => state !== "skipped" && state !== "missed");
  if (!last) return currentOf(app).spec.schedule ? "ready" : "deploying";
  switch (last.state) {
    case "waiting":
    case "running":
      return currentOf(app).spec.schedule ? "ready" : "deploying";
    case "failed":
    case "timeout":
    case "unknown":
      return "failing";
    default:
      return "ready";
  }
}

/** Why the last run of a job is no success. */
export function jobReasons(app: App): string[] {
  const last = app.job?.runs.findLast(({ state }) => state !== "skipped" && state !== "missed");
  if (!last || last.reason === undefined || last.state === "succeeded") return [];
  return [`run ${last.run} ${last.state}: ${last.reason}`];
}
