import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { ORDER_ABANDONED_MS } from "../../kit/limits.ts";
import { eventually } from "../../kit/testing.ts";
import { eachStore } from "../../kit/testing_stores.ts";
import {
  ADDRESS,
  type Buyer,
  eachShape,
  type TestMarket,
  withMarket,
} from "../../testing_market.ts";

const PRODUCT = 4;
const order = (quantity = 1, more: Record<string, unknown> = {}) => ({
  items: [{ product_id: PRODUCT, quantity }],
  shipping_address: ADDRESS,
  ...more,
});
const place = (market: TestMarket, { session }: Buyer, json: unknown, key?: string) =>
  market.ask("order-svc", "POST /orders", {
    session,
    json,
    headers: key ? { "idempotency-key": key } : {},
  });
const stock = async (market: TestMarket, id = PRODUCT) =>
  (await market.ask("inventory-svc", `GET /stock/${id}`)).body;
const ordersOf = async (market: TestMarket, { id, session }: Buyer) =>
  (await market.ask("order-svc", `GET /orders/user/${id}`, { session })).body;

eachShape(
  "POST /orders takes stock, prices by the catalogue, adds shipping and tax",
  async (market) => {
    const ada = await market.register();
    const product = (await market.ask("product-svc", `GET /products/${PRODUCT}`)).body;
    const before = await stock(market);
    const { status, body } = await place(market, ada, order(3, { shipping_method: "express" }));
    assertEquals(status, 201);
    const subtotal = product.price * 3;
    const tax = Math.round(subtotal * 0.21);
    const { id, created_at, ...rest } = body;
    assertEquals(rest, {
      user_id: ada.id,
      status: "confirmed",
      items: [{
        product_id: PRODUCT,
        sku: product.sku,
        name: product.name,
        price: product.price,
        quantity: 3,
        line_total: subtotal,
        image_url: product.image_url,
      }],
      subtotal,
      shipping: 1499,
      tax,
      total: subtotal + 1499 + tax,
      shipping_method: "express",
      shipping_address: ADDRESS,
    });
    assert(!Number.isNaN(Date.parse(created_at)));
    const after = await stock(market);
    assertEquals(after.reserved, before.reserved + 3);
    assertEquals(after.available, before.available - 3);
    const found = await market.ask("order-svc", `GET /orders/${id}`, { session: ada.session });
    assertEquals(found.body, body);
    assertEquals((await ordersOf(market, ada)).items, [body]);
  },
);

eachShape("a quote is what the order then costs", async (market) => {
  const ada = await market.register();
  const json = order(2);
  const quote = (await market.ask("order-svc", "POST /orders/quote", { json })).body;
  const { body } = await place(market, ada, json);
  for (const each of ["items", "subtotal", "shipping", "tax", "total", "shipping_method"]) {
    assertEquals(body[each], quote[each], each);
  }
  const partly = await market.ask("order-svc", "POST /orders/quote", {
    json: { items: json.items },
  });
  assertEquals(partly.body.tax, 0);
});

eachShape("an order from a cart takes its lines and empties it", async (market) => {
  const ada = await market.register();
  const { session } = (await market.ask("cart-svc", "POST /session")).body;
  for (const product_id of [PRODUCT, 7]) {
    await market.ask("cart-svc", `POST /cart/${session}/items`, {
      json: { product_id, quantity: 2 },
    });
  }
  const json = { cart_session: session, shipping_address: ADDRESS };
  const { status, body } = await place(market, ada, json, "cart-key-1");
  assertEquals(status, 201);
  assertEquals(body.items.map((each: { product_id: number }) => each.product_id), [PRODUCT, 7]);
  assertEquals((await market.ask("cart-svc", `GET /cart/${session}`)).body.item_count, 0);
  const again = await place(market, ada, json, "cart-key-1");
  assertEquals([again.status, again.body], [200, body]);
  const empty = await place(market, ada, json, "cart-key-2");
  assertEquals([empty.status, empty.body.field], [409, "cart_session"]);
  const forged = await place(market, ada, { ...json, cart_session: "x".repeat(66) });
  assertEquals([forged.status, forged.body.field], [401, "cart_session"]);
});

eachShape(
  "the same idempotency key answers the first order, once, at once or later",
  async (market) => {
    const ada = await market.register();
    const eve = await market.register();
    const before = (await stock(market)).reserved;
    const key = "the-same-key";
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => place(market, ada, order(), key)),
    );
    assertEquals(new Set(answers.map((each) => each.body.id)).size, 1);
    assertEquals(answers.filter((each) => each.status === 201).length, 1);
    assertEquals(answers.filter((each) => each.status === 200).length, 9);
    assertEquals((await stock(market)).reserved, before + 1);
    const inBody = await place(market, ada, order(1, { idempotency_key: key }));
    assertEquals([inBody.status, inBody.body.id], [200, answers[0]!.body.id]);
    const different = await place(market, ada, order(2), key);
    assertEquals([different.status, different.body.field], [422, "idempotency-key"]);
    const someoneElses = await place(market, eve, order(), key);
    assertEquals(someoneElses.status, 201);
    assertNotEquals(someoneElses.body.id, answers[0]!.body.id);
    assertEquals((await ordersOf(market, ada)).total, 1);
  },
);

