import { openFromEnv } from "../../kit/database.ts";
import { identityOverHttp, productsOverHttp, purchasesOverHttp } from "../../kit/over_http.ts";
import type { Service, Surroundings } from "../../kit/service.ts";
import { createServiceProof } from "../../kit/service_auth.ts";
import { directoryOf, serveModules } from "../../kit/wiring.ts";
import { createReviews, MIGRATIONS } from "./module.ts";

/** The reviews as a service of their own. */
export async function createReviewService(around: Surroundings): Promise<Service> {
  const database = await openFromEnv(around.env, "review-svc", MIGRATIONS);
  const directory = directoryOf(around, { apps: ["product-svc", "order-svc", "user-svc"] });
  const proof = await createServiceProof(around, database, "review-svc");
  const module = createReviews(around, database, {
    products: productsOverHttp(directory),
    purchases: purchasesOverHttp(directory, proof.headers),
    identity: identityOverHttp(directory, proof.headers, around.now),
  });
  return serveModules(around, directory, [module], { proof });
}
