import { assert, assertEquals } from "@std/assert";
import { eachStore } from "./kit/testing_stores.ts";
import type { ServiceName } from "./launch.ts";
import {
  ADDRESS,
  type Buyer,
  type Given,
  startMarket,
  type TestMarket,
  withMarket,
} from "./testing_market.ts";

// Who may do what: every route of every service, with no session, with somebody else's, with a
// forged one, and rightly. A route that is not in the table fails the test.

/** What a caller of each kind is answered; `field` is what the refusal names. */
interface Row {
  readonly json?: unknown;
  readonly field?: string;
  readonly none: number;
  readonly others: number;
  readonly forged: number;
  readonly own: number;
  /** It ends the sessions that ask: they are made for this row. */
  readonly ends?: boolean;
}

interface Scene {
  readonly ada: Buyer;
  readonly eve: Buyer;
  readonly order: string;
  readonly cart: string;
}

/** Everybody is answered alike. */
const open = (status: number, json?: unknown): Row => ({
  json,
  none: status,
  others: status,
  forged: status,
  own: status,
});
/** Only the signed-in; `others` are users like any. */
const signedIn = (status: number, json?: unknown, others = status): Row => ({
  json,
  field: "session",
  none: 401,
  others,
  forged: 401,
  own: status,
});
/** Only the market's own services; no user's session helps. */
const services = (status: number, json?: unknown): Row => ({
  json,
  field: "x-service-token",
  none: 401,
  others: 401,
  forged: 403,
  own: status,
});

function table({ ada, order, cart }: Scene): Record<string, [path: string, row: Row]> {
  const lines = { items: [{ product_id: 1, quantity: 1 }], shipping_address: ADDRESS };
  const held = { reservation_id: "r-1", items: [{ product_id: 2, quantity: 1 }] };
  const bought = { type: "purchase", order_id: "o-1", product_ids: [1, 2] };
  return {
    "product-svc GET /products": ["/products", open(200)],
    "product-svc GET /products/:id": ["/products/1", open(200)],
    "product-svc GET /products/:id/image.svg": ["/products/1/image.svg", open(200)],
    "product-svc GET /categories": ["/categories", open(200)],
    "product-svc GET /featured": ["/featured", open(200)],
    "inventory-svc GET /stock/:id": ["/stock/1", open(200)],
    "inventory-svc POST /stock/bulk": ["/stock/bulk", open(200, [1])],
    "inventory-svc POST /stock/reserve": ["/stock/reserve", services(201, held)],
    "inventory-svc POST /stock/release": [
      "/stock/release",
      services(200, {
        reservation_id: "r-1",
      }),
    ],
    "inventory-svc POST /stock/reorder": ["/stock/reorder", services(200, { key: "r-1" })],
    "search-svc GET /search": ["/search?q=lamp", open(200)],
    "cart-svc POST /session": ["/session", open(201)],
    // A cart's session stands in its path: these are asked with Ada's cart, the forged below.
    "cart-svc GET /cart/:session": [`/cart/${cart}`, open(200)],
    "cart-svc POST /cart/:session/items": [
      `/cart/${cart}/items`,
      open(201, { product_id: 3, quantity: 1 }),
    ],
    "cart-svc PATCH /cart/:session/items/:product_id": [
      `/cart/${cart}/items/3`,
      open(200, { quantity: 2 }),
    ],
    "cart-svc DELETE /cart/:session/items/:product_id": [`/cart/${cart}/items/404`, open(404)],
    "cart-svc DELETE /cart/:session": [`/cart/${cart}`, open(200)],
    "order-svc GET /keys": ["/keys", open(200)],
    "order-svc POST /orders": ["/orders", signedIn(201, lines)],
    "order-svc POST /orders/quote": ["/orders/quote", open(200, { items: lines.items })],
    "order-svc GET /orders/:id": [`/orders/${order}`, signedIn(200, undefined, 403)],
    "order-svc GET /orders/user/:user_id": [
      `/orders/user/${ada.id}`,
      signedIn(200, undefined, 403),
    ],
    "order-svc GET /purchases/:user_id/:product_id": [`/purchases/${ada.id}/1`, services(200)],
    "user-svc GET /keys": ["/keys", open(200)],
    "user-svc POST /keys/rotate": ["/keys/rotate", signedIn(403, undefined, 403)],
    "user-svc GET /revoked": ["/revoked", open(200)],
    "user-svc POST /logout": ["/logout", { ...signedIn(204), ends: true }],
    "user-svc POST /logout/everywhere": ["/logout/everywhere", { ...signedIn(204), ends: true }],
    "user-svc POST /password": ["/password", {
      ...signedIn(200, { password: "correct horse", new_password: "battery staple" }),
      ends: true,
    }],
    "user-svc POST /forgot": ["/forgot", open(202, { email: "nobody@shop.test" })],
    "user-svc POST /reset": [
      "/reset",
      open(400, { token: "A".repeat(43), new_password: "battery staple" }),
    ],
    "user-svc POST /letters/:id": [`/letters/${ada.id}`, services(403)],
    "user-svc GET /contact/:id": [`/contact/${ada.id}`, services(403)],
    "user-svc POST /register": [
      "/register",
      open(409, {
        email: ada.email,
        name: "Ada",
        password: "correct horse",
      }),
    ],
    "user-svc POST /login": [
      "/login",
      open(200, {
        email: ada.email,
        password: "correct horse",
      }),
    ],
    "user-svc GET /profile/:id": [`/profile/${ada.id}`, signedIn(200, undefined, 403)],
    "user-svc PUT /profile/:id": [
      `/profile/${ada.id}`,
      signedIn(200, { name: "Ada", address: null }, 403),
    ],
    "review-svc GET /keys": ["/keys", open(200)],
    "review-svc GET /reviews/:product_id": ["/reviews/1", open(200)],
    "review-svc POST /reviews/:product_id": [
      "/reviews/1",
      signedIn(201, { rating: 5, title: "Good", body: "Works." }),
    ],
    "recommendation-svc GET /recommendations/:product_id": ["/recommendations/1", open(200)],
    "recommendation-svc GET /trending": ["/trending", open(200)],
    "recommendation-svc POST /events": ["/events", services(202, bought)],
    "recommendation-svc POST /recommendations/rebuild": [
      "/recommendations/rebuild",
      services(200),
    ],
    "frontend-svc GET /*": ["/no-such-file.js", open(404)],
  };
}

