import type { Service, Surroundings } from "../../kit/service.ts";
import { directoryOf, serveModules } from "../../kit/wiring.ts";
import { createIdentity } from "../../services/user-svc/module.ts";

const CALLERS = ["async-worker"];

/**
 * Who is who: accounts, sessions, keys. With `STAFF_EMAIL` and `STAFF_PASSWORD` there is one account
 * of the role `staff`.
 */
export async function createIdentityProvider(
  around: Surroundings,
  cost?: Parameters<typeof createIdentity>[1],
): Promise<Service> {
  const directory = directoryOf(around, { apps: [], callers: CALLERS });
  const email = around.env("STAFF_EMAIL");
  const password = around.env("STAFF_PASSWORD");
  const staff = email && password ? { email, password } : undefined;
  const module = await createIdentity(around, cost, staff);
  return serveModules(around, directory, [module], { callers: CALLERS, base: "/api" });
}
