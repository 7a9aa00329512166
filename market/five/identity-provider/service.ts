import { openFromEnv } from "../../kit/database.ts";
import { postOverHttp } from "../../kit/over_http.ts";
import { SECRETS_TABLE } from "../../kit/secrets.ts";
import type { Service, Surroundings } from "../../kit/service.ts";
import { createServiceProof } from "../../kit/service_auth.ts";
import { directoryOf, serveModules, under } from "../../kit/wiring.ts";
import { createIdentity, type IdentityOptions } from "../../services/user-svc/module.ts";

const NAME = "identity-provider";
const WORKER = "async-worker";

/**
 * Who is who: accounts, sessions, keys. With `STAFF_EMAIL` and `STAFF_PASSWORD` there is one account
 * of the role `staff`.
 */
export async function createIdentityProvider(
  around: Surroundings,
  options?: Omit<IdentityOptions, "staff">,
): Promise<Service> {
  // Its own, beside the module's: what the program is to others is not the module's business.
  const database = await openFromEnv(around.env, NAME, [[SECRETS_TABLE]]);
  const directory = directoryOf(around, { apps: [WORKER], callers: [WORKER] });
  const proof = await createServiceProof(around, database, NAME);
  const post = postOverHttp(under(directory, "/api"), proof.headers, WORKER);
  const email = around.env("STAFF_EMAIL");
  const password = around.env("STAFF_PASSWORD");
  const staff = email && password ? { email, password } : undefined;
  const module = await createIdentity(around, { post }, { ...options, staff });
  const own = {
    routes: ({ onClose }: { onClose(close: () => Promise<void>): void }) =>
      onClose(() => database.close()),
  };
  return serveModules(around, directory, [own, module], {
    callers: [WORKER],
    proof,
    base: "/api",
  });
}
