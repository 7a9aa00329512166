import { assert, assertEquals, assertRejects } from "@std/assert";
import { openAt } from "./kit/testing_stores.ts";
import { createDirectory } from "./kit/directory.ts";
import type { ConfirmedOrder, Module } from "./kit/modules.ts";
import {
  cartsOverHttp,
  identityOverHttp,
  ordersToldOverHttp,
  postOverHttp,
  productsOverHttp,
  purchasesOverHttp,
  recommendationsOverHttp,
  stockOverHttp,
} from "./kit/over_http.ts";
import { Problem } from "./kit/problem.ts";
import { Revocations } from "./kit/revocations.ts";
import type { Surroundings } from "./kit/service.ts";
import { eventually, testSurroundings } from "./kit/testing.ts";
import { serveModules } from "./kit/wiring.ts";
import { createCarts } from "./services/cart-svc/module.ts";
import { createInventory } from "./services/inventory-svc/module.ts";
import { createOrders, MIGRATIONS } from "./services/order-svc/module.ts";
import { createProducts } from "./services/product-svc/module.ts";
import { createRecommendations } from "./services/recommendation-svc/module.ts";
import { createIdentity } from "./services/user-svc/module.ts";
import { ADDRESS } from "./testing_market.ts";

// What modules promise each other holds whether they are called or asked over HTTP: one suite, both
// adapters.

const TOKEN = "a-shared-secret";
const CHEAP = { cost: 2, blocks: 1, parallel: 1 };

/** How a module is reached: as it is, or through HTTP. */
type Reach = <Api>(
  around: Surroundings,
  module: Module<Api>,
  overHttp: (directory: ReturnType<typeof createDirectory>) => Api,
) => Api;

const REACHES: readonly (readonly [string, Reach])[] = [
  ["in process", (around, module) => (serve(around, module), module.api)],
  ["over HTTP", (around, module, overHttp) => {
    const fetch_ = serve(around, module);
    const env = (name: string) => name.endsWith("_URL") ? "http://module.test" : undefined;
    return overHttp(createDirectory({ env, fetch: fetch_, now: Date.now }, ["app"]));
  }],
];

let closers: (() => void | Promise<void>)[] = [];

/** Serves a module as its own program would; a `fetch` that reaches it. */
function serve(around: Surroundings, module: Module<unknown>): typeof fetch {
  const nowhere = createDirectory({ env: () => undefined, fetch, now: Date.now }, []);
  const service = serveModules(around, nowhere, [module], { callers: ["anybody"] });
  closers.push(() => service.close());
  return async (input, init) => await service.fetch(new Request(input, init));
}

const proof = () => Promise.resolve({ "x-service-token": TOKEN });

function bothWays(name: string, test: (around: Surroundings, reach: Reach) => Promise<void>): void {
  for (const [way, reach] of REACHES) {
    Deno.test(`${name} (${way})`, async () => {
      const folder = Deno.makeTempDirSync({ prefix: "market-" });
      closers = [];
      try {
        const env = { DATA_DIR: folder, SERVICE_TOKEN: TOKEN };
        await test(testSurroundings("module", { env }), reach);
      } finally {
        for (const close of closers) await close();
        Deno.removeSync(folder, { recursive: true });
      }
    });
  }
}

/** The problem that something meets: status, field, details. */
async function problemOf(work: Promise<unknown>) {
  const problem = await assertRejects(() => work, Error);
  if (!(problem instanceof Problem)) throw problem;
  const { status, field, details } = problem;
  return { status, field, details };
}

bothWays("Products", async (around, reach) => {
  const products = reach(around, createProducts(), (to) => productsOverHttp(to, "app"));
  const all = await products.all();
  assertEquals(all.size, 500);
  const some = await products.some([17, 3, 9_999]);
  assertEquals([...some.keys()].sort((a, b) => a - b), [3, 17]);
  assertEquals(some.get(17), all.get(17));
  assertEquals((await products.some([])).size, 0);
  assert((await products.picture(17)).startsWith("<svg"));
  const { status, field } = await problemOf(products.picture(9_999));
  assertEquals([status, field], [404, "id"]);
});

bothWays("Stock", async (around, reach) => {
  const module = await createInventory(around, { products: createProducts().api });
  const stock = reach(around, module, (to) => stockOverHttp(to, proof, "app"));
  await eventually(
    "there is stock",
    () => stock.reserve("first", [{ product_id: 1, quantity: 1 }]).then(() => true, () => false),
  );
  await stock.reserve("first", [{ product_id: 1, quantity: 1 }]);
  const short = await problemOf(stock.reserve("second", [
    { product_id: 2, quantity: 1 },
    { product_id: 1, quantity: 99 },
  ]));
  assertEquals([short.status, short.field], [409, "items[1].quantity"]);
  assertEquals(short.details, { product_id: 1, available: short.details.available });
  await stock.release("never-came");
  const late = await problemOf(stock.reserve("never-came", [{ product_id: 1, quantity: 1 }]));
  assertEquals([late.status, late.field], [409, "reservation_id"]);
  const ordered = await stock.reorder("turn-1");
  assert(ordered.length > 0);
  assertEquals(await stock.reorder("turn-1"), ordered);
});

