/**
 * Which of several conductors leads: a lease in the store that they share, taken by compare-and-set.
 *
 * Nobody's clock is compared with another's. Who holds the lease counts from the moment at which it
 * *asked* for the last writing that succeeded, and stops `LEAD_MARGIN_MS` before `LEAD_MS` is over.
 * Who wants it counts from the moment at which it *saw* that writing, which was later, and writes over
 * exactly that one when `LEAD_MS` is over. So the one has ended before the other begins, as long as
 * their clocks run at nearly the same pace; what a machine says that was stopped in between is refused
 * by the nodes (node/allegiance.ts), and by the log, which takes no entry that does not follow.
 *
 * The revision of the first writing is the term: whoever leads later has a greater one.
 */

import {
  LEAD_LOOK_MS,
  LEAD_MARGIN_MS,
  LEAD_MS,
  LEAD_PATIENCE_MS,
  LEAD_RENEW_MS,
} from "../../core/limits.ts";
import type { Lease } from "../../core/log.ts";
import { integer, maybe, parseShaped, type Shaped, struct, text } from "../../core/shape.ts";

const holderShape = struct({
  /** One start of one conductor. */
  boot: text(32, /^[0-9a-f]{1,32}$/),
  /** Grows with each writing of that boot. */
  count: integer(0, 2 ** 40),
  /** `HOST:PORT` at which operators and nodes reach it over TCP. */
  at: text(300),
  /** For people. */
  name: maybe(text(63)),
});
/** What the lease says of who leads. */
export type Holder = Shaped<typeof holderShape>;

export function parseHolder(text: string | null): Holder | null {
  return text === null ? null : parseShaped(holderShape, text);
}

export type LeadershipEvent =
  /** The answer to `look`. */
  | { readonly on: "seen"; readonly lease: Lease | null }
  /** The answer to `swap`; `null`: somebody else was first. */
  | { readonly on: "swapped"; readonly revision: number | null }
  /** Neither `look` nor `swap` was answered; a swap may have been written or not. */
  | { readonly on: "unanswered" }
  /** The log says that another writes it, or this conductor cannot go on: it must not lead. */
  | { readonly on: "unfit"; readonly why: string }
  /** This conductor ends. */
  | { readonly on: "stop" }
  | { readonly on: "tick" };

export type LeadershipEffect =
  /** Read the lease. One request is under way at a time. */
  | { readonly do: "look" }
  /** Write it over this revision; answered by `swapped` or `unanswered`. */
  | { readonly do: "swap"; readonly revision: number; readonly holder: string | null }
  /** This conductor leads, until then and no longer. */
  | { readonly do: "lead"; readonly term: number; readonly untilMonoMs: number }
  /** It goes on leading until then. */
  | { readonly do: "extend"; readonly untilMonoMs: number }
  | { readonly do: "stand-by"; readonly why: string }
  /** Another leads, or (`null`) nobody that is known. */
  | { readonly do: "leader"; readonly holder: Holder | null }
  /** After `stop`: the lease is given back, as far as that was possible. */
  | { readonly do: "stopped" };

/** What this conductor is, and how it gets out of that. */
type State =
  /** Looks at the lease; takes it when it has been free or still for long enough. */
  | { readonly at: "standing" }
  /** Has written the lease and not heard whether it got it. */
  | { readonly at: "taking" }
  /** Holds it; stands by when it is over, or another has it. */
  | { readonly at: "leading"; readonly term: number; untilMonoMs: number; revision: number }
  /** Gives it back. */
  | { readonly at: "releasing" }
  | { readonly at: "stopped" };

export interface LeadershipOptions {
  readonly boot: string;
  readonly at: string;
  readonly name?: string;
}

export class Leadership {
  readonly #options: LeadershipOptions;
  #state: State = { at: "standing" };
  /** The lease as it was seen last, and since when it has been that. */
  #seen: { readonly lease: Lease | null; readonly sinceMonoMs: number } | null = null;
  /** What is under way, since when, and for whose writing. */
  #asked: { readonly what: "look" | "swap"; readonly monoMs: number } | null = null;
  /** When the store answered last. */
  #heardMonoMs = -Infinity;
  /** The last writing that was not answered: it may turn out to be ours. */
  #doubt: { readonly count: number; readonly monoMs: number } | null = null;
  /** Somebody was first: what was seen is old. */
  #late = false;
  #count = 0;
  #nextMonoMs = -Infinity;
  #told: string | null = null;
  /** Not before this is it taken again by one that was unfit. */
  #restMonoMs = -Infinity;
  #stopping = false;

