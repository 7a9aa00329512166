import { productsOverHttp } from "../../kit/over_http.ts";
import type { Service, Surroundings } from "../../kit/service.ts";
import { directoryOf, serveModules } from "../../kit/wiring.ts";
import { createCarts } from "./module.ts";

/** The carts as a service of their own. */
export async function createCartService(around: Surroundings): Promise<Service> {
  const directory = directoryOf(around, { apps: ["product-svc"] });
  const module = await createCarts(around, { products: productsOverHttp(directory) });
  return serveModules(around, directory, [module], {});
}
