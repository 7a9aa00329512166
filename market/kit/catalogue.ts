import { CATALOGUE_RETRY_MAX_MS, CATALOGUE_RETRY_MIN_MS } from "./limits.ts";
import type { Products } from "./modules.ts";
import { notFound, Problem, unavailable } from "./problem.ts";
import type { Product } from "./product.ts";

/** The whole catalogue, kept in memory by services that work on all of it. */
export interface Catalogue {
  /** All products by id; throws the 503 until they have come. */
  all(): ReadonlyMap<number, Product>;
  /** The product, or the 404 that names `id`. */
  product(id: number): Product;
  /** Undefined once the products are here, else why not: what `/health` says. */
  missing(): string | undefined;
  /** Resolves when the products have come. */
  readonly loaded: Promise<void>;
  close(): void;
}

/** Starts fetching the catalogue, again and again until it has come. */
export function followCatalogue(
  source: Products,
  onLoad: (products: ReadonlyMap<number, Product>) => void | Promise<void> = () => {},
): Catalogue {
  let products: ReadonlyMap<number, Product> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let closed = false;
  const { promise: loaded, resolve } = Promise.withResolvers<void>();
  const attempt = async (waitMs: number): Promise<void> => {
    try {
      const fetched = await source.all();
      await onLoad(fetched);
      products = fetched;
      resolve();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (closed) return;
      timer = setTimeout(() => attempt(Math.min(waitMs * 2, CATALOGUE_RETRY_MAX_MS)), waitMs);
    }
  };
  attempt(CATALOGUE_RETRY_MIN_MS);
  const all = () => {
    if (!products) throw unavailable("product-svc", "the catalogue has not come yet; try again");
    return products;
  };
  return {
    all,
    product(id) {
      const product = all().get(id);
      if (!product) throw notFound("id", `there is no product ${id}`);
      return product;
    },
    missing: () => products ? undefined : "waiting for the catalogue of product-svc",
    loaded,
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
