import { type Database, type Migrations, row, rows } from "../../kit/database.ts";
import { RECOMMENDATIONS, TRENDING_MS, VIEWED_TOGETHER } from "../../kit/limits.ts";

export const MIGRATIONS: Migrations = [[
  "create table reported_orders (id text primary key, at bigint not null)",
  `create table views (
    visitor text not null,
    product_id integer not null,
    hour bigint not null,
    at bigint not null,
    primary key (visitor, product_id, hour)
  )`,
  "create index views_by_time on views (at)",
  `create table pairs (
    kind text not null check (kind in ('bought', 'viewed')),
    product_id integer not null,
    other_id integer not null,
    weight integer not null,
    primary key (kind, product_id, other_id)
  )`,
  `create table popularity (
    product_id integer not null,
    day bigint not null,
    bought integer not null,
    viewed integer not null,
    primary key (product_id, day)
  )`,
]];

export type PairKind = "bought" | "viewed";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A purchase says as much as so many views. */
const PURCHASE_WEIGHT = 10;

/** What people bought and looked at together. */
export interface EventStore {
  /** Counts an order once, whatever it is reported. */
  purchase(order: string, products: readonly number[], now: number): Promise<void>;
  /**
   * Counts a visitor's look at a product, once an hour, and pairs it with what they looked at since
   * `since`.
   */
  view(visitor: string, product: number, now: number, since: number): Promise<void>;
  /** Products that go with one, best first. */
  pairs(kind: PairKind, product: number, limit: number): Promise<number[]>;
  /** The most bought and viewed products since a time, best first. */
  trending(since: number, limit: number): Promise<number[]>;
  /**
   * Drops what no list shows any more: pairs beyond the longest list, popularity before what
   * trending looks back to. @returns of how many products there are lists.
   */
  rebuild(now: number): Promise<number>;
  /** Forgets single views before a time; the counts made of them stay. */
  expire(before: number): Promise<void>;
}

/** Creates the store on an open database. */
export function createEventStore(database: Database): EventStore {
  return {
    purchase: (order, products, now) =>
      database.transaction(function* () {
        const fresh = yield* row(
          "insert into reported_orders (id, at) values (?, ?) on conflict (id) do nothing returning id",
          order,
          now,
        );
        if (!fresh) return;
        // In order of ids, as all transactions here: so no two wait for each other.
        const sorted = [...new Set(products)].sort((a, b) => a - b);
        for (const product of sorted) yield* popular(product, now, 1, 0);
        for (const a of sorted) {
          for (const b of sorted) if (a !== b) yield* pair("bought", a, b);
        }
      }),
    view: (visitor, product, now, since) =>
      database.transaction(function* () {
        const fresh = yield* row(
          `insert into views (visitor, product_id, hour, at) values (?, ?, ?, ?)
           on conflict do nothing returning product_id`,
          visitor,
          product,
          Math.floor(now / HOUR_MS),
          now,
        );
        if (!fresh) return;
        yield* popular(product, now, 0, 1);
        const others = yield* rows<{ product_id: number }>(
          `select product_id, max(at) as latest from views
           where visitor = ? and at >= ? and product_id <> ?
           group by product_id order by latest desc limit ?`,
          visitor,
          since,
          product,
          VIEWED_TOGETHER,
        );
        const both = others.flatMap(({ product_id }) => [
          [product, product_id] as const,
          [product_id, product] as const,
        ]).sort(([a, b], [x, y]) => a - x || b - y);
        for (const [a, b] of both) yield* pair("viewed", a, b);
      }),
    async pairs(kind, product, limit) {
      const found = await database.query<{ other_id: number }>(
        `select other_id from pairs where kind = ? and product_id = ?
         order by weight desc, other_id limit ?`,
        kind,
        product,
        limit,
      );
      return found.map((each) => each.other_id);
    },
    async trending(since, limit) {
      const found = await database.query<{ product_id: number }>(
        `select product_id, sum(bought) * ${PURCHASE_WEIGHT} + sum(viewed) as score
         from popularity where day >= ? group by product_id
         order by score desc, product_id limit ?`,
        Math.floor(since / DAY_MS),
        limit,
      );
      return found.map((each) => each.product_id);
    },
    rebuild: (now) =>
      database.transaction(function* () {
        yield* rows(
          "delete from popularity where day < ?",
          Math.floor((now - TRENDING_MS) / DAY_MS),
        );
        yield* rows(
          `delete from pairs where (kind, product_id, other_id) in (
             select kind, product_id, other_id from (
               select kind, product_id, other_id, row_number() over (
                 partition by kind, product_id order by weight desc, other_id
               ) as place from pairs
             ) as placed where place > ?
           )`,
          RECOMMENDATIONS,
        );
        const counted = yield* row<{ n: number }>(
          "select count(distinct product_id) as n from pairs",
        );
        return counted!.n;
      }),
    expire: (before) =>
      database.transaction(function* () {
        yield* rows("delete from views where at < ?", before);
      }),
  };
}

function pair(kind: PairKind, product: number, other: number) {
  return rows(
    `insert into pairs (kind, product_id, other_id, weight) values (?, ?, ?, 1)
     on conflict (kind, product_id, other_id) do update set weight = pairs.weight + 1`,
    kind,
    product,
    other,
  );
}

function popular(product: number, now: number, bought: number, viewed: number) {
  return rows(
    `insert into popularity (product_id, day, bought, viewed) values (?, ?, ?, ?)
     on conflict (product_id, day) do update
     set bought = popularity.bought + excluded.bought, viewed = popularity.viewed + excluded.viewed`,
    product,
    Math.floor(now / DAY_MS),
    bought,
    viewed,
  );
}
