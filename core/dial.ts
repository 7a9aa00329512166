/**
 * The stream from a daemon to its towers. One at a time: a stream that breaks, does not come about or
 * has been silent for too long is left for the next tower's, after a wait that grows with every
 * failure. With a single tower that is a new stream to the same one: of a host that was cut off, or
 * lost its power, the old one may stand for many minutes and carry nothing.
 *
 * Loss: a stream loses nothing while it stands; what was missed between two is in the snapshot that
 * the next one begins with.
 */

import {
  WATCH_ASK_MS,
  WATCH_ASK_PROGRAM_MS,
  WATCH_CALL_MS,
  WATCH_FIRST_MS,
  WATCH_GRACE_MS,
  WATCH_LATE_MS,
  WATCH_RETRY_MAX_MS,
  WATCH_RETRY_MIN_MS,
  WATCH_SILENT_ALONE_MS,
  WATCH_SILENT_ASKED_MS,
  WATCH_SILENT_MS,
  WATCH_SILENT_PROGRAM_MS,
} from "./limits.ts";
import type { Prng } from "./prng.ts";

/** What becomes of the streams. `call` numbers them; what is told of an earlier one does not count. */
export type DialEvent =
  | { readonly on: "start" }
  /** The stream stands. */
  | { readonly on: "opened"; readonly call: number }
  /** Something came by it; `alive`: the tower's word that it is there, which it repeats when asked. */
  | { readonly on: "heard"; readonly call: number; readonly alive: boolean }
  /** It is gone, or has not come about. */
  | { readonly on: "closed"; readonly call: number }
  /** `dueMs` has come; early or late does no harm. */
  | { readonly on: "tick" };

export type DialEffect =
  /** Open a stream to this tower, of those given by their order. */
  | { readonly do: "dial"; readonly tower: number; readonly call: number }
  /** Nothing of this stream counts any more. */
  | { readonly do: "close"; readonly call: number }
  /** Send `ping`. */
  | { readonly do: "ask" }
  /** The watch stands. */
  | { readonly do: "connected"; readonly tower: number }
  /** It is over, or has not come about; the tower may have been gone since `sinceMs`. */
  | {
    readonly do: "lost";
    readonly tower: number;
    readonly stood: boolean;
    readonly sinceMs: number;
  };

/** How long a daemon waits for a tower. */
export interface DialOptions {
  /** How many there are, at least one. */
  readonly towers: number;
  /** For a stream to come about, ms. */
  readonly callMs: number;
  /** For its first message, which may be long, ms. */
  readonly firstMs: number;
  /** From one message to the next, ms. */
  readonly silentMs: number;
  /**
   * The tower is asked by `ping` to say that it is there. One that has never said so by this stream
   * is of a version that would not, and is not left for its silence. Without it whoever reads the
   * stream sends what is answered anyway.
   */
  readonly asks: boolean;
  /** How often it is, and how often the daemon looks whether it ran itself, ms. */
  readonly askMs: number;
}

/** An ingress acknowledges all the time, and is answered. Of several towers it leaves one sooner. */
export function ingressDial(towers: number): DialOptions {
  const [callMs, firstMs, silentMs] = towers > 1
    ? [WATCH_SILENT_MS, WATCH_SILENT_MS, WATCH_SILENT_MS]
    : [WATCH_CALL_MS, WATCH_FIRST_MS, WATCH_SILENT_ALONE_MS];
  return { towers, callMs, firstMs, silentMs, asks: false, askMs: WATCH_ASK_MS };
}

/** Programs watch, too, and may be many: each asks seldom. */
export function programDial(towers: number): DialOptions {
  const [silentMs, askMs] = [WATCH_SILENT_PROGRAM_MS, WATCH_ASK_PROGRAM_MS];
  return { towers, callMs: WATCH_CALL_MS, firstMs: WATCH_FIRST_MS, silentMs, asks: true, askMs };
}

/** A conductor has a stream to each of its towers, and may have nothing to say for hours. */
export const CONDUCTOR_DIAL: DialOptions = {
  towers: 1,
  callMs: WATCH_CALL_MS,
  firstMs: WATCH_FIRST_MS,
  silentMs: WATCH_SILENT_ASKED_MS,
  asks: true,
  askMs: WATCH_ASK_MS,
};

