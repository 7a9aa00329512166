// What the log says of jobs, and what it must never say: a tick that is taken twice or passed over, a
// replica of a run that is placed a second time.

import { isOver, type Run } from "../../core/job.ts";
import type { Place } from "../../core/log.ts";
import { Violation } from "./violation.ts";

const MINUTE_MS = 60_000;

interface Job {
  /** Run -> its newest state. */
  readonly runs: Map<number, Run>;
  /** Every tick up to here has been taken or told as missed; `null` without a schedule. */
  takenMs: number | null;
  /** It is down or stopped. */
  rests: boolean;
}

/** The jobs of the virtual world are due every minute, or run when they are told to. */
export class JobBook {
  readonly #jobs = new Map<string, Job>();
  /** Replica -> the run that it belongs to. */
  readonly #runOf = new Map<string, string>();
  readonly #placed = new Set<string>();

  has(app: string): boolean {
    return this.#jobs.has(app);
  }

  runOf(replica: string): string | undefined {
    return this.#runOf.get(replica);
  }

  runs(app: string): readonly Run[] {
    return [...this.#jobs.get(app)?.runs.values() ?? []];
  }

  /** A manifest of a job was applied. */
  applied(app: string, manifest: string, wallMs: number): void {
    const isScheduled = manifest.includes("  schedule ");
    const job = this.#jobs.get(app) ?? { runs: new Map(), takenMs: null, rests: true };
    this.#jobs.set(app, job);
    if (isScheduled) this.#begins(job, wallMs);
    job.rests = false;
  }

  said(verb: string, app: string, wallMs: number): void {
    const job = this.#jobs.get(app);
    if (!job) return;
    if (verb === "DOWN" || verb === "STOP") job.rests = true;
    if (verb !== "START") return;
    if (job.takenMs !== null) this.#begins(job, wallMs);
    job.rests = false;
  }

  /** Ticks from here on are its own; no clock that is set back brings one again. */
  #begins(job: Job, wallMs: number): void {
    if (job.rests) job.takenMs = Math.max(job.takenMs ?? 0, wallMs);
  }

  /** A decision says how runs are from here on. @throws {Violation} */
  decided(sequence: number, app: string, run: Run): void {
    const job = this.#jobs.get(app);
    if (!job) throw new Violation(`entry ${sequence} has a run of ${app}, which is no job`);
    const known = job.runs.get(run.run);
    if (known && isOver(known) && !isOver(run)) {
      throw new Violation(`entry ${sequence}: run ${run.run} of ${app} was over and goes on`);
    }
    job.runs.set(run.run, run);
    if (known || run.why !== "schedule") return;
    const { takenMs } = job;
    if (takenMs === null || job.rests || run.dueWallMs === undefined) {
      throw new Violation(`entry ${sequence} runs ${app} by a schedule that it does not have`);
    }
    const passed = Math.floor(run.dueWallMs / MINUTE_MS) - Math.floor(takenMs / MINUTE_MS);
    const told = run.state === "missed" ? run.ticks ?? 0 : 1;
    if (passed < told) throw new Violation(`entry ${sequence} takes a tick of ${app} again`);
    if (passed > told) {
      throw new Violation(`entry ${sequence} passes over ${passed - told} ticks of ${app}`);
    }
    job.takenMs = run.dueWallMs;
  }

  /** A replica was placed. @throws {Violation} */
  placed(sequence: number, place: Place): void {
    if (place.run === undefined) return;
    const run = `run ${place.run} of ${place.app}`;
    const key = `${run}, ${place.index}`;
    if (this.#placed.has(key)) throw new Violation(`entry ${sequence} starts ${run} a second time`);
    this.#placed.add(key);
    this.#runOf.set(place.replica, run);
  }

  /** The time since when a tick has been waiting to be taken; `null` where none is. */
  overdueSinceMs(app: string, wallMs: number): number | null {
    const job = this.#jobs.get(app);
    if (!job || job.rests || job.takenMs === null) return null;
    const dueMs = (Math.floor(job.takenMs / MINUTE_MS) + 1) * MINUTE_MS;
    return dueMs <= wallMs ? dueMs : null;
  }
}
