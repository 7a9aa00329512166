/**
 * Jobs: which runs begin, which have ended and how. A run is an entry's business from its begin to
 * its end, so neither a restart of the conductor nor a lost message can double, lose or forget one:
 *
 * - a tick of a schedule is taken once: the log says up to which tick all have been;
 * - a run whose node vanished is `unknown`, never started again by itself, and becomes what it was
 *   when the node comes back and tells;
 * - a tick that nobody was there for is a `missed` run in the history.
 */

import { isOver, type Run } from "../../core/job.ts";
import { JOB_LATE_MS, JOB_LOOK_MS, JOB_TICKS, JOB_UNKNOWN_MS } from "../../core/limits.ts";
import type { Exit } from "../../core/mesh.ts";
import type { AppSpec, ScheduleSpec } from "../../core/manifest/spec.ts";
import { describeExit } from "../events.ts";
import type { Buckets, Operation, Sight } from "../reconcile.ts";
import { nextTick, ticksBetween } from "./schedule.ts";
import { type App, currentOf, generationOf } from "../state.ts";

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
    this.#leaveThese(this.#bySight.get(run.run) ?? [], reason);
  }

  #leaveThese(sights: readonly Sight[], reason: string): void {
    for (const { placement } of sights) {
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
    const ended = sights.every((sight) => sight.status?.state === "finished");
    if (ended && !this.#lacksReplicas(run, sights)) return this.#finish(run, sights);
    const lost = sights.find((sight) => isLost(sight));
    const late = this.#whyLate(run);
    if (lost) {
      // Those that can be heard take no longer for that.
      const heard = sights.filter(({ node }) => node !== "dead");
      if (late !== null) this.#leaveThese(heard, late);
      return this.#lose(run, lost);
    }
    // It may have ended in time while no conductor was there: its node tells that first.
    const isHeard = sights.every(({ status, reported }) => status || reported);
    if (late !== null && isHeard) {
      this.#leaveThese(sights, late);
      return this.#end(run, "timeout", { reason: late });
    }
    if (run.state === "unknown" && sights.length > 0) {
      const { reason: _, endedWallMs: __, ...rest } = run;
      this.#set({ ...rest, state: "running" });
    }
  }

  #lose(run: Run, { node, nodeName, placement: { replica } }: Sight): void {
    const why = node === "dead" ? "is dead" : "came back without it";
    const reason = `${nodeName} ${why}: nobody knows how ${replica} ended`;
    if (node !== "dead") {
      this.#gone.push({ replica, reason });
      return this.#end(run, "unknown", { reason });
    }
    const asked = run.startedWallMs ?? run.askedWallMs;
    if (this.around.wallMs - asked > JOB_UNKNOWN_MS) return this.#end(run, "unknown", { reason });
    this.#again.push(JOB_LOOK_MS);
    if (run.state !== "unknown") this.#set({ ...run, state: "unknown", reason });
  }

  /** Why it has to end by now, or `null`. */
  #whyLate(run: Run): string | null {
    const timeoutMs = generationOf(this.app, run.generation)?.spec.timeoutMs;
    if (timeoutMs === undefined || run.startedWallMs === undefined) return null;
    const leftMs = run.startedWallMs + timeoutMs - this.around.wallMs;
    if (leftMs <= 0) return `it took longer than ${timeoutMs / 1000} s`;
    this.#again.push(leftMs);
    return null;
  }

  /** Every replica has ended well so far, and some have found no node yet. */
  #lacksReplicas(run: Run, sights: readonly Sight[]): boolean {
    if (sights.length === 0 || sights.some(({ status }) => isBad(status?.exit))) return false;
    const wanted = generationOf(this.app, run.generation)?.spec.replicas ?? 1;
    return run.generation === currentOf(this.app).generation && run.replicas.length < wanted;
  }

  /** Every replica of it has ended. */
  #finish(run: Run, sights: readonly Sight[]): void {
    const exits = sights.map((sight) => sight.status?.exit);
    const bad = exits.find(isBad);
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

function isBad(exit: Exit | undefined): boolean {
  return exit?.code !== 0 || exit.why === "launch";
}

/** Nobody will tell how it ended any more, or not for now. */
function isLost({ node, status, reported, absent, placement }: Sight): boolean {
  if (status?.state === "finished") return false;
  if (node === "dead") return true;
  return absent && placement.leaving && reported;
}
