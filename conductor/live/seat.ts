// One of several conductors: its lease in the store, and its copy of the log while another leads.

import { now } from "../../core/live/clock.ts";
import { logger } from "../../core/live/log.ts";
import type { Entry, SharedStore } from "../../core/log.ts";
import type { ConductorEvent } from "../effects.ts";
import {
  type Holder,
  Leadership,
  type LeadershipEffect,
  type LeadershipEvent,
} from "../leadership.ts";

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
  readonly #leadership: Leadership;
  readonly #log = logger("lead");
  readonly #watch: Disposable;
  readonly #stopped = Promise.withResolvers<void>();
  /** Grows when it stops to lead: what was asked before is nobody's any more. */
  epoch = 0;
  #leader: Holder | null = null;
  /** The lease is held; the log is read to its end first. */
  #held: { readonly term: number; untilMonoMs: number } | null = null;
  #leads = false;
  #reading: Promise<void> | null = null;
  /** A reading that begins when the one under way is done. */
  #next: Promise<void> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failing = false;
  #closed = false;

  constructor(parts: SeatParts) {
    this.#parts = parts;
    const { boot, at, name } = parts;
    this.#leadership = new Leadership({ boot, at, name });
    this.#watch = parts.store.watch(() => {
      if (!this.#leads && !this.#closed) void this.#catchUp().catch(() => {});
    });
  }

  begin(): void {
    this.#step({ on: "tick" });
  }

  /** Says whether this conductor leads. */
  get leads(): boolean {
    return this.#leads;
  }

  /** Who leads, as far as is known. */
  get leader(): Holder | null {
    return this.#leader;
  }

  /** It must not go on leading: its view of the log is wrong, or unsure. */
  unfit(why: string): void {
    this.#step({ on: "unfit", why });
  }

  /** Gives the lease back, as far as the store answers. */
  async stop(): Promise<void> {
    this.#step({ on: "stop" });
    await this.#stopped.promise;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#watch[Symbol.dispose]();
  }

  #step(event: LeadershipEvent): void {
    if (this.#closed) return;
    for (const effect of this.#leadership.step(event, now().monoMs)) this.#perform(effect);
    const waitMs = this.#leadership.wakeMonoMs() - now().monoMs;
    clearTimeout(this.#timer);
    if (waitMs === Infinity) return;
    this.#timer = setTimeout(() => this.#step({ on: "tick" }), Math.max(1, waitMs));
  }

  #perform(effect: LeadershipEffect): void {
    switch (effect.do) {
      case "look":
        return void this.#ask(async () => ({ on: "seen", lease: await this.#parts.store.lease() }));
      case "swap": {
        const { revision, holder } = effect;
        return void this.#ask(async () => ({
          on: "swapped",
          revision: await this.#parts.store.swapLease(revision, holder),
        }));
      }
      case "lead":
        this.#held = { term: effect.term, untilMonoMs: effect.untilMonoMs };
        return void this.#lead(this.#held);
      case "extend":
        if (this.#held) this.#held.untilMonoMs = effect.untilMonoMs;
        if (this.#leads) this.#parts.step({ on: "extend", untilMonoMs: effect.untilMonoMs });
        return;
      case "stand-by":
        return this.#standBy(effect.why);
      case "leader":
        this.#leader = effect.holder;
        return;
      case "stopped":
        return this.#stopped.resolve();
      default:
        effect satisfies never;
    }
  }

  async #ask(work: () => Promise<LeadershipEvent>): Promise<void> {
    let event: LeadershipEvent;
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

  /** Leads, once everything that others have appended is known here. */
  async #lead(held: { readonly term: number; readonly untilMonoMs: number }): Promise<void> {
    try {
      await this.#catchUp();
    } catch (error) {
      return this.unfit(`the log cannot be read: ${(error as Error).message}`);
    }
    if (this.#held !== held || this.#closed) return;
    this.#leads = true;
    this.#log.info("this conductor leads (term {term}), the log is at {sequence}", {
      term: held.term,
      sequence: this.#parts.sequence(),
    });
    this.#parts.step({ on: "lead", ...held });
    this.#parts.changed(true);
  }

  #standBy(why: string): void {
    this.#held = null;
    if (!this.#leads) return;
    this.#leads = false;
    this.epoch++;
    this.#log.warn("this conductor stands by: {why}", { why });
    this.#parts.step({ on: "stand-by" });
    this.#parts.changed(false);
    if (!this.#closed) void this.#catchUp().catch(() => {});
  }

  /** Takes in all entries that are there by now. One reading at a time; who comes meanwhile shares. */
  #catchUp(): Promise<void> {
    return this.#next ??= (this.#reading ?? Promise.resolve()).catch(() => {}).then(() => {
      this.#next = null;
      return this.#reading = this.#read().finally(() => this.#reading = null);
    });
  }

  async #read(): Promise<void> {
    for (;;) {
      const entries = await this.#parts.store.read(this.#parts.sequence(), PAGE);
      for (const entry of entries) this.#parts.take(entry);
      if (entries.length < PAGE) return;
    }
  }
}
