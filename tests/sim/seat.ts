// One of several conductors in the virtual world: its lease, and its copy of the log while another
// leads. It does what conductor/live/seat.ts does with promises.

import {
  Leadership,
  type LeadershipEffect,
  type LeadershipEvent,
} from "../../conductor/leadership.ts";
import type { ConductorEvent } from "../../conductor/effects.ts";
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

export class Seat {
  /** Grows when it stops to lead: what was asked before is nobody's any more. */
  epoch = 0;
  readonly #parts: SeatParts;
  readonly #leadership: Leadership;
  #held: { readonly term: number; untilMonoMs: number } | null = null;
  #leads = false;
  /** Where whoever leads is reached, as far as is known. */
  leader: string | null = null;
  #wakeMs = Infinity;
  #stopped = () => {};

  constructor(parts: SeatParts) {
    this.#parts = parts;
    const { boot, host } = parts;
    this.#leadership = new Leadership({ boot, at: `${host}:7771` });
  }

  get leads(): boolean {
    return this.#leads;
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
    if (!this.#leads) this.#catchUp(() => {});
  }

  #look(): void {
    this.grown();
    this.#parts.later(WATCH_MS, () => this.#look());
  }

  #step(event: LeadershipEvent): void {
    const { nowMs } = this.#parts;
    for (const effect of this.#leadership.step(event, nowMs())) this.#perform(effect);
    const wakeMs = this.#leadership.wakeMonoMs();
    this.#wakeMs = wakeMs;
    if (wakeMs === Infinity) return;
    this.#parts.later(Math.max(1, wakeMs - nowMs()), () => {
      // Something else was asked for meanwhile.
      if (this.#wakeMs === wakeMs) this.#step({ on: "tick" });
    });
  }

  #perform(effect: LeadershipEffect): void {
    const { store, host, enter, step } = this.#parts;
    const hear = <T>(told: (value: T) => LeadershipEvent) => (got: Answer<T>) =>
      enter(() => this.#step(got.is === "ok" ? told(got.value) : { on: "unanswered" }));
    switch (effect.do) {
      case "look":
        return store.lease(host, hear((lease) => ({ on: "seen", lease })));
      case "swap":
        return store.swap(
          host,
          effect.revision,
          effect.holder,
          hear((revision) => ({ on: "swapped", revision })),
        );
      case "lead":
        return this.#lead(this.#held = { term: effect.term, untilMonoMs: effect.untilMonoMs });
      case "extend":
        if (this.#held) this.#held.untilMonoMs = effect.untilMonoMs;
        if (this.#leads) step({ on: "extend", untilMonoMs: effect.untilMonoMs });
        return;
      case "stand-by":
        return this.#standBy();
      case "leader":
        this.leader = effect.holder?.at ?? null;
        return;
      case "stopped":
        return this.#stopped();
      default:
        effect satisfies never;
    }
  }

  /** Leads, once everything that others have appended is known here. */
  #lead(held: { readonly term: number; readonly untilMonoMs: number }): void {
    this.#catchUp((isWhole) => {
      if (!isWhole) return this.unfit("the log cannot be read");
      if (this.#held !== held) return;
      this.#leads = true;
      this.#parts.step({ on: "lead", ...held });
      this.#parts.changed(true);
    });
  }

  #standBy(): void {
    this.#held = null;
    if (!this.#leads) return;
    this.#leads = false;
    this.epoch++;
    this.#parts.step({ on: "stand-by" });
    this.#parts.changed(false);
    this.grown();
  }

  #catchUp(done: (isWhole: boolean) => void): void {
    const { store, host, sequence, take, enter } = this.#parts;
    store.read(host, sequence(), (got) =>
      enter(() => {
        if (got.is !== "ok") return done(false);
        for (const entry of got.value) take(entry);
        done(true);
      }));
  }
}
