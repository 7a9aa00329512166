import {
  BULK_IDS,
  CATALOGUE_RETRY_MAX_MS,
  CATALOGUE_RETRY_MIN_MS,
  PER_PAGE_MAX,
} from "./limits.ts";
import type { Directory } from "./directory.ts";
import type { Product } from "./product.ts";
import { notFound, Problem, unavailable } from "./problem.ts";

const PRODUCTS = "product-svc";

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

/** Starts fetching the catalogue from product-svc, again and again until it has come. */
export function followCatalogue(
  directory: Directory,
  onLoad: (products: ReadonlyMap<number, Product>) => void | Promise<void> = () => {},
): Catalogue {
  let products: ReadonlyMap<number, Product> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let closed = false;
  const { promise: loaded, resolve } = Promise.withResolvers<void>();
  const attempt = async (waitMs: number): Promise<void> => {
    try {
      const fetched = await fetchAll(directory);
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
    if (!products) throw unavailable(PRODUCTS, "the catalogue has not come yet; try again");
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

async function fetchAll(directory: Directory): Promise<ReadonlyMap<number, Product>> {
  const products = new Map<number, Product>();
  for (let page = 1, pages = 1; page <= pages; page++) {
    const response = await directory.call(
      PRODUCTS,
      `/products?per_page=${PER_PAGE_MAX}&page=${page}`,
    );
    const body = await response.json();
    if (!response.ok) throw unavailable(PRODUCTS, `product-svc refused: ${body.error}`);
    pages = body.total_pages;
    for (const product of body.items as Product[]) products.set(product.id, product);
  }
  return products;
}

/**
 * Asks product-svc for some products, as they are now.
 *
 * @param ids at most `BULK_IDS`
 * @throws Problem 503 when product-svc is away
 */
export async function fetchProducts(
  directory: Directory,
  ids: readonly number[],
): Promise<ReadonlyMap<number, Product>> {
  if (ids.length === 0) return new Map();
  const response = await directory.call(
    PRODUCTS,
    `/products?per_page=${BULK_IDS}&ids=${ids.join(",")}`,
  );
  const body = await response.json();
  if (!response.ok) throw unavailable(PRODUCTS, `product-svc refused: ${body.error}`);
  return new Map((body.items as Product[]).map((each) => [each.id, each]));
}
