import { assert, assertEquals } from "@std/assert";
import { startMarket } from "../testing_market.ts";

// Who may ask what of the five programs: every route of theirs is in this table.

/**
 * anybody: without a session. buyer: only who is signed in. staff: only the shop's own people.
 * programs: only another program, by its token. inside: whoever does not come through the ingress.
 */
type Who = "anybody" | "buyer" | "staff" | "programs" | "inside";

const TABLE: Readonly<Record<string, Who>> = {
  "core-api GET /keys": "anybody",
  "core-api GET /api/products": "anybody",
  "core-api GET /api/products/:id": "anybody",
  "core-api GET /api/products/:id/image.svg": "anybody",
  "core-api GET /api/categories": "anybody",
  "core-api GET /api/featured": "anybody",
  "core-api GET /api/stock/:id": "anybody",
  "core-api POST /api/stock/bulk": "anybody",
  "core-api POST /api/stock/reserve": "programs",
  "core-api POST /api/stock/release": "programs",
  "core-api POST /api/stock/reorder": "programs",
  "core-api GET /api/search": "anybody",
  "core-api POST /api/session": "anybody",
  // A cart's session is in its path and is not a user's.
  "core-api GET /api/cart/:session": "buyer",
  "core-api DELETE /api/cart/:session": "buyer",
  "core-api POST /api/cart/:session/items": "buyer",
  "core-api PATCH /api/cart/:session/items/:product_id": "buyer",
  "core-api DELETE /api/cart/:session/items/:product_id": "buyer",
  "core-api POST /api/orders": "buyer",
  "core-api POST /api/orders/quote": "anybody",
  "core-api GET /api/orders/:id": "buyer",
  "core-api GET /api/orders/user/:user_id": "buyer",
  "core-api GET /api/purchases/:user_id/:product_id": "programs",
  "core-api GET /api/reviews/:product_id": "anybody",
  "core-api POST /api/reviews/:product_id": "buyer",
  "core-api GET /api/recommendations/:product_id": "anybody",
  "core-api GET /api/trending": "anybody",
  // Views are anybody's to report; purchases are refused, as access_test.ts of the nine has it.
  "core-api POST /api/events": "anybody",
  "core-api POST /api/recommendations/rebuild": "programs",
  "core-api GET /*": "anybody",
  "identity-provider GET /keys": "anybody",
  "identity-provider GET /api/keys": "anybody",
  "identity-provider POST /api/keys/rotate": "staff",
  "identity-provider GET /api/revoked": "inside",
  "identity-provider POST /api/logout": "buyer",
  "identity-provider POST /api/logout/everywhere": "buyer",
  "identity-provider POST /api/password": "buyer",
  "identity-provider POST /api/forgot": "anybody",
  "identity-provider POST /api/reset": "anybody",
  "identity-provider POST /api/letters/:id": "programs",
  "identity-provider GET /api/contact/:id": "programs",
  "identity-provider POST /api/register": "anybody",
  "identity-provider POST /api/login": "anybody",
  "identity-provider GET /api/profile/:id": "buyer",
  "identity-provider PUT /api/profile/:id": "buyer",
  "async-worker GET /keys": "anybody",
  "async-worker POST /api/jobs": "programs",
  "async-worker GET /api/jobs": "staff",
  "async-worker POST /api/jobs/revive": "staff",
  "async-worker GET /api/invoices/:order": "buyer",
  "async-worker GET /api/pictures/:product_id/:file": "anybody",
  "telemetry-sink POST /v1/logs": "inside",
  "telemetry-sink POST /v1/traces": "inside",
  "telemetry-sink POST /v1/metrics": "inside",
  "telemetry-sink GET /api/telemetry/logs": "staff",
  "telemetry-sink GET /api/telemetry/traces": "staff",
  "telemetry-sink GET /api/telemetry/traces/:trace": "staff",
  "telemetry-sink GET /api/telemetry/points": "staff",
  "telemetry-sink GET /api/telemetry/summary": "staff",
};

/** A path of a route; what it names need not exist. */
function pathOf(route: string): string {
  const id = "00000000-0000-4000-8000-000000000000";
  return route.replace("/*", "/none.js").replace(
    /:(id|user_id|order)\b/g,
    (_, name, at) => name === "id" && /products|stock/.test(route.slice(0, at)) ? "1" : id,
  )
    .replace(":product_id", "1").replace(":session", "x.y").replace(":file", "320.webp")
    .replace(":trace", "0".repeat(31) + "1");
}

Deno.test("every route of the five programs lets in whom it should, and nobody else", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "market-" });
  const market = await startMarket({ folder }, {}, "five");
  try {
    const known = Object.entries(market.services).flatMap(([program, { routes }]) =>
      routes.filter((route) => !/ \/(health|metrics)$/.test(route))
        .map((route) => `${program} ${route}`)
    );
    assertEquals(known.sort(), Object.keys(TABLE).sort());
    for (const [name, who] of Object.entries(TABLE)) {
      const [program, method, route] = name.split(" ") as [
        keyof typeof market.services,
        string,
        string,
      ];
      const ask = async (given: { session?: string; headers?: Record<string, string> }) => {
        const json = method === "GET" || method === "DELETE" ? undefined : {};
        const request = `${method} ${pathOf(route)}`;
        const { status, body } = await market.askProgram(program, request, { json, ...given });
        assert(status !== 500, `${name}: ${JSON.stringify(body)}`);
        return status;
      };
      // One of its own for each row, since some end the session that asks.
      const { session } = await market.register();
      const none = await ask({});
      const buyer = await ask({ session });
      const token = await ask({ headers: { "x-service-token": "a.b.c" } });
      const world = await ask({ headers: { "x-forwarded-for": "203.0.113.1" } });
      switch (who) {
        case "anybody":
          assert(none !== 401 && none !== 403, `${name}: ${none}`);
          break;
        case "buyer":
          assertEquals(none, 401, name);
          assert(buyer !== 401 || route.includes(":session"), `${name}: ${buyer}`);
          break;
        case "staff":
          assertEquals([none, buyer], [401, 403], name);
          break;
        case "programs":
          assertEquals([none, buyer, token, world], [401, 401, 403, 404], name);
          break;
        case "inside":
          assertEquals([none, world], [200, 404], name);
          break;
        default:
          who satisfies never;
      }
    }
  } finally {
    await market.close();
    Deno.removeSync(folder, { recursive: true });
  }
});
