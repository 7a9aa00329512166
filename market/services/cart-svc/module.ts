import type { Context } from "hono";
import { openFromEnv } from "../../kit/database.ts";
import { CART_KEPT_MS, CART_SWEEP_MS, ID_MAX, LINE_QUANTITY } from "../../kit/limits.ts";
import type { Carts, Module, Products } from "../../kit/modules.ts";
import { createPriceList } from "../../kit/price_list.ts";
import { notFound } from "../../kit/problem.ts";
import { pathInteger, readBody } from "../../kit/request.ts";
import { signingSecret } from "../../kit/secrets.ts";
import type { Surroundings } from "../../kit/service.ts";
import { integer, shape } from "../../kit/validate.ts";
import { createCartSessions } from "./session.ts";
import { createCartStore, MIGRATIONS } from "./store.ts";

const QUANTITY = integer(1, LINE_QUANTITY);
const ADD = shape({ product_id: integer(1, ID_MAX), quantity: QUANTITY });
const SET = shape({ quantity: QUANTITY });

/** Carts: product ids and numbers of pieces; every price comes from product-svc when it is shown. */
export async function createCarts(
  around: Surroundings,
  { products }: { readonly products: Products },
): Promise<Module<Carts>> {
  const database = await openFromEnv(around.env, "cart-svc", MIGRATIONS);
  const store = createCartStore(database);
  const secret = await signingSecret(around.env, database, "cart");
  const { issue, open } = await createCartSessions(secret);
  const prices = createPriceList(products, around.now);

  const shown = async ({ session, cart }: { session: string; cart: string }) => {
    const lines = await store.lines(cart);
    const products = await prices.of(lines.map((each) => each.product_id));
    const items = lines.flatMap(({ product_id, quantity }) => {
      const product = products.get(product_id);
      if (!product) return [];
      const { sku, name, price, image_url, in_stock } = product;
      const line_total = price * quantity;
      return [{ product_id, sku, name, price, quantity, line_total, image_url, in_stock }];
    });
    return {
      session,
      items,
      subtotal: items.reduce((sum, each) => sum + each.line_total, 0),
      item_count: items.reduce((sum, each) => sum + each.quantity, 0),
    };
  };

  const cartOf = (c: Context) => open(c.req.param("session") ?? "");
  const api: Carts = {
    items: async (session) => (await shown(await open(session))).items,
    clear: async (session) => await store.clear((await open(session)).cart),
  };
  const routes: Module<Carts>["routes"] = ({ app, onClose, note }) => {
    const sweep = setInterval(() => {
      store.expire(around.now() - CART_KEPT_MS).then(
        (lines) => lines > 0 && note("carts-expired", { lines }),
        (error) => note("sweep-failed", { error: String(error) }),
      );
    }, CART_SWEEP_MS);
    onClose(() => clearInterval(sweep));
    onClose(() => database.close());
    app.post("/session", async (c) => c.json({ session: await issue() }, 201));
    app.get("/cart/:session", async (c) => c.json(await shown(await cartOf(c))));
    app.delete("/cart/:session", async (c) => {
      const key = await cartOf(c);
      await store.clear(key.cart);
      return c.json(await shown(key));
    });
    app.post("/cart/:session/items", async (c) => {
      const key = await cartOf(c);
      const { product_id, quantity } = await readBody(c, ADD);
      if (!(await prices.of([product_id])).has(product_id)) {
        throw notFound("product_id", `there is no product ${product_id}`);
      }
      await store.add(key.cart, product_id, quantity, around.now());
      return c.json(await shown(key), 201);
    });
    app.patch("/cart/:session/items/:product_id", async (c) => {
      const key = await cartOf(c);
      const product = pathInteger(c, "product_id");
      const { quantity } = await readBody(c, SET);
      await store.set(key.cart, product, quantity, around.now());
      return c.json(await shown(key));
    });
    app.delete("/cart/:session/items/:product_id", async (c) => {
      const key = await cartOf(c);
      await store.remove(key.cart, pathInteger(c, "product_id"));
      return c.json(await shown(key));
    });
  };
  return { api, routes };
}
