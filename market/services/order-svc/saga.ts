import type { Carts, ConfirmedOrder, OrderListener, Stock } from "../../kit/modules.ts";
import { Problem, unavailable } from "../../kit/problem.ts";
import type { OrderedItem, OrderRow, OrderStore } from "./store.ts";

// An order takes stock from another module, so it goes by steps, each written down before the next
// and each safe to repeat: the reservation carries the order's id, and taking or giving back the
// same id twice does nothing more. Whoever finds an order half-way may therefore go on with it.

/** Brings orders forward. */
export interface Saga {
  /**
   * Takes the stock and confirms, or says why not.
   *
   * @throws Problem 409 when there is not enough (the order is rejected for good); 503 when that
   * cannot be known just now (it is given up and what it took is given back; the buyer may repeat
   * the request with the same key).
   */
  complete(order: OrderRow): Promise<OrderRow>;
  /** Does what remains of an order that was left: gives back, reports, empties the cart. */
  finish(order: OrderRow): Promise<void>;
}

/** What an order touches besides its own store. */
export interface SagaNeeds {
  readonly stock: Stock;
  readonly carts: Carts;
  /** All are told of each order that stands; it is settled when all have taken note. */
  readonly listeners: readonly OrderListener[];
}

/** Creates the saga. */
export function createSaga(store: OrderStore, { stock, carts, listeners }: SagaNeeds): Saga {
  const giveUp = async (order: OrderRow) => {
    if (await store.move(order.id, "pending", "cancelling")) await release(order.id);
  };
  const release = async (id: string) => {
    await stock.release(id);
    await store.move(id, "cancelling", "cancelled");
  };
  const report = async (order: OrderRow) => {
    const confirmed = JSON.parse(order.document) as ConfirmedOrder;
    for (const listener of listeners) await listener.confirmed(confirmed);
    await store.settle(order.id);
  };

  return {
    async complete(order) {
      const items = itemsIn(order);
      try {
        await stock.reserve(order.id, items);
      } catch (error) {
        onlyProblems(error);
        // Only "not enough" is an answer about this order; anything else is trouble between us.
        if (error.status === 409 && error.field.startsWith("items")) {
          const { message, field, details } = error;
          const body = { error: message, field, ...details };
          await store.move(order.id, "pending", "rejected", JSON.stringify(body));
          throw rejection(body);
        }
        await giveUp(order).catch(onlyProblems);
        if (error.status === 503) throw error;
        throw unavailable("inventory-svc", "the stock cannot be taken just now; try again");
      }
      if (!await store.move(order.id, "pending", "confirmed")) {
        const now = await store.byId(order.id);
        if (now?.state === "confirmed") return now;
        await release(order.id).catch(onlyProblems);
        throw unavailable("order", "the order was given up meanwhile; try again");
      }
      if (order.cart_session) await carts.clear(order.cart_session).catch(onlyProblems);
      return { ...order, state: "confirmed" };
    },
    async finish(order) {
      switch (order.state) {
        case "pending":
          return await giveUp(order);
        case "cancelling":
          return await release(order.id);
        case "confirmed":
          return await report(order);
        case "rejected":
          // Nothing is held, but a repeated reservation may still be on its way: this bars it.
          await release(order.id);
          return await store.settle(order.id);
        case "cancelled":
          return await store.settle(order.id);
        default:
          order.state satisfies never;
      }
    },
  };
}

/** An order's items as the buyer listed them: a refusal names one by its place. */
function itemsIn(order: OrderRow): OrderedItem[] {
  const { items } = JSON.parse(order.document) as { items: OrderedItem[] };
  return items.map(({ product_id, quantity }) => ({ product_id, quantity }));
}

/** The problem that a rejected order answers with, again and again. */
export function rejection(body: Record<string, unknown>): Problem {
  const { error, field, ...details } = body;
  return new Problem(409, String(field), String(error), { details });
}

/** Another service's absence is what the sweep is for; a bug must still be heard of. */
export function onlyProblems(error: unknown): asserts error is Problem {
  if (!(error instanceof Problem)) throw error;
}
