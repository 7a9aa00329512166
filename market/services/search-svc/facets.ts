import type { Product } from "../../kit/product.ts";

/** Which of the products found are wanted. */
export interface Filter {
  /** Lower-case names or ids; none means any. */
  readonly categories?: ReadonlySet<string>;
  readonly brands?: ReadonlySet<string>;
  readonly minPrice: number;
  readonly maxPrice: number;
}

export interface FacetValue {
  readonly value: string;
  readonly count: number;
}

/** Cents where a price step begins; the last one is open. */
const PRICE_STEPS = [0, 2_500, 5_000, 10_000, 25_000, 50_000];

const inCategory = (product: Product, { categories }: Filter) =>
  !categories || categories.has(product.category.toLowerCase()) ||
  categories.has(product.category_id);
const ofBrand = (product: Product, { brands }: Filter) =>
  !brands || brands.has(product.brand.toLowerCase());
const inPrice = ({ price }: Product, { minPrice, maxPrice }: Filter) =>
  price >= minPrice && price <= maxPrice;

/** Whether a product passes every filter. */
export function passes(product: Product, filter: Filter): boolean {
  return inCategory(product, filter) && ofBrand(product, filter) && inPrice(product, filter);
}

/** What there is to choose from: each facet counts what the other filters leave. */
export function facetsOf(found: readonly Product[], filter: Filter) {
  const forCategory = found.filter((each) => ofBrand(each, filter) && inPrice(each, filter));
  const forBrand = found.filter((each) => inCategory(each, filter) && inPrice(each, filter));
  const forPrice = found.filter((each) => inCategory(each, filter) && ofBrand(each, filter));
  return {
    category: countBy(forCategory, (each) => each.category),
    brand: countBy(forBrand, (each) => each.brand),
    price: PRICE_STEPS.map((min, at) => {
      const max = PRICE_STEPS[at + 1];
      const count = forPrice.filter(({ price }) =>
        price >= min && price < (max ?? Infinity)
      ).length;
      return { min, max: max === undefined ? null : max - 1, count };
    }),
  };
}

function countBy(found: readonly Product[], of: (product: Product) => string): FacetValue[] {
  const counts = new Map<string, number>();
  for (const each of found) counts.set(of(each), (counts.get(of(each)) ?? 0) + 1);
  return [...counts].map(([value, count]) => ({ value, count }))
    .sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1));
}
