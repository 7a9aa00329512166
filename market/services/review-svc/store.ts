import type { Database, Migrations } from "../../kit/database.ts";
import { SECRETS_TABLE } from "../../kit/secrets.ts";

export const MIGRATIONS: Migrations = [[
  `create table reviews (
    id text primary key,
    product_id integer not null,
    user_id text not null,
    author text not null,
    rating integer not null check (rating between 1 and 5),
    title text not null,
    body text not null,
    verified integer,
    created_at bigint not null,
    unique (product_id, user_id)
  )`,
  SECRETS_TABLE,
]];

export type ReviewRow = {
  id: string;
  product_id: number;
  user_id: string;
  author: string;
  rating: number;
  title: string;
  body: string;
  /** 1 for a buyer, 0 for nobody's buyer, null while order-svc could not be asked. */
  verified: number | null;
  created_at: number;
};

export const SORTS = ["newest", "highest", "lowest"] as const;
export type Sort = typeof SORTS[number];

const ORDER_BY: Readonly<Record<Sort, string>> = {
  newest: "created_at desc, id",
  highest: "rating desc, created_at desc, id",
  lowest: "rating, created_at desc, id",
};

/** What buyers and others say about products: one review a user and product. */
export interface ReviewStore {
  /** Adds a review; false when the user has reviewed the product before. */
  add(review: ReviewRow): Promise<boolean>;
  list(product: number, sort: Sort, limit: number, offset: number): Promise<ReviewRow[]>;
  /** How many reviews gave each rating; ratings nobody gave are left out. */
  distribution(product: number): Promise<ReadonlyMap<number, number>>;
  /** Reviews of the product whose writer has not been looked up yet. */
  unverified(product: number, limit: number): Promise<ReviewRow[]>;
  verify(id: string, verified: boolean): Promise<void>;
}

/** Creates the store on an open database. */
export function createReviewStore(database: Database): ReviewStore {
  return {
    async add(review) {
      const added = await database.query(
        `insert into reviews
           (id, product_id, user_id, author, rating, title, body, verified, created_at)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?)
         on conflict (product_id, user_id) do nothing returning id`,
        review.id,
        review.product_id,
        review.user_id,
        review.author,
        review.rating,
        review.title,
        review.body,
        review.verified,
        review.created_at,
      );
      return added.length === 1;
    },
    list: (product, sort, limit, offset) =>
      database.query<ReviewRow>(
        `select * from reviews where product_id = ? order by ${ORDER_BY[sort]} limit ? offset ?`,
        product,
        limit,
        offset,
      ),
    async distribution(product) {
      const found = await database.query<{ rating: number; n: number }>(
        "select rating, count(*) as n from reviews where product_id = ? group by rating",
        product,
      );
      return new Map(found.map(({ rating, n }) => [rating, n]));
    },
    unverified: (product, limit) =>
      database.query<ReviewRow>(
        "select * from reviews where product_id = ? and verified is null limit ?",
        product,
        limit,
      ),
    async verify(id, verified) {
      await database.query("update reviews set verified = ? where id = ?", verified ? 1 : 0, id);
    },
  };
}
