import { useEffect } from "preact/hooks";
import { reads } from "../api.ts";
import type { Order, User } from "../api_types.ts";
import { day } from "../lib/day.ts";
import { formatMoney } from "../lib/money.ts";
import { positive, withQuery } from "../lib/query.ts";
import { Picture } from "../parts/card.tsx";
import { Empty, type PageProps, useTitle } from "../parts/page.tsx";
import { Pagination } from "../parts/pagination.tsx";
import { Bones, Loaded, useRead } from "../parts/resource.tsx";
import { go, place } from "../state/navigation.ts";
import { signOut, user } from "../state/session.ts";

export default function Orders(_: PageProps) {
  useTitle("Your orders");
  const who = user.value;
  useEffect(() => {
    if (!who) go("/sign-in?next=/orders", { replace: true });
  }, [who]);
  return who ? <OrderList who={who} /> : null;
}

function OrderList({ who }: { who: User }) {
  const orders = useRead(reads.orders(who.id, positive(place.value.query, "page", 1)));
  useEffect(() => {
    if (orders.error?.code === "signed_out") signOut();
  }, [orders.error]);
  return (
    <div class="page">
      <div class="page-head">
        <h1>Your orders</h1>
        {orders.data && <p class="count">{orders.data.total} in all</p>}
      </div>
      <Loaded of={orders} what="Your orders" skeleton={<Bones lines={8} />}>
        {(list) =>
          list.items.length === 0
            ? (
              <Empty
                title="No orders yet"
                text="What you buy will be listed here, with all its details."
              >
                <a class="button" href="/catalog">Browse the shop</a>
              </Empty>
            )
            : (
              <>
                <ul class="orders">
                  {list.items.map((order) => <OrderRow key={order.id} order={order} />)}
                </ul>
                <Pagination
                  page={list.page}
                  pages={list.total_pages}
                  href={(page) => withQuery("/orders", { page })}
                  what="orders"
                />
              </>
            )}
      </Loaded>
    </div>
  );
}

const PICTURES = 4;

function OrderRow({ order }: { order: Order }) {
  const pieces = order.items.reduce((sum, item) => sum + item.quantity, 0);
  const more = order.items.length - PICTURES;
  return (
    <li class="order-row panel">
      <div>
        <h2>
          <a href={`/orders/${encodeURIComponent(order.id)}`}>
            {`Order of ${day(order.created_at)}`}
          </a>
        </h2>
        <p class="hint">
          {pieces} {pieces === 1 ? "piece" : "pieces"} · <span class="status">{order.status}</span>
        </p>
      </div>
      <div class="order-pictures" aria-hidden="true">
        {order.items.slice(0, PICTURES).map((item) => (
          <Picture key={item.product_id} url={item.image_url} size={64} />
        ))}
        {more > 0 && <span class="order-more">+{more}</span>}
      </div>
      <p class="price">{formatMoney(order.total)}</p>
    </li>
  );
}
