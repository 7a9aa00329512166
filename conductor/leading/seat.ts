/**
 * The place of one of several conductors, pure: its lease (leadership.ts), and its copy of the log
 * while another leads. It leads once it holds the lease and has read, from then on, to the log's end.
 */

import type { Entry } from "../../core/log.ts";
import {
  type Holder,
  Leadership,
  type LeadershipEffect,
  type LeadershipEvent,
  type LeadershipOptions,
} from "./leadership.ts";

export type SeatEvent =
  | LeadershipEvent
  /** The log may have grown. */
  | { readonly on: "grown" }
  /** What `read` has brought; `more`: there may be further entries after these. */
  | { readonly on: "read"; readonly entries: readonly Entry[]; readonly more: boolean }
  | { readonly on: "unread"; readonly why: string };

export type SeatEffect =
  /** What the store is asked for, and who leads as it tells. */
  | Exclude<LeadershipEffect, { do: "lead" | "stand-by" }>
  /** Read what the log has after the last entry that is known here. One request at a time. */
  | { readonly do: "read" }
  /** Entries that another has appended: they are known here from now on. */
  | { readonly do: "take"; readonly entries: readonly Entry[] }
  /** This conductor leads, until then and no longer, and knows the whole log. */
  | { readonly do: "lead"; readonly term: number; readonly untilMonoMs: number }
  /** It does not any more. */
  | { readonly do: "stand-by"; readonly why: string };

export class Seat {
  readonly #leadership: Leadership;
  /** Grows when it stops to lead: what was asked before is nobody's any more. */
  epoch = 0;
  #leader: Holder | null = null;
  /** The lease is held; `reading` is the first that shows all that was appended before that. */
  #held: { readonly term: number; untilMonoMs: number; readonly reading: number } | null = null;
  #leads = false;
  /** Readings that were begun so far; whether the last is under way, and another is to follow. */
  #readings = 0;
  #reads = false;
  #readsAgain = false;
  #stopped = false;
  #out: SeatEffect[] = [];

  constructor(options: LeadershipOptions) {
    this.#leadership = new Leadership(options);
  }

  /** Says whether this conductor leads. */
  get leads(): boolean {
    return this.#leads;
  }

  /** Who leads, as far as is known. */
  get leader(): Holder | null {
    return this.#leader;
  }

  /** When `tick` is wanted at the latest. */
  wakeMonoMs(): number {
    return this.#stopped ? Infinity : this.#leadership.wakeMonoMs();
  }

  step(event: SeatEvent, nowMonoMs: number): SeatEffect[] {
    this.#out = [];
    if (this.#stopped) return [];
    switch (event.on) {
      case "grown":
        if (!this.#leads) this.#read();
        break;
      case "read":
        this.#out.push({ do: "take", entries: event.entries });
        if (event.more) this.#out.push({ do: "read" });
        else this.#isRead(null, nowMonoMs);
        break;
      case "unread":
        this.#isRead(event.why, nowMonoMs);
        break;
      default:
        this.#lease(event, nowMonoMs);
    }
    return this.#out;
  }

  #lease(event: LeadershipEvent, nowMonoMs: number): void {
    for (const effect of this.#leadership.step(event, nowMonoMs)) this.#follow(effect);
  }

  #follow(effect: LeadershipEffect): void {
    switch (effect.do) {
      case "lead": {
        const { term, untilMonoMs } = effect;
        this.#read();
        this.#held = { term, untilMonoMs, reading: this.#readings + (this.#readsAgain ? 1 : 0) };
        return;
      }
      case "extend":
        if (this.#held) this.#held.untilMonoMs = effect.untilMonoMs;
        if (this.#leads) this.#out.push(effect);
        return;
      case "stand-by":
        return this.#standBy(effect.why);
      case "leader":
        this.#leader = effect.holder;
        break;
      case "stopped":
        this.#stopped = true;
        break;
      case "look":
      case "swap":
        break;
      default:
        effect satisfies never;
    }
    this.#out.push(effect as SeatEffect);
  }

  #standBy(why: string): void {
    this.#held = null;
    if (!this.#leads) return;
    this.#leads = false;
    this.epoch++;
    this.#out.push({ do: "stand-by", why });
    this.#read();
  }

  /** Reads to the log's end; where that goes on already, once more after it. */
  #read(): void {
    if (this.#reads) {
      this.#readsAgain = true;
      return;
    }
    this.#reads = true;
    this.#readings++;
    this.#out.push({ do: "read" });
  }

  /** A reading is over. @param fault why the end was not reached; `null`: it was */
  #isRead(fault: string | null, nowMonoMs: number): void {
    const held = this.#held;
    const isDue = held !== null && !this.#leads && this.#readings >= held.reading;
    this.#reads = false;
    if (this.#readsAgain) {
      this.#readsAgain = false;
      this.#read();
    }
    if (!isDue) return;
    if (fault !== null) {
      return this.#lease({ on: "unfit", why: `the log cannot be read: ${fault}` }, nowMonoMs);
    }
    this.#leads = true;
    this.#out.push({ do: "lead", term: held.term, untilMonoMs: held.untilMonoMs });
  }
}
