import { productsOverHttp } from "../../kit/over_http.ts";
import type { Service, Surroundings } from "../../kit/service.ts";
import { directoryOf, serveModules } from "../../kit/wiring.ts";
import { createRecommendations } from "./module.ts";

const CALLERS = ["order-svc"];

/** The recommendations as a service of their own. */
export async function createRecommendationService(around: Surroundings): Promise<Service> {
  const directory = directoryOf(around, { apps: ["product-svc"], callers: CALLERS });
  const module = await createRecommendations(around, { products: productsOverHttp(directory) });
  return serveModules(around, directory, [module], { callers: CALLERS });
}
