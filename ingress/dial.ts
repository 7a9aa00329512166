/**
 * Which of its towers an ingress watches. One at a time: a stream that breaks, does not come about or
 * has been silent for too long is left for the next tower's, after a wait that grows with every
 * failure. With a single tower silence is no reason to leave: there is nobody else to ask.
 *
 * Loss: a stream loses nothing while it stands; what was missed between two is in the snapshot that
 * the next one begins with.
 */

import {
  INGRESS_ALIVE_MS,
  WATCH_RETRY_MAX_MS,
  WATCH_RETRY_MIN_MS,
  WATCH_SILENT_MS,
} from "../core/limits.ts";
import type { Prng } from "../core/prng.ts";

/** What becomes of the streams. `call` numbers them; what is told of an earlier one does not count. */
export type DialEvent =
  | { readonly on: "start" }
  /** The stream stands. */
  | { readonly on: "opened"; readonly call: number }
  /** Something came by it. */
  | { readonly on: "heard"; readonly call: number }
  /** It is gone, or has not come about. */
  | { readonly on: "closed"; readonly call: number }
  /** `dueMs` has come; early or late does no harm. */
  | { readonly on: "tick" };

export type DialEffect =
  /** Open a stream to this tower, of those given by their order. */
  | { readonly do: "dial"; readonly tower: number; readonly call: number }
  /** Nothing of this stream counts any more. */
  | { readonly do: "close"; readonly call: number }
  /** The watch stands, and is over: for the ingress's machine. */
  | { readonly do: "connected"; readonly tower: number }
  | { readonly do: "lost"; readonly tower: number; readonly stood: boolean };

type State =
  /** Not begun. */
  | { readonly at: "idle" }
  /** Waits to dial again. */
  | { readonly at: "waiting"; readonly untilMs: number }
  /** A stream is under way, or stands. */
  | { readonly at: "calling" | "standing"; heardMs: number };

export class Dial {
  #state: State = { at: "idle" };
  #tower = 0;
  #call = 0;
  #waitMs = WATCH_RETRY_MIN_MS;

  /**
   * @param towers how many there are, at least one
   * @param prng spreads the waits, so that many ingresses do not dial in step
   */
  constructor(private readonly towers: number, private readonly prng: Prng) {}

  /** Says whether what comes by this stream still counts. */
  isCurrent(call: number): boolean {
    const { at } = this.#state;
    return call === this.#call && (at === "calling" || at === "standing");
  }

  /** When `tick` has something to do, on the monotonic clock. */
  get dueMs(): number {
    const state = this.#state;
    if (state.at === "waiting") return state.untilMs;
    if (state.at === "idle" || this.towers === 1) return Infinity;
    return state.heardMs + WATCH_SILENT_MS;
  }

  step(event: DialEvent, nowMs: number): DialEffect[] {
    if ("call" in event && !this.isCurrent(event.call)) return [];
    switch (event.on) {
      case "start":
        return this.#dial(nowMs);
      case "opened":
        this.#state = { at: "standing", heardMs: nowMs };
        this.#waitMs = WATCH_RETRY_MIN_MS;
        return [{ do: "connected", tower: this.#tower }];
      case "heard":
        if ("heardMs" in this.#state) this.#state.heardMs = nowMs;
        return [];
      case "closed":
        return this.#leave(nowMs);
      case "tick":
        if (nowMs < this.dueMs) return [];
        if (this.#state.at === "waiting") return this.#dial(nowMs);
        // Who stood still itself has not heard what came meanwhile, and accuses nobody of silence.
        if ("heardMs" in this.#state && nowMs - this.dueMs > INGRESS_ALIVE_MS) {
          this.#state.heardMs = nowMs + 2 * INGRESS_ALIVE_MS - WATCH_SILENT_MS;
          return [];
        }
        return [...this.#leave(nowMs), { do: "close", call: this.#call }];
      default:
        return event satisfies never;
    }
  }

  #dial(nowMs: number): DialEffect[] {
    this.#state = { at: "calling", heardMs: nowMs };
    return [{ do: "dial", tower: this.#tower, call: ++this.#call }];
  }

  /** Half of the wait is by chance. */
  #leave(nowMs: number): DialEffect[] {
    const stood = this.#state.at === "standing";
    const tower = this.#tower;
    this.#tower = (tower + 1) % this.towers;
    this.#state = {
      at: "waiting",
      untilMs: nowMs + this.#waitMs * (0.5 + this.prng.next() / 2),
    };
    this.#waitMs = Math.min(this.#waitMs * 2, WATCH_RETRY_MAX_MS);
    return [{ do: "lost", tower, stood }];
  }
}
