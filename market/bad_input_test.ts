import { assert, assertEquals } from "@std/assert";
import { BODY_BYTES } from "./kit/limits.ts";
import { eachStore } from "./kit/testing_stores.ts";
import type { ServiceName } from "./launch.ts";
import { ADDRESS, type Buyer, eachShape, type TestMarket, withMarket } from "./testing_market.ts";

// Whatever is wrong with a body: 4xx with the field named, nothing stored, nothing reflected as
// markup. Each route is given with a body that it accepts; the tests spoil it.

interface Target {
  readonly service: ServiceName;
  readonly request: string;
  readonly good: Record<string, unknown>;
  readonly signedIn?: boolean;
}

async function targets(market: TestMarket, buyer: Buyer): Promise<Target[]> {
  const { body: { session } } = await market.ask("cart-svc", "POST /session");
  await market.ask("cart-svc", `POST /cart/${session}/items`, {
    json: { product_id: 3, quantity: 1 },
  });
  const person = { email: "new@shop.test", password: "correct horse", name: "Eve Newcomer" };
  return [
    {
      service: "cart-svc",
      request: `POST /cart/${session}/items`,
      good: { product_id: 3, quantity: 1 },
    },
    { service: "cart-svc", request: `PATCH /cart/${session}/items/3`, good: { quantity: 2 } },
    {
      service: "order-svc",
      request: "POST /orders",
      signedIn: true,
      good: {
        items: [{ product_id: 1, quantity: 1 }],
        shipping_address: ADDRESS,
        shipping_method: "standard",
        idempotency_key: "key-0001",
      },
    },
    {
      service: "order-svc",
      request: "POST /orders/quote",
      good: { items: [{ product_id: 1, quantity: 1 }], shipping_address: ADDRESS },
    },
    { service: "user-svc", request: "POST /register", good: person },
    {
      service: "user-svc",
      request: "POST /login",
      good: { email: buyer.email, password: "correct horse" },
    },
    { service: "user-svc", request: "POST /forgot", good: { email: "nobody@shop.test" } },
    {
      service: "user-svc",
      request: "POST /reset",
      good: { token: "A".repeat(43), new_password: "battery staple" },
    },
    {
      service: "user-svc",
      request: `PUT /profile/${buyer.id}`,
      signedIn: true,
      good: { name: "Ada", address: ADDRESS },
    },
    {
      service: "review-svc",
      request: "POST /reviews/1",
      signedIn: true,
      good: { rating: 5, title: "Fine", body: "Does what it says." },
    },
    {
      service: "recommendation-svc",
      request: "POST /events",
      good: { type: "view", product_id: 1 },
    },
  ];
}

/** Sends a body that must be refused; returns the field that was named. */
async function refused(
  market: TestMarket,
  buyer: Buyer,
  target: Target,
  body: { json?: unknown; raw?: BodyInit },
  statuses = [400],
): Promise<string> {
  const answer = await market.ask(target.service, target.request, {
    ...body,
    session: target.signedIn ? buyer.session : undefined,
  });
  const what = `${target.request} with ${JSON.stringify(body.json)?.slice(0, 200)}`;
  assert(statuses.includes(answer.status), `${what}: ${answer.status} ${answer.body.error}`);
  assertEquals(Object.keys(answer.body).slice(0, 2), ["error", "field"], what);
  assert(!/<[a-z/]/i.test(JSON.stringify(answer.body)), `${what} is reflected`);
  assertEquals(answer.headers.get("content-type"), "application/json");
  assertEquals(answer.headers.get("x-content-type-options"), "nosniff");
  return answer.body.field;
}

/** All that a customer could see of what is stored. */
async function visible(market: TestMarket, buyer: Buyer, all: readonly Target[]): Promise<unknown> {
  const cart = all[0]!.request.match(/\/cart\/[^/]+/)![0];
  const { session } = buyer;
  const bodies = await Promise.all([
    market.ask("cart-svc", `GET ${cart}`),
    market.ask("order-svc", `GET /orders/user/${buyer.id}`, { session }),
    market.ask("user-svc", `GET /profile/${buyer.id}`, { session }),
    market.ask("review-svc", "GET /reviews/1"),
    market.ask("inventory-svc", "GET /stock/1"),
    market.ask("recommendation-svc", "GET /trending"),
  ]);
  return bodies.map((each) => [each.status, each.body]);
}