eachShape(
  "too little stock is a 409 that takes nothing, also from the other lines",
  async (market) => {
    const ada = await market.register();
    const scarce = await findScarce(market);
    const before = await stock(market);
    const json = {
      items: [{ product_id: PRODUCT, quantity: 1 }, {
        product_id: scarce.product_id,
        quantity: 99,
      }],
      shipping_address: ADDRESS,
    };
    for (let time = 0; time < 2; time++) {
      const { status, body } = await place(market, ada, json, "scarce-key");
      assertEquals([status, body.field], [409, "items[1].quantity"]);
      assertEquals([body.product_id, body.available], [scarce.product_id, scarce.available]);
    }
    assertEquals(await stock(market), before);
    assertEquals((await ordersOf(market, ada)).total, 0);
  },
);

eachStore(
  "an order whose stock cannot be taken is given up, and may be repeated with its key",
  (at) =>
    withMarket(at, async (market) => {
      const ada = await market.register();
      const before = await stock(market);
      market.down.add("inventory-svc");
      const refused = await place(market, ada, order(), "retry-key");
      assertEquals([refused.status, refused.body.field], [503, "inventory-svc"]);
      assert(refused.headers.has("retry-after"));
      market.down.clear();
      const second = await place(market, ada, order(), "retry-key");
      assertEquals(second.status, 201);
      assertEquals((await stock(market)).reserved, before.reserved + 1);
      assertEquals((await ordersOf(market, ada)).total, 1);
    }),
);

eachStore(
  "stock taken behind a lost answer is given back",
  (at) =>
    withMarket(at, async (market) => {
      const ada = await market.register();
      const before = await stock(market);
      const inventory = market.services["inventory-svc"];
      // The reservation is made, its answer lost, and the service away before it can be taken back.
      market.instead.set("inventory-svc", async (request) => {
        if (request.url.endsWith("/stock/reserve")) await inventory.fetch(request);
        throw new TypeError("connection reset");
      });
      assertEquals((await place(market, ada, order(5), "lost-key-1")).status, 503);
      assertEquals((await stock(market)).reserved, before.reserved + 5);
      market.instead.clear();
      market.advance(ORDER_ABANDONED_MS + 1);
      await eventually(
        "the stock is back",
        async () => (await stock(market)).reserved === before.reserved,
      );
      assertEquals((await ordersOf(market, ada)).total, 0);
      assertEquals((await place(market, ada, order(5), "lost-key-1")).status, 201);
      assertEquals((await stock(market)).reserved, before.reserved + 5);
    }),
);

eachStore(
  "a reservation that arrives after its order was given up takes nothing",
  (at) =>
    withMarket(at, async (market) => {
      const ada = await market.register();
      const before = await stock(market);
      const inventory = market.services["inventory-svc"];
      const late: Request[] = [];
      market.instead.set("inventory-svc", (request) => {
        if (!request.url.endsWith("/stock/reserve")) return inventory.fetch(request);
        late.push(request);
        throw new TypeError("connection reset");
      });
      assertEquals((await place(market, ada, order(5))).status, 503);
      market.instead.clear();
      for (const request of late) assertEquals((await inventory.fetch(request)).status, 409);
      assert(late.length > 0);
      assertEquals(await stock(market), before);
    }),
);

eachStore(
  "a purchase is reported, later if it cannot be at once",
  (at) =>
    withMarket(at, async (market) => {
      const ada = await market.register();
      market.down.add("recommendation-svc");
      const items = [{ product_id: PRODUCT, quantity: 1 }, { product_id: 300, quantity: 1 }];
      assertEquals((await place(market, ada, { ...order(), items })).status, 201);
      const together = async () =>
        (await market.ask("recommendation-svc", `GET /recommendations/${PRODUCT}`)).body.items[0];
      assertNotEquals((await together()).id, 300);
      market.down.clear();
      market.advance(ORDER_ABANDONED_MS + 1);
      await eventually("the report", async () => (await together()).id === 300);
      assertEquals((await together()).reason, "bought_together");
    }),
);

eachShape("orders page through a buyer's own, newest first", async (market) => {
  const ada = await market.register();
  const eve = await market.register();
  const ids: string[] = [];
  for (let at = 0; at < 5; at++) {
    ids.unshift((await place(market, ada, order())).body.id);
    market.advance(1_000);
  }
  await place(market, eve, order());
  const seen: string[] = [];
  for (let page = 1; page <= 3; page++) {
    const { body } = await market.ask(
      "order-svc",
      `GET /orders/user/${ada.id}?per_page=2&page=${page}`,
      { session: ada.session },
    );
    assertEquals([body.total, body.total_pages, body.page], [5, 3, page]);
    seen.push(...body.items.map((each: { id: string }) => each.id));
  }
  assertEquals(seen, ids);
});

async function findScarce(market: TestMarket) {
  const ids = Array.from({ length: 100 }, (_, at) => at + 1);
  const { body } = await market.ask("inventory-svc", "POST /stock/bulk", { json: ids });
  const found = body.items.find((each: { available: number }) =>
    each.available > 0 && each.available < 99
  );
  assert(found);
  return found;
}
