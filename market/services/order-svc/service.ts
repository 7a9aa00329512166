import { openFromEnv } from "../../kit/database.ts";
import { ORDER_SWEEP_MS } from "../../kit/limits.ts";
import {
  cartsOverHttp,
  identityOverHttp,
  productsOverHttp,
  recommendationsOverHttp,
  stockOverHttp,
} from "../../kit/over_http.ts";
import type { Service, Surroundings } from "../../kit/service.ts";
import { createServiceProof } from "../../kit/service_auth.ts";
import { directoryOf, serveModules } from "../../kit/wiring.ts";
import { createOrders, MIGRATIONS } from "./module.ts";

const CALLERS = ["review-svc"];
const ASKED = ["product-svc", "inventory-svc", "cart-svc", "user-svc", "recommendation-svc"];

/** The orders as a service of their own. */
export async function createOrderService(
  around: Surroundings,
  sweepMs = ORDER_SWEEP_MS,
): Promise<Service> {
  const database = await openFromEnv(around.env, "order-svc", MIGRATIONS);
  const directory = directoryOf(around, { apps: ASKED, callers: CALLERS });
  const proof = await createServiceProof(around, database, "order-svc");
  const module = createOrders(around, database, {
    products: productsOverHttp(directory),
    stock: stockOverHttp(directory, proof.headers),
    carts: cartsOverHttp(directory),
    identity: identityOverHttp(directory, proof.headers, around.now),
    listeners: [recommendationsOverHttp(directory, proof.headers)],
  }, sweepMs);
  return serveModules(around, directory, [module], { callers: CALLERS, proof });
}
