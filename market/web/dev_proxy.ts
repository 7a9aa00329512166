// The shop on one address without a cluster, for development and the browser tests: requests go to
// the nine services by the `route` lines of their manifests, as the ingress would send them.
//
//   deno task market                           (the nine on their ports)
//   deno run -A market/web/dev_proxy.ts        (the shop on http://127.0.0.1:4300)

import { manifestOf, type ServiceName, SERVICES } from "../launch.ts";
import { buildFront } from "./build.ts";

/** Where the shop is in development. */
const PORT = 4300;

interface Way {
  readonly service: ServiceName;
  readonly path: string;
  readonly strip: string;
}

/** Whole path segments, the longest path first. */
function ways(): Way[] {
  return SERVICES
    .flatMap((service) =>
      manifestOf(service).routes.map(({ path, strip = "" }) => ({ service, path, strip }))
    )
    .sort((a, b) => b.path.length - a.path.length);
}

/**
 * The whole shop as one handler. `originOf(service)` is where a service is now, without a path;
 * 503 for one that is nowhere or does not answer.
 */
export function createShop(
  originOf: (service: ServiceName) => string | undefined,
): (request: Request) => Promise<Response> {
  const known = ways();
  return async (request) => {
    const { pathname, search } = new URL(request.url);
    const way = known.find(({ path }) =>
      pathname === path || pathname.startsWith(path.endsWith("/") ? path : `${path}/`)
    );
    if (!way) return problem(404, `no service is routed at ${pathname}`);
    const origin = originOf(way.service);
    if (!origin) return problem(503, `${way.service} is not running`);
    const headers = new Headers(request.headers);
    headers.delete("host");
    const body = request.body === null ? undefined : await request.arrayBuffer();
    try {
      return await fetch(`${origin}${pathname.slice(way.strip.length)}${search}`, {
        method: request.method,
        headers,
        body,
        redirect: "manual",
      });
    } catch {
      return problem(503, `${way.service} does not answer`);
    }
  };
}

function problem(status: number, error: string): Response {
  return Response.json({ error }, { status });
}

if (import.meta.main) {
  await buildFront();
  const shop = createShop((service) => {
    const port = manifestOf(service).port?.number;
    return port === undefined ? undefined : `http://127.0.0.1:${port}`;
  });
  Deno.serve({ hostname: "127.0.0.1", port: PORT }, shop);
}