/** The service whose token each of the closed routes takes. */
const CALLER: Record<string, ServiceName> = {
  "inventory-svc POST /stock/reserve": "order-svc",
  "inventory-svc POST /stock/release": "order-svc",
  "inventory-svc POST /stock/reorder": "order-svc",
  // Nobody: only of the five programs is there one that writes to people.
  "user-svc GET /contact/:id": "order-svc",
  "user-svc POST /letters/:id": "order-svc",
  "recommendation-svc POST /recommendations/rebuild": "order-svc",
  "order-svc GET /purchases/:user_id/:product_id": "review-svc",
  "recommendation-svc POST /events": "order-svc",
};

eachStore(
  "every route answers no session, another's and a forged one as it should",
  (place) =>
    withMarket(place, async (market) => {
      const scene = await setScene(market);
      const rows = table(scene);
      const known = Object.entries(market.services).flatMap(([name, { routes }]) =>
        routes.filter((route) => !/ \/(health|metrics)$/.test(route)).map((route) =>
          `${name} ${route}`
        )
      );
      assertEquals(Object.keys(rows).sort(), known.sort());
      const tokens = await serviceTokens(market);
      for (const [name, [path, row]] of Object.entries(rows)) {
        const [service, method] = name.split(" ") as [ServiceName, string];
        const caller = CALLER[name];
        const [ada, eve] = row.ends
          ? [await market.register(), await market.register()]
          : [scene.ada, scene.eve];
        const ways: [keyof Row & string, number, Given][] = caller
          ? [
            ["none", row.none, {}],
            ["others", row.others, { session: scene.ada.session }],
            ["forged", row.forged, { headers: { "x-service-token": forged(tokens[caller]!) } }],
            ["own", row.own, { headers: { "x-service-token": tokens[caller]! } }],
          ]
          : [
            ["none", row.none, {}],
            ["others", row.others, { session: eve.session }],
            ["forged", row.forged, { session: forged(ada.session) }],
            ["own", row.own, { session: ada.session }],
          ];
        for (const [way, status, given] of ways) {
          const answer = await market.ask(service, `${method} ${path}`, {
            ...given,
            json: row.json,
          });
          assertEquals(answer.status, status, `${name}, ${way}: ${JSON.stringify(answer.body)}`);
          if (status === 401) assertEquals(answer.body.field, row.field, `${name}, ${way}`);
        }
      }
    }),
);

eachStore(
  "what is for services only is hidden from the world, even with their token",
  (place) =>
    withMarket(place, async (market) => {
      const scene = await setScene(market);
      const rows = table(scene);
      const tokens = await serviceTokens(market);
      for (const [name, caller] of Object.entries(CALLER)) {
        const [service, method] = name.split(" ") as [ServiceName, string];
        const [path, { json }] = rows[name]!;
        const headers = { "x-service-token": tokens[caller]!, "x-forwarded-for": "203.0.113.1" };
        const { status } = await market.ask(service, `${method} ${path}`, { json, headers });
        assertEquals(status, 404, name);
      }
    }),
);

eachStore(
  "a cart's session that is not one of ours opens nothing",
  (place) =>
    withMarket(place, async (market) => {
      const { cart } = await setScene(market);
      const [id, mac] = cart.split(".") as [string, string];
      const strange = [
        "x",
        id,
        `${id}.`,
        `${id}.${"A".repeat(43)}`,
        `${"A".repeat(22)}.${mac}`,
        `${id}.${mac}x`,
        `${cart}%00`,
        "..%2f..%2fetc%2fpasswd",
        "'%20OR%20'1'='1",
        "%3Cscript%3E",
      ];
      for (const session of strange) {
        const asked: [string, unknown?][] = [
          [`GET /cart/${session}`],
          [`DELETE /cart/${session}`],
          [`POST /cart/${session}/items`, { product_id: 1, quantity: 1 }],
          [`PATCH /cart/${session}/items/1`, { quantity: 1 }],
          [`DELETE /cart/${session}/items/1`],
        ];
        for (const [request, json] of asked) {
          const { status, body } = await market.ask("cart-svc", request, { json });
          assertEquals([status, body.field], [401, "session"], request);
          assert(!body.error.includes("script"));
        }
      }
    }),
);

