import { useEffect, useState } from "preact/hooks";
import { reads, reportView } from "../api.ts";
import type { Product, Recommendation, Stock } from "../api_types.ts";
import { quantityOf } from "../lib/cart.ts";
import { formatMoney } from "../lib/money.ts";
import { withQuery } from "../lib/query.ts";
import { CardBones, CardGrid, Picture, ProductCard } from "../parts/card.tsx";
import { Icon } from "../parts/icon.tsx";
import { Crumbs, Empty, type PageProps, useTitle } from "../parts/page.tsx";
import { Quantity } from "../parts/quantity.tsx";
import { Rating } from "../parts/rating.tsx";
import { Bones, Loaded, type Resource, useRead } from "../parts/resource.tsx";
import { Reviews } from "../parts/reviews.tsx";
import { addProduct, cart } from "../state/cart.ts";
import { notify } from "../state/notices.ts";
import { go } from "../state/navigation.ts";

/** Below this many pieces the page says how many are left. */
const FEW = 10;

export default function ProductPage({ params }: PageProps) {
  const product = useRead(reads.product(params.id ?? ""));
  const missing = product.error?.code === "not_found" || product.error?.code === "invalid";
  useTitle(missing ? "Not on our shelves" : product.data?.name);
  if (missing) {
    return (
      <div class="page">
        <Empty page title="Not on our shelves" text="This product does not exist, or not any more.">
          <a class="button" href="/catalog">Browse the shop</a>
        </Empty>
      </div>
    );
  }
  return (
    <div class="page">
      <Loaded of={product} what="This product" skeleton={<ProductBones />}>
        {(loaded) => <Details product={loaded} />}
      </Loaded>
    </div>
  );
}

function Details(props: { product: Product }) {
  const { product } = props;
  const stock = useRead(reads.stock(product.id));
  const related = useRead(reads.recommendations(product.id, 4));
  useEffect(() => reportView(product.id), [product.id]);
  const inCategory = withQuery("/catalog", { category: product.category_id });
  return (
    <>
      <Crumbs
        trail={[
          { text: "Shop", href: "/" },
          { text: product.category, href: inCategory },
          {
            text: product.subcategory,
            href: withQuery("/catalog", {
              category: product.category_id,
              subcategory: product.subcategory,
            }),
          },
          { text: product.name },
        ]}
      />
      <div class="product">
        <div class="product-picture">
          <Picture url={product.image_url} eager />
        </div>
        <div class="product-text">
          <p class="label">
            <a href={withQuery("/catalog", { brand: product.brand })}>{product.brand}</a>
          </p>
          <h1>{product.name}</h1>
          {product.review_count > 0 && (
            <Rating value={product.rating} count={product.review_count} />
          )}
          <p class="product-price">{formatMoney(product.price)}</p>
          <p class="lead">{product.description}</p>
          <Buy product={product} stock={stock} />
          <dl class="facts">
            <div>
              <dt>Article</dt>
              <dd>
                <code>{product.sku}</code>
              </dd>
            </div>
            <div>
              <dt>Kept in</dt>
              <dd>
                <a href={inCategory}>{product.category}</a>
              </dd>
            </div>
            <div>
              <dt>Good to know</dt>
              <dd class="tags">
                {product.tags.map((tag) => (
                  <a
                    key={tag}
                    class="chip"
                    href={withQuery("/search", { q: tag.replaceAll("-", " ") })}
                  >
                    {tag.replaceAll("-", " ")}
                  </a>
                ))}
              </dd>
            </div>
          </dl>
        </div>
      </div>
      <Reviews productId={product.id} productName={product.name} />
      <section class="block" aria-labelledby="related">
        <div class="block-head">
          <h2 id="related">Goes well with this</h2>
        </div>
        <Loaded of={related} what="Related goods" skeleton={<CardBones count={4} />}>
          {({ items }) => (
            <CardGrid>
              {items.map((each) => (
                <ProductCard key={each.id} product={each} note={NOTES[each.reason]} />
              ))}
            </CardGrid>
          )}
        </Loaded>
      </section>
    </>
  );
}

const NOTES: Record<Recommendation["reason"], string | undefined> = {
  bought_together: "Bought together",
  viewed_together: "Often viewed next",
  same_category: undefined,
  trending: "Trending",
  popular: undefined,
};

/** Price and stock come from two services: without the second one can still buy. */
function Buy(props: { product: Product; stock: Resource<Stock> }) {
  const { product, stock } = props;
  const [quantity, setQuantity] = useState(1);
  const available = stock.data?.available;
  const soldOut = !product.in_stock || available === 0;
  const left = available === undefined
    ? undefined
    : Math.max(0, available - quantityOf(cart.value, product.id));
  return (
    <div class="buy">
      <StockLine product={product} stock={stock} />
      <div class="buy-row">
        <Quantity
          value={quantity}
          max={left || undefined}
          of={product.name}
          onChange={setQuantity}
        />
        <button
          type="button"
          class="button wide"
          disabled={soldOut || left === 0}
          onClick={() => {
            addProduct(product, quantity);
            setQuantity(1);
            notify("done", `${product.name} is in your cart.`, {
              label: "View cart",
              run: () => go("/cart"),
            });
          }}
        >
          <Icon name="cart" />
          {soldOut ? "Sold out" : left === 0 ? "All in your cart" : "Add to cart"}
        </button>
      </div>
    </div>
  );
}

function StockLine(props: { product: Product; stock: Resource<Stock> }) {
  const { product, stock } = props;
  if (!product.in_stock) return <p class="stock none">Not carried at present</p>;
  if (stock.error) {
    return (
      <p class="stock unknown">
        Stock is not known right now; we check it again when you order.{" "}
        <button type="button" class="link" onClick={stock.retry}>Check now</button>
      </p>
    );
  }
  const known = stock.data;
  if (!known) return <p class="stock unknown">Checking stock…</p>;
  if (known.available === 0) return <p class="stock none">Sold out for now</p>;
  return (
    <p class={known.status === "low_stock" ? "stock low" : "stock good"}>
      {known.available <= FEW ? `Only ${known.available} left` : "In stock"}
      <span>{` · ships from ${known.warehouse}`}</span>
    </p>
  );
}

function ProductBones() {
  return (
    <div class="product">
      <div class="product-picture bone" />
      <div class="product-text">
        <Bones lines={6} />
      </div>
    </div>
  );
}
