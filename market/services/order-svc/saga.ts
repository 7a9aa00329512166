import type { Directory } from "../../kit/directory.ts";
import { Problem, unavailable } from "../../kit/problem.ts";
import type { OrderedItem, OrderRow, OrderStore } from "./store.ts";

// An order takes stock at another service, so it goes by steps, each written down before the next
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

/** Creates the saga; `headers` prove this service to the others. */
export function createSaga(
  store: OrderStore,
  directory: Directory,
  headers: () => Promise<Record<string, string>>,
): Saga {
  const post = async (app: string, path: string, json: unknown) =>
    await directory.call(app, path, {
      method: "POST",
      json,
      headers: await headers(),
      repeatable: true,
    });

  const giveUp = async (order: OrderRow) => {
    if (await store.move(order.id, "pending", "cancelling")) await release(order.id);
  };
  const release = async (id: string) => {
    const response = await post("inventory-svc", "/stock/release", { reservation_id: id });
    await response.body?.cancel();
    if (response.ok) await store.move(id, "cancelling", "cancelled");
  };
  const report = async (order: OrderRow) => {
    const product_ids = itemsIn(order).map((each) => each.product_id);
    const event = { type: "purchase", order_id: order.id, product_ids };
    const told = await post("recommendation-svc", "/events", event);
    await told.body?.cancel();
    if (told.ok) await store.settle(order.id);
  };
  const emptyCart = async (session: string) => {
    const emptied = await directory.call("cart-svc", `/cart/${session}`, { method: "DELETE" });
    await emptied.body?.cancel();
  };

  return {
    async complete(order) {
      const items = itemsIn(order);
      let response: Response;
      try {
        response = await post("inventory-svc", "/stock/reserve", {
          reservation_id: order.id,
          items,
        });
      } catch (error) {
        await giveUp(order).catch(onlyProblems);
        throw error;
      }
      if (!response.ok) {
        const body = await response.json();
        // Only "not enough" is an answer about this order; anything else is trouble between us.
        if (response.status === 409 && String(body.field).startsWith("items")) {
          await store.move(order.id, "pending", "rejected", JSON.stringify(body));
          throw rejection(body);
        }
        await giveUp(order).catch(onlyProblems);
        throw unavailable("inventory-svc", "the stock cannot be taken just now; try again");
      }
      await response.body?.cancel();
      if (!await store.move(order.id, "pending", "confirmed")) {
        const now = await store.byId(order.id);
        if (now?.state === "confirmed") return now;
        await release(order.id).catch(onlyProblems);
        throw unavailable("order", "the order was given up meanwhile; try again");
      }
      if (order.cart_session) await emptyCart(order.cart_session).catch(onlyProblems);
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
export function onlyProblems(error: unknown): void {
  if (!(error instanceof Problem)) throw error;
}
