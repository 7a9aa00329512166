import { useEffect, useState } from "preact/hooks";
import { reads } from "../api.ts";
import type { Category, ProductList } from "../api_types.ts";
import { formatMoney } from "../lib/money.ts";
import { oneOf, positive, withQuery } from "../lib/query.ts";
import { CardBones, CardGrid, ProductCard } from "../parts/card.tsx";
import { type Chip, Chips, FilterPanel, PriceFilter } from "../parts/filters.tsx";
import { Crumbs, Empty, type PageProps, useTitle } from "../parts/page.tsx";
import { Pagination } from "../parts/pagination.tsx";
import { Loaded, useRead } from "../parts/resource.tsx";
import { announce } from "../state/notices.ts";
import { go, place } from "../state/navigation.ts";

const PER_PAGE = 24;
const SORTS = ["price_asc", "price_desc", "rating", "name"] as const;
const SORT_NAMES: Record<(typeof SORTS)[number] | "", string> = {
  "": "Our order",
  rating: "Best rated",
  price_asc: "Price, low to high",
  price_desc: "Price, high to low",
  name: "Name",
};

/** What the address says is wanted. */
interface Wanted {
  readonly category: string | undefined;
  readonly subcategory: string | undefined;
  readonly brands: readonly string[];
  readonly min: number | undefined;
  readonly max: number | undefined;
  readonly featured: boolean;
  readonly inStock: boolean;
  readonly sort: (typeof SORTS)[number] | undefined;
  readonly page: number;
}

export default function Catalog(_: PageProps) {
  const wanted = readWanted(place.value.query);
  const categories = useRead(reads.categories());
  const products = useRead(reads.products(withQuery("", {
    page: wanted.page,
    per_page: PER_PAGE,
    category: wanted.category,
    subcategory: wanted.subcategory,
    brand: wanted.brands.join(","),
    min_price: wanted.min,
    max_price: wanted.max,
    featured: wanted.featured,
    in_stock: wanted.inStock,
    sort: wanted.sort,
  })));
  const category = categories.data?.items.find(({ id }) => id === wanted.category);
  const title = wanted.subcategory ?? category?.name ??
    (wanted.category ? "Category" : wanted.featured ? "Picked by the house" : "All goods");
  useTitle(title);
  const total = products.loading ? undefined : products.data?.total;
  useEffect(() => {
    if (total !== undefined && place.peek().by === "refine") announce(`${total} goods`);
  }, [total, place.value]);

  const chips = chipsOf(wanted, category);
  return (
    <div class="page">
      <Crumbs trail={trailOf(wanted, category, title)} />
      <div class="page-head">
        <h1>{title}</h1>
        {total !== undefined && <p class="count">{total} {total === 1 ? "good" : "goods"}</p>}
      </div>
      <div class="split">
        <FilterPanel active={chips.length}>
          <CategoryFilter wanted={wanted} categories={categories.data?.items ?? []} />
          <PriceFilter
            min={wanted.min}
            max={wanted.max}
            onChange={(min, max) => refine({ ...wanted, min, max })}
          />
          {products.data && <BrandFilter wanted={wanted} list={products.data} />}
          <fieldset>
            <legend>Only</legend>
            <Check
              label="In stock"
              on={wanted.inStock}
              set={(inStock) => refine({ ...wanted, inStock })}
            />
            <Check
              label="Picked by the house"
              on={wanted.featured}
              set={(featured) => refine({ ...wanted, featured })}
            />
          </fieldset>
        </FilterPanel>
        <section class="results" aria-label="Goods">
          <div class="results-bar">
            <Chips chips={chips} clear={{ href: "/catalog" }} />
            <SortSelect wanted={wanted} />
          </div>
          <Loaded of={products} what="Goods" skeleton={<CardBones count={8} />}>
            {(list) =>
              list.items.length === 0 ? <Nothing wanted={wanted} /> : (
                <>
                  <CardGrid>
                    {list.items.map((product, index) => (
                      <ProductCard key={product.id} product={product} eager={index < 4} />
                    ))}
                  </CardGrid>
                  <Pagination
                    page={list.page}
                    pages={list.total_pages}
                    href={(page) => address({ ...wanted, page })}
                    what="goods"
                  />
                </>
              )}
          </Loaded>
        </section>
      </div>
    </div>
  );
}

function readWanted(query: URLSearchParams): Wanted {
  const price = (key: string) => query.get(key) === "0" ? 0 : positive(query, key);
  return {
    category: query.get("category") ?? undefined,
    subcategory: query.get("subcategory") ?? undefined,
    brands: (query.get("brand") ?? "").split(",").filter((brand) => brand !== ""),
    min: price("min_price"),
    max: price("max_price"),
    featured: query.get("featured") === "true",
    inStock: query.get("in_stock") === "true",
    sort: oneOf(query, "sort", SORTS),
    page: positive(query, "page", 1),
  };
}

function address(wanted: Wanted): string {
  return withQuery("/catalog", {
    category: wanted.category,
    subcategory: wanted.subcategory,
    brand: wanted.brands.join(","),
    min_price: wanted.min,
    max_price: wanted.max,
    featured: wanted.featured,
    in_stock: wanted.inStock,
    sort: wanted.sort,
    page: wanted.page === 1 ? undefined : wanted.page,
  });
}

