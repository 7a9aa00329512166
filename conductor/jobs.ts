/**
 * Jobs: which runs begin, which have ended and how. A run is an entry's business from its begin to
 * its end, so neither a restart of the conductor nor a lost message can double, lose or forget one:
 *
 * - a tick of a schedule is taken once: the log says up to which tick all have been;
 * - a run whose node vanished is `unknown`, never started again by itself, and becomes what it was
 *   when the node comes back and tells;
 * - a tick that nobody was there for is a `missed` run in the history.
 */

import type { OperatorCommand } from "../core/command.ts";
import { isOver, type Run } from "../core/job.ts";
import { JOB_LATE_MS, JOB_LOOK_MS, JOB_RUNS, JOB_TICKS, JOB_UNKNOWN_MS } from "../core/limits.ts";
import type { Place } from "../core/log.ts";
import type { AppSpec, ScheduleSpec } from "../core/manifest/spec.ts";
import type { Outcome } from "./commands.ts";
import { describeExit } from "./events.ts";
import type { Buckets, Operation, Sight } from "./reconcile.ts";
import { nextTick, ticksBetween } from "./schedule.ts";
import { type App, currentOf, generationOf, type State } from "./state.ts";

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

// ---- What entries say -------------------------------------------------------------------------------

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

// ---- What is to be done -----------------------------------------------------------------------------

/** What a job needs to know besides what is seen of it. */
export interface JobSurroundings {
  readonly wallMs: number;
  readonly missingNeeds: readonly string[];
}

/** Buckets whose places belong to runs. */
export type JobBuckets = Buckets & Required<Pick<Buckets, "runOf" | "runs">>;

/** Compares a job with what is seen of it. */
export function jobStep(app: App, sights: readonly Sight[], around: JobSurroundings): JobBuckets {
  return new JobStep(app, sights, around).buckets();
}

class JobStep {
  readonly #spec: AppSpec;
  readonly #runs: Run[];
  readonly #changed = new Map<number, Run>();
  readonly #leave: Operation[] = [];
  readonly #gone: Operation[] = [];
  readonly #wait: string[] = [];
  readonly #bySight: ReadonlyMap<number, readonly Sight[]>;
  readonly #again: number[] = [];

  constructor(
    private readonly app: App,
    private readonly sights: readonly Sight[],
    private readonly around: JobSurroundings,
  ) {
    this.#spec = currentOf(app).spec;
    this.#runs = [...app.job?.runs ?? []];
    this.#bySight = Map.groupBy(sights, (sight) => sight.placement.run ?? 0);
  }

