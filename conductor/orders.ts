/**
 * Orders that a node has not answered yet, repeated with backoff. They are made anew from the
 * durable state at any time, so nothing is lost when this is.
 */

import { RETRY_MAX_MS, RETRY_MIN_MS } from "../core/limits.ts";

export interface Order {
  readonly kind: "run" | "stop";
  readonly replica: string;
  /** Node id. */
  readonly node: string;
  /** The next wait after sending. */
  waitMs: number;
  dueMonoMs: number;
}

export class Orders {
  readonly #orders = new Map<string, Order>();
  /** No order is due before this: with many of them nobody looks through all at every step. */
  #nextDueMonoMs = Infinity;

  get size(): number {
    return this.#orders.size;
  }

  get(replica: string): Order | undefined {
    return this.#orders.get(replica);
  }

  /** Wants the order sent until answered; a different order for the replica replaces the old. */
  want(kind: Order["kind"], replica: string, node: string, monoMs: number): void {
    const known = this.#orders.get(replica);
    if (known?.kind === kind && known.node === node) return;
    this.#orders.set(replica, { kind, replica, node, waitMs: RETRY_MIN_MS, dueMonoMs: monoMs });
    this.#nextDueMonoMs = Math.min(this.#nextDueMonoMs, monoMs);
  }

  /** The node has answered. */
  done(kind: Order["kind"], replica: string): void {
    if (this.#orders.get(replica)?.kind === kind) this.#orders.delete(replica);
  }

  drop(replica: string): void {
    this.#orders.delete(replica);
  }

  clear(): void {
    this.#orders.clear();
    this.#nextDueMonoMs = Infinity;
  }

  /** Orders that are due now; each is due again after its backoff. */
  takeDue(monoMs: number): Order[] {
    if (this.#nextDueMonoMs > monoMs) return [];
    const due: Order[] = [];
    this.#nextDueMonoMs = Infinity;
    for (const order of this.#orders.values()) {
      if (order.dueMonoMs <= monoMs) {
        due.push(order);
        order.dueMonoMs = monoMs + order.waitMs;
        order.waitMs = Math.min(RETRY_MAX_MS, order.waitMs * 2);
      }
      this.#nextDueMonoMs = Math.min(this.#nextDueMonoMs, order.dueMonoMs);
    }
    return due;
  }

  /** No order is due before this; `Infinity` without any. */
  nextDueMonoMs(): number {
    return this.#orders.size === 0 ? Infinity : this.#nextDueMonoMs;
  }
}