bothWays("Carts", async (around, reach) => {
  const module = await createCarts(around, { products: createProducts().api });
  const carts = reach(around, module, (to) => cartsOverHttp(to, "app"));
  const service = serve(around, {
    ...module,
    routes: (kit, check) => module.routes({ ...kit, onClose: () => {} }, check),
  });
  const ask = async (path: string, json?: unknown) =>
    await (await service(`http://module.test${path}`, {
      method: "POST",
      body: json === undefined ? undefined : JSON.stringify(json),
    })).json();
  const { session } = await ask("/session");
  await ask(`/cart/${session}/items`, { product_id: 3, quantity: 2 });
  const pieces = (await carts.items(session)).map((
    { product_id, quantity },
  ) => [product_id, quantity]);
  assertEquals(pieces, [[3, 2]]);
  await carts.clear(session);
  assertEquals(await carts.items(session), []);
  const { status, field } = await problemOf(carts.items("x.y"));
  assertEquals([status, field], [401, "session"]);
});

const order: ConfirmedOrder = {
  id: crypto.randomUUID(),
  user_id: crypto.randomUUID(),
  items: [17, 40].map((product_id) => (
    { product_id, sku: "A", name: "Lamp", price: 1, quantity: 1, line_total: 1 }
  )),
  ...{ subtotal: 2, shipping: 0, tax: 0, total: 2 },
  shipping_address: ADDRESS,
  created_at: "2026-01-17T12:00:00.000Z",
};

bothWays("Purchases", async (around, reach) => {
  const database = await openAt({ folder: around.env("DATA_DIR")! }, {
    name: "order-svc",
    migrations: MIGRATIONS,
  });
  const nobody = {
    contact: () => Promise.reject(new Error()),
    letter: () => Promise.reject(new Error()),
    keys: () => Promise.resolve({ keys: [] }),
    revocations: () => Promise.resolve(new Revocations()),
  };
  const module = createOrders(around, database, {
    products: createProducts().api,
    stock: (await createInventory(around, { products: createProducts().api })).api,
    carts: (await createCarts(around, { products: createProducts().api })).api,
    identity: nobody,
    listeners: [],
  });
  const purchases = reach(around, module, (to) => purchasesOverHttp(to, proof, "app"));
  assertEquals(await purchases.bought(order.user_id, 17), false);
  await database.query(
    `insert into orders (id, user_id, idempotency_key, request, state, document, created_at)
     values (?, ?, 'key-0001', '', 'confirmed', '{}', 1)`,
    order.id,
    order.user_id,
  );
  await database.query("insert into order_items values (?, ?, 17, 1)", order.id, order.user_id);
  assertEquals(await purchases.bought(order.user_id, 17), true);
  assertEquals(await purchases.bought(order.user_id, 18), false);
});

bothWays("Recommendations", async (around, reach) => {
  const module = await createRecommendations(around, { products: createProducts().api });
  const recommendations = reach(
    around,
    module,
    (to) => recommendationsOverHttp(to, proof, "app"),
  );
  await eventually(
    "the catalogue is there",
    () => recommendations.confirmed(order).then(() => true, () => false),
  );
  await recommendations.confirmed(order);
  assertEquals(await recommendations.rebuild(), 2);
  const strange = { ...order, id: "o-2", items: [{ ...order.items[0]!, product_id: 9_999 }] };
  assertEquals((await problemOf(recommendations.confirmed(strange))).status, 404);
});

bothWays("Identity", async (around, reach) => {
  const post = { letter: () => Promise.resolve() };
  const staff = { email: "boss@shop.test", password: "a long sentence" };
  const module = await createIdentity(around, { post }, { cost: CHEAP, staff });
  const identity = reach(
    around,
    module,
    (to) => identityOverHttp(to, proof, Date.now, "app"),
  );
  assertEquals((await identity.keys()).keys.length, 1);
  assertEquals((await identity.revocations()).size, 0);
  const { status, field } = await problemOf(identity.contact(crypto.randomUUID()));
  assertEquals([status, field], [404, "id"]);
  assertEquals(await identity.letter(crypto.randomUUID()), undefined);
});

Deno.test("orders and letters are told over HTTP with keys of their own, and again when nobody answers", async () => {
  const told: string[] = [];
  let answers = 503;
  const fetch_: typeof fetch = async (input, init) => {
    const request = new Request(input, init);
    if (!request.url.endsWith("/jobs")) return new Response(null, { status: 404 });
    told.push((await request.json()).key);
    return Response.json({ error: "x", field: "y" }, { status: answers });
  };
  const directory = createDirectory({
    env: (name) => name === "APP_URL" ? "http://module.test" : undefined,
    fetch: fetch_,
    now: Date.now,
  }, ["app"]);
  const listener = ordersToldOverHttp(directory, proof, "app");
  const post = postOverHttp(directory, proof, "app");
  assertEquals((await problemOf(listener.confirmed(order))).status, 503);
  assertEquals((await problemOf(post.letter("1"))).status, 503);
  answers = 202;
  await listener.confirmed(order);
  await post.letter("1");
  assertEquals(new Set(told), new Set([`order-confirmed:${order.id}`, "letter:1"]));
});
