import { createPrng, type Prng } from "../../../core/prng.ts";
import type { CategorySummary, Product } from "../../kit/product.ts";
import { ASSORTMENT, type Category, type Kind, type Subcategory } from "./assortment.ts";

export const PRODUCTS = 500;
/** One product in so many is featured, and one in so many is not carried at present. */
const FEATURED_EVERY = 18;
const SOLD_OUT_EVERY = 23;
/** The catalogue is a function of this number: every replica makes the same 500 products. */
const SEED = 20_260_117;

/** A shelf: one of the 35 subcategories with its category. */
interface Shelf {
  readonly category: Category;
  readonly subcategory: Subcategory;
}

const SHELVES: readonly Shelf[] = ASSORTMENT.flatMap((category) =>
  category.subcategories.map((subcategory) => ({ category, subcategory }))
);

let made: readonly Product[] | undefined;
let summaries: readonly CategorySummary[] | undefined;

/** All products by id, from 1; made at the first call (about 2 ms). */
export function products(): readonly Product[] {
  return made ??= Array.from({ length: PRODUCTS }, (_, at) => makeProduct(at + 1));
}

/** The product with this id. */
export function productById(id: number): Product | undefined {
  return products()[id - 1];
}

/** What kind of thing a product is: `Dutch Oven`. */
export function kindOf(id: number): string {
  const { subcategory } = SHELVES[(id - 1) % SHELVES.length]!;
  return kindAt(subcategory, Math.floor((id - 1) / SHELVES.length))[0];
}

function kindAt({ kinds }: Subcategory, round: number): Kind {
  return kinds[round % kinds.length]!;
}

/** The seven categories with their subcategories and how many products each holds. */
export function categories(): readonly CategorySummary[] {
  return summaries ??= ASSORTMENT.map((category) => {
    const subcategories = category.subcategories.map(({ name }) => ({
      name,
      count: products().filter((each) =>
        each.category_id === category.id && each.subcategory === name
      ).length,
    }));
    const count = subcategories.reduce((sum, each) => sum + each.count, 0);
    return { id: category.id, name: category.name, count, subcategories };
  });
}

/** Shelves take turns, so that the first page of the shop shows a bit of everything. */
function makeProduct(id: number): Product {
  const shelf = SHELVES[(id - 1) % SHELVES.length]!;
  const round = Math.floor((id - 1) / SHELVES.length);
  const prng = createPrng(SEED + id);
  const { category, subcategory } = shelf;
  // A kind returns every 7 rounds, and the brand is another one then: no name comes twice.
  const kind = kindAt(subcategory, round);
  const offset = SHELVES.indexOf(shelf) * 7;
  const brand = category.brands[(round * 5 + offset) % category.brands.length]!;
  const series = category.series[prng.below(category.series.length)]!;
  const code = `${category.code}-${subcategory.code}-${String(id).padStart(4, "0")}`;
  return {
    id,
    sku: code,
    name: `${brand} ${series} ${kind[0]}`,
    description: describe(shelf, kind, brand, series, prng),
    price: priceOf(kind, prng),
    category: category.name,
    category_id: category.id,
    subcategory: subcategory.name,
    brand,
    rating: ratingOf(prng),
    review_count: 12 + Math.floor(900 * prng.next() ** 3),
    image_url: `/api/products/${id}/image.svg`,
    tags: tagsOf(subcategory, kind),
    featured: id % FEATURED_EVERY === 5,
    in_stock: id % SOLD_OUT_EVERY !== 0,
  };
}

function describe(shelf: Shelf, kind: Kind, brand: string, series: string, prng: Prng): string {
  const { leads } = shelf.category;
  const { details } = shelf.subcategory;
  const lead = leads[prng.below(leads.length)]!;
  const first = prng.below(details.length);
  const second = (first + 1 + prng.below(details.length - 1)) % details.length;
  return `${series} ${kind[0]} by ${brand}: ${lead}. ${details[first]} ${details[second]}`;
}

/** Cents: within the kind's range, cheaper more often, ending as prices end in shops. */
function priceOf([, low, high]: Kind, prng: Prng): number {
  const units = low + (high - low) * prng.next() ** 1.6;
  const cents = units < 30 ? [49, 90, 95, 99][prng.below(4)]! : [0, 0, 90, 95][prng.below(4)]!;
  return Math.floor(units) * 100 + cents;
}

/** Mostly from 3.8 to 4.9, now and then down to 3.0. */
function ratingOf(prng: Prng): number {
  return Math.round((4.9 - 1.9 * prng.next() ** 2.2) * 10) / 10;
}

function tagsOf(subcategory: Subcategory, [, , , tags]: Kind): readonly string[] {
  const shelf = subcategory.name.toLowerCase().replace(/[^a-z]+/g, "-");
  return [...new Set([...tags.split(" "), shelf])];
}
