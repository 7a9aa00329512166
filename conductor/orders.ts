/**
 * Orders that a node has not answered yet, repeated with backoff. They are made anew from the
 * durable state at any time, so nothing is lost when this is.
 */

import { Deadlines, type Timed } from "../core/deadlines.ts";
import { RETRY_MAX_MS, RETRY_MIN_MS } from "../core/limits.ts";

export interface Order extends Timed {
  readonly kind: "run" | "stop";
  readonly replica: string;
  /** Node id. */
  readonly node: string;
  /** In the order in which they were wanted. */
  readonly number: number;
  /** The next wait after sending. */
  waitMs: number;
}

export class Orders {
  readonly #orders = new Map<string, Order>();
  readonly #due = new Deadlines<Order>();
  #number = 0;

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
    if (known) this.#due.remove(known);
    const order: Order = {
      kind,
      replica,
      node,
      number: this.#number++,
      waitMs: RETRY_MIN_MS,
      dueMs: monoMs,
      at: monoMs,
      slot: -1,
    };
    this.#orders.set(replica, order);
    this.#due.add(order);
  }

  /** The node has answered. */
  done(kind: Order["kind"], replica: string): void {
    if (this.#orders.get(replica)?.kind === kind) this.drop(replica);
  }

  drop(replica: string): void {
    const order = this.#orders.get(replica);
    if (!order) return;
    this.#orders.delete(replica);
    this.#due.remove(order);
  }

  clear(): void {
    for (const replica of this.#orders.keys()) this.drop(replica);
  }

  /** Orders that are due now, as they were wanted; each is due again after its backoff. */
  takeDue(monoMs: number): Order[] {
    const due: Order[] = [];
    for (let order; (order = this.#due.takeDue(monoMs));) due.push(order);
    for (const order of due) {
      order.dueMs = monoMs + order.waitMs;
      order.waitMs = Math.min(RETRY_MAX_MS, order.waitMs * 2);
      this.#due.add(order);
    }
    return due.sort((a, b) => a.number - b.number);
  }

  /** When the first order is due; `Infinity` without any. */
  nextDueMonoMs(): number {
    return this.#due.nextMs;
  }
}
