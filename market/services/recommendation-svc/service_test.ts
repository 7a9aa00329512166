import { assert, assertEquals } from "@std/assert";
import { eventually } from "../../kit/testing.ts";
import { eachStore, openAt } from "../../kit/testing_stores.ts";
import { ADDRESS, eachShape, type TestMarket } from "../../testing_market.ts";
import { createEventStore, MIGRATIONS } from "./store.ts";

type Recommended = { id: number; category_id: string; subcategory: string; reason: string };

const list = async (market: TestMarket, path: string): Promise<Recommended[]> =>
  (await market.ask("recommendation-svc", `GET ${path}`)).body.items;
const view = (market: TestMarket, product_id: number, visitor: string) =>
  market.ask("recommendation-svc", "POST /events", {
    json: { type: "view", product_id },
    headers: { "x-forwarded-for": visitor },
  });
const buy = async (market: TestMarket, ...ids: number[]) => {
  const { session } = await market.register();
  const items = ids.map((product_id) => ({ product_id, quantity: 1 }));
  const { status } = await market.ask("order-svc", "POST /orders", {
    session,
    json: { items, shipping_address: ADDRESS },
  });
  assertEquals(status, 201);
};

eachShape(
  "a cold start recommends from the same shelf, and the best of every category",
  async (market) => {
    const product = (await market.ask("product-svc", "GET /products/17")).body;
    const related = await list(market, "/recommendations/17?per_page=50");
    assert(related.every((each) => each.id !== 17 && each.reason === "same_category"));
    assert(related.every((each) => each.category_id === product.category_id));
    const shelf = related.findIndex((each) => each.subcategory !== product.subcategory);
    assert(shelf > 5, "its own subcategory comes first");
    const trending = await list(market, "/trending?per_page=14");
    assertEquals(new Set(trending.map((each) => each.category_id)).size, 7);
    assert(trending.every((each) => each.reason === "popular"));
    const page = (await market.ask("recommendation-svc", "GET /trending?per_page=7&page=2")).body;
    assertEquals(page.items, trending.slice(7));
    assertEquals(page.total, 100);
  },
);

eachShape("what was bought together comes first, then what was viewed together", async (market) => {
  await buy(market, 17, 40);
  await buy(market, 17, 40, 60);
  await view(market, 80, "203.0.113.1");
  await view(market, 17, "203.0.113.1");
  await eventually(
    "both orders",
    async () => (await list(market, "/recommendations/17"))[2]?.id === 80,
  );
  const [first, second, third, fourth] = await list(market, "/recommendations/17");
  assertEquals([first?.id, first?.reason], [40, "bought_together"]);
  assertEquals([second?.id, second?.reason], [60, "bought_together"]);
  assertEquals([third?.id, third?.reason], [80, "viewed_together"]);
  assertEquals(fourth?.reason, "same_category");
  assertEquals((await list(market, "/trending"))[0]?.id, 17);
  assertEquals((await list(market, "/trending"))[0]?.reason, "trending");
  market.advance(9 * 24 * 3_600_000);
  assertEquals((await list(market, "/trending"))[0]?.reason, "popular");
});

eachShape("one visitor's reloading does not make a product trend", async (market) => {
  for (let time = 0; time < 20; time++) {
    assertEquals((await view(market, 30, "203.0.113.1")).status, 202);
  }
  await view(market, 31, "203.0.113.2");
  await view(market, 31, "203.0.113.3");
  assertEquals(
    (await list(market, "/trending")).slice(0, 2).map((each) => each.id),
    [31, 30],
  );
});

eachStore("purchase() counts an order once, however often it is told", async (place) => {
  const settings = { name: "recommendation-svc", migrations: MIGRATIONS };
  const [a, b] = [await openAt(place, settings), await openAt(place, settings)];
  const [first, second] = [createEventStore(a), createEventStore(b)];
  await Promise.all(
    Array.from({ length: 10 }, (_, at) => (at % 2 ? first : second).purchase("o-1", [2, 1, 3], 1)),
  );
  await second.purchase("o-2", [1, 3], 1);
  assertEquals(await first.pairs("bought", 1, 10), [3, 2]);
  assertEquals(await first.trending(0, 10), [1, 3, 2]);
  await Promise.all([a.close(), b.close()]);
});
