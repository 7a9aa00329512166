import { useEffect } from "preact/hooks";
import { reads } from "../api.ts";
import type { FacetValue, PriceFacet, SearchResult, Segment } from "../api_types.ts";
import { formatMoney } from "../lib/money.ts";
import { oneOf, positive, withQuery } from "../lib/query.ts";
import { CardBones, CardGrid, ProductCard } from "../parts/card.tsx";
import { type Chip, Chips, FilterPanel } from "../parts/filters.tsx";
import { Empty, type PageProps, useTitle } from "../parts/page.tsx";
import { Pagination } from "../parts/pagination.tsx";
import { Loaded, type Resource, useRead } from "../parts/resource.tsx";
import { announce } from "../state/notices.ts";
import { go, place } from "../state/navigation.ts";

const SORTS = ["relevance", "rating", "price_asc", "price_desc", "name"] as const;
const SORT_NAMES: Record<(typeof SORTS)[number], string> = {
  relevance: "Best match",
  rating: "Best rated",
  price_asc: "Price, low to high",
  price_desc: "Price, high to low",
  name: "Name",
};

interface Wanted {
  readonly q: string;
  readonly category: string | undefined;
  readonly brand: string | undefined;
  readonly min: number | undefined;
  readonly max: number | undefined;
  readonly sort: (typeof SORTS)[number] | undefined;
  readonly page: number;
}

export default function Search(_: PageProps) {
  const wanted = readWanted(place.value.query);
  const found = useRead(
    wanted.q === "" ? undefined : reads.search(address(wanted, { per_page: 24 })),
  );
  useTitle(wanted.q === "" ? "Search" : `Search: ${wanted.q}`);
  const total = found.loading ? undefined : found.data?.total;
  useEffect(() => {
    if (total !== undefined) announce(`${total} ${total === 1 ? "result" : "results"}`);
  }, [total, place.value]);

  if (wanted.q === "") {
    return (
      <div class="page">
        <Empty
          page
          title="What are you looking for?"
          text="Type a thing, a brand or a use above. Typos are fine."
        >
          <a class="button" href="/catalog">Browse everything</a>
        </Empty>
      </div>
    );
  }
  const chips = chipsOf(wanted);
  const nothing = total === 0 && chips.length === 0;
  return (
    <div class="page">
      <div class="page-head">
        <h1>
          <span class="label">Results for</span>“{wanted.q}”
        </h1>
        {total !== undefined && <p class="count">{total} {total === 1 ? "result" : "results"}</p>}
      </div>
      {nothing
        ? <Nothing q={wanted.q} filtered={false} />
        : <Found wanted={wanted} found={found} chips={chips} />}
    </div>
  );
}

/** What was found, with the filters that narrow it. */
function Found(
  props: { wanted: Wanted; found: Resource<SearchResult>; chips: readonly Chip[] },
) {
  const { wanted, found, chips } = props;
  return (
    <>
      {found.data && <Corrections list={found.data.corrections} />}
      <div class="split">
        <FilterPanel active={chips.length}>
          {found.data && <Facets wanted={wanted} facets={found.data.facets} />}
        </FilterPanel>
        <section class="results" aria-label="Results">
          <div class="results-bar">
            <Chips chips={chips} clear={{ href: path({ ...NOTHING, q: wanted.q }) }} />
            <SortSelect wanted={wanted} />
          </div>
          <Loaded of={found} what="Search results" skeleton={<CardBones count={8} />}>
            {(result) => <Hits wanted={wanted} result={result} filtered={chips.length > 0} />}
          </Loaded>
        </section>
      </div>
    </>
  );
}

const NOTHING: Wanted = {
  q: "",
  category: undefined,
  brand: undefined,
  min: undefined,
  max: undefined,
  sort: undefined,
  page: 1,
};

function readWanted(query: URLSearchParams): Wanted {
  return {
    q: (query.get("q") ?? "").trim(),
    category: query.get("category") ?? undefined,
    brand: query.get("brand") ?? undefined,
    min: query.get("min_price") === "0" ? 0 : positive(query, "min_price"),
    max: positive(query, "max_price"),
    sort: oneOf(query, "sort", SORTS),
    page: positive(query, "page", 1),
  };
}

function address(wanted: Wanted, more: Record<string, number> = {}): string {
  return withQuery("", {
    q: wanted.q,
    category: wanted.category,
    brand: wanted.brand,
    min_price: wanted.min,
    max_price: wanted.max,
    sort: wanted.sort === "relevance" ? undefined : wanted.sort,
    page: wanted.page === 1 ? undefined : wanted.page,
    ...more,
  });
}

const path = (wanted: Wanted) => `/search${address(wanted)}`;

function Corrections(props: { list: SearchResult["corrections"] }) {
  if (props.list.length === 0) return null;
  return (
    <p class="correction" role="status">
      Showing what we think you meant: {props.list.map(({ from, to }, index) => (
        <span key={from}>
          {index > 0 && ", "}
          <s>{from}</s> <strong>{to}</strong>
        </span>
      ))}
    </p>
  );
}

