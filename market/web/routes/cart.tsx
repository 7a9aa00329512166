import { reads } from "../api.ts";
import type { Cart, CartItem } from "../api_types.ts";
import { formatMoney } from "../lib/money.ts";
import { CardBones, CardGrid, Picture, ProductCard } from "../parts/card.tsx";
import { CartAway } from "../parts/cart_away.tsx";
import { Icon } from "../parts/icon.tsx";
import { Empty, type PageProps, useTitle } from "../parts/page.tsx";
import { Quantity } from "../parts/quantity.tsx";
import { Bones, Loaded, useRead } from "../parts/resource.tsx";
import { cart, cartState, change } from "../state/cart.ts";
import { notify } from "../state/notices.ts";

export default function CartPage(_: PageProps) {
  useTitle("Your cart");
  const shown = cart.value;
  return (
    <div class="page">
      <div class="page-head">
        <h1>Your cart</h1>
        {shown.item_count > 0 && (
          <p class="count">{shown.item_count} {shown.item_count === 1 ? "piece" : "pieces"}</p>
        )}
      </div>
      {shown.items.length > 0 ? <Filled cart={shown} /> : <Unfilled />}
    </div>
  );
}

function Unfilled() {
  if (cartState.value === "loading") return <Bones lines={5} />;
  if (cartState.value === "failed") return <CartAway />;
  return (
    <>
      <Empty title="Nothing in here yet" text="Good things take their time. Have a look around.">
        <a class="button" href="/catalog">Browse the shop</a>
      </Empty>
      <Suggestions title="A place to start" />
    </>
  );
}

function Filled(props: { cart: Cart }) {
  const { items, subtotal } = props.cart;
  return (
    <>
      <div class="split reverse">
        <ul class="lines">
          {items.map((item) => <Line key={item.product_id} item={item} />)}
        </ul>
        <aside class="panel sum" aria-label="Summary">
          <h2>Summary</h2>
          <dl>
            <div>
              <dt>Subtotal</dt>
              <dd>{formatMoney(subtotal)}</dd>
            </div>
          </dl>
          <p class="hint">Shipping and tax follow at checkout, before you pay anything.</p>
          <a class="button wide" href="/checkout">Check out</a>
          <a class="link center" href="/catalog">Keep looking</a>
        </aside>
      </div>
      <Suggestions title="Goes well with your cart" with={items[0]} />
    </>
  );
}

function Line({ item }: { item: CartItem }) {
  const remove = () => {
    change({ kind: "remove", productId: item.product_id });
    notify("done", `${item.name} is out of your cart.`, {
      label: "Undo",
      run: () => change({ kind: "add", product: item, quantity: item.quantity }),
    });
  };
  return (
    <li class="line">
      <a class="line-picture" href={`/product/${item.product_id}`} tabIndex={-1} aria-hidden="true">
        <Picture url={item.image_url} size={112} />
      </a>
      <div class="line-text">
        <h2>
          <a href={`/product/${item.product_id}`}>{item.name}</a>
        </h2>
        <p class="hint">
          {formatMoney(item.price)} each
          {!item.in_stock && <strong class="gone">· no longer in stock</strong>}
        </p>
      </div>
      <Quantity
        value={item.quantity}
        of={item.name}
        onChange={(quantity) => change({ kind: "set", productId: item.product_id, quantity })}
      />
      <p class="line-total">{formatMoney(item.line_total)}</p>
      <button type="button" class="action" aria-label={`Remove ${item.name}`} onClick={remove}>
        <Icon name="bin" />
      </button>
    </li>
  );
}

function Suggestions(props: { title: string; with?: CartItem }) {
  const suggested = useRead(
    props.with ? reads.recommendations(props.with.product_id, 4) : reads.trending(4),
  );
  return (
    <section class="block" aria-labelledby="suggested">
      <div class="block-head">
        <h2 id="suggested">{props.title}</h2>
      </div>
      <Loaded of={suggested} what="Suggestions" skeleton={<CardBones count={4} />}>
        {({ items }) => (
          <CardGrid>
            {items.slice(0, 4).map((product) => <ProductCard key={product.id} product={product} />)}
          </CardGrid>
        )}
      </Loaded>
    </section>
  );
}
