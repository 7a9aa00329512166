// The ports a node hands out. Whether a port is free on the machine only a trial bind can say;
// this table knows which are given away already and which to try next.

import { PORT_REST_MS, PORT_TRIES } from "../core/limits.ts";

/** What a replica wants to listen on. */
export interface PortWish {
  readonly number: number;
  /** Only this one will do. */
  readonly fixed: boolean;
}

/** For whom a port is looked for, and when. */
export interface Seeker {
  readonly app: string;
  readonly nowMs: number;
}

export class PortTable {
  readonly #holders = new Map<number, string>();
  /**
   * Ports given back a while ago, and whose they were. An ingress that has lost the tower may go on
   * sending there by its last table: what it sends must not reach another app.
   */
  readonly #resting = new Map<number, { readonly app: string; readonly untilMs: number }>();
  #cursor: number;

  constructor(private readonly first: number, private readonly last: number) {
    this.#cursor = first;
  }

  /** Who holds this port, if anyone. */
  holder(port: number): string | undefined {
    return this.#holders.get(port);
  }

  /**
   * The port to try for a replica: what it had before, what it is known by, then the range; `null`
   * when there is none left to try.
   *
   * @param refused ports whose trial failed just now
   * @param seeker ports that rest from another app are given to it only where there are no others
   */
  next(
    replica: string,
    wish: PortWish,
    before: number | undefined,
    refused: ReadonlySet<number>,
    seeker?: Seeker,
  ): number | null {
    const rested = seeker && !wish.fixed && this.#next(replica, wish, before, refused, seeker);
    return rested || this.#next(replica, wish, before, refused);
  }

  #next(
    replica: string,
    wish: PortWish,
    before: number | undefined,
    refused: ReadonlySet<number>,
    seeker?: Seeker,
  ): number | null {
    const usable = (port: number) =>
      !refused.has(port) && (this.#holders.get(port) ?? replica) === replica &&
      !(seeker && this.#restsFrom(port, seeker));
    if (wish.fixed) return usable(wish.number) ? wish.number : null;
    if (before !== undefined && usable(before)) return before;
    if (usable(wish.number)) return wish.number;
    if (refused.size >= PORT_TRIES) return null;
    for (let step = this.first; step <= this.last; step++) {
      const port = this.#cursor;
      this.#cursor = port >= this.last ? this.first : port + 1;
      if (usable(port)) return port;
    }
    return null;
  }

  #restsFrom(port: number, { app, nowMs }: Seeker): boolean {
    const rest = this.#resting.get(port);
    return rest !== undefined && rest.app !== app && nowMs < rest.untilMs;
  }

  take(port: number, replica: string): void {
    this.#holders.set(port, replica);
    this.#resting.delete(port);
  }

  /** Gives back whatever the replica holds; to other apps only after `PORT_REST_MS`. */
  release(replica: string, holder?: Seeker): void {
    for (const [port, each] of this.#holders) {
      if (each !== replica) continue;
      this.#holders.delete(port);
      if (holder) {
        const { app, nowMs } = holder;
        this.#resting.set(port, { app, untilMs: nowMs + PORT_REST_MS });
      }
    }
  }
}
