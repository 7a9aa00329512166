import { assert, assertEquals } from "@std/assert";
import { eventually } from "../../kit/testing.ts";
import { ADDRESS, withMarket } from "../../testing_market.ts";

const AHEAD = ["GET identity-provider/api/keys", "GET identity-provider/api/revoked"];

Deno.test("in one process a checkout asks no other program but who is signed in", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "market-" });
  try {
    await withMarket({ folder }, async (market) => {
      const buyer = await market.register();
      const { session } = (await market.ask("cart-svc", "POST /session")).body;
      await market.ask("cart-svc", `POST /cart/${session}/items`, {
        json: { product_id: 3, quantity: 2 },
      });
      const placed = await market.ask("order-svc", "POST /orders", {
        session: buyer.session,
        json: { cart_session: session, shipping_address: ADDRESS },
      });
      assertEquals(placed.status, 201, JSON.stringify(placed.body));
      assertEquals((await market.ask("cart-svc", `GET /cart/${session}`)).body.items, []);
      const stock = (await market.ask("inventory-svc", "GET /stock/3")).body;
      assertEquals(stock.reserved, 2);
      const asked = new Set(market.calls.map((call) => call.split(" ")[1]));
      assert(asked.delete("identity-provider/api/keys"));
      assert(asked.delete("identity-provider/api/revoked"));
      // What can wait was handed to the worker, which asked back whether it was us.
      for (const after of ["async-worker/api/jobs", "core-api/keys"]) asked.delete(after);
      assertEquals([...asked], []);
    }, "five");
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("the front has the root, the API stands under /api, nothing of either in the other", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "market-" });
  try {
    await withMarket({ folder }, async ({ services }) => {
      const ask = async (path: string) => {
        const response = await services["core-api"].fetch(new Request(`http://shop.test${path}`));
        return [response.status, response.headers.get("content-type"), await response.text()];
      };
      const [status, type] = await ask("/api/search?q=lamp");
      assertEquals([status, type], [200, "application/json"]);
      const [page] = await ask("/search?q=lamp");
      const [, , text] = await ask("/orders");
      assert(page === 200 || page === 503, "the front's page, or that it is not built");
      assert(!String(text).includes("sign in first"), "no API answers at the root");
    }, "five");
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("who signed in before the identity provider went away can still order", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "market-" });
  try {
    await withMarket({ folder }, async (market) => {
      const buyer = await market.register();
      await eventually(
        "core-api has the keys, and knows who has signed out",
        () => AHEAD.every((call) => market.calls.includes(call)),
      );
      market.down.add("identity-provider");
      const placed = await market.ask("order-svc", "POST /orders", {
        session: buyer.session,
        json: { items: [{ product_id: 3, quantity: 1 }], shipping_address: ADDRESS },
      });
      assertEquals(placed.status, 201, JSON.stringify(placed.body));
    }, "five");
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
