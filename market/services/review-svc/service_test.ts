import { assertEquals } from "@std/assert";
import { eachStore } from "../../kit/testing_stores.ts";
import {
  ADDRESS,
  type Buyer,
  eachShape,
  type TestMarket,
  withMarket,
} from "../../testing_market.ts";

const PRODUCT = 12;
const write = (market: TestMarket, { session }: Buyer, rating: number, product = PRODUCT) =>
  market.ask("review-svc", `POST /reviews/${product}`, {
    session,
    json: { rating, title: `${rating} stars`, body: "First line.\nSecond line." },
  });
const read = async (market: TestMarket, query = "") =>
  (await market.ask("review-svc", `GET /reviews/${PRODUCT}${query}`)).body;

eachShape("reviews: average, distribution, order, one a buyer", async (market) => {
  const nothing = await read(market);
  assertEquals([nothing.total, nothing.average_rating, nothing.review_count], [0, null, 0]);
  const ratings = [5, 4, 4, 1];
  for (const rating of ratings) {
    const buyer = await market.register(`Buyer ${"ABCDE"[rating - 1]}`);
    const made = await write(market, buyer, rating);
    assertEquals([made.status, made.body.author], [201, buyer.name]);
    const again = await write(market, buyer, 5);
    assertEquals([again.status, again.body.field], [409, "product_id"]);
    market.advance(1_000);
  }
  const all = await read(market);
  assertEquals(all.average_rating, 3.5);
  assertEquals(all.distribution, { 1: 1, 2: 0, 3: 0, 4: 2, 5: 1 });
  const stars = (body: { items: { rating: number }[] }) => body.items.map((each) => each.rating);
  assertEquals(stars(all), [1, 4, 4, 5]);
  assertEquals(stars(await read(market, "?sort=highest")), [5, 4, 4, 1]);
  assertEquals(stars(await read(market, "?sort=lowest")), [1, 4, 4, 5]);
  const second = await read(market, "?per_page=3&page=2");
  assertEquals([stars(second), second.total, second.total_pages], [[5], 4, 2]);
});

eachShape("the verified badge is for a buyer of this very product", async (market) => {
  const ada = await market.register();
  const eve = await market.register();
  await market.ask("order-svc", "POST /orders", {
    session: ada.session,
    json: { items: [{ product_id: PRODUCT, quantity: 1 }], shipping_address: ADDRESS },
  });
  assertEquals((await write(market, ada, 5)).body.verified, true);
  assertEquals((await write(market, ada, 5, PRODUCT + 1)).body.verified, false);
  assertEquals((await write(market, eve, 5)).body.verified, false);
});

eachStore(
  "a review written while order-svc is away gets its badge later",
  (place) =>
    withMarket(place, async (market) => {
      const ada = await market.register();
      await market.ask("order-svc", "POST /orders", {
        session: ada.session,
        json: { items: [{ product_id: PRODUCT, quantity: 1 }], shipping_address: ADDRESS },
      });
      market.down.add("order-svc");
      assertEquals((await write(market, ada, 5)).body.verified, false);
      assertEquals((await read(market)).items[0].verified, false);
      market.down.clear();
      assertEquals((await read(market)).items[0].verified, true);
    }),
);

eachStore(
  "reviews are shown while product-svc is away; unknown products are not",
  (place) =>
    withMarket(place, async (market) => {
      await write(market, await market.register(), 5);
      const unknown = await market.ask("review-svc", "GET /reviews/501");
      assertEquals([unknown.status, unknown.body.field], [404, "product_id"]);
      market.down.add("product-svc");
      assertEquals((await read(market)).total, 1);
      assertEquals((await market.ask("review-svc", "GET /reviews/99")).status, 503);
    }),
);
