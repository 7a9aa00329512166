/**
 * Whom this node obeys. Of several conductors one leads at a time, in terms that grow; an order
 * carries its term and for how long the lease behind it holds, counted from when this node sent a
 * certain beat. So an order is judged by this node's own clock alone: what a conductor says that
 * was stopped and wakes is refused even where nobody has told of its successor yet.
 */

import { BEATS_REMEMBERED } from "../core/limits.ts";
import type { Mesh } from "../core/mesh.ts";

export class Allegiance {
  /** The greatest term that was heard of; 0: only of conductors that lead alone. */
  #term = 0;
  /** When the last beats were sent. */
  readonly #beats = new Map<number, number>();

  constructor(private readonly boot: string) {}

  get term(): number {
    return this.#term;
  }

  /** A beat goes out now. */
  beaten(beat: number, monoMs: number): void {
    this.#beats.set(beat, monoMs);
    for (const old of this.#beats.keys()) {
      if (this.#beats.size <= BEATS_REMEMBERED) break;
      this.#beats.delete(old);
    }
  }

  /** A conductor says that it leads; false where that is over. */
  hear(term = 0): boolean {
    if (term < this.#term) return false;
    this.#term = term;
    return true;
  }

  /** Why an order is not obeyed; `null` where it is. */
  whyNot(reign: Mesh<"run">["reign"], monoMs: number): string | null {
    const term = reign?.term ?? 0;
    if (term < this.#term) return `it is of term ${term}, and term ${this.#term} has begun`;
    if (reign?.until) {
      const { boot, beat, ms } = reign.until;
      const sentMonoMs = boot === this.boot ? this.#beats.get(beat) : undefined;
      if (sentMonoMs === undefined) return `it counts from beat ${beat}, which is not remembered`;
      const overMs = Math.round(monoMs - sentMonoMs - ms);
      if (overMs >= 0) return `the lease of term ${term} was over ${overMs} ms ago`;
    }
    this.#term = term;
    return null;
  }
}
