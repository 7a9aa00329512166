import type { Context } from "hono";
import type { Database } from "../../kit/database.ts";
import {
  ID_MAX,
  LINE_QUANTITY,
  LINES,
  ORDER_ABANDONED_MS,
  ORDER_SWEEP_BATCH,
  ORDER_SWEEP_MS,
} from "../../kit/limits.ts";
import type {
  Carts,
  Identity,
  Module,
  OrderListener,
  Products,
  Purchases,
  Stock,
} from "../../kit/modules.ts";
import { ADDRESS, type Address, UUID } from "../../kit/people.ts";
import { badRequest, notFound, Problem } from "../../kit/problem.ts";
import { page, pathInteger, pathText, queryPage, readBody } from "../../kit/request.ts";
import type { Surroundings } from "../../kit/service.ts";
import { createSessionReader } from "../../kit/session.ts";
import { type Checked, integer, list, oneOf, optional, shape, text } from "../../kit/validate.ts";
import { costsOf, SHIPPING_METHODS } from "./price.ts";
import { createSaga, onlyProblems, rejection } from "./saga.ts";
import { createOrderStore, type OrderedItem, type OrderRow } from "./store.ts";

export { MIGRATIONS } from "./store.ts";

const ITEMS = list(
  shape({ product_id: integer(1, ID_MAX), quantity: integer(1, LINE_QUANTITY) }),
  1,
  LINES,
);
const KEY = text({ min: 8, max: 64, pattern: /^[\w-]+$/, meaning: "of A-Za-z0-9_-" });
const CART_SESSION = text({ max: 100, pattern: /^[\w.-]+$/, meaning: "a cart's session" });
const METHOD = optional(oneOf(SHIPPING_METHODS));
const ORDER = shape({
  items: optional(ITEMS),
  cart_session: optional(CART_SESSION),
  shipping_address: ADDRESS,
  shipping_method: METHOD,
  idempotency_key: optional(KEY),
});
const QUOTE = shape({
  items: optional(ITEMS),
  cart_session: optional(CART_SESSION),
  shipping_address: optional(ADDRESS),
  shipping_method: METHOD,
  idempotency_key: optional(KEY),
});
type Asked = Checked<typeof QUOTE>;

/** What orders need of the rest of the market. */
export interface OrderNeeds {
  readonly products: Products;
  readonly stock: Stock;
  readonly carts: Carts;
  readonly identity: Identity;
  /** Who is told of confirmed orders. */
  readonly listeners: readonly OrderListener[];
}

