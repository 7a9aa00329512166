// The place of one of several conductors in the virtual world: the seat's machine (conductor/leading/seat.ts)
// around the store there.

import type { ConductorEvent } from "../../conductor/effects.ts";
import { Seat as Machine, type SeatEffect, type SeatEvent } from "../../conductor/leading/seat.ts";
import type { Entry } from "../../core/log.ts";
import type { Answer, SharedLog } from "./shared_log.ts";

export interface SeatParts {
  readonly store: SharedLog;
  readonly host: string;
  readonly boot: string;
  nowMs(): number;
  /** The last entry that the machine knows. */
  sequence(): number;
  step(event: ConductorEvent): void;
  take(entry: Entry): void;
  /** It leads from here on, or does not any more. */
  changed(leads: boolean): void;
  /** Runs this later, or when the daemon goes on. */
  later(delayMs: number, run: () => void): void;
  enter(run: () => void): void;
}

/** How often the log is read even where nothing was heard of it. */
const WATCH_MS = 500;
/** So few that pages are turned. */
const PAGE = 20;

export class Seat {
  readonly #parts: SeatParts;
  readonly #machine: Machine;
  #wakeMs = Infinity;
  #stopped = () => {};

  constructor(parts: SeatParts) {
    this.#parts = parts;
    const { boot, host } = parts;
    this.#machine = new Machine({ boot, at: `${host}:7771` });
  }

  get leads(): boolean {
    return this.#machine.leads;
  }

  get epoch(): number {
    return this.#machine.epoch;
  }

  /** Where whoever leads is reached, as far as is known. */
  get leader(): string | null {
    return this.#machine.leader?.at ?? null;
  }

  begin(): void {
    this.#look();
    this.#step({ on: "tick" });
  }

  /** Gives the lease back, as far as the store answers. */
  stop(done: () => void): void {
    this.#stopped = done;
    this.#step({ on: "stop" });
  }

  unfit(why: string): void {
    this.#step({ on: "unfit", why });
  }

  /** The log may have grown. */
  grown(): void {
    this.#step({ on: "grown" });
  }

  #look(): void {
    this.grown();
    this.#parts.later(WATCH_MS, () => this.#look());
  }

  #step(event: SeatEvent): void {
    const { nowMs } = this.#parts;
    for (const effect of this.#machine.step(event, nowMs())) this.#perform(effect);
    const wakeMs = this.#machine.wakeMonoMs();
    if (wakeMs === this.#wakeMs) return;
    this.#wakeMs = wakeMs;
    if (wakeMs === Infinity) return;
    this.#parts.later(Math.max(1, wakeMs - nowMs()), () => {
      // Something else was asked for meanwhile.
      if (this.#wakeMs !== wakeMs) return;
      this.#wakeMs = Infinity;
      this.#step({ on: "tick" });
    });
  }

  #perform(effect: SeatEffect): void {
    const { store, host, sequence, enter, step, take, changed } = this.#parts;
    const hear = <T>(told: (value: T) => SeatEvent, other: SeatEvent) => (got: Answer<T>) =>
      enter(() => this.#step(got.is === "ok" ? told(got.value) : other));
    switch (effect.do) {
      case "look":
        return store.lease(host, hear((lease) => ({ on: "seen", lease }), { on: "unanswered" }));
      case "swap":
        return store.swap(
          host,
          effect.revision,
          effect.holder,
          hear((revision) => ({ on: "swapped", revision }), { on: "unanswered" }),
        );
      case "read":
        return store.read(
          host,
          sequence(),
          hear(
            (entries) => ({
              on: "read",
              entries: entries.slice(0, PAGE),
              more: entries.length >= PAGE,
            }),
            { on: "unread", why: "no answer" },
          ),
        );
      case "take":
        for (const entry of effect.entries) take(entry);
        return;
      case "lead":
        step({ on: "lead", term: effect.term, untilMonoMs: effect.untilMonoMs });
        return changed(true);
      case "extend":
        return step({ on: "extend", untilMonoMs: effect.untilMonoMs });
      case "stand-by":
        step({ on: "stand-by" });
        return changed(false);
      case "leader":
        return;
      case "stopped":
        return this.#stopped();
      default:
        effect satisfies never;
    }
  }
}