  constructor(options: LeadershipOptions) {
    this.#options = options;
  }

  get leads(): boolean {
    return this.#state.at === "leading";
  }

  /** When `tick` is wanted at the latest. */
  wakeMonoMs(): number {
    if (this.#state.at === "stopped") return Infinity;
    let wake = this.#nextMonoMs;
    if (this.#asked) wake = this.#stopping ? this.#asked.monoMs + LEAD_PATIENCE_MS : Infinity;
    return this.#state.at === "leading" ? Math.min(wake, this.#state.untilMonoMs) : wake;
  }

  step(event: LeadershipEvent, nowMonoMs: number): LeadershipEffect[] {
    const out: LeadershipEffect[] = [];
    // Before all else: who was not there has lost it, whatever has come in meanwhile.
    if (this.#state.at === "leading" && nowMonoMs >= this.#state.untilMonoMs) {
      this.#standBy("its lease is over: the store has not answered in time", out, nowMonoMs);
    }
    switch (event.on) {
      case "seen":
        this.#answered(nowMonoMs);
        this.#see(event.lease, out, nowMonoMs);
        break;
      case "swapped":
        this.#swapped(event.revision, out, nowMonoMs);
        break;
      case "unanswered":
        this.#unanswered(out, nowMonoMs);
        break;
      case "unfit":
        this.#unfit(event.why, out, nowMonoMs);
        break;
      case "stop":
        this.#stopping = true;
        break;
      case "tick":
        break;
      default:
        event satisfies never;
    }
    this.#go(out, nowMonoMs);
    return out;
  }

  /** Asks for what is to be known or written next, if nothing is under way. */
  #go(out: LeadershipEffect[], nowMonoMs: number): void {
    const state = this.#state;
    if (this.#asked !== null) {
      // Whoever is to end does not wait for a store that is silent.
      if (this.#stopping && nowMonoMs - this.#asked.monoMs >= LEAD_PATIENCE_MS) this.#end(out);
      return;
    }
    if (this.#stopping && state.at !== "leading") return this.#end(out);
    if (state.at === "leading" && this.#stopping) {
      // Whoever takes it may begin at once: so this one ends before it is given back.
      out.push({ do: "stand-by", why: "this conductor ends" });
      this.#state = { at: "releasing" };
      return this.#swap(state.revision, null, out, nowMonoMs);
    }
    if (state.at === "standing" && this.#isFree(nowMonoMs)) {
      this.#state = { at: "taking" };
      return this.#swap(this.#seen?.lease?.revision ?? 0, this.#holder(), out, nowMonoMs);
    }
    if (nowMonoMs < this.#nextMonoMs) return;
    if (state.at === "leading" && this.#doubt === null) {
      return this.#swap(state.revision, this.#holder(), out, nowMonoMs);
    }
    this.#asked = { what: "look", monoMs: nowMonoMs };
    out.push({ do: "look" });
  }

  #swap(
    revision: number,
    holder: string | null,
    out: LeadershipEffect[],
    monoMs: number,
  ): void {
    this.#asked = { what: "swap", monoMs };
    out.push({ do: "swap", revision, holder });
  }

  #holder(): string {
    const { boot, at, name } = this.#options;
    const holder: Holder = { boot, at, count: ++this.#count, ...(name ? { name } : {}) };
    return JSON.stringify(holder);
  }

  /** Given back, never taken, or not written for so long that its holder has ended by itself. */
  #isFree(nowMonoMs: number): boolean {
    if (this.#seen === null || this.#late || this.#doubt !== null) return false;
    if (nowMonoMs < this.#restMonoMs) return false;
    const { lease, sinceMonoMs } = this.#seen;
    if (lease === null || lease.holder === null) return true;
    return nowMonoMs - sinceMonoMs >= LEAD_MS;
  }

  #answered(nowMonoMs: number): void {
    this.#asked = null;
    this.#heardMonoMs = nowMonoMs;
    const everyMs = this.#state.at === "leading" ? LEAD_RENEW_MS : LEAD_LOOK_MS;
    this.#nextMonoMs = nowMonoMs + everyMs;
  }

  #see(lease: Lease | null, out: LeadershipEffect[], nowMonoMs: number): void {
    const before = this.#seen?.lease ?? null;
    this.#late = false;
    // A server that is behind shows an older one: nothing is learnt from that.
    if (this.#seen && (lease?.revision ?? 0) < (before?.revision ?? 0)) return;
    if (!this.#seen || lease?.revision !== before?.revision) {
      this.#seen = { lease, sinceMonoMs: nowMonoMs };
    }
    const holder = parseHolder(lease?.holder ?? null);
    const doubt = this.#doubt;
    this.#doubt = null;
    if (lease && doubt && holder?.boot === this.#options.boot && holder.count === doubt.count) {
      // It was written, after all: it counts from when it was asked for.
      return this.#hold(lease.revision, doubt.monoMs, out, nowMonoMs);
    }
    if (this.#state.at === "leading") {
      if (lease?.revision === this.#state.revision) this.#nextMonoMs = nowMonoMs;
      else this.#standBy("another conductor has taken the lease", out, nowMonoMs);
    }
    const isPast = holder?.boot === this.#options.boot && this.#state.at !== "leading";
    this.#tellLeader(isPast ? null : holder, out);
  }

  #tellLeader(holder: Holder | null, out: LeadershipEffect[]): void {
    const name = holder === null ? null : `${holder.boot} ${holder.at}`;
    if (name === this.#told) return;
    this.#told = name;
    out.push({ do: "leader", holder });
  }

  #swapped(revision: number | null, out: LeadershipEffect[], nowMonoMs: number): void {
    const askedMonoMs = this.#asked?.monoMs ?? nowMonoMs;
    const { at } = this.#state;
    this.#answered(nowMonoMs);
    if (at === "releasing") return this.#end(out);
    if (revision !== null) return this.#hold(revision, askedMonoMs, out, nowMonoMs);
    this.#late = true;
    if (at === "leading") this.#standBy("another conductor has taken the lease", out, nowMonoMs);
    this.#state = { at: "standing" };
    this.#nextMonoMs = nowMonoMs;
  }

  /** The lease is ours by this writing, which was asked for at `askedMonoMs`. */
  #hold(
    revision: number,
    askedMonoMs: number,
    out: LeadershipEffect[],
    nowMonoMs: number,
  ): void {
    const untilMonoMs = askedMonoMs + LEAD_MS - LEAD_MARGIN_MS;
    this.#seen = { lease: { revision, holder: this.#lastHolder() }, sinceMonoMs: nowMonoMs };
    const state = this.#state;
    if (untilMonoMs <= nowMonoMs) {
      // It was answered too late to be of use: it is waited for like anybody's.
      if (state.at !== "leading") this.#state = { at: "standing" };
      return;
    }
    if (state.at === "leading") {
      state.untilMonoMs = untilMonoMs;
      state.revision = revision;
      out.push({ do: "extend", untilMonoMs });
    } else {
      this.#state = { at: "leading", term: revision, untilMonoMs, revision };
      out.push({ do: "lead", term: revision, untilMonoMs });
    }
    this.#nextMonoMs = Math.max(nowMonoMs, askedMonoMs + LEAD_RENEW_MS);
    this.#tellLeader(parseHolder(this.#lastHolder()), out);
  }

  #lastHolder(): string {
    const { boot, at, name } = this.#options;
    return JSON.stringify({ boot, at, count: this.#count, ...(name ? { name } : {}) });
  }

  #unanswered(out: LeadershipEffect[], nowMonoMs: number): void {
    const asked = this.#asked;
    const { at } = this.#state;
    const heardMonoMs = this.#heardMonoMs;
    this.#answered(nowMonoMs);
    this.#heardMonoMs = heardMonoMs;
    this.#nextMonoMs = nowMonoMs + LEAD_LOOK_MS / 4;
    // Whoever led when that was seen last has lost its lease if it, too, sees nothing.
    if (at === "standing" && nowMonoMs - heardMonoMs >= LEAD_MS) this.#tellLeader(null, out);
    if (at === "releasing") return this.#end(out);
    if (asked?.what === "swap") this.#doubt = { count: this.#count, monoMs: asked.monoMs };
    if (at === "taking") this.#state = { at: "standing" };
  }

  #unfit(why: string, out: LeadershipEffect[], nowMonoMs: number): void {
    // Another may be better; where there is none, this one tries again.
    this.#restMonoMs = nowMonoMs + LEAD_MS;
    if (this.#state.at === "leading") this.#standBy(why, out, nowMonoMs);
  }

  #standBy(why: string, out: LeadershipEffect[], nowMonoMs: number): void {
    this.#state = { at: "standing" };
    this.#nextMonoMs = nowMonoMs;
    out.push({ do: "stand-by", why });
    // It is not itself any more; who is, it has to see.
    this.#tellLeader(null, out);
  }

  #end(out: LeadershipEffect[]): void {
    if (this.#state.at === "stopped") return;
    this.#state = { at: "stopped" };
    out.push({ do: "stopped" });
  }
}