type State =
  /** Not begun. */
  | { readonly at: "idle" }
  /** Waits to dial again. */
  | { readonly at: "waiting"; readonly untilMs: number }
  /** A stream is under way. */
  | { readonly at: "calling"; readonly heardMs: number }
  /** It stands, and nothing has come by it yet, or something has. */
  | {
    readonly at: "standing";
    readonly heardMs: number;
    readonly isFirst: boolean;
    readonly answers: boolean;
  };

export class Dial {
  #state: State = { at: "idle" };
  #tower = 0;
  #call = 0;
  #waitMs = WATCH_RETRY_MIN_MS;
  /** When the next look is due, by which an observer that stands still notices that it did. */
  #lookMs = Infinity;
  /** Until then nobody is left for silence, ms. */
  #graceMs = -Infinity;

  /** @param prng spreads the waits, so that many daemons do not dial in step */
  constructor(private readonly options: DialOptions, private readonly prng: Prng) {}

  /** Says whether what comes by this stream still counts. */
  isCurrent(call: number): boolean {
    const { at } = this.#state;
    return call === this.#call && (at === "calling" || at === "standing");
  }

  /** When `tick` has something to do, on the monotonic clock. */
  get dueMs(): number {
    switch (this.#state.at) {
      case "idle":
        return Infinity;
      case "waiting":
        return this.#state.untilMs;
      default:
        return Math.min(this.#lookMs, this.#leaveMs);
    }
  }

  step(event: DialEvent, nowMs: number): DialEffect[] {
    if ("call" in event && !this.isCurrent(event.call)) return [];
    switch (event.on) {
      case "start":
        return this.#dial(nowMs);
      case "opened":
        this.#state = { at: "standing", heardMs: nowMs, isFirst: true, answers: false };
        this.#waitMs = WATCH_RETRY_MIN_MS;
        return [{ do: "connected", tower: this.#tower }];
      case "heard": {
        const answers = event.alive || this.#state.at === "standing" && this.#state.answers;
        this.#state = { at: "standing", heardMs: nowMs, isFirst: false, answers };
        return [];
      }
      case "closed":
        return this.#leave(nowMs, nowMs);
      case "tick":
        return this.#tick(nowMs);
      default:
        return event satisfies never;
    }
  }

  /** When a stream that stays silent is left. */
  get #leaveMs(): number {
    const state = this.#state;
    const { callMs, firstMs, silentMs, asks } = this.options;
    switch (state.at) {
      case "calling":
        return Math.max(this.#graceMs, state.heardMs + callMs);
      case "standing":
        if (state.isFirst) return Math.max(this.#graceMs, state.heardMs + firstMs);
        if (asks && !state.answers) return Infinity;
        return Math.max(this.#graceMs, state.heardMs + silentMs);
      default:
        return Infinity;
    }
  }

  #tick(nowMs: number): DialEffect[] {
    const state = this.#state;
    if (state.at === "waiting") return nowMs < state.untilMs ? [] : this.#dial(nowMs);
    if (state.at === "idle") return [];
    // Who stood still itself has not heard what came meanwhile, and accuses nobody of silence.
    if (nowMs - this.#lookMs > WATCH_LATE_MS) this.#graceMs = nowMs + WATCH_GRACE_MS;
    if (nowMs >= this.#leaveMs) {
      return [...this.#leave(state.heardMs, nowMs), { do: "close", call: this.#call }];
    }
    if (nowMs < this.#lookMs) return [];
    this.#lookMs = nowMs + this.options.askMs;
    return this.options.asks && state.at === "standing" && state.answers ? [{ do: "ask" }] : [];
  }

  #dial(nowMs: number): DialEffect[] {
    this.#state = { at: "calling", heardMs: nowMs };
    this.#lookMs = nowMs + this.options.askMs;
    return [{ do: "dial", tower: this.#tower, call: ++this.#call }];
  }

  /** Half of the wait is by chance. */
  #leave(sinceMs: number, nowMs: number): DialEffect[] {
    const stood = this.#state.at === "standing";
    const tower = this.#tower;
    this.#tower = (tower + 1) % this.options.towers;
    this.#state = {
      at: "waiting",
      untilMs: nowMs + this.#waitMs * (0.5 + this.prng.next() / 2),
    };
    this.#waitMs = Math.min(this.#waitMs * 2, WATCH_RETRY_MAX_MS);
    return [{ do: "lost", tower, stood, sinceMs }];
  }
}
