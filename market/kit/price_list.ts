import { PRICE_FRESH_MS, PRICE_STALE_MS } from "./limits.ts";
import type { Products } from "./modules.ts";
import { Problem } from "./problem.ts";
import type { Product } from "./product.ts";

/** Products for showing: asked of product-svc, remembered for a moment, and while it is away. */
export interface PriceList {
  /** The products of these ids that exist. 503 when one is not known and product-svc is away. */
  of(ids: readonly number[]): Promise<ReadonlyMap<number, Product>>;
}

/** Creates a price list. What is ordered is never priced by it, only what is looked at. */
export function createPriceList(source: Products, now: () => number): PriceList {
  const known = new Map<number, { readonly product: Product; readonly at: number }>();
  const within = (id: number, ageMs: number) => {
    const entry = known.get(id);
    return entry && now() - entry.at < ageMs ? entry.product : undefined;
  };
  return {
    async of(ids) {
      const found = new Map<number, Product>();
      const missing = ids.filter((id) => {
        const product = within(id, PRICE_FRESH_MS);
        if (product) found.set(id, product);
        return !product;
      });
      try {
        for (const [id, product] of await source.some(missing)) {
          known.set(id, { product, at: now() });
          found.set(id, product);
        }
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        for (const id of missing) {
          const product = within(id, PRICE_STALE_MS);
          if (!product) throw error;
          found.set(id, product);
        }
      }
      return found;
    },
  };
}
