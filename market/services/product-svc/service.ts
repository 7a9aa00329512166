import { directoryOf, serveModules } from "../../kit/wiring.ts";
import type { Service, Surroundings } from "../../kit/service.ts";
import { createProducts } from "./module.ts";

/** The catalogue as a service of its own. */
export function createProductService(around: Surroundings): Service {
  return serveModules(around, directoryOf(around, { apps: [] }), [createProducts()], {});
}
