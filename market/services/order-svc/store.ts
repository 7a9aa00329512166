import { type Database, type Migrations, row, rows } from "../../kit/database.ts";
import { SECRETS_TABLE } from "../../kit/secrets.ts";

export const MIGRATIONS: Migrations = [[
  `create table orders (
    id text primary key,
    user_id text not null,
    idempotency_key text not null,
    request text not null,
    state text not null check (state in
      ('pending', 'confirmed', 'rejected', 'cancelling', 'cancelled')),
    document text not null,
    answer text,
    cart_session text,
    settled integer not null default 0,
    created_at bigint not null
  )`,
  // A cancelled order gives its key back: the buyer may try again with it.
  `create unique index orders_by_key on orders (user_id, idempotency_key)
   where state not in ('cancelling', 'cancelled')`,
  "create index orders_by_user on orders (user_id, created_at)",
  "create index orders_unsettled on orders (settled, created_at)",
  `create table order_items (
    order_id text not null references orders (id),
    user_id text not null,
    product_id integer not null,
    quantity integer not null,
    primary key (order_id, product_id)
  )`,
  "create index order_items_by_buyer on order_items (user_id, product_id)",
  SECRETS_TABLE,
]];

/**
 * pending: written down, stock not yet known to be taken -> confirmed, rejected, cancelling.
 * confirmed: stock is taken, the order stands. No exit.
 * rejected: there was not enough; `answer` says of what. No exit.
 * cancelling: given up while stock may be taken; is given back -> cancelled.
 * cancelled: given up, nothing is held. No exit.
 */
export type OrderState = "pending" | "confirmed" | "rejected" | "cancelling" | "cancelled";

export type OrderRow = {
  id: string;
  user_id: string;
  idempotency_key: string;
  /** Digest of what was asked: the same key for something else is a mistake. */
  request: string;
  state: OrderState;
  /** The order as shown, without its status, as JSON. */
  document: string;
  /** Of a rejected order: the problem as JSON. */
  answer: string | null;
  /** The cart to empty once it is confirmed. */
  cart_session: string | null;
  /** 1 when nothing remains to be done about it. */
  settled: number;
  created_at: number;
};

export interface OrderedItem {
  readonly product_id: number;
  readonly quantity: number;
}

/** Orders and how far each has come. */
export interface OrderStore {
  /**
   * Writes a pending order down, or finds the one that has its key.
   *
   * @returns the order that stands under the key, and whether it is the new one.
   */
  begin(
    order: Omit<OrderRow, "state" | "answer" | "settled">,
    items: readonly OrderedItem[],
  ): Promise<{ order: OrderRow; fresh: boolean }>;
  byKey(user: string, key: string): Promise<OrderRow | undefined>;
  byId(id: string): Promise<OrderRow | undefined>;
  /** Confirmed and pending orders of a user, newest first, and how many there are. */
  ofUser(
    user: string,
    limit: number,
    offset: number,
  ): Promise<{ orders: OrderRow[]; total: number }>;
  /** Moves an order from one state to another; false when it was not in the first. */
  move(id: string, from: OrderState, to: OrderState, answer?: string): Promise<boolean>;
  settle(id: string): Promise<void>;
  /** Orders older than `before` about which something remains to be done. */
  unsettled(before: number, limit: number): Promise<OrderRow[]>;
  /** Whether a user has a confirmed order with this product. */
  bought(user: string, product: number): Promise<boolean>;
}

/** Creates the store on an open database. */
export function createOrderStore(database: Database): OrderStore {
  const byKey = (user: string, key: string) =>
    row<OrderRow>(
      `select * from orders where user_id = ? and idempotency_key = ?
       and state not in ('cancelling', 'cancelled')`,
      user,
      key,
    );
  return {
    begin: (order, items) =>
      database.transaction(function* () {
        const fresh = yield* row<OrderRow>(
          `insert into orders
             (id, user_id, idempotency_key, request, state, document, cart_session, created_at)
           values (?, ?, ?, ?, 'pending', ?, ?, ?) on conflict do nothing returning *`,
          order.id,
          order.user_id,
          order.idempotency_key,
          order.request,
          order.document,
          order.cart_session,
          order.created_at,
        );
        if (!fresh) {
          return { order: (yield* byKey(order.user_id, order.idempotency_key))!, fresh: false };
        }
        for (const item of items) {
          yield* rows(
            `insert into order_items (order_id, user_id, product_id, quantity)
             values (?, ?, ?, ?)`,
            order.id,
            order.user_id,
            item.product_id,
            item.quantity,
          );
        }
        return { order: fresh, fresh: true };
      }),
    byKey: (user, key) => database.transaction(() => byKey(user, key)),
    byId: async (id) =>
      (await database.query<OrderRow>("select * from orders where id = ?", id))[0],
    async ofUser(user, limit, offset) {
      const shown = "user_id = ? and state in ('confirmed', 'pending')";
      const orders = await database.query<OrderRow>(
        `select * from orders where ${shown} order by created_at desc, id limit ? offset ?`,
        user,
        limit,
        offset,
      );
      const counted = await database.query<{ n: number }>(
        `select count(*) as n from orders where ${shown}`,
        user,
      );
      return { orders, total: counted[0]!.n };
    },
    async move(id, from, to, answer) {
      const settled = to === "cancelled" ? 1 : 0;
      const moved = await database.query(
        "update orders set state = ?, answer = ?, settled = ? where id = ? and state = ? returning id",
        to,
        answer ?? null,
        settled,
        id,
        from,
      );
      return moved.length === 1;
    },
    async settle(id) {
      await database.query("update orders set settled = 1 where id = ?", id);
    },
    unsettled: (before, limit) =>
      database.query<OrderRow>(
        // What gives stock back comes before what only reports.
        `select * from orders where settled = 0 and created_at < ?
         order by case when state = 'confirmed' then 1 else 0 end, created_at limit ?`,
        before,
        limit,
      ),
    async bought(user, product) {
      const found = await database.query(
        `select 1 as one from order_items
         join orders on orders.id = order_items.order_id
         where order_items.user_id = ? and order_items.product_id = ?
         and orders.state = 'confirmed' limit 1`,
        user,
        product,
      );
      return found.length === 1;
    },
  };
}
