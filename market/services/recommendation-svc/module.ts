import type { Context } from "hono";
import { followCatalogue } from "../../kit/catalogue.ts";
import { openFromEnv } from "../../kit/database.ts";
import {
  CART_SWEEP_MS,
  ID_MAX,
  LINES,
  RECOMMENDATIONS,
  TRENDING_MS,
  VIEWED_TOGETHER_MS,
  VIEWS_KEPT_MS,
} from "../../kit/limits.ts";
import type { Module, Products, Recommendations } from "../../kit/modules.ts";
import { badRequest, notFound } from "../../kit/problem.ts";
import type { Product } from "../../kit/product.ts";
import { clientOf, pageOf, pathInteger, queryPage, readBody } from "../../kit/request.ts";
import type { Surroundings } from "../../kit/service.ts";
import { type Check, integer, list, oneOf, shape, text } from "../../kit/validate.ts";
import { createEventStore, MIGRATIONS } from "./store.ts";

const PRODUCT_ID = integer(1, ID_MAX);
const VIEW = shape({ type: oneOf(["view"]), product_id: PRODUCT_ID });
const PURCHASE = shape({
  type: oneOf(["purchase"]),
  order_id: text({ max: 64, pattern: /^[\w-]+$/, meaning: "an order's id" }),
  product_ids: list(PRODUCT_ID, 1, LINES),
});
const TYPE = oneOf(["view", "purchase"]);

type Reason = "bought_together" | "viewed_together" | "same_category" | "trending" | "popular";
type Recommended = Product & { readonly reason: Reason };

/** What goes with what, from orders and views; from the catalogue alone while there are none. */
export async function createRecommendations(
  around: Surroundings,
  { products }: { readonly products: Products },
): Promise<Module<Recommendations>> {
  const database = await openFromEnv(around.env, "recommendation-svc", MIGRATIONS);
  const store = createEventStore(database);
  const catalogue = followCatalogue(products);

  const known = (ids: readonly number[], field: string) => {
    const all = catalogue.all();
    const unknown = ids.find((id) => !all.has(id));
    if (unknown !== undefined) throw notFound(field, `there is no product ${unknown}`);
  };
  const recommend = async (product: Product): Promise<readonly Recommended[]> => {
    const bought = await store.pairs("bought", product.id, RECOMMENDATIONS);
    const viewed = await store.pairs("viewed", product.id, RECOMMENDATIONS);
    const all = catalogue.all();
    return merge(all, product.id, [
      ["bought_together", bought],
      ["viewed_together", viewed],
      ["same_category", alike(all, product)],
    ]);
  };

  const purchased = async (order: string, products: readonly number[]) => {
    known(products, "product_ids");
    await store.purchase(order, products, around.now());
  };
  const api: Recommendations = {
    confirmed: ({ id, items }) => purchased(id, items.map((each) => each.product_id)),
    rebuild: () => store.rebuild(around.now()),
  };
  const routes: Module<Recommendations>["routes"] = (
    { app, onClose, readyWhen, note },
    ownServicesOnly,
  ) => {
    const sweep = setInterval(() => {
      store.expire(around.now() - VIEWS_KEPT_MS)
        .catch((error) => note("sweep-failed", { error: String(error) }));
    }, CART_SWEEP_MS);
    onClose(() => clearInterval(sweep));
    onClose(() => catalogue.close());
    onClose(() => database.close());
    readyWhen(catalogue.missing);
    app.get("/recommendations/:product_id", async (c) => {
      const product = productOf(c, catalogue.all());
      return c.json(pageOf(await recommend(product), queryPage(c)));
    });
    app.get("/trending", async (c) => {
      const request = queryPage(c);
      const ids = await store.trending(around.now() - TRENDING_MS, RECOMMENDATIONS);
      const all = catalogue.all();
      return c.json(pageOf(merge(all, 0, [["trending", ids], ["popular", popular(all)]]), request));
    });
    app.post("/events", async (c) => {
      const now = around.now();
      const event = await readBody(c, EVENT);
      if (event.type === "view") {
        known([event.product_id], "product_id");
        const visitor = await visitorOf(c);
        await store.view(visitor, event.product_id, now, now - VIEWED_TOGETHER_MS);
      } else {
        await ownServicesOnly(c);
        await purchased(event.order_id, event.product_ids);
      }
      return c.json({ accepted: true }, 202);
    });
    app.post("/recommendations/rebuild", async (c) => {
      await ownServicesOnly(c);
      return c.json({ products: await api.rebuild() });
    });
  };
  return { api, routes };
}

const EVENT: Check<ReturnType<typeof VIEW> | ReturnType<typeof PURCHASE>> = (value, field) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw badRequest(field, `${field} must be an object`);
  }
  const type = TYPE("type" in value ? value.type : undefined, "type");
  return type === "view" ? VIEW(value, field) : PURCHASE(value, field);
};

function productOf(c: Context, all: ReadonlyMap<number, Product>): Product {
  const id = pathInteger(c, "product_id");
  const product = all.get(id);
  if (!product) throw notFound("product_id", `there is no product ${id}`);
  return product;
}

/** A visitor without a name: enough to tell two apart for an hour, too little to find one again. */
async function visitorOf(c: Context): Promise<string> {
  const text = `${clientOf(c)} ${c.req.header("user-agent") ?? ""}`;
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toHex().slice(0, 16);
}

function merge(
  all: ReadonlyMap<number, Product>,
  except: number,
  sources: readonly (readonly [Reason, readonly number[]])[],
): readonly Recommended[] {
  const merged = new Map<number, Recommended>();
  for (const [reason, ids] of sources) {
    for (const id of ids) {
      const product = all.get(id);
      if (id === except || !product || merged.has(id)) continue;
      merged.set(id, { ...product, reason });
      if (merged.size === RECOMMENDATIONS) return [...merged.values()];
    }
  }
  return [...merged.values()];
}

/** Well rated by many beats perfectly rated by few: the rating counts with ten votes of 3.8. */
function standing({ rating, review_count }: Product): number {
  return (rating * review_count + 3.8 * 10) / (review_count + 10);
}

/** Its subcategory first, then its category; carried products before others; well rated first. */
function alike(all: ReadonlyMap<number, Product>, product: Product): number[] {
  const closeness = (each: Product) => each.subcategory === product.subcategory ? 1 : 0;
  return [...all.values()]
    .filter((each) => each.category_id === product.category_id && each.in_stock)
    .sort((a, b) => closeness(b) - closeness(a) || standing(b) - standing(a) || a.id - b.id)
    .map((each) => each.id);
}

/** The best of each category in turn, so that a cold start shows the whole shop. */
function popular(all: ReadonlyMap<number, Product>): number[] {
  const ranks = new Map<string, number>();
  return [...all.values()]
    .filter((each) => each.in_stock)
    .sort((a, b) => standing(b) - standing(a) || a.id - b.id)
    .map((each) => {
      const rank = ranks.get(each.category_id) ?? 0;
      ranks.set(each.category_id, rank + 1);
      return { id: each.id, rank };
    })
    .sort((a, b) => a.rank - b.rank)
    .map((each) => each.id);
}