/** Other filters are other results: they begin at page 1. */
function refine(wanted: Wanted): void {
  go(address({ ...wanted, page: 1 }), { refine: true });
}

function trailOf(wanted: Wanted, category: Category | undefined, title: string) {
  const trail: { text: string; href?: string }[] = [{ text: "Shop", href: "/" }];
  if (wanted.category) trail.push({ text: "All goods", href: "/catalog" });
  if (wanted.subcategory && category) {
    trail.push({ text: category.name, href: withQuery("/catalog", { category: category.id }) });
  }
  return [...trail, { text: title }];
}

function chipsOf(wanted: Wanted, category: Category | undefined): Chip[] {
  const without = (change: Partial<Wanted>) => address({ ...wanted, page: 1, ...change });
  const chips: Chip[] = [];
  if (wanted.category) {
    chips.push({
      text: category?.name ?? wanted.category,
      href: without({ category: undefined, subcategory: undefined }),
    });
  }
  if (wanted.subcategory) {
    chips.push({ text: wanted.subcategory, href: without({ subcategory: undefined }) });
  }
  for (const brand of wanted.brands) {
    chips.push({
      text: brand,
      href: without({ brands: wanted.brands.filter((each) => each !== brand) }),
    });
  }
  if (wanted.min !== undefined) {
    chips.push({ text: `From ${formatMoney(wanted.min)}`, href: without({ min: undefined }) });
  }
  if (wanted.max !== undefined) {
    chips.push({ text: `Up to ${formatMoney(wanted.max)}`, href: without({ max: undefined }) });
  }
  if (wanted.inStock) chips.push({ text: "In stock", href: without({ inStock: false }) });
  if (wanted.featured) {
    chips.push({ text: "Picked by the house", href: without({ featured: false }) });
  }
  return chips;
}

function CategoryFilter(props: { wanted: Wanted; categories: readonly Category[] }) {
  const { wanted, categories } = props;
  if (categories.length === 0) return null;
  const to = (category: string | undefined, subcategory?: string) =>
    address({ ...wanted, category, subcategory, brands: [], page: 1 });
  return (
    <nav class="filter" aria-label="Category">
      <h3>Category</h3>
      <ul class="tree">
        <li>
          <a data-refine href={to(undefined)} aria-current={wanted.category ? undefined : "true"}>
            All goods
          </a>
        </li>
        {categories.map((category) => {
          const open = category.id === wanted.category;
          return (
            <li key={category.id}>
              <a
                data-refine
                href={to(category.id)}
                aria-current={open && !wanted.subcategory ? "true" : undefined}
              >
                {category.name} <small>{category.count}</small>
              </a>
              {open && (
                <ul>
                  {category.subcategories.map(({ name, count }) => (
                    <li key={name}>
                      <a
                        data-refine
                        href={to(category.id, name)}
                        aria-current={name === wanted.subcategory ? "true" : undefined}
                      >
                        {name} <small>{count}</small>
                      </a>
                    </li>
                  ))}
                </ul>
              )}
            </li>
          );
        })}
      </ul>
    </nav>
  );
}

const BRANDS_SHOWN = 8;

function BrandFilter(props: { wanted: Wanted; list: ProductList }) {
  const { wanted, list } = props;
  const [all, showAll] = useState(false);
  if (list.brands.length === 0) return null;
  const brands = list.brands.filter(({ name }, index) =>
    all || index < BRANDS_SHOWN || wanted.brands.includes(name)
  );
  return (
    <fieldset>
      <legend>Brand</legend>
      {brands.map(({ name, count }) => (
        <Check
          key={name}
          label={name}
          count={count}
          on={wanted.brands.includes(name)}
          set={(on) =>
            refine({
              ...wanted,
              brands: on ? [...wanted.brands, name] : wanted.brands.filter((each) => each !== name),
            })}
        />
      ))}
      {brands.length < list.brands.length && (
        <button
          type="button"
          class="link"
          onClick={() => showAll(true)}
        >
          {`Show all ${list.brands.length}`}
        </button>
      )}
    </fieldset>
  );
}

function Check(props: { label: string; count?: number; on: boolean; set: (on: boolean) => void }) {
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={props.on}
        onChange={(event) => props.set(event.currentTarget.checked)}
      />
      <span>{props.label}</span>
      {props.count !== undefined && <small>{props.count}</small>}
    </label>
  );
}

function SortSelect(props: { wanted: Wanted }) {
  return (
    <label class="sort">
      <span>Sort by</span>
      <select
        value={props.wanted.sort ?? ""}
        onChange={(event) => {
          const chosen = event.currentTarget.value;
          refine({ ...props.wanted, sort: SORTS.find((sort) => sort === chosen) });
        }}
      >
        {(["", "rating", "price_asc", "price_desc", "name"] as const).map((sort) => (
          <option key={sort} value={sort}>{SORT_NAMES[sort]}</option>
        ))}
      </select>
    </label>
  );
}

function Nothing(props: { wanted: Wanted }) {
  return (
    <Empty title="Nothing on this shelf" text="No goods match all of these filters at once.">
      {props.wanted.page > 1
        ? <a class="button" href={address({ ...props.wanted, page: 1 })}>Back to the first page</a>
        : <a class="button" href="/catalog" data-refine>Clear all filters</a>}
    </Empty>
  );
}