/** Orders: priced by the catalogue, taken from the stock, kept here. */
export function createOrders(
  around: Surroundings,
  database: Database,
  needs: OrderNeeds,
  sweepMs = ORDER_SWEEP_MS,
): Module<Purchases> {
  const { products } = needs;
  const store = createOrderStore(database);
  const saga = createSaga(store, needs);
  const signedIn = createSessionReader(needs.identity, around.now);

  const place = async (c: Context): Promise<{ order: OrderRow; first: boolean }> => {
    const { id: user } = await signedIn(c);
    const asked = await readBody(c, ORDER);
    const key = readKey(c, asked.idempotency_key);
    const request = await digest(asked);
    let order = await store.byKey(user, key);
    let first = false;
    if (!order) {
      const items = await itemsOf(asked, needs.carts);
      const priced = await price(asked, items, products);
      const now = around.now();
      const id = crypto.randomUUID();
      const document = JSON.stringify({
        id,
        user_id: user,
        ...priced,
        shipping_address: asked.shipping_address,
        created_at: new Date(now).toISOString(),
      });
      const cart_session = asked.cart_session ?? null;
      const begun = await store.begin(
        {
          id,
          user_id: user,
          idempotency_key: key,
          request,
          document,
          cart_session,
          created_at: now,
        },
        items,
      );
      order = begun.order;
      first = begun.fresh;
    }
    if (order.request !== request) {
      throw new Problem(422, "idempotency-key", "this key was used for a different order");
    }
    if (order.state === "rejected") throw rejection(JSON.parse(order.answer!));
    if (order.state === "pending") order = await saga.complete(order);
    return { order, first };
  };

  const sweep = async () => {
    const left = await store.unsettled(around.now() - ORDER_ABANDONED_MS, ORDER_SWEEP_BATCH);
    for (const order of left) await saga.finish(order).catch(onlyProblems);
  };

  const api: Purchases = { bought: (user, product) => store.bought(user, product) };
  const routes: Module<Purchases>["routes"] = (
    { app, onClose, note, metrics },
    ownServicesOnly,
  ) => {
    const timer = setInterval(
      () => sweep().catch((error) => note("sweep-failed", { error: String(error) })),
      sweepMs,
    );
    onClose(() => clearInterval(timer));
    onClose(() => database.close());
    app.post("/orders", async (c) => {
      const { order, first } = await place(c);
      if (first) {
        metrics.count("market_orders_total", "Orders that were confirmed.");
        saga.finish(order).catch((error) => note("report-later", { error: String(error) }));
      }
      return c.json(shown(order), first ? 201 : 200);
    });
    app.post("/orders/quote", async (c) => {
      const asked = await readBody(c, QUOTE);
      return c.json(await price(asked, await itemsOf(asked, needs.carts), products));
    });
    app.get("/orders/:id", async (c) => {
      const user = await signedIn(c);
      const order = await store.byId(pathText(c, "id", UUID));
      if (!order) throw notFound("id", "there is no such order");
      if (order.user_id !== user.id) throw new Problem(403, "id", "this is not your order");
      return c.json(shown(order));
    });
    app.get("/orders/user/:user_id", async (c) => {
      const user = await signedIn(c);
      const id = pathText(c, "user_id", UUID);
      if (id !== user.id) throw new Problem(403, "user_id", "these are not your orders");
      const request = queryPage(c);
      const offset = (request.page - 1) * request.perPage;
      const { orders, total } = await store.ofUser(id, request.perPage, offset);
      return c.json(page(orders.map(shown), total, request));
    });
    app.get("/purchases/:user_id/:product_id", async (c) => {
      await ownServicesOnly(c);
      const user = pathText(c, "user_id", UUID);
      return c.json({ bought: await api.bought(user, pathInteger(c, "product_id")) });
    });
  };
  return { api, routes };
}

function shown(order: OrderRow) {
  const { id, user_id, ...rest } = JSON.parse(order.document);
  return { id, user_id, status: order.state, ...rest };
}

/** The key from the header or the body; without one the request stands for itself alone. */
function readKey(c: Context, inBody: string | undefined): string {
  const inHeader = c.req.header("idempotency-key");
  return inHeader !== undefined ? KEY(inHeader, "idempotency-key") : inBody ?? crypto.randomUUID();
}

async function digest(asked: Asked): Promise<string> {
  const { idempotency_key: _, ...request } = asked;
  const bytes = new TextEncoder().encode(JSON.stringify(request));
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

async function itemsOf(asked: Asked, carts: Carts): Promise<readonly OrderedItem[]> {
  const { items, cart_session: session } = asked;
  if ((items === undefined) === (session === undefined)) {
    throw badRequest("items", "either items or cart_session must be given, not both");
  }
  if (items) {
    const ids = items.map((each) => each.product_id);
    const twice = ids.findIndex((id, at) => ids.indexOf(id) !== at);
    if (twice !== -1) throw badRequest(`items[${twice}].product_id`, "a product is listed twice");
    return items;
  }
  let lines: readonly OrderedItem[];
  try {
    lines = await carts.items(session!);
  } catch (error) {
    onlyProblems(error);
    if (error.status === 503) throw error;
    throw new Problem(error.status, "cart_session", error.message);
  }
  if (lines.length === 0) throw new Problem(409, "cart_session", "the cart is empty");
  return lines.map(({ product_id, quantity }) => ({ product_id, quantity }));
}

async function price(asked: Asked, items: readonly OrderedItem[], source: Products) {
  const products = await source.some(items.map((each) => each.product_id));
  const lines = items.map(({ product_id, quantity }, at) => {
    const product = products.get(product_id);
    if (!product) throw notFound(`items[${at}].product_id`, `there is no product ${product_id}`);
    const { sku, name, price, image_url } = product;
    return { product_id, sku, name, price, quantity, line_total: price * quantity, image_url };
  });
  const subtotal = lines.reduce((sum, each) => sum + each.line_total, 0);
  const shipping_method = asked.shipping_method ?? "standard";
  const country = (asked.shipping_address as Address | undefined)?.country;
  return { items: lines, ...costsOf(subtotal, shipping_method, country), shipping_method };
}
