import type { Service, Surroundings } from "../../kit/service.ts";
import { directoryOf, serveModules } from "../../kit/wiring.ts";
import { createFrontend, WEB_ROOT } from "./module.ts";

/** The front as a service of its own. */
export function createFrontendService(around: Surroundings, root = WEB_ROOT): Service {
  return serveModules(around, directoryOf(around, { apps: [] }), [createFrontend(root)], {});
}
