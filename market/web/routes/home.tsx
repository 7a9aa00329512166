import { reads } from "../api.ts";
import type { Category, List, Product } from "../api_types.ts";
import { withQuery } from "../lib/query.ts";
import { CardBones, CardGrid, Picture, ProductCard } from "../parts/card.tsx";
import { Icon } from "../parts/icon.tsx";
import { useTitle } from "../parts/page.tsx";
import { Bones, Loaded, type Resource, useRead } from "../parts/resource.tsx";

const SHOWN = 8;
/** Enough featured products to lend every category a picture. */
const FEATURED = 28;

export default function Home() {
  useTitle("Things worth keeping");
  const featured = useRead(reads.featured(FEATURED));
  const categories = useRead(reads.categories());
  const trending = useRead(reads.trending(SHOWN));
  return (
    <>
      <Hero featured={featured.data?.items ?? []} />
      <section class="block" aria-labelledby="by-category">
        <div class="block-head">
          <h2 id="by-category">Walk the aisles</h2>
          <a class="more" href="/catalog">All goods</a>
        </div>
        <Loaded of={categories} what="Categories" skeleton={<TileBones />}>
          {(list) => <Tiles categories={list.items} featured={featured.data?.items ?? []} />}
        </Loaded>
      </section>
      <Shelf
        id="featured"
        title="Picked by the house"
        more={{ text: "All featured", href: "/catalog?featured=true" }}
        of={featured}
        what="Featured goods"
      />
      <Promises />
      <Shelf
        id="trending"
        title="Going fast this week"
        more={{ text: "Best rated", href: "/catalog?sort=rating" }}
        of={trending}
        what="Trending goods"
      />
    </>
  );
}

function Hero(props: { featured: readonly Product[] }) {
  const inStock = props.featured.filter((product) => product.in_stock);
  const shown = [inStock[1], inStock[3], inStock[0]];
  return (
    <section class="hero">
      <div class="hero-text">
        <p class="label">Seven aisles · shipped by ourselves</p>
        <h1>
          Things worth <em>keeping.</em>
        </h1>
        <p class="lead">
          Tools, cloth, paper and sound from makers who sign their work. Chosen slowly, shipped
          quickly, and sold by nobody but us.
        </p>
        <div class="hero-go">
          <a class="button" href="/catalog">Browse the shop</a>
          <a class="button quiet" href="/catalog?featured=true">See what we picked</a>
        </div>
      </div>
      <div class="hero-art" aria-hidden={shown[0] ? undefined : "true"}>
        {shown.map((product, index) =>
          product
            ? (
              <a
                class={`arch arch-${index}`}
                key={index}
                href={`/product/${product.id}`}
                aria-label={product.name}
              >
                <Picture url={product.image_url} eager />
              </a>
            )
            : <span class={`arch arch-${index} bone`} key={index} />
        )}
      </div>
    </section>
  );
}

function Tiles(props: { categories: readonly Category[]; featured: readonly Product[] }) {
  return (
    <ul class="tiles">
      {props.categories.map((category) => {
        const picture = props.featured.find((product) => product.category_id === category.id);
        return (
          <li key={category.id}>
            <a class="tile" href={withQuery("/catalog", { category: category.id })}>
              <span class="tile-picture">
                {picture && <Picture url={picture.image_url} />}
              </span>
              <span class="tile-name">{category.name}</span>
              <span class="tile-count">{category.count} goods</span>
            </a>
          </li>
        );
      })}
    </ul>
  );
}

function TileBones() {
  return (
    <div class="tiles">
      {Array.from({ length: 7 }, (_, index) => (
        <div class="tile" key={index}>
          <span class="tile-picture bone" />
          <Bones lines={1} />
        </div>
      ))}
    </div>
  );
}

function Shelf(props: {
  id: string;
  title: string;
  more: { text: string; href: string };
  of: Resource<List<Product>>;
  what: string;
}) {
  return (
    <section class="block" aria-labelledby={props.id}>
      <div class="block-head">
        <h2 id={props.id}>{props.title}</h2>
        <a class="more" href={props.more.href}>{props.more.text}</a>
      </div>
      <Loaded of={props.of} what={props.what} skeleton={<CardBones count={4} />}>
        {({ items }) => (
          <CardGrid>
            {inStockFirst(items).slice(0, SHOWN).map((product) => (
              <ProductCard key={product.id} product={product} />
            ))}
          </CardGrid>
        )}
      </Loaded>
    </section>
  );
}

function inStockFirst(items: readonly Product[]): Product[] {
  return items.toSorted((a, b) => Number(b.in_stock) - Number(a.in_stock));
}

function Promises() {
  return (
    <ul class="promises">
      <li>
        <Icon name="truck" />
        <p>
          <strong>Free from $50</strong>Standard shipping, two to four days.
        </p>
      </li>
      <li>
        <Icon name="back" />
        <p>
          <strong>Thirty days</strong>To change your mind, no questions.
        </p>
      </li>
      <li>
        <Icon name="shield" />
        <p>
          <strong>Nobody watching</strong>No trackers, no third parties, no ads.
        </p>
      </li>
    </ul>
  );
}
