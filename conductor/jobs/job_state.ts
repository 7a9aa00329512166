// What the log says of the runs of jobs, and what its entries change.

import type { OperatorCommand } from "../../core/command.ts";
import { isOver, type Run } from "../../core/job.ts";
import { JOB_RUNS } from "../../core/limits.ts";
import type { Place } from "../../core/log.ts";
import type { AppSpec, ScheduleSpec } from "../../core/manifest/spec.ts";
import type { Outcome } from "../commands.ts";
import { type App, currentOf, type State } from "../state.ts";

/** What the log says of an app's runs. */
export interface JobState {
  /** Oldest first; the ended ones beyond `JOB_RUNS` are forgotten. */
  runs: Run[];
  /** Runs there ever were. */
  count: number;
  /** Every tick up to here has been taken. */
  tickWallMs: number;
}

export function isJob(spec: AppSpec): boolean {
  return spec.type === "job";
}

/**
 * A generation of a job was applied: one without a schedule runs.
 *
 * @param rested whether the app had been down or stopped
 */
export function applyJob(
  app: App,
  by: string | undefined,
  wallMs: number,
  rested: boolean,
): void {
  const { spec, generation } = currentOf(app);
  if (!isJob(spec)) return;
  // A job is not rolled out: what is applied is what runs next.
  delete app.rollout;
  const outcome = { result: "done", reason: "a job has no rollout", wallMs } as const;
  app.generations[app.generations.length - 1] = { ...app.generations.at(-1)!, outcome };
  const before = app.generations.at(-2)?.spec.schedule;
  app.job ??= { runs: [], count: 0, tickWallMs: wallMs };
  // Ticks of another schedule, or of a time when the app was down, were nobody's.
  if (!isSame(before, spec.schedule)) app.job.tickWallMs = wallMs;
  else if (rested) skipTicks(app, wallMs);
  if (!spec.schedule) ask(app.job, { why: "apply", generation, ...(by ? { by } : {}) }, wallMs);
}

/** Ticks of the time in which the app was down or stopped are nobody's. */
export function skipTicks({ job }: App, wallMs: number): void {
  if (job) job.tickWallMs = Math.max(job.tickWallMs, wallMs);
}

function isSame(a: ScheduleSpec | undefined, b: ScheduleSpec | undefined): boolean {
  return a?.cron === b?.cron && a?.timezone === b?.timezone;
}

type RunCommand = Extract<OperatorCommand, { verb: "RUN" }>;

export function judgeRun(state: State, command: RunCommand): Outcome {
  const app = state.apps.get(command.app);
  if (!app || app.down) return { kind: "refuse", reply: `ERR|not found: ${command.app}` };
  if (!isJob(currentOf(app).spec)) {
    return { kind: "refuse", reply: `ERR|NOT-A-JOB|${command.app} is of type service, not a job` };
  }
  const run = (app.job?.count ?? 0) + 1;
  return {
    kind: "commit",
    reply: `OK|RUN|${command.app}|${run}`,
    summary: `run ${command.app}, run ${run}`,
  };
}

export function applyRun(state: State, { app: name, id }: RunCommand, wallMs: number): string[] {
  const app = state.apps.get(name);
  if (!app) return [];
  app.job ??= { runs: [], count: 0, tickWallMs: wallMs };
  ask(app.job, { why: "command", by: id, generation: currentOf(app).generation }, wallMs);
  return [name];
}

function ask(job: JobState, of: Pick<Run, "why" | "generation" | "by">, wallMs: number): void {
  const run = ++job.count;
  job.runs.push({ ...of, run, state: "waiting", askedWallMs: wallMs, replicas: [] });
  trim(job);
}

/** What the conductor decided about runs: each replaces what was known of it. */
export function applyRuns(app: App, runs: readonly Run[]): void {
  const job = app.job;
  if (!job) return;
  for (const run of runs) {
    const at = job.runs.findIndex((each) => each.run === run.run);
    if (at < 0) job.runs.push(run);
    else job.runs[at] = run;
    job.count = Math.max(job.count, run.run);
    if (run.why === "schedule") job.tickWallMs = Math.max(job.tickWallMs, run.dueWallMs ?? 0);
  }
  trim(job);
}

/** A replica of a run was placed. */
export function applyRunPlace(app: App, placement: Place, wallMs: number): void {
  const at = app.job?.runs.findIndex((each) => each.run === placement.run) ?? -1;
  const run = app.job?.runs[at];
  if (!run) return;
  const { replica, index, node, generation } = placement;
  app.job!.runs[at] = {
    ...run,
    state: "running",
    generation,
    startedWallMs: run.startedWallMs ?? wallMs,
    replicas: [...run.replicas, { replica, index, node }],
  };
}

function trim(job: JobState): void {
  let excess = job.runs.length - JOB_RUNS;
  job.runs = job.runs.filter((run) => excess <= 0 || !isOver(run) || excess-- <= 0);
}

/** A run as a line of history. */
export function describeRun(app: string, { run, state, dueWallMs, reason }: Run): string {
  const due = dueWallMs === undefined ? "" : ` of ${new Date(dueWallMs).toISOString()}`;
  return `run ${run} of ${app}${due}: ${state}${reason === undefined ? "" : `: ${reason}`}`;
}
