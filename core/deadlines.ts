/** Something with a time at which it lapses. Only `Deadlines` writes `at` and `slot`. */
export interface Timed {
  /** When it lapses, ms of the monotonic clock. May be moved later at any time, at no cost. */
  dueMs: number;
  /** The time it is queued under: `dueMs` or an earlier one. */
  at: number;
  /** Its place in the heap; -1 while it is not queued. */
  slot: number;
}

/**
 * What lapses when: a binary heap in which a renewal costs one assignment.
 *
 * A renewed item keeps its old place and is put back when that time comes, so an item is touched
 * once per lease, not once per renewal; removal is by its slot. Adding, removing: O(log n);
 * `takeDue`: O(log n) per item that was queued for then.
 */
export class Deadlines<T extends Timed> {
  readonly #heap: T[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** The earliest time at which something may have lapsed; Infinity when there is nothing. */
  get nextMs(): number {
    return this.#heap[0]?.at ?? Infinity;
  }

  add(item: T): void {
    item.at = item.dueMs;
    item.slot = this.#heap.length;
    this.#heap.push(item);
    this.#up(item);
  }

  remove(item: T): void {
    if (item.slot < 0) return;
    const last = this.#heap.pop()!;
    if (last !== item) {
      last.slot = item.slot;
      this.#heap[last.slot] = last;
      this.#up(last);
      this.#down(last);
    }
    item.slot = -1;
  }

  /** Takes out one item that has lapsed, or `null` when none has. */
  takeDue(nowMs: number): T | null {
    for (let top = this.#heap[0]; top !== undefined && top.at <= nowMs; top = this.#heap[0]) {
      if (top.dueMs <= nowMs) {
        this.remove(top);
        return top;
      }
      top.at = top.dueMs;
      this.#down(top);
    }
    return null;
  }

  #up(item: T): void {
    let slot = item.slot;
    while (slot > 0) {
      const parent = this.#heap[(slot - 1) >> 1]!;
      if (parent.at <= item.at) break;
      this.#put(parent, slot);
      slot = (slot - 1) >> 1;
    }
    this.#put(item, slot);
  }

  #down(item: T): void {
    let slot = item.slot;
    for (;;) {
      const left = this.#heap[slot * 2 + 1];
      const right = this.#heap[slot * 2 + 2];
      const child = right !== undefined && right.at < left!.at ? right : left;
      if (child === undefined || child.at >= item.at) break;
      const next = child.slot;
      this.#put(child, slot);
      slot = next;
    }
    this.#put(item, slot);
  }

  #put(item: T, slot: number): void {
    this.#heap[slot] = item;
    item.slot = slot;
  }
}
