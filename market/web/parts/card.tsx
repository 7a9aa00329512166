import type { ComponentChildren } from "preact";
import type { Product } from "../api_types.ts";
import { quantityOf } from "../lib/cart.ts";
import { formatMoney } from "../lib/money.ts";
import { addProduct, cart } from "../state/cart.ts";
import { announce } from "../state/notices.ts";
import { Icon } from "./icon.tsx";
import { Rating } from "./rating.tsx";

/** One product in a grid. `title` replaces the name, for search hits with marked words. */
export function ProductCard(
  props: { product: Product; note?: string; eager?: boolean; title?: ComponentChildren },
) {
  const { product } = props;
  const inCart = quantityOf(cart.value, product.id);
  return (
    <article class="card">
      <div class="card-picture">
        <Picture url={product.image_url} eager={props.eager} />
        {props.note && <span class="tag">{props.note}</span>}
        {!product.in_stock && <span class="tag muted">Sold out</span>}
      </div>
      <div class="card-text">
        <p class="label">{product.brand}</p>
        <h3 class="card-name">
          <a href={`/product/${product.id}`}>{props.title ?? product.name}</a>
        </h3>
        {product.review_count > 0
          ? <Rating value={product.rating} count={product.review_count} />
          : <span class="rating-text">No ratings yet</span>}
      </div>
      <div class="card-foot">
        <span class="price">{formatMoney(product.price)}</span>
        <button
          type="button"
          class={inCart > 0 ? "add in-cart" : "add"}
          disabled={!product.in_stock}
          aria-label={`Add ${product.name} to cart${inCart > 0 ? `, ${inCart} in it` : ""}`}
          onClick={() => {
            addProduct(product);
            announce(`${product.name} added to cart`);
          }}
        >
          {inCart > 0 ? inCart : <Icon name="plus" />}
        </button>
      </div>
    </article>
  );
}

/** A product's picture. Its name always stands beside it, so it is decoration. */
export function Picture(props: { url: string; eager?: boolean; size?: number }) {
  const size = props.size ?? 640;
  return (
    <img
      class="picture"
      src={props.url}
      alt=""
      width={size}
      height={size}
      loading={props.eager ? "eager" : "lazy"}
      decoding="async"
    />
  );
}

export function CardGrid(props: { children: ComponentChildren }) {
  return <div class="cards">{props.children}</div>;
}

export function CardBones(props: { count: number }) {
  return (
    <div class="cards" aria-hidden="true">
      {Array.from({ length: props.count }, (_, index) => (
        <div class="card ghost" key={index}>
          <div class="card-picture bone" />
          <div class="card-text">
            <span class="bone" />
            <span class="bone" />
            <span class="bone short" />
          </div>
        </div>
      ))}
    </div>
  );
}