function withTargets(
  name: string,
  test: (market: TestMarket, buyer: Buyer, all: readonly Target[]) => Promise<void>,
): void {
  eachShape(name, async (market) => {
    const buyer = await market.register("Ada Buyer");
    const all = await targets(market, buyer);
    const before = await visible(market, buyer, all);
    await test(market, buyer, all);
    assertEquals(await visible(market, buyer, all), before, "something was stored");
    const account = { email: "new@shop.test", password: "correct horse" };
    const login = await market.ask("user-svc", "POST /login", { json: account });
    assertEquals(login.status, 401, "an account was made");
  });
}

withTargets("bodies that are not JSON, or not objects, are refused", async (market, buyer, all) => {
  const raws = [
    "",
    "{",
    '{"a":1,}',
    "{'a':1}",
    "\u0000",
    "NaN",
    "<xml/>",
    new Uint8Array([0x22, 0xff, 0x22]),
    `${"[".repeat(100_000)}`,
    '"text"',
    "1",
    "null",
    "true",
    "[]",
  ];
  for (const target of all) {
    for (const raw of raws) assertEquals(await refused(market, buyer, target, { raw }), "body");
  }
});

withTargets("bodies over 1 MiB are refused, announced or not", async (market, buyer, all) => {
  const large = " ".repeat(BODY_BYTES + 1);
  for (const target of all) {
    const exact = JSON.stringify(target.good).padEnd(BODY_BYTES + 1);
    assertEquals(await refused(market, buyer, target, { raw: exact }, [413]), "body");
    const stream = new Blob([large]).stream();
    assertEquals(await refused(market, buyer, target, { raw: stream }, [413]), "body");
  }
});

withTargets("unknown fields are refused by name, a price above all", async (market, buyer, all) => {
  for (const target of all) {
    for (const extra of ["price", "total", "user_id", "verified", "__proto__", "constructor"]) {
      const raw = `{${JSON.stringify(extra)}:1,${JSON.stringify(target.good).slice(1)}`;
      assertEquals(await refused(market, buyer, target, { raw }), extra, target.request);
    }
    const field = await refused(market, buyer, target, { json: { ...target.good, "<b>": 1 } });
    assertEquals(field, "?b?");
  }
  const order = all.find((each) => each.request === "POST /orders")!;
  const items = [{ product_id: 1, quantity: 1, price: 1 }];
  const json = { ...order.good, items };
  assertEquals(await refused(market, buyer, order, { json }), "items[0].price");
});

withTargets("a missing field is named", async (market, buyer, all) => {
  const mayMiss = new Set(["shipping_method", "idempotency_key"]);
  for (const target of all) {
    for (const field of Object.keys(target.good)) {
      if (mayMiss.has(field) || target.request === "POST /orders/quote") continue;
      const { [field]: _, ...json } = target.good;
      assertEquals(await refused(market, buyer, target, { json }), field, target.request);
    }
  }
});

withTargets("every field of the wrong type is named by its path", async (market, buyer, all) => {
  for (const target of all) {
    for (const [path, value] of leaves(target.good)) {
      for (const wrong of wrongFor(value)) {
        const json = put(target.good, path, wrong);
        const field = await refused(market, buyer, target, { json }, [400, 404]);
        assertEquals(field, nameOf(path), `${target.request} ${JSON.stringify(wrong)}`);
      }
    }
  }
});