eachStore(
  "a session is refused when it is expired, of another key, or for another purpose",
  (place) =>
    withMarket(place, async (market) => {
      const { ada } = await setScene(market);
      const tokens = await serviceTokens(market);
      const [head, payload, signature] = ada.session.split(".") as [string, string, string];
      const none = btoa('{"alg":"none"}').replaceAll("=", "");
      const strange = [
        "",
        "x",
        `${head}.${payload}.`,
        `${none}.${payload}.`,
        `${head}.${payload}.${signature.slice(0, -4)}AAAA`,
        `${head}.${other(payload)}.${signature}`,
        // Signed by the right kind of key, but to prove a service, not a user.
        tokens["order-svc"]!,
        "é".repeat(10),
      ];
      for (const session of strange) {
        const headers = { authorization: `Bearer ${encodeURI(session)}` };
        const answer = await market.ask("user-svc", `GET /profile/${ada.id}`, { headers });
        assertEquals([answer.status, answer.body.field], [401, "session"], session);
      }
      market.advance(8 * 24 * 3_600_000);
      for (const service of ["user-svc", "order-svc"] as const) {
        const path = service === "user-svc" ? `/profile/${ada.id}` : `/orders/user/${ada.id}`;
        const answer = await market.ask(service, `GET ${path}`, { session: ada.session });
        assertEquals(answer.status, 401);
        assert(answer.body.error.includes("expired"));
      }
    }),
);

async function setScene(market: TestMarket): Promise<Scene> {
  const ada = await market.register("Ada Buyer");
  const eve = await market.register("Eve Other");
  const { body } = await market.ask("cart-svc", "POST /session");
  await market.ask("cart-svc", `POST /cart/${body.session}/items`, {
    json: { product_id: 3, quantity: 1 },
  });
  const order = await market.ask("order-svc", "POST /orders", {
    session: ada.session,
    json: { items: [{ product_id: 1, quantity: 1 }], shipping_address: ADDRESS },
  });
  assertEquals(order.status, 201, JSON.stringify(order.body));
  return { ada, eve, order: order.body.id, cart: body.session };
}

/** Takes the tokens that order-svc and review-svc show to others, from a call of theirs. */
async function serviceTokens(market: TestMarket): Promise<Record<string, string>> {
  const seen: Record<string, string> = {};
  const listen = (app: ServiceName, from: string) =>
    market.instead.set(app, (request) => {
      seen[from] = request.headers.get("x-service-token") ?? seen[from] ?? "";
      return market.services[app].fetch(request);
    });
  listen("inventory-svc", "order-svc");
  listen("order-svc", "review-svc");
  const buyer = await market.register("Tok En");
  await market.ask("order-svc", "POST /orders", {
    session: buyer.session,
    json: { items: [{ product_id: 1, quantity: 1 }], shipping_address: ADDRESS },
  });
  await market.ask("review-svc", "POST /reviews/9", {
    session: buyer.session,
    json: { rating: 3, title: "So", body: "So" },
  });
  market.instead.clear();
  assert(seen["order-svc"] && seen["review-svc"]);
  return seen;
}

/** The same token with another signature. */
function forged(token: string): string {
  const [head, payload, signature] = token.split(".") as [string, string, string];
  return `${head}.${payload}.${other(signature)}`;
}

function other(part: string): string {
  const middle = part.length >> 1;
  const changed = part[middle] === "A" ? "B" : "A";
  return part.slice(0, middle) + changed + part.slice(middle + 1);
}

eachStore(
  "with SERVICE_TOKEN set, it and nothing else opens what is for services only",
  async (place) => {
    const market = await startMarket(place, { SERVICE_TOKEN: "a-shared-secret" });
    try {
      const ada = await market.register();
      const order = await market.ask("order-svc", "POST /orders", {
        session: ada.session,
        json: { items: [{ product_id: 1, quantity: 1 }], shipping_address: ADDRESS },
      });
      assertEquals(order.status, 201, JSON.stringify(order.body));
      const json = { reservation_id: "r-1", items: [{ product_id: 2, quantity: 1 }] };
      const ways: [string | undefined, number][] = [
        [undefined, 401],
        ["", 403],
        ["a-shared-secres", 403],
        ["a-shared-secret-", 403],
        ["a-shared-secret", 201],
      ];
      for (const [token, status] of ways) {
        const headers: Record<string, string> = token === undefined
          ? {}
          : { "x-service-token": token };
        const answer = await market.ask("inventory-svc", "POST /stock/reserve", { json, headers });
        assertEquals(answer.status, status, token);
      }
    } finally {
      await market.close();
    }
  },
);
