import type { Service, Surroundings } from "../../kit/service.ts";
import { directoryOf, serveModules } from "../../kit/wiring.ts";
import { createIdentity } from "./module.ts";
import { PASSWORD_COST } from "./password.ts";

/** Accounts and sessions as a service of their own. */
export async function createUserService(
  around: Surroundings,
  cost = PASSWORD_COST,
): Promise<Service> {
  const directory = directoryOf(around, { apps: [] });
  return serveModules(around, directory, [await createIdentity(around, cost)], {});
}
