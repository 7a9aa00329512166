import { type Database, type Migrations, row, rows } from "../../kit/database.ts";
import { Problem } from "../../kit/problem.ts";

export const MIGRATIONS: Migrations = [[
  `create table stock (
    product_id integer primary key,
    sku text not null,
    quantity integer not null check (quantity >= 0),
    reserved integer not null check (reserved >= 0),
    warehouse text not null,
    reorder_point integer not null,
    check (reserved <= quantity)
  )`,
  `create table reservations (
    id text primary key,
    state text not null check (state in ('held', 'released')),
    created_at bigint not null
  )`,
  `create table reserved_items (
    reservation_id text not null references reservations (id),
    product_id integer not null references stock (product_id),
    quantity integer not null check (quantity > 0),
    primary key (reservation_id, product_id)
  )`,
], [
  `create table reorders (
    id text not null,
    product_id integer not null references stock (product_id),
    quantity integer not null check (quantity > 0),
    created_at bigint not null,
    primary key (id, product_id)
  )`,
]];

export type StockRow = {
  product_id: number;
  sku: string;
  quantity: number;
  reserved: number;
  warehouse: string;
  reorder_point: number;
};

export type NewStock = Omit<StockRow, "reserved">;

export interface ReservedItem {
  readonly product_id: number;
  readonly quantity: number;
}

/** How much there is of each product, and who has a claim on it. */
export interface StockStore {
  count(): Promise<number>;
  /** Adds products that are not known yet; known ones keep what they have. */
  add(stock: readonly NewStock[]): Promise<void>;
  find(ids: readonly number[]): Promise<StockRow[]>;
  /**
   * Takes all the items or none. The same `id` again takes nothing more.
   *
   * @throws Problem 409 naming the item of which there is not enough, 404 an unknown product, 409
   * on `reservation_id` when that reservation has been released.
   */
  reserve(id: string, items: readonly ReservedItem[], now: number): Promise<void>;
  /** Gives back what `id` holds. One that never came is remembered, so that it takes nothing late. */
  release(id: string, now: number): Promise<void>;
  /**
   * Orders more of what has fallen to its reorder point; what is sold out for good stays so. The
   * same `id` again orders nothing more and answers what it ordered.
   */
  reorder(id: string, now: number): Promise<readonly ReservedItem[]>;
}

/** What is ordered of a product that has run low. */
const REORDERED = 100;

/** Creates the store on an open database. */
export function createStockStore(database: Database): StockStore {
  return {
    async count() {
      const found = await database.query<{ n: number }>("select count(*) as n from stock");
      return found[0]!.n;
    },
    add: (stock) =>
      database.transaction(function* () {
        for (const each of stock) {
          yield* rows(
            `insert into stock (product_id, sku, quantity, reserved, warehouse, reorder_point)
             values (?, ?, ?, 0, ?, ?) on conflict (product_id) do nothing`,
            each.product_id,
            each.sku,
            each.quantity,
            each.warehouse,
            each.reorder_point,
          );
        }
      }),
    async find(ids) {
      if (ids.length === 0) return [];
      const marks = ids.map(() => "?").join(", ");
      return await database.query<StockRow>(
        `select * from stock where product_id in (${marks})`,
        ...ids,
      );
    },
    reserve: (id, items, now) => database.transaction(() => reserve(id, items, now)),
    release: (id, now) => database.transaction(() => release(id, now)),
    reorder: (id, now) => database.transaction(() => reorder(id, now)),
  };
}

function* reserve(id: string, items: readonly ReservedItem[], now: number) {
  const fresh = yield* row(
    `insert into reservations (id, state, created_at) values (?, 'held', ?)
     on conflict (id) do nothing returning id`,
    id,
    now,
  );
  if (!fresh) {
    const before = yield* row<{ state: string }>("select state from reservations where id = ?", id);
    if (before?.state === "held") return;
    throw new Problem(409, "reservation_id", "this reservation has been released");
  }
  // Always in the same order, so that two orders never wait for each other.
  const ordered = items.map((item, at) => ({ ...item, at }))
    .sort((a, b) => a.product_id - b.product_id);
  for (const { product_id, quantity, at } of ordered) {
    const taken = yield* row(
      `update stock set reserved = reserved + ?
       where product_id = ? and quantity - reserved >= ? returning product_id`,
      quantity,
      product_id,
      quantity,
    );
    if (!taken) throw yield* shortage(product_id, at);
    yield* rows(
      "insert into reserved_items (reservation_id, product_id, quantity) values (?, ?, ?)",
      id,
      product_id,
      quantity,
    );
  }
}

function* shortage(productId: number, at: number) {
  const found = yield* row<StockRow>("select * from stock where product_id = ?", productId);
  if (!found) {
    return new Problem(404, `items[${at}].product_id`, `there is no product ${productId}`);
  }
  const available = found.quantity - found.reserved;
  const error = available === 0 ? "this product is sold out" : `only ${available} are left`;
  return new Problem(409, `items[${at}].quantity`, error, {
    details: { product_id: productId, available },
  });
}

function* release(id: string, now: number) {
  const held = yield* row(
    `insert into reservations (id, state, created_at) values (?, 'released', ?)
     on conflict (id) do update set state = 'released' where reservations.state = 'held'
     returning id`,
    id,
    now,
  );
  if (!held) return;
  const items = yield* rows<{ product_id: number; quantity: number }>(
    "delete from reserved_items where reservation_id = ? returning product_id, quantity",
    id,
  );
  for (const { product_id, quantity } of items.sort((a, b) => a.product_id - b.product_id)) {
    yield* rows(
      "update stock set reserved = reserved - ? where product_id = ?",
      quantity,
      product_id,
    );
  }
}

function* reorder(id: string, now: number) {
  const before = yield* rows<{ product_id: number; quantity: number }>(
    "select product_id, quantity from reorders where id = ? order by product_id",
    id,
  );
  if (before.length > 0) return before;
  const low = yield* rows<{ product_id: number }>(
    `select product_id from stock where quantity > 0 and quantity - reserved <= reorder_point
     order by product_id`,
  );
  for (const { product_id } of low) {
    yield* rows(
      "insert into reorders (id, product_id, quantity, created_at) values (?, ?, ?, ?)",
      id,
      product_id,
      REORDERED,
      now,
    );
    yield* rows(
      "update stock set quantity = quantity + ? where product_id = ?",
      REORDERED,
      product_id,
    );
  }
  return low.map(({ product_id }) => ({ product_id, quantity: REORDERED }));
}
