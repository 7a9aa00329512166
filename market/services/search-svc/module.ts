import type { Context } from "hono";
import { followCatalogue } from "../../kit/catalogue.ts";
import { CENTS_MAX, SEARCH_CHARACTERS } from "../../kit/limits.ts";
import { badRequest, unavailable } from "../../kit/problem.ts";
import { pageOf, queryInteger, queryPage, queryText, queryWord } from "../../kit/request.ts";
import type { Module, Products } from "../../kit/modules.ts";
import { facetsOf, type Filter, passes } from "./facets.ts";
import { excerpt, highlight } from "./highlight.ts";
import { createSearchIndex, type Hit, type SearchIndex } from "./index.ts";

const SORTS = ["relevance", "price_asc", "price_desc", "rating", "name"] as const;
type Sort = typeof SORTS[number];

const COMPARE: Readonly<Record<Exclude<Sort, "relevance">, (a: Hit, b: Hit) => number>> = {
  price_asc: (a, b) => a.product.price - b.product.price,
  price_desc: (a, b) => b.product.price - a.product.price,
  rating: (a, b) => b.product.rating - a.product.rating,
  name: (a, b) => a.product.name < b.product.name ? -1 : 1,
};

/** Full text over the catalogue, from an index in memory. */
export function createSearch({ products }: { readonly products: Products }): Module<null> {
  let index: SearchIndex | undefined;
  const catalogue = followCatalogue(products, (products) => {
    index = createSearchIndex([...products.values()]);
  });
  const routes: Module<null>["routes"] = ({ app, readyWhen, onClose }) => {
    readyWhen(catalogue.missing);
    onClose(() => catalogue.close());
    app.get("/search", (c) => {
      const query = queryText(c, "q", SEARCH_CHARACTERS);
      if (query === undefined) throw badRequest("q", "q must say what to search for");
      const filter = readFilter(c);
      const sort = queryWord(c, "sort", SORTS) ?? "relevance";
      const request = queryPage(c);
      if (!index) throw unavailable("product-svc", "the catalogue has not come yet; try again");
      const { hits, terms, corrections } = index.search(query);
      const found = hits.filter((each) => passes(each.product, filter));
      if (sort !== "relevance") found.sort(COMPARE[sort]);
      const onPage = pageOf(found, request);
      return c.json({
        ...onPage,
        items: onPage.items.map(({ product, score }) => ({
          ...product,
          score,
          highlights: {
            name: highlight(product.name, terms),
            description: excerpt(product.description, terms),
          },
        })),
        facets: facetsOf(hits.map((each) => each.product), filter),
        corrections,
      });
    });
  };
  return { api: null, routes };
}

function readFilter(c: Context): Filter {
  const minPrice = queryInteger(c, "min_price", 0, CENTS_MAX) ?? 0;
  const maxPrice = queryInteger(c, "max_price", 0, CENTS_MAX) ?? CENTS_MAX;
  if (minPrice > maxPrice) throw badRequest("min_price", "min_price must not exceed max_price");
  return {
    categories: readNames(c, "category"),
    brands: readNames(c, "brand"),
    minPrice,
    maxPrice,
  };
}

function readNames(c: Context, name: string): ReadonlySet<string> | undefined {
  const text = queryText(c, name, 500);
  if (text === undefined) return undefined;
  return new Set(text.split(",").map((each) => each.trim().toLowerCase()));
}
