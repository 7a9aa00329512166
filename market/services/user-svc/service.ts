import { openPostOffice } from "../../kit/mail/post_office.ts";
import type { Service, Surroundings } from "../../kit/service.ts";
import { directoryOf, serveModules } from "../../kit/wiring.ts";
import { createIdentity, type IdentityOptions } from "./module.ts";

/**
 * Accounts and sessions as a service of their own. It sends its letters itself, by `SMTP_URL` or as
 * files in `DATA_DIR`: none of the nine does that for others.
 */
export async function createUserService(
  around: Surroundings,
  options?: IdentityOptions,
): Promise<Service> {
  const directory = directoryOf(around, { apps: [] });
  const office = await openPostOffice(around);
  const identity = await createIdentity(around, office, options);
  return serveModules(around, directory, [office.serve(identity.api), identity], {});
}
