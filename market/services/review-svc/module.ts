import type { Database } from "../../kit/database.ts";
import { REVIEW_RECHECKS } from "../../kit/limits.ts";
import type { Identity, Module, Products, Purchases } from "../../kit/modules.ts";
import { createPriceList } from "../../kit/price_list.ts";
import { notFound, Problem } from "../../kit/problem.ts";
import { page, pathInteger, queryPage, queryWord, readBody } from "../../kit/request.ts";
import type { Surroundings } from "../../kit/service.ts";
import { createSessionReader } from "../../kit/session.ts";
import { integer, shape, text } from "../../kit/validate.ts";
import { createReviewStore, type ReviewRow, SORTS } from "./store.ts";

export { MIGRATIONS } from "./store.ts";

const REVIEW = shape({
  rating: integer(1, 5),
  title: text({ max: 120 }),
  body: text({ max: 4_000, lines: true }),
});

/** Reviews; the badge of a buyer is order-svc's to give. */
export function createReviews(
  around: Surroundings,
  database: Database,
  needs: {
    readonly products: Products;
    readonly purchases: Purchases;
    readonly identity: Identity;
  },
): Module<null> {
  const store = createReviewStore(database);
  const products = createPriceList(needs.products, around.now);
  const signedIn = createSessionReader(needs.identity, around.now);

  /** True, false, or null when that cannot be known just now. */
  const hasBought = async (user: string, product: number): Promise<boolean | null> => {
    try {
      return await needs.purchases.bought(user, product);
    } catch (error) {
      if (error instanceof Problem) return null;
      throw error;
    }
  };
  const recheck = async (product: number) => {
    for (const review of await store.unverified(product, REVIEW_RECHECKS)) {
      const bought = await hasBought(review.user_id, product);
      if (bought === null) return;
      await store.verify(review.id, bought);
    }
  };
  const refuseUnknown = async (id: number) => {
    if (!(await products.of([id])).has(id)) {
      throw notFound("product_id", `there is no product ${id}`);
    }
  };

  const routes: Module<null>["routes"] = ({ app, onClose }) => {
    onClose(() => database.close());
    app.get("/reviews/:product_id", async (c) => {
      const product = pathInteger(c, "product_id");
      const request = queryPage(c);
      const sort = queryWord(c, "sort", SORTS) ?? "newest";
      const distribution = await store.distribution(product);
      const total = [...distribution.values()].reduce((sum, count) => sum + count, 0);
      // Somebody has reviewed it: then it exists, whether product-svc can be asked or not.
      if (total === 0) await refuseUnknown(product);
      await recheck(product);
      const offset = (request.page - 1) * request.perPage;
      const reviews = await store.list(product, sort, request.perPage, offset);
      return c.json({
        ...page(reviews.map(shown), total, request),
        average_rating: average(distribution, total),
        review_count: total,
        distribution: Object.fromEntries(
          [1, 2, 3, 4, 5].map((rating) => [rating, distribution.get(rating) ?? 0]),
        ),
      });
    });
    app.post("/reviews/:product_id", async (c) => {
      const user = await signedIn(c);
      const product = pathInteger(c, "product_id");
      const given = await readBody(c, REVIEW);
      await refuseUnknown(product);
      const bought = await hasBought(user.id, product);
      const review: ReviewRow = {
        id: crypto.randomUUID(),
        product_id: product,
        user_id: user.id,
        author: user.name,
        ...given,
        verified: bought === null ? null : Number(bought),
        created_at: around.now(),
      };
      if (!await store.add(review)) {
        throw new Problem(409, "product_id", "you have reviewed this product already");
      }
      return c.json(shown(review), 201);
    });
  };
  return { api: null, routes };
}

/** One decimal; null when nobody has rated. */
function average(distribution: ReadonlyMap<number, number>, total: number): number | null {
  if (total === 0) return null;
  let sum = 0;
  for (const [rating, count] of distribution) sum += rating * count;
  return Math.round(sum / total * 10) / 10;
}

function shown(review: ReviewRow) {
  const { id, product_id, author, rating, title, body } = review;
  return {
    id,
    product_id,
    author,
    rating,
    title,
    body,
    verified: review.verified === 1,
    created_at: new Date(review.created_at).toISOString(),
  };
}
