// The ports a node hands out. Whether a port is free on the machine only a trial bind can say;
// this table knows which are given away already and which to try next.

import { PORT_TRIES } from "../core/limits.ts";

/** What a replica wants to listen on. */
export interface PortWish {
  readonly number: number;
  /** Only this one will do. */
  readonly fixed: boolean;
}

export class PortTable {
  readonly #holders = new Map<number, string>();
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
   */
  next(
    replica: string,
    wish: PortWish,
    before: number | undefined,
    refused: ReadonlySet<number>,
  ): number | null {
    const usable = (port: number) =>
      !refused.has(port) && (this.#holders.get(port) ?? replica) === replica;
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

  take(port: number, replica: string): void {
    this.#holders.set(port, replica);
  }

  /** Gives back whatever the replica holds. */
  release(replica: string): void {
    for (const [port, holder] of this.#holders) {
      if (holder === replica) this.#holders.delete(port);
    }
  }
}
