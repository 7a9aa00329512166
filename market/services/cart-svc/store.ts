import { type Database, type Migrations, row, rows } from "../../kit/database.ts";
import { LINE_QUANTITY, LINES } from "../../kit/limits.ts";
import { badRequest, notFound, Problem } from "../../kit/problem.ts";
import { SECRETS_TABLE } from "../../kit/secrets.ts";

export const MIGRATIONS: Migrations = [[
  `create table cart_lines (
    cart_id text not null,
    product_id integer not null,
    quantity integer not null check (quantity > 0),
    added_at bigint not null,
    changed_at bigint not null,
    primary key (cart_id, product_id)
  )`,
  "create index cart_lines_by_change on cart_lines (changed_at)",
  SECRETS_TABLE,
]];

export type CartLine = { product_id: number; quantity: number };

/** What lies in each cart. A cart without lines leaves no trace: its session alone makes it one. */
export interface CartStore {
  /** The cart's lines, oldest first. */
  lines(cart: string): Promise<CartLine[]>;
  /** Adds pieces; 400 on `quantity` or `product_id` beyond what a cart may hold. */
  add(cart: string, product: number, quantity: number, now: number): Promise<void>;
  /** Sets the pieces of a line; 404 when the cart has no such line. */
  set(cart: string, product: number, quantity: number, now: number): Promise<void>;
  /** Removes a line; 404 when the cart has no such line. */
  remove(cart: string, product: number): Promise<void>;
  clear(cart: string): Promise<void>;
  /** Forgets lines that nobody has changed since; how many. */
  expire(before: number): Promise<number>;
}

/** Creates the store on an open database. */
export function createCartStore(database: Database): CartStore {
  return {
    lines: (cart) =>
      database.query<CartLine>(
        `select product_id, quantity from cart_lines where cart_id = ?
         order by added_at, product_id`,
        cart,
      ),
    add: (cart, product, quantity, now) =>
      database.transaction(function* () {
        const kept = yield* row(
          `insert into cart_lines (cart_id, product_id, quantity, added_at, changed_at)
           values (?, ?, ?, ?, ?)
           on conflict (cart_id, product_id) do update
           set quantity = cart_lines.quantity + excluded.quantity, changed_at = excluded.changed_at
           where cart_lines.quantity + excluded.quantity <= ${LINE_QUANTITY}
           returning quantity`,
          cart,
          product,
          quantity,
          now,
          now,
        );
        if (!kept) {
          throw badRequest("quantity", `a cart holds at most ${LINE_QUANTITY} of one product`);
        }
        const found = yield* row<{ n: number }>(
          "select count(*) as n from cart_lines where cart_id = ?",
          cart,
        );
        if (found!.n > LINES) {
          throw new Problem(409, "product_id", `a cart holds at most ${LINES} different products`);
        }
      }),
    async set(cart, product, quantity, now) {
      const changed = await database.query(
        `update cart_lines set quantity = ?, changed_at = ?
         where cart_id = ? and product_id = ? returning product_id`,
        quantity,
        now,
        cart,
        product,
      );
      if (changed.length === 0) throw noLine(product);
    },
    async remove(cart, product) {
      const removed = await database.query(
        "delete from cart_lines where cart_id = ? and product_id = ? returning product_id",
        cart,
        product,
      );
      if (removed.length === 0) throw noLine(product);
    },
    async clear(cart) {
      await database.query("delete from cart_lines where cart_id = ?", cart);
    },
    expire: (before) =>
      database.transaction(function* () {
        const gone = yield* rows(
          "delete from cart_lines where changed_at < ? returning product_id",
          before,
        );
        return gone.length;
      }),
  };
}

function noLine(product: number): Problem {
  return notFound("product_id", `the cart has no product ${product}`);
}
