import { openFromEnv } from "../../kit/database.ts";
import { fetchAhead } from "../../kit/keys.ts";
import { ORDER_SWEEP_MS } from "../../kit/limits.ts";
import type { Module, Products, Purchases } from "../../kit/modules.ts";
import { identityOverHttp, ordersToldOverHttp } from "../../kit/over_http.ts";
import type { Service, Surroundings } from "../../kit/service.ts";
import { createServiceProof } from "../../kit/service_auth.ts";
import { directoryOf, serveModules, under } from "../../kit/wiring.ts";
import { createCarts } from "../../services/cart-svc/module.ts";
import { createFrontend, WEB_ROOT } from "../../services/frontend-svc/module.ts";
import { createInventory } from "../../services/inventory-svc/module.ts";
import * as orders from "../../services/order-svc/module.ts";
import { createProducts } from "../../services/product-svc/module.ts";
import { createRecommendations } from "../../services/recommendation-svc/module.ts";
import * as reviews from "../../services/review-svc/module.ts";
import { createSearch } from "../../services/search-svc/module.ts";

const NAME = "core-api";
const IDENTITY = "identity-provider";
const WORKER = "async-worker";

export interface CoreApiOptions {
  readonly sweepMs?: number;
  /** Where the front's build is. */
  readonly root?: string;
}

/**
 * The shop's modules in one process: product, inventory, search, cart, order, review,
 * recommendation, and the front's files. They call each other; only who is signed in, and what can
 * wait, is asked of other programs.
 */
export async function createCoreApi(
  around: Surroundings,
  { sweepMs = ORDER_SWEEP_MS, root = WEB_ROOT }: CoreApiOptions = {},
): Promise<Service> {
  const orderDatabase = await openFromEnv(around.env, "order-svc", orders.MIGRATIONS);
  const reviewDatabase = await openFromEnv(around.env, "review-svc", reviews.MIGRATIONS);
  const directory = directoryOf(around, { apps: [IDENTITY, WORKER] });
  const proof = await createServiceProof(around, orderDatabase, NAME);
  const others = under(directory, "/api");
  const identity = identityOverHttp(others, proof.headers, around.now, IDENTITY);

  const product = createProducts();
  const products: Products = product.api;
  const inventory = await createInventory(around, { products });
  const cart = await createCarts(around, { products });
  const recommendation = await createRecommendations(around, { products });
  const order = orders.createOrders(around, orderDatabase, {
    products,
    stock: inventory.api,
    carts: cart.api,
    identity,
    listeners: [recommendation.api, ordersToldOverHttp(others, proof.headers, WORKER)],
  }, sweepMs);
  const purchases: Purchases = order.api;
  const review = reviews.createReviews(around, reviewDatabase, { products, purchases, identity });
  const search = createSearch({ products });
  const fetching = [identity.keys, identity.revocations].map((source) => fetchAhead(source));
  const ahead: Pick<Module<unknown>, "routes"> = {
    routes: ({ onClose }) => onClose(() => fetching.forEach((stop) => stop())),
  };
  const modules = [ahead, product, inventory, search, cart, order, review, recommendation];
  return serveModules(around, directory, modules, {
    callers: [WORKER],
    proof,
    base: "/api",
    front: createFrontend(root),
  });
}