  buckets(): JobBuckets {
    for (const run of this.#runs.filter((each) => !isOver(each))) this.#look(run);
    this.#sweep();
    const rests = this.app.down || this.app.stopped;
    if (!rests) this.#tick();
    const { place, runOf } = rests ? { place: [], runOf: [] } : this.#begin();
    return {
      place,
      runOf,
      leave: this.#leave,
      yield: [],
      gone: this.#gone,
      wait: this.#wait,
      runs: [...this.#changed.values()],
      ...(this.#again.length === 0
        ? {}
        : { againMs: Math.max(1, Math.min(JOB_LOOK_MS, ...this.#again)) }),
    };
  }

  #set(run: Run): void {
    this.#changed.set(run.run, run);
    const at = this.#runs.findIndex((each) => each.run === run.run);
    if (at < 0) this.#runs.push(run);
    else this.#runs[at] = run;
  }

  #end(run: Run, state: Run["state"], more: Partial<Run>): void {
    this.#set({ ...run, ...more, state, endedWallMs: this.around.wallMs });
  }

  #current(run: Run): Run {
    return this.#changed.get(run.run) ?? run;
  }

  #leaveAll(run: Run, reason: string): void {
    for (const { placement } of this.#bySight.get(run.run) ?? []) {
      if (!placement.leaving) this.#leave.push({ replica: placement.replica, reason });
    }
  }

  // ---- Runs that are under way ----------------------------------------------------------------------

  #look(run: Run): void {
    if (this.app.down || this.app.stopped) {
      const reason = `the app was ${this.app.down ? "taken down" : "stopped"}`;
      this.#leaveAll(run, reason);
      return this.#end(run, "stopped", { reason });
    }
    if (run.state === "waiting") return;
    const sights = this.#bySight.get(run.run) ?? [];
    const refused = sights.find((sight) => sight.refusal)?.refusal?.reason;
    if (refused !== undefined) {
      this.#leaveAll(run, "its node will not run it");
      return this.#end(run, "failed", { reason: refused });
    }
    if (this.#timedOut(run)) return;
    if (sights.every((sight) => sight.status?.state === "finished")) {
      return this.#finish(run, sights);
    }
    const lost = sights.find((sight) => isLost(sight));
    if (lost) {
      const why = lost.node === "dead" ? "is dead" : "came back without it";
      const reason = `${lost.nodeName} ${why}: nobody knows how ${lost.placement.replica} ended`;
      if (lost.node !== "dead") {
        this.#gone.push({ replica: lost.placement.replica, reason });
        return this.#end(run, "unknown", { reason });
      }
      const asked = run.startedWallMs ?? run.askedWallMs;
      if (this.around.wallMs - asked > JOB_UNKNOWN_MS) return this.#end(run, "unknown", { reason });
      this.#again.push(JOB_LOOK_MS);
      if (run.state !== "unknown") this.#set({ ...run, state: "unknown", reason });
    } else if (run.state === "unknown" && sights.length > 0) {
      const { reason: _, endedWallMs: __, ...rest } = run;
      this.#set({ ...rest, state: "running" });
    }
  }

  #timedOut(run: Run): boolean {
    const timeoutMs = generationOf(this.app, run.generation)?.spec.timeoutMs;
    if (timeoutMs === undefined || run.startedWallMs === undefined) return false;
    const leftMs = run.startedWallMs + timeoutMs - this.around.wallMs;
    if (leftMs > 0) {
      this.#again.push(leftMs);
      return false;
    }
    const reason = `it took longer than ${timeoutMs / 1000} s`;
    this.#leaveAll(run, reason);
    this.#end(run, "timeout", { reason });
    return true;
  }

  /** Every replica of it has ended. */
  #finish(run: Run, sights: readonly Sight[]): void {
    const exits = sights.map((sight) => sight.status?.exit);
    const bad = exits.find((exit) => exit?.code !== 0 || exit.why === "launch");
    const wanted = generationOf(this.app, run.generation)?.spec.replicas ?? 1;
    // Some of it may still have no node.
    const goesOn = run.generation === currentOf(this.app).generation;
    if (!bad && goesOn && sights.length > 0 && run.replicas.length < wanted) return;
    if (sights.length === 0) {
      return this.#end(run, "unknown", { reason: "nothing is left that knows how it ended" });
    }
    if (!bad) return this.#end(run, "succeeded", { code: 0 });
    this.#end(run, "failed", {
      ...(bad.code === undefined ? {} : { code: bad.code }),
      ...(bad.signal === undefined ? {} : { signal: bad.signal }),
      reason: describeExit(bad),
    });
  }

  /** Placements of runs that are over. */
  #sweep(): void {
    for (const { placement, status, nodeName, absent, node } of this.sights) {
      const { replica } = placement;
      const run = this.#runs.find((each) => each.run === placement.run);
      const over = !run || isOver(this.#current(run));
      if (this.#gone.some((each) => each.replica === replica)) continue;
      if (over && status?.state === "finished") {
        this.#gone.push({ replica, reason: `it has ended on ${nodeName}` });
      } else if (placement.leaving && absent) {
        this.#gone.push({ replica, reason: `${nodeName} does not have it` });
      } else if (over && node === "dead") {
        this.#gone.push({ replica, reason: `${nodeName} is dead` });
      } else if (over && !placement.leaving && !this.#leave.some((e) => e.replica === replica)) {
        this.#leave.push({ replica, reason: "its run is over" });
      }
    }
  }

  // ---- The schedule ---------------------------------------------------------------------------------

  #tick(): void {
    const { schedule } = this.#spec;
    const job = this.app.job;
    if (!schedule || !job) return;
    const { wallMs } = this.around;
    const due = ticksBetween(schedule, job.tickWallMs, wallMs, JOB_TICKS);
    const fresh = due.filter((tick) => wallMs - tick <= JOB_LATE_MS);
    const missed = due.filter((tick) => wallMs - tick > JOB_LATE_MS);
    // One run makes up for all that were missed, unless the next one is due anyway.
    const makeUp = schedule.missed === "once" && fresh.length === 0 ? missed.pop() : undefined;
    if (missed.length > 0) this.#miss(missed, due.length === JOB_TICKS);
    for (const tick of makeUp === undefined ? fresh : [makeUp]) this.#due(tick, schedule.overlap);
    const next = nextTick(schedule, Math.max(wallMs, due.at(-1) ?? 0));
    if (next !== null) this.#again.push(next - wallMs);
  }

  #miss(ticks: readonly number[], more: boolean): void {
    const count = `${ticks.length}${more ? " or more" : ""}`;
    this.#set({
      ...this.#fresh(ticks.at(-1)!),
      state: "missed",
      ticks: ticks.length,
      endedWallMs: this.around.wallMs,
      reason: `${count} ${ticks.length === 1 ? "tick" : "ticks"} passed with nobody to start it`,
    });
  }

  #fresh(dueWallMs: number): Run {
    const count = Math.max(this.app.job?.count ?? 0, ...this.#changed.keys());
    return {
      run: count + 1,
      state: "waiting",
      why: "schedule",
      dueWallMs,
      generation: currentOf(this.app).generation,
      askedWallMs: this.around.wallMs,
      replicas: [],
    };
  }

  #due(tick: number, overlap: ScheduleSpec["overlap"]): void {
    const active = this.#runs.map((run) => this.#current(run))
      .filter((run) => run.state === "waiting" || run.state === "running");
    const [first] = active;
    const fresh = this.#fresh(tick);
    if (!first || overlap === "allow") return this.#set(fresh);
    if (overlap === "skip") {
      const reason = `run ${first.run} is still ${first.state}`;
      return this.#set({ ...fresh, state: "skipped", endedWallMs: this.around.wallMs, reason });
    }
    for (const run of active) {
      this.#leaveAll(run, `run ${fresh.run} takes its place`);
      this.#end(run, "replaced", { reason: `run ${fresh.run} took its place` });
    }
    this.#set(fresh);
  }

  // ---- Runs that begin ------------------------------------------------------------------------------

  #begin(): { readonly place: readonly number[]; readonly runOf: readonly number[] } {
    const place: number[] = [];
    const runOf: number[] = [];
    const several = this.#spec.schedule?.overlap === "allow";
    const gone = new Set(this.#gone.map((each) => each.replica));
    const here = this.sights.filter((sight) =>
      !gone.has(sight.placement.replica) && sight.node !== "dead"
    );
    let busy: number | undefined;
    for (const run of this.#runs.map((each) => this.#current(each))) {
      if (run.state === "running") {
        busy ??= run.run;
        this.#placeRest(run, place, runOf);
      }
      if (run.state !== "waiting") continue;
      // One that was ended is waited for, too: it may still be at work.
      const others = here.some((sight) => sight.placement.run !== run.run);
      if (!several && (busy !== undefined || others)) {
        this.#wait.push(
          `run ${run.run} waits for ${busy === undefined ? "the one before" : `run ${busy}`}`,
        );
        break;
      }
      if (this.around.missingNeeds.length > 0) {
        this.#wait.push(...this.around.missingNeeds.map((need) => `needs ${need} first`));
        break;
      }
      busy ??= run.run;
      this.#placeRest(run, place, runOf);
    }
    return { place, runOf };
  }

  /** Replicas of it that have never been placed. */
  #placeRest(run: Run, place: number[], runOf: number[]): void {
    const placed = new Set(run.replicas.map((each) => each.index));
    // A run that began belongs to its generation; a later one is run by the next.
    if (placed.size > 0 && run.generation !== currentOf(this.app).generation) return;
    for (let index = 0; index < Math.max(1, this.#spec.replicas); index++) {
      if (placed.has(index)) continue;
      place.push(index);
      runOf.push(run.run);
    }
  }
}

/** Nobody will tell how it ended any more, or not for now. */
function isLost({ node, status, reported, absent, placement }: Sight): boolean {
  if (status?.state === "finished") return false;
  if (node === "dead") return true;
  return absent && placement.leaving && reported;
}
