// Ids of replicas that are finished for good: a late order cannot bring one back.

import { NODE_TOMBSTONES, TOMBSTONE_MS } from "../core/limits.ts";

/** Remembers ids for `TOMBSTONE_MS`, the oldest first to go where there are too many. */
export class Tombstones {
  readonly #ids = new Map<string, number>();

  get size(): number {
    return this.#ids.size;
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  /** @param wallMs when it finished; ids are added in the order of this */
  add(id: string, wallMs: number): void {
    this.#ids.delete(id);
    this.#ids.set(id, wallMs);
    for (const [old, sinceMs] of this.#ids) {
      if (wallMs - sinceMs < TOMBSTONE_MS && this.#ids.size <= NODE_TOMBSTONES) return;
      this.#ids.delete(old);
    }
  }
}
