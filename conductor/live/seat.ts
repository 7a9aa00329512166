// The place of one of several conductors in the world: asks the store what the seat's machine wants
// to know, and does what it says.

import { now } from "../../core/live/clock.ts";
import { logger } from "../../core/live/log.ts";
import type { Entry, SharedStore } from "../../core/log.ts";
import type { ConductorEvent } from "../effects.ts";
import type { Holder } from "../leading/leadership.ts";
import { Seat as Machine, type SeatEffect, type SeatEvent } from "../leading/seat.ts";

export interface SeatParts {
  readonly store: SharedStore;
  readonly boot: string;
  /** `HOST:PORT` at which the others and their operators reach this conductor. */
  readonly at: string;
  readonly name: string;
  /** The last entry that the machine knows. */
  sequence(): number;
  step(event: ConductorEvent): void;
  /** An entry of the log that another has appended. */
  take(entry: Entry): void;
  /** This conductor leads from here on, or does not any more. */
  changed(leads: boolean): void;
}

const PAGE = 500;

export class Seat {
  readonly #parts: SeatParts;
  readonly #machine: Machine;
  readonly #log = logger("lead");
  readonly #watch: Disposable;
  readonly #stopped = Promise.withResolvers<void>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failing = false;

  constructor(parts: SeatParts) {
    this.#parts = parts;
    const { boot, at, name } = parts;
    this.#machine = new Machine({ boot, at, name });
    this.#watch = parts.store.watch(() => this.#step({ on: "grown" }));
  }

  begin(): void {
    this.#step({ on: "tick" });
  }

  /** Says whether this conductor leads. */
  get leads(): boolean {
    return this.#machine.leads;
  }

  /** Who leads, as far as is known. */
  get leader(): Holder | null {
    return this.#machine.leader;
  }

  /** Grows when it stops to lead: what was asked before is nobody's any more. */
  get epoch(): number {
    return this.#machine.epoch;
  }

  /** It must not go on leading: its view of the log is wrong, or unsure. */
  unfit(why: string): void {
    this.#step({ on: "unfit", why });
  }

  /** Gives the lease back, as far as the store answers. */
  async stop(): Promise<void> {
    this.#step({ on: "stop" });
    await this.#stopped.promise;
    clearTimeout(this.#timer);
    this.#watch[Symbol.dispose]();
  }

  #step(event: SeatEvent): void {
    for (const effect of this.#machine.step(event, now().monoMs)) this.#perform(effect);
    const waitMs = this.#machine.wakeMonoMs() - now().monoMs;
    clearTimeout(this.#timer);
    if (waitMs === Infinity) return;
    this.#timer = setTimeout(() => this.#step({ on: "tick" }), Math.max(1, waitMs));
  }

  #perform(effect: SeatEffect): void {
    const { store, step, changed } = this.#parts;
    switch (effect.do) {
      case "look":
        return void this.#ask(async () => ({ on: "seen", lease: await store.lease() }));
      case "swap": {
        const { revision, holder } = effect;
        return void this.#ask(async () => ({
          on: "swapped",
          revision: await store.swapLease(revision, holder),
        }));
      }
      case "read":
        return void this.#read();
      case "take":
        for (const entry of effect.entries) this.#parts.take(entry);
        return;
      case "lead": {
        const { term, untilMonoMs } = effect;
        this.#log.info("this conductor leads (term {term}), the log is at {sequence}", {
          term,
          sequence: this.#parts.sequence(),
        });
        step({ on: "lead", term, untilMonoMs });
        return changed(true);
      }
      case "extend":
        return step({ on: "extend", untilMonoMs: effect.untilMonoMs });
      case "stand-by":
        this.#log.warn("this conductor stands by: {why}", { why: effect.why });
        step({ on: "stand-by" });
        return changed(false);
      case "leader":
        return;
      case "stopped":
        return this.#stopped.resolve();
      default:
        effect satisfies never;
    }
  }

  async #ask(work: () => Promise<SeatEvent>): Promise<void> {
    let event: SeatEvent;
    try {
      event = await work();
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) this.#log.warn("the lease: {error}", { error: (error as Error).message });
      this.#failing = true;
      event = { on: "unanswered" };
    }
    this.#step(event);
  }

  async #read(): Promise<void> {
    let event: SeatEvent;
    try {
      const entries = await this.#parts.store.read(this.#parts.sequence(), PAGE);
      event = { on: "read", entries, more: entries.length >= PAGE };
    } catch (error) {
      event = { on: "unread", why: (error as Error).message };
    }
    this.#step(event);
  }
}
