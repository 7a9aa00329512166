// The shop on one address without a cluster, for development and the browser tests: the built
// front, and under /api the nine services on their own ports, as the ingress would route them.
//
//   deno run -A market/web/dev_proxy.ts        (beside `deno task market`)

import { buildFront } from "./build.ts";

/** Which service answers which first word under /api; the manifests' `route` lines say the same. */
export const API_ROUTES: Readonly<Record<string, string>> = {
  products: "product-svc",
  categories: "product-svc",
  featured: "product-svc",
  stock: "inventory-svc",
  search: "search-svc",
  session: "cart-svc",
  cart: "cart-svc",
  orders: "order-svc",
  register: "user-svc",
  login: "user-svc",
  profile: "user-svc",
  reviews: "review-svc",
  recommendations: "recommendation-svc",
  trending: "recommendation-svc",
  events: "recommendation-svc",
};

/** Where each service listens in development. */
const DEVELOPMENT_PORTS: Readonly<Record<string, number>> = {
  "product-svc": 8001,
  "inventory-svc": 8002,
  "search-svc": 8003,
  "cart-svc": 8004,
  "order-svc": 8005,
  "user-svc": 8006,
  "review-svc": 8007,
  "recommendation-svc": 8008,
};

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
};

type Handler = (request: Request) => Promise<Response>;

/**
 * The whole shop as one handler: files of `dist` (any other path is the app's own and gets
 * index.html), and /api by `originOf(service)`, 503 for a service that has none or does not answer.
 */
export function createShop(dist: URL, originOf: (service: string) => string | undefined): Handler {
  return (request) => {
    const { pathname } = new URL(request.url);
    return pathname.startsWith("/api/") ? proxy(request, originOf) : serveFile(dist, pathname);
  };
}

async function proxy(
  request: Request,
  originOf: (service: string) => string | undefined,
): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  const path = pathname.slice("/api".length);
  const service = API_ROUTES[path.split("/")[1] ?? ""];
  if (!service) return problem(404, `no service is routed at ${pathname}`);
  const origin = originOf(service);
  if (!origin) return problem(503, `${service} is not running`);
  const headers = new Headers(request.headers);
  headers.delete("host");
  try {
    const body = request.body === null ? undefined : await request.arrayBuffer();
    const url = `${origin}${path}${search}`;
    return await fetch(url, { method: request.method, headers, body, redirect: "manual" });
  } catch {
    return problem(503, `${service} does not answer`);
  }
}

function problem(status: number, error: string): Response {
  return Response.json({ error }, { status });
}

async function serveFile(dist: URL, pathname: string): Promise<Response> {
  const asset = /^\/assets\/[\w.-]+$/.test(pathname);
  const file = asset ? pathname.slice(1) : "index.html";
  try {
    const body = await Deno.readFile(new URL(`${file}.gz`, dist));
    return new Response(body, {
      headers: {
        "content-encoding": "gzip",
        "content-type": TYPES[file.split(".").at(-1)!] ?? "application/octet-stream",
        "cache-control": asset ? "public, max-age=31536000, immutable" : "no-cache",
      },
    });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return new Response("not found", { status: 404 });
    throw error;
  }
}

if (import.meta.main) {
  await buildFront();
  const shop = createShop(new URL("dist/", import.meta.url), (service) => {
    const port = DEVELOPMENT_PORTS[service];
    return port === undefined ? undefined : `http://127.0.0.1:${port}`;
  });
  Deno.serve({ hostname: "127.0.0.1", port: Number(Deno.env.get("PORT") ?? 4300) }, shop);
}
