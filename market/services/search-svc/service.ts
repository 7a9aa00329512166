import { productsOverHttp } from "../../kit/over_http.ts";
import type { Service, Surroundings } from "../../kit/service.ts";
import { directoryOf, serveModules } from "../../kit/wiring.ts";
import { createSearch } from "./module.ts";

/** The search as a service of its own. */
export function createSearchService(around: Surroundings): Service {
  const directory = directoryOf(around, { apps: ["product-svc"] });
  const module = createSearch({ products: productsOverHttp(directory) });
  return serveModules(around, directory, [module], {});
}
