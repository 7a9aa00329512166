import { assert, assertEquals } from "@std/assert";
import { CART_KEPT_MS, PRICE_STALE_MS } from "../../kit/limits.ts";
import { eachStore, openAt } from "../../kit/testing_stores.ts";
import { eachShape, type TestMarket, withMarket } from "../../testing_market.ts";
import { createCartStore, MIGRATIONS } from "./store.ts";

async function open(market: TestMarket): Promise<string> {
  const { status, body } = await market.ask("cart-svc", "POST /session");
  assertEquals(status, 201);
  return body.session;
}
const add = (market: TestMarket, session: string, product_id: number, quantity: number) =>
  market.ask("cart-svc", `POST /cart/${session}/items`, { json: { product_id, quantity } });

eachShape("add, change, remove, clear: the cart adds up at the shop's prices", async (market) => {
  const session = await open(market);
  const price = async (id: number) =>
    (await market.ask("product-svc", `GET /products/${id}`)).body.price as number;
  assertEquals((await market.ask("cart-svc", `GET /cart/${session}`)).body, {
    session,
    items: [],
    subtotal: 0,
    item_count: 0,
  });
  await add(market, session, 5, 2);
  await add(market, session, 9, 1);
  const { status, body } = await add(market, session, 5, 3);
  assertEquals(status, 201);
  assertEquals(
    body.items.map((each: Record<string, unknown>) => [each.product_id, each.quantity]),
    [
      [5, 5],
      [9, 1],
    ],
  );
  assertEquals(body.item_count, 6);
  assertEquals(body.subtotal, 5 * await price(5) + await price(9));
  assertEquals(body.items[0].line_total, 5 * await price(5));
  const changed = await market.ask("cart-svc", `PATCH /cart/${session}/items/5`, {
    json: { quantity: 1 },
  });
  assertEquals(changed.body.subtotal, await price(5) + await price(9));
  const removed = await market.ask("cart-svc", `DELETE /cart/${session}/items/9`);
  assertEquals(removed.body.subtotal, await price(5));
  const gone = await market.ask("cart-svc", `DELETE /cart/${session}/items/9`);
  assertEquals([gone.status, gone.body.field], [404, "product_id"]);
  const absent = await market.ask("cart-svc", `PATCH /cart/${session}/items/9`, {
    json: { quantity: 1 },
  });
  assertEquals(absent.status, 404);
  assertEquals((await market.ask("cart-svc", `DELETE /cart/${session}`)).body.items, []);
});

eachShape("a cart has bounds, also for many hands at once", async (market) => {
  const session = await open(market);
  const added = await Promise.all(
    Array.from({ length: 120 }, () => add(market, session, 5, 1)),
  );
  assertEquals(added.filter((each) => each.status === 201).length, 99);
  const over = added.filter((each) => each.status === 400);
  assertEquals([over.length, over[0]?.body.field], [21, "quantity"]);
  for (let id = 100; id < 149; id++) {
    assertEquals((await add(market, session, id, 1)).status, 201);
  }
  const full = await add(market, session, 200, 1);
  assertEquals([full.status, full.body.field], [409, "product_id"]);
  const { body } = await market.ask("cart-svc", `GET /cart/${session}`);
  assertEquals([body.items.length, body.item_count], [50, 148]);
});

eachShape("two carts know nothing of each other", async (market) => {
  const [mine, yours] = [await open(market), await open(market)];
  await add(market, mine, 5, 1);
  await market.ask("cart-svc", `DELETE /cart/${yours}`);
  assertEquals((await market.ask("cart-svc", `GET /cart/${mine}`)).body.item_count, 1);
  assertEquals((await market.ask("cart-svc", `GET /cart/${yours}`)).body.item_count, 0);
});

eachStore(
  "a cart is still shown while product-svc is away, but takes nothing unpriced",
  (place) =>
    withMarket(place, async (market) => {
      const session = await open(market);
      const before = (await add(market, session, 5, 2)).body;
      market.down.add("product-svc");
      market.advance(60_000);
      assertEquals((await market.ask("cart-svc", `GET /cart/${session}`)).body, before);
      const strange = await add(market, session, 77, 1);
      assertEquals([strange.status, strange.body.field], [503, "product-svc"]);
      market.advance(PRICE_STALE_MS);
      assertEquals((await market.ask("cart-svc", `GET /cart/${session}`)).status, 503);
      market.down.clear();
      assertEquals((await market.ask("cart-svc", `GET /cart/${session}`)).body, before);
    }),
);

eachStore("lines that nobody touches any more are forgotten", async (place) => {
  const database = await openAt(place, { name: "cart-svc", migrations: MIGRATIONS });
  const store = createCartStore(database);
  await store.add("old", 1, 1, 1_000);
  await store.add("new", 1, 1, 2_000 + CART_KEPT_MS);
  assertEquals(await store.expire(2_000), 1);
  assertEquals(await store.lines("old"), []);
  assert((await store.lines("new")).length === 1);
  await database.close();
});