withTargets(
  "HTML, SQL and control characters in every text are refused",
  async (market, buyer, all) => {
    const hostile = [
      "<script>alert(1)</script>",
      '"><img src=x onerror=alert(1)>',
      "a\u0000b",
      "a\u001bb",
      "\ud800",
      "x".repeat(5_000),
      "",
      "   ",
    ];
    const sql = ["'; drop table users; --", "1' or '1'='1", "x') union select * from users --"];
    for (const target of all) {
      for (const [path, value] of leaves(target.good)) {
        const name = nameOf(path);
        // A password may be anything, and a review is prose: there SQL is just text.
        if (typeof value !== "string" || name.endsWith("password")) continue;
        const texts = ["title", "body"].includes(name) ? hostile : [...hostile, ...sql];
        const statuses = target.request === "POST /login" ? [400, 401] : [400];
        for (const text of texts) {
          const json = put(target.good, path, text);
          const field = await refused(market, buyer, target, { json }, statuses);
          if (statuses.length === 1) assertEquals(field, name, `${target.request} ${text}`);
        }
      }
    }
  },
);

withTargets("numbers out of range and unknown ids are refused", async (market, buyer, all) => {
  const cases: [string, string, unknown, number][] = [
    ["items", "product_id", 0, 400],
    ["items", "product_id", 501, 404],
    ["items", "product_id", 2 ** 31, 400],
    ["items", "quantity", 0, 400],
    ["items", "quantity", -1, 400],
    ["items", "quantity", 100, 400],
    ["items", "quantity", 1.5, 400],
    ["items", "quantity", 1e308, 400],
    ["items/3", "quantity", -5, 400],
    ["events", "product_id", 501, 404],
    ["reviews", "rating", 0, 400],
    ["reviews", "rating", 6, 400],
    ["reviews", "rating", 4.5, 400],
  ];
  for (const [route, field, value, status] of cases) {
    const target = all.find((each) =>
      each.request.endsWith(route) || each.request.includes(`/${route}/`)
    )!;
    const json = { ...target.good, [field]: value };
    assertEquals(await refused(market, buyer, target, { json }, [status]), field);
  }
  const order = all.find((each) => each.request === "POST /orders")!;
  const lines: [unknown, string, number][] = [
    [[], "items", 400],
    [[{ product_id: 501, quantity: 1 }], "items[0].product_id", 404],
    [[{ product_id: 1, quantity: -1 }], "items[0].quantity", 400],
    [[{ product_id: 1, quantity: 1 }, { product_id: 1, quantity: 1 }], "items[1].product_id", 400],
    [Array.from({ length: 51 }, (_, at) => ({ product_id: at + 1, quantity: 1 })), "items", 400],
  ];
  for (const [items, field, status] of lines) {
    const json = { ...order.good, items };
    assertEquals(await refused(market, buyer, order, { json }, [status]), field);
  }
});

eachStore(
  "a review that speaks SQL is kept as the text it is",
  (place) =>
    withMarket(place, async (market) => {
      const buyer = await market.register();
      const body = '\'; drop table reviews; -- said my cat, 1 < 2 & "quoted"';
      const json = { rating: 4, title: "Robert'); --", body };
      const made = await market.ask("review-svc", "POST /reviews/7", {
        json,
        session: buyer.session,
      });
      assertEquals(made.status, 201);
      const listed = await market.ask("review-svc", "GET /reviews/7");
      assertEquals(listed.body.items[0].body, body);
    }),
);

type Path = readonly (string | number)[];

/** Every value inside, with its path. */
function leaves(value: unknown, path: Path = []): [Path, unknown][] {
  if (typeof value !== "object" || value === null) return [[path, value]];
  return Object.entries(value).flatMap(([key, inner]) =>
    leaves(inner, [...path, Array.isArray(value) ? Number(key) : key])
  );
}

function put(value: unknown, [key, ...rest]: Path, wrong: unknown): unknown {
  if (key === undefined) return wrong;
  if (Array.isArray(value)) {
    return value.map((each, at) => at === key ? put(each, rest, wrong) : each);
  }
  const inner = (value as Record<string, unknown>)[key];
  return { ...value as object, [key]: put(inner, rest, wrong) };
}

function nameOf(path: Path): string {
  return path.reduce<string>(
    (name, key) => typeof key === "number" ? `${name}[${key}]` : name ? `${name}.${key}` : key,
    "",
  );
}

function wrongFor(value: unknown): unknown[] {
  const always = [null, true, [], {}, ["x"]];
  return typeof value === "number" ? [...always, "1", `${value}`, -1, 0.5] : [...always, 1, 0];
}
