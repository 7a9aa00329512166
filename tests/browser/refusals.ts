// What a hostile client gets to hear through the ingress. The market's own tests try every field of
// every service; here are those of them that the way through the ingress could change.

import { assert, assertEquals } from "@std/assert";

const MEBIBYTE = 1024 * 1024;
const MARKUP = `<script>alert(1)</script>' OR 1=1 --`;

interface Attempt {
  readonly request: string;
  readonly body?: unknown;
  /** Sent as it is, in place of `body`. */
  readonly raw?: string;
  readonly session?: string;
  readonly status: number;
  readonly field?: string;
}

/** Sends what must be refused; asserts status, field, and that nothing comes back as markup. */
export async function refusals(shopUrl: string): Promise<void> {
  const opened = await fetch(`${shopUrl}/api/session`, { method: "POST" });
  const items = `POST /cart/${(await opened.json()).session}/items`;
  const piece = { product_id: 1, quantity: 1 };
  const attempts: readonly Attempt[] = [
    { request: items, body: { ...piece, price: 1 }, status: 400, field: "price" },
    { request: items, body: { ...piece, quantity: -1 }, status: 400, field: "quantity" },
    { request: items, body: { ...piece, quantity: "1" }, status: 400, field: "quantity" },
    { request: items, body: { ...piece, product_id: 99_999 }, status: 404, field: "product_id" },
    { request: items, raw: "{", status: 400, field: "body" },
    { request: items, raw: JSON.stringify("x".repeat(MEBIBYTE)), status: 413, field: "body" },
    { request: "POST /orders", body: {}, session: forged(), status: 401, field: "session" },
    { request: "GET /orders/1", status: 401, field: "session" },
    { request: "POST /stock/reserve", body: {}, status: 404 },
    { request: `GET /products/${encodeURIComponent(MARKUP)}`, status: 400, field: "id" },
    { request: `GET /products?sort=${encodeURIComponent(MARKUP)}`, status: 400, field: "sort" },
    {
      request: "POST /login",
      body: { email: MARKUP, password: MARKUP },
      status: 400,
      field: "email",
    },
  ];
  for (const attempt of attempts) await refused(shopUrl, attempt);
  const cart = await fetch(`${shopUrl}/api${items.slice("POST ".length, -"/items".length)}`);
  assertEquals((await cart.json()).items, [], "nothing of it is in the cart");
}

async function refused(shopUrl: string, attempt: Attempt): Promise<void> {
  const [method, path] = attempt.request.split(" ");
  const body = attempt.raw ?? (attempt.body ? JSON.stringify(attempt.body) : undefined);
  const headers = new Headers({ "content-type": "application/json" });
  if (method === "POST") headers.set("idempotency-key", "refused-0001");
  if (attempt.session) headers.set("authorization", `Bearer ${attempt.session}`);
  const response = await fetch(`${shopUrl}/api${path}`, { method, headers, body });
  const text = await response.text();
  const what = `${attempt.request} ${body?.slice(0, 80) ?? ""}: ${text.slice(0, 200)}`;
  assertEquals(response.status, attempt.status, what);
  const said = JSON.parse(text);
  assert(typeof said.error === "string" && said.error !== "", what);
  if (attempt.field) assertEquals(said.field, attempt.field, what);
  assert(!text.includes("<script>"), what);
}

/** A session that looks right and is signed by nobody. */
function forged(): string {
  const part = (value: unknown) =>
    btoa(JSON.stringify(value)).replace(/=+$/, "").replaceAll("+", "-").replaceAll("/", "_");
  const expires = Math.floor(Date.now() / 1_000) + 3_600;
  const claims = { sub: crypto.randomUUID(), exp: expires };
  return `${part({ alg: "EdDSA", typ: "JWT" })}.${part(claims)}.${"A".repeat(86)}`;
}
