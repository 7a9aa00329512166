// The modules' interfaces for those who have to ask over HTTP. `headers` prove who asks.

import type { Directory } from "./directory.ts";
import { remoteKeys } from "./keys.ts";
import { BULK_IDS, PER_PAGE_MAX } from "./limits.ts";
import { LETTER_JOB, letterKey } from "./mail/letters.ts";
import type {
  Carts,
  Contact,
  Identity,
  Letter,
  OrderListener,
  Pieces,
  Post,
  Products,
  Purchases,
  Recommendations,
  Stock,
} from "./modules.ts";
import { Problem, unavailable } from "./problem.ts";
import type { Product } from "./product.ts";
import { remoteRevocations } from "./revocations.ts";

/** Headers that prove a service to others. */
export type Proof = () => Promise<Record<string, string>>;

/** The answer's JSON. @throws Problem as the other side answered. */
async function answerOf<T>(response: Response): Promise<T> {
  const body = await response.json();
  if (response.ok) return body as T;
  const { error, field, ...details } = body;
  throw new Problem(response.status, String(field), String(error), { details });
}

/** The catalogue of `app`. */
export function productsOverHttp(directory: Directory, app = "product-svc"): Products {
  const list = async (query: string) => {
    const response = await directory.call(app, `/products?${query}`);
    const body = await response.json();
    if (!response.ok) throw unavailable(app, `${app} refused: ${body.error}`);
    return body as { items: Product[]; total_pages: number };
  };
  return {
    async all() {
      const products = new Map<number, Product>();
      for (let page = 1, pages = 1; page <= pages; page++) {
        const { items, total_pages } = await list(`per_page=${PER_PAGE_MAX}&page=${page}`);
        pages = total_pages;
        for (const product of items) products.set(product.id, product);
      }
      return products;
    },
    async some(ids) {
      if (ids.length === 0) return new Map();
      const { items } = await list(`per_page=${BULK_IDS}&ids=${ids.join(",")}`);
      return new Map(items.map((each) => [each.id, each]));
    },
    async picture(id) {
      const response = await directory.call(app, `/products/${id}/image.svg`);
      return response.ok ? await response.text() : await answerOf(response);
    },
  };
}

/** The stock of `app`. */
export function stockOverHttp(
  directory: Directory,
  proof: Proof,
  app = "inventory-svc",
): Stock {
  const post = async <T>(path: string, json: unknown) =>
    await answerOf<T>(
      await directory.call(app, path, {
        method: "POST",
        json,
        headers: await proof(),
        repeatable: true,
      }),
    );
  return {
    async reserve(id, items) {
      await post("/stock/reserve", { reservation_id: id, items });
    },
    async release(id) {
      await post("/stock/release", { reservation_id: id });
    },
    reorder: async (key) => (await post<{ ordered: Pieces[] }>("/stock/reorder", { key })).ordered,
  };
}

/** The carts of `app`. */
export function cartsOverHttp(directory: Directory, app = "cart-svc"): Carts {
  return {
    async items(session) {
      const cart = await answerOf<{ items: Pieces[] }>(
        await directory.call(app, `/cart/${session}`),
      );
      return cart.items.map(({ product_id, quantity }) => ({ product_id, quantity }));
    },
    async clear(session) {
      await answerOf(await directory.call(app, `/cart/${session}`, { method: "DELETE" }));
    },
  };
}

/** The purchases of `app`. */
export function purchasesOverHttp(
  directory: Directory,
  proof: Proof,
  app = "order-svc",
): Purchases {
  return {
    async bought(user, product) {
      const path = `/purchases/${user}/${product}`;
      const response = await directory.call(app, path, { headers: await proof() });
      return (await answerOf<{ bought: unknown }>(response)).bought === true;
    },
  };
}

/** The recommendations of `app`. */
export function recommendationsOverHttp(
  directory: Directory,
  proof: Proof,
  app = "recommendation-svc",
): Recommendations {
  const post = async <T>(path: string, json: unknown, timeoutMs?: number) =>
    await answerOf<T>(
      await directory.call(app, path, {
        method: "POST",
        json,
        headers: await proof(),
        repeatable: true,
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      }),
    );
  return {
    async confirmed({ id, items }) {
      const product_ids = items.map((each) => each.product_id);
      await post("/events", { type: "purchase", order_id: id, product_ids });
    },
    rebuild: async () =>
      (await post<{ products: number }>("/recommendations/rebuild", {})).products,
  };
}

/** The identity provider `app`; its keys, and what it called back, are kept and asked for again. */
export function identityOverHttp(
  directory: Directory,
  proof: Proof,
  now: () => number,
  app = "user-svc",
): Identity {
  return {
    keys: remoteKeys(directory, app, now),
    revocations: remoteRevocations(directory, app, now),
    async contact(user) {
      const response = await directory.call(app, `/contact/${user}`, { headers: await proof() });
      return await answerOf<Contact>(response);
    },
    async letter(id) {
      // A token that was made and is in no mail harms nobody.
      const options = { method: "POST", headers: await proof(), repeatable: true };
      const response = await directory.call(app, `/letters/${id}`, options);
      return (await answerOf<{ letter: Letter | null }>(response)).letter ?? undefined;
    },
  };
}

/** Hands a job to the worker `app`, which counts each key once. */
async function hand(
  directory: Directory,
  proof: Proof,
  app: string,
  json: { readonly kind: string; readonly key: string; readonly payload: unknown },
): Promise<void> {
  const options = { method: "POST", json, headers: await proof(), repeatable: true };
  await answerOf(await directory.call(app, "/jobs", options));
}

/** Tells the worker `app` of confirmed orders. */
export function ordersToldOverHttp(
  directory: Directory,
  proof: Proof,
  app: string,
): OrderListener {
  return {
    confirmed: (order) =>
      hand(directory, proof, app, {
        kind: "order-confirmed",
        key: `order-confirmed:${order.id}`,
        payload: order,
      }),
  };
}

/** Tells the worker `app` of letters. */
export function postOverHttp(directory: Directory, proof: Proof, app: string): Post {
  return {
    letter: (id) =>
      hand(directory, proof, app, {
        kind: LETTER_JOB,
        key: letterKey(id),
        payload: { letter: id },
      }),
  };
}