function Hits(props: { wanted: Wanted; result: SearchResult; filtered: boolean }) {
  const { wanted, result } = props;
  if (result.items.length === 0) {
    return <Nothing q={wanted.q} filtered={props.filtered} />;
  }
  return (
    <>
      <CardGrid>
        {result.items.map((hit, index) => (
          <ProductCard
            key={hit.id}
            product={hit}
            eager={index < 4}
            title={hit.highlights.name && <Marked segments={hit.highlights.name} />}
          />
        ))}
      </CardGrid>
      <Pagination
        page={result.page}
        pages={result.total_pages}
        href={(page) => path({ ...wanted, page })}
        what="results"
      />
    </>
  );
}

function Nothing(props: { q: string; filtered: boolean }) {
  return (
    <Empty
      title={props.filtered ? "Nothing with these filters" : "Nothing like that on our shelves"}
      text={props.filtered
        ? "Take one away, or clear them all."
        : "Try another word, a brand, or a use."}
    >
      {props.filtered
        ? (
          <a class="button" data-refine href={path({ ...NOTHING, q: props.q })}>
            Clear the filters
          </a>
        )
        : <a class="button" href="/catalog">Browse everything</a>}
    </Empty>
  );
}

function Marked(props: { segments: readonly Segment[] }) {
  return (
    <>
      {props.segments.map(({ text, hit }, index) => hit ? <mark key={index}>{text}</mark> : text)}
    </>
  );
}

function Facets(props: { wanted: Wanted; facets: SearchResult["facets"] }) {
  const { wanted, facets } = props;
  return (
    <>
      <FacetLinks
        title="Category"
        values={facets.category}
        chosen={wanted.category}
        href={(category) => path({ ...wanted, category, page: 1 })}
      />
      <FacetLinks
        title="Brand"
        values={facets.brand.slice(0, 10)}
        chosen={wanted.brand}
        href={(brand) => path({ ...wanted, brand, page: 1 })}
      />
      <PriceFacets wanted={wanted} steps={facets.price} />
    </>
  );
}

function FacetLinks(props: {
  title: string;
  values: readonly FacetValue[];
  chosen: string | undefined;
  href: (value: string | undefined) => string;
}) {
  if (props.values.length === 0) return null;
  return (
    <nav class="filter" aria-label={props.title}>
      <h3>{props.title}</h3>
      <ul class="tree">
        {props.values.map(({ value, count }) => {
          const on = value === props.chosen;
          return (
            <li key={value}>
              <a
                data-refine
                href={props.href(on ? undefined : value)}
                aria-current={on ? "true" : undefined}
              >
                {value} <small>{count}</small>
              </a>
            </li>
          );
        })}
      </ul>
    </nav>
  );
}

function PriceFacets(props: { wanted: Wanted; steps: readonly PriceFacet[] }) {
  const { wanted } = props;
  const steps = props.steps.filter(({ count }) => count > 0);
  if (steps.length === 0) return null;
  return (
    <nav class="filter" aria-label="Price">
      <h3>Price</h3>
      <ul class="tree">
        {steps.map(({ min, max, count }) => {
          const on = wanted.min === min && wanted.max === (max ?? undefined);
          const to = path({
            ...wanted,
            min: on ? undefined : min,
            max: on ? undefined : max ?? undefined,
            page: 1,
          });
          return (
            <li key={min}>
              <a data-refine href={to} aria-current={on ? "true" : undefined}>
                {stepName(min, max)} <small>{count}</small>
              </a>
            </li>
          );
        })}
      </ul>
    </nav>
  );
}

function stepName(min: number, max: number | null): string {
  const round = (cents: number) => formatMoney(cents).replace(/\.\d+$/, "");
  if (max === null) return `${round(min)} and more`;
  return min === 0 ? `Under ${round(max + 1)}` : `${round(min)} to ${round(max + 1)}`;
}

function chipsOf(wanted: Wanted): Chip[] {
  const chips: Chip[] = [];
  if (wanted.category) {
    chips.push({ text: wanted.category, href: path({ ...wanted, category: undefined, page: 1 }) });
  }
  if (wanted.brand) {
    chips.push({ text: wanted.brand, href: path({ ...wanted, brand: undefined, page: 1 }) });
  }
  if (wanted.min !== undefined || wanted.max !== undefined) {
    chips.push({
      text: stepName(wanted.min ?? 0, wanted.max ?? null),
      href: path({ ...wanted, min: undefined, max: undefined, page: 1 }),
    });
  }
  return chips;
}

function SortSelect(props: { wanted: Wanted }) {
  return (
    <label class="sort">
      <span>Sort by</span>
      <select
        value={props.wanted.sort ?? "relevance"}
        onChange={(event) => {
          const chosen = event.currentTarget.value;
          const sort = SORTS.find((each) => each === chosen);
          go(path({ ...props.wanted, sort, page: 1 }), { refine: true });
        }}
      >
        {SORTS.map((sort) => <option key={sort} value={sort}>{SORT_NAMES[sort]}</option>)}
      </select>
    </label>
  );
}
