// Somebody who visits the shop: every request goes to the ingress by curl, from the guests' network.

import { Failure } from "../../core/errors.ts";
import type { Operator } from "./operator.ts";
import { tryRun } from "./operator.ts";

/** Pages that show what is served, by the service that serves them. */
const PAGES: readonly (readonly [service: string, path: string])[] = [
  ["frontend-svc", "/"],
  ["product-svc", "/api/products?per_page=1"],
  ["product-svc", "/api/categories"],
  ["search-svc", "/api/search?q=lamp&per_page=1"],
  ["inventory-svc", "/api/stock/4"],
  ["review-svc", "/api/reviews/4"],
  ["recommendation-svc", "/api/trending"],
];

/** Without these nothing can be bought. */
const SELLING = ["product-svc", "inventory-svc", "cart-svc", "user-svc", "order-svc"];

const ADDRESS = {
  name: "Ada Buyer",
  line1: "1 Harbour Street",
  city: "Rotterdam",
  postal_code: "3011 AA",
  country: "NL",
};

/** What is bought. */
const PRODUCT = 4;

/** How long one request may take on an emulated machine, seconds. */
const PATIENCE_S = 60;

export interface Shopper {
  /** @throws {Failure} `guests` if the answer is none of 2xx. */
  ask(method: string, path: string, given?: Given): Promise<string>;
}

interface Given {
  readonly json?: unknown;
  readonly session?: string;
  /** Makes it safe to ask again. */
  readonly key?: string;
}

/** A visitor at this ingress, such as `http://10.10.0.10:8080`. */
export function shopperAt({ network, place }: Operator, ingress: string): Shopper {
  return {
    async ask(method, path, { json, session, key } = {}) {
      const url = `${ingress}${path}`;
      // To a file, which curl begins anew when it tries again.
      const answer = `${place.cwd}/answer`;
      const [program, args] = network.inside(
        "curl",
        ...["-sS", "--fail-with-body", "--max-time", String(PATIENCE_S), "-o", answer],
        ...["-X", method, url],
        // A starved service answers another in time only now and then: 503, try again.
        ...["--retry", "20", "--retry-delay", "1"],
        // An ingress may not have heard of a service yet.
        ...(method === "GET" ? ["--retry-all-errors"] : []),
        ...(session === undefined ? [] : ["-H", `authorization: Bearer ${session}`]),
        ...(key === undefined ? [] : ["-H", `idempotency-key: ${key}`]),
        ...(json === undefined
          ? []
          : ["-H", "content-type: application/json", "-d", JSON.stringify(json)]),
      );
      const { success, text } = await tryRun(program, args, { cwd: place.cwd });
      const body = await Deno.readTextFile(answer).catch(() => "");
      if (!success) throw new Failure("guests", `${method} ${url}: ${text.trim()} ${body}`);
      return body;
    },
  };
}

/** Asks for a page of each service that is deployed. */
export async function visit(
  shopper: Shopper,
  deployed: (service: string) => boolean,
  say: (line: string) => void,
): Promise<void> {
  for (const [service, path] of PAGES) {
    if (!deployed(service)) continue;
    const text = await shopper.ask("GET", path);
    say(`GET ${path}: ${text.length} characters: ${text.slice(0, 60).replaceAll("\n", " ")}`);
  }
}

/**
 * Fills a cart and buys it, as a new customer. Does nothing where a service for it is not deployed.
 *
 * @throws {Failure} `guests` if a step fails, or what was ordered is not what was in the cart.
 */
export async function buy(
  shopper: Shopper,
  deployed: (service: string) => boolean,
  say: (line: string) => void,
): Promise<void> {
  if (!SELLING.every(deployed)) return;
  const ask = async (path: string, json: unknown, more: Omit<Given, "json"> = {}) =>
    JSON.parse(await shopper.ask("POST", path, { json, ...more }));
  const { session: cart } = await ask("/api/session", {});
  const items = [{ product_id: PRODUCT, quantity: 2 }];
  const filled = await ask(`/api/cart/${cart}/items`, items[0]);
  say(`a cart of ${filled.item_count} pieces for ${filled.subtotal} cents`);
  const { user, session } = await ask("/api/register", {
    email: "ada@shop.test",
    name: ADDRESS.name,
    password: "correct horse",
  });
  const order = await ask(
    "/api/orders",
    { cart_session: cart, shipping_address: ADDRESS },
    { session, key: crypto.randomUUID() },
  );
  const kept = JSON.parse(await shopper.ask("GET", `/api/orders/${order.id}`, { session }));
  if (
    order.status !== "confirmed" || kept.id !== order.id || order.user_id !== user.id ||
    order.subtotal !== filled.subtotal
  ) {
    throw new Failure("guests", `the order is not the cart's: ${JSON.stringify(order)}`);
  }
  say(`order ${order.id} is ${order.status}: ${order.total} cents with shipping and tax`);
}
