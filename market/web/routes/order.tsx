import { useEffect } from "preact/hooks";
import { reads } from "../api.ts";
import type { Order } from "../api_types.ts";
import { day } from "../lib/day.ts";
import { COUNTRIES } from "../lib/address.ts";
import { formatMoney } from "../lib/money.ts";
import { Picture } from "../parts/card.tsx";
import { Icon } from "../parts/icon.tsx";
import { Crumbs, Empty, type PageProps, useTitle } from "../parts/page.tsx";
import { Bones, Loaded, useRead } from "../parts/resource.tsx";
import { Totals } from "../parts/totals.tsx";
import { cartOrdered } from "../state/cart.ts";
import { go, place } from "../state/navigation.ts";
import { signOut, user } from "../state/session.ts";

export default function OrderPage({ params }: PageProps) {
  const id = params.id ?? "";
  const who = user.value;
  const placed = place.value.query.get("placed") === "1";
  useTitle(placed ? "Thank you for your order" : "Your order");
  const order = useRead(who ? reads.order(id) : undefined);
  useEffect(() => {
    if (order.error?.code === "signed_out") signOut();
  }, [order.error]);
  useEffect(() => {
    if (!who) go(`/sign-in?next=/orders/${encodeURIComponent(id)}`, { replace: true });
  }, [who]);
  // Here and not at checkout, which would show an empty cart until this page has come.
  useEffect(() => {
    if (placed) cartOrdered();
  }, []);
  if (!who) return null;
  const code = order.error?.code;
  if (code === "not_found" || code === "forbidden" || code === "invalid") {
    return (
      <div class="page">
        <Empty
          page
          title="No such order"
          text="There is no order with this number in your account."
        >
          <a class="button" href="/orders">Your orders</a>
        </Empty>
      </div>
    );
  }
  return (
    <div class="page">
      {!placed && <Crumbs trail={[{ text: "Your orders", href: "/orders" }, { text: "Order" }]} />}
      <Loaded of={order} what="This order" skeleton={<Bones lines={8} />}>
        {(loaded) => <Details order={loaded} placed={placed} />}
      </Loaded>
    </div>
  );
}

function Details({ order, placed }: { order: Order; placed: boolean }) {
  return (
    <>
      {placed
        ? (
          <div class="thanks">
            <span class="thanks-mark">
              <Icon name="check" />
            </span>
            <h1>Thank you. It is on its way to the packing table.</h1>
            <p class="lead">
              Order <code>{order.id.slice(0, 8)}</code> is confirmed.
            </p>
          </div>
        )
        : (
          <div class="page-head">
            <h1>Order of {day(order.created_at)}</h1>
            <p class="count">
              <code>{order.id}</code>
            </p>
          </div>
        )}
      <div class="split reverse">
        <ul class="lines">
          {order.items.map((item) => (
            <li class="line" key={item.product_id}>
              <span class="line-picture">
                <Picture url={item.image_url} size={112} />
              </span>
              <div class="line-text">
                <h2>
                  <a href={`/product/${item.product_id}`}>{item.name}</a>
                </h2>
                <p class="hint">{formatMoney(item.price)} × {item.quantity}</p>
              </div>
              <a
                class="button quiet small"
                href={`/product/${item.product_id}#reviews`}
                aria-label={`Review ${item.name}`}
              >
                Review
              </a>
              <p class="line-total">{formatMoney(item.line_total)}</p>
            </li>
          ))}
        </ul>
        <aside class="panel sum" aria-label="Order details">
          <p class="status-line">
            <span class="status">{order.status}</span> {day(order.created_at)}
          </p>
          <Totals of={order} />
          <h2>Goes to</h2>
          <AddressLines order={order} />
          <a class="button quiet wide" href="/catalog">Keep looking</a>
        </aside>
      </div>
    </>
  );
}

function AddressLines({ order }: { order: Order }) {
  const { name, line1, line2, postal_code, city, country } = order.shipping_address;
  const land = COUNTRIES.find(([code]) => code === country)?.[1] ?? country;
  const lines = [name, line1, line2, `${postal_code} ${city}`, land];
  return (
    <address>
      {lines.filter((line) => line).map((line) => <span key={line}>{line}</span>)}
      <small class="hint">
        {order.shipping_method === "express" ? "Express" : "Standard"} shipping
      </small>
    </address>
  );
}
