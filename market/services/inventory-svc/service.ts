import { productsOverHttp } from "../../kit/over_http.ts";
import type { Service, Surroundings } from "../../kit/service.ts";
import { directoryOf, serveModules } from "../../kit/wiring.ts";
import { createInventory } from "./module.ts";

const CALLERS = ["order-svc"];

/** The stock as a service of its own. */
export async function createInventoryService(around: Surroundings): Promise<Service> {
  const directory = directoryOf(around, { apps: ["product-svc"], callers: CALLERS });
  const module = await createInventory(around, { products: productsOverHttp(directory) });
  return serveModules(around, directory, [module], { callers: CALLERS });
}
