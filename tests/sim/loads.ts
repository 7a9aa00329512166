// What the programs of the virtual world have to work at, and how their CPU shows it.

import type { Process } from "./process.ts";

/** The load of an app that scales by CPU is shared by those of its programs that answer. */
export class Loads {
  /** App -> cores that it would use. */
  readonly #cores = new Map<string, number>();
  /** App -> when its load changed last, virtual ms. */
  readonly #changedMs = new Map<string, number>();

  set(app: string, cores: number, nowMs: number): void {
    this.#cores.set(app, cores);
    this.#changedMs.set(app, nowMs);
  }

  coresOf(app: string): number {
    return this.#cores.get(app) ?? 0;
  }

  changedMs(app: string): number {
    return this.#changedMs.get(app) ?? -Infinity;
  }

  names(): Iterable<string> {
    return this.#cores.keys();
  }

  /** What each of so many programs uses of a core, in percent. None uses more than one. */
  percentOf(app: string, programs: number): number {
    return programs === 0 ? 0 : 100 * Math.min(1, this.coresOf(app) / programs);
  }

  /** Lets a program work until now; seconds of CPU since its start. */
  work(process: Process, programs: number, nowMs: number): number {
    const sinceMs = Math.max(process.workedMs ?? process.answersMs, process.answersMs);
    if (nowMs > sinceMs) {
      process.cpuS = (process.cpuS ?? 0) +
        this.percentOf(process.app, programs) / 100 * (nowMs - sinceMs) / 1_000;
    }
    process.workedMs = nowMs;
    return process.cpuS ?? 0;
  }
}
