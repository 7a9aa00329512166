/** Whether this conductor may decide and order: always where it is alone, else while its lease holds. */

import type { Mesh } from "../../core/mesh.ts";
import type { FleetNode } from "../fleet/fleet.ts";

/** By what an order is held to the lease of who gives it. */
export type Stamp = NonNullable<Mesh<"run">["reign"]>;

const MOST_HEARD = 2 ** 39;

export class Reign {
  /** Of which the log is to say that it has begun. */
  #term: number;
  #untilMonoMs: number;
  readonly #alone: boolean;

  /**
   * @param alone there is no lease: nobody else opens its log
   * @param before the term that the log names last; 0: it was never led by one of several
   */
  constructor(alone: boolean, before: number) {
    this.#alone = alone;
    // Nodes that have heard of terms obey none that is older.
    this.#term = alone && before > 0 ? before + 1 : 0;
    this.#untilMonoMs = alone ? Infinity : -Infinity;
  }

  /** The term that is to be entered; 0: none is. */
  get term(): number {
    return this.#term;
  }

  /** The lease is held, until then. @param before the term that the log names last */
  lead(revision: number, before: number, untilMonoMs: number): void {
    this.#term = Math.max(revision, before + 1);
    this.#untilMonoMs = untilMonoMs;
  }

  /**
   * A node has heard of a term that this log does not know: the log was rebuilt, or brought back. It
   * obeys only a later one. Of what a node makes up only so much is believed as leaves room above.
   */
  heard(term = 0): void {
    if (term > this.#term && term < MOST_HEARD) this.#term = term + 1;
  }

  extend(untilMonoMs: number): void {
    this.#untilMonoMs = untilMonoMs;
  }

  standBy(): void {
    this.#untilMonoMs = -Infinity;
  }

  /** Says whether entries may be written. */
  holds(monoMs: number): boolean {
    return monoMs < this.#untilMonoMs;
  }

  /** Says whether orders may be given: the log, too, says that this term has begun. */
  mayOrder(entered: number, monoMs: number): boolean {
    return this.holds(monoMs) && entered === this.#term;
  }

  /**
   * What an order to this node carries. A node counts the lease from when it sent its last beat that
   * was heard here: that was before it came in, so the node ends it before we do.
   */
  stampFor({ beat, beatMonoMs }: FleetNode): Stamp | undefined {
    if (this.#term === 0) return undefined;
    if (this.#alone || !beat) return { term: this.#term };
    const ms = Math.max(0, Math.floor(this.#untilMonoMs - beatMonoMs));
    return { term: this.#term, until: { boot: beat.boot, beat: beat.beat, ms } };
  }
}
