import type { Context } from "hono";
import { BULK_IDS, CENTS_MAX, ID_MAX } from "../../kit/limits.ts";
import { badRequest, notFound } from "../../kit/problem.ts";
import {
  pageOf,
  pathInteger,
  queryBoolean,
  queryInteger,
  queryPage,
  queryText,
  queryWord,
} from "../../kit/request.ts";
import type { Module, Products } from "../../kit/modules.ts";
import { categories, productById, products } from "./catalogue.ts";
import type { Product } from "../../kit/product.ts";
import { picture } from "./picture.ts";

const SORTS = ["price_asc", "price_desc", "rating", "name"] as const;
type Sort = typeof SORTS[number];

/** The catalogue changes only with the program: a minute of a browser's cache is safe. */
const CATALOGUE_CACHE = "public, max-age=60";
const PICTURE_CACHE = "public, max-age=86400";

const COMPARE: Readonly<Record<Sort, (a: Product, b: Product) => number>> = {
  price_asc: (a, b) => a.price - b.price || a.id - b.id,
  price_desc: (a, b) => b.price - a.price || a.id - b.id,
  rating: (a, b) => b.rating - a.rating || b.review_count - a.review_count || a.id - b.id,
  name: (a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : a.id - b.id,
};

interface Filter {
  readonly ids?: ReadonlySet<number>;
  readonly categoryId?: string;
  readonly subcategory?: string;
  /** Lower-case names. */
  readonly brands?: ReadonlySet<string>;
  readonly minPrice: number;
  readonly maxPrice: number;
  readonly featured?: boolean;
  readonly inStock?: boolean;
}

/** The catalogue: products, their pictures, categories. */
export function createProducts(): Module<Products> {
  const api: Products = {
    all: () => Promise.resolve(new Map(products().map((each) => [each.id, each]))),
    some: (ids) =>
      Promise.resolve(
        new Map(ids.flatMap((id) => {
          const product = productById(id);
          return product ? [[id, product]] : [];
        })),
      ),
    // deno-lint-ignore require-await -- a thrown problem must become a rejection
    picture: async (id) => picture(known(id)),
  };
  const routes: Module<Products>["routes"] = ({ app }) => {
    app.get("/products", (c) => {
      const filter = readFilter(c);
      const sort = queryWord(c, "sort", SORTS);
      const request = queryPage(c);
      const anyBrand = products().filter((each) => matches(each, filter));
      const found = anyBrand.filter((each) => ofBrand(each, filter));
      if (sort) found.sort(COMPARE[sort]);
      c.header("cache-control", CATALOGUE_CACHE);
      return c.json({ ...pageOf(found, request), brands: countBrands(anyBrand) });
    });
    app.get("/products/:id", (c) => {
      c.header("cache-control", CATALOGUE_CACHE);
      return c.json(readProduct(c));
    });
    app.get("/products/:id/image.svg", (c) => {
      c.header("cache-control", PICTURE_CACHE);
      c.header("content-type", "image/svg+xml");
      c.header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'");
      return c.body(picture(readProduct(c)));
    });
    app.get("/categories", (c) => {
      c.header("cache-control", CATALOGUE_CACHE);
      return c.json(pageOf(categories(), queryPage(c)));
    });
    app.get("/featured", (c) => {
      c.header("cache-control", CATALOGUE_CACHE);
      return c.json(pageOf(products().filter((each) => each.featured), queryPage(c)));
    });
  };
  return { api, routes };
}

function readProduct(c: Context): Product {
  return known(pathInteger(c, "id"));
}

function known(id: number): Product {
  const product = productById(id);
  if (!product) throw notFound("id", `there is no product ${id}`);
  return product;
}

function readFilter(c: Context): Filter {
  const minPrice = queryInteger(c, "min_price", 0, CENTS_MAX) ?? 0;
  const maxPrice = queryInteger(c, "max_price", 0, CENTS_MAX) ?? CENTS_MAX;
  if (minPrice > maxPrice) throw badRequest("min_price", "min_price must not exceed max_price");
  const categoryId = readCategory(c);
  return {
    ids: readIds(c),
    categoryId,
    subcategory: readSubcategory(c, categoryId),
    brands: readBrands(c),
    minPrice,
    maxPrice,
    featured: queryBoolean(c, "featured"),
    inStock: queryBoolean(c, "in_stock"),
  };
}

function readIds(c: Context): ReadonlySet<number> | undefined {
  const text = queryText(c, "ids", BULK_IDS * 11);
  if (text === undefined) return undefined;
  const ids = text.split(",").map(Number);
  if (ids.some((id) => !Number.isInteger(id) || id < 1 || id > ID_MAX)) {
    throw badRequest("ids", "ids must be positive integers, separated by commas");
  }
  if (ids.length > BULK_IDS) throw badRequest("ids", `ids must be at most ${BULK_IDS}`);
  return new Set(ids);
}

function readCategory(c: Context): string | undefined {
  const asked = queryText(c, "category")?.toLowerCase();
  if (asked === undefined) return undefined;
  const all = categories();
  const category = all.find((each) => each.id === asked || each.name.toLowerCase() === asked);
  if (!category) {
    const known = all.map((each) => each.id).join(", ");
    throw badRequest("category", `there is no such category; there are ${known}`);
  }
  return category.id;
}

function readSubcategory(c: Context, categoryId: string | undefined): string | undefined {
  const asked = queryText(c, "subcategory")?.toLowerCase();
  if (asked === undefined) return undefined;
  for (const category of categories()) {
    if (categoryId !== undefined && category.id !== categoryId) continue;
    const found = category.subcategories.find((each) => each.name.toLowerCase() === asked);
    if (found) return found.name;
  }
  throw badRequest("subcategory", "there is no such subcategory here; /categories lists them");
}

function readBrands(c: Context): ReadonlySet<string> | undefined {
  const text = queryText(c, "brand", 500);
  if (text === undefined) return undefined;
  return new Set(text.split(",").map((name) => name.trim().toLowerCase()));
}

function matches(product: Product, filter: Filter): boolean {
  return product.price >= filter.minPrice && product.price <= filter.maxPrice &&
    (!filter.ids || filter.ids.has(product.id)) &&
    (filter.categoryId === undefined || product.category_id === filter.categoryId) &&
    (filter.subcategory === undefined || product.subcategory === filter.subcategory) &&
    (filter.featured === undefined || product.featured === filter.featured) &&
    (filter.inStock === undefined || product.in_stock === filter.inStock);
}

function ofBrand(product: Product, { brands }: Filter): boolean {
  return !brands || brands.has(product.brand.toLowerCase());
}

function countBrands(found: readonly Product[]): { name: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const { brand } of found) counts.set(brand, (counts.get(brand) ?? 0) + 1);
  return [...counts].map(([name, count]) => ({ name, count }))
    .sort((a, b) => a.name < b.name ? -1 : 1);
}
