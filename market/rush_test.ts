import { assert, assertEquals } from "@std/assert";
import { eventually } from "./kit/testing.ts";
import { eachStore, openAt, placeEnv, type StorePlace } from "./kit/testing_stores.ts";
import { launch, type ProgramName, type Running, type Shape } from "./launch.ts";
import { MIGRATIONS } from "./services/inventory-svc/store.ts";
import { ADDRESS } from "./testing_market.ts";
import { ready, startTower, stop, type TestTower } from "./testing_programs.ts";

// The programs over real sockets, two replicas each of what matters, found through a tower.

const PRODUCT = 10;
const ON_SALE = 50;
const BUYERS = 200;

interface Rush {
  readonly tower: TestTower;
  start(service: ProgramName, replicas: number): Promise<string[]>;
  readonly running: Running[];
}

async function withPrograms(place: StorePlace, test: (rush: Rush) => Promise<void>): Promise<void> {
  const tower = startTower();
  const running: Running[] = [];
  const env = { DATA_DIR: "/tmp/market-unused", ...placeEnv(place), SKR8TR_TOWER: tower.url };
  try {
    await test({
      tower,
      running,
      async start(service, replicas) {
        const started = Array.from(
          { length: replicas },
          (_, at) =>
            launch(service, { host: "127.0.0.1", port: 0, replica: `${service}-${at}`, env }),
        );
        running.push(...started);
        const urls = await Promise.all(started.map(ready));
        tower.endpoints.set(service, urls);
        return urls;
      },
    });
  } finally {
    await Promise.all(running.map(stop));
    await tower.stop();
  }
}

/** Puts exactly so many pieces on sale. */
async function setStock(place: StorePlace, product: number, quantity: number): Promise<void> {
  const database = await openAt(place, { name: "inventory-svc", migrations: MIGRATIONS });
  await database.query(
    "update stock set quantity = ?, reserved = 0 where product_id = ?",
    quantity,
    product,
  );
  await database.close();
}

async function signUp(user: string): Promise<{ id: string; session: string }> {
  const response = await fetch(`${user}/register`, {
    method: "POST",
    body: JSON.stringify({ email: "ada@shop.test", name: "Ada", password: "correct horse" }),
  });
  const body = await response.json();
  assertEquals(response.status, 201);
  return { id: body.user.id, session: body.session };
}

/** What is rushed at, and where each of its parts is then. */
interface Rushed {
  readonly user: string;
  readonly stocks: readonly string[];
  readonly orders: readonly string[];
}

const RUSHED: Readonly<Record<Shape, (start: Rush["start"]) => Promise<Rushed>>> = {
  async nine(start) {
    await start("product-svc", 1);
    const [user] = await start("user-svc", 1);
    const stocks = await start("inventory-svc", 2);
    return { user: user!, stocks, orders: await start("order-svc", 2) };
  },
  async five(start) {
    const [identity] = await start("identity-provider", 1);
    const cores = (await start("core-api", 2)).map((url) => `${url}/api`);
    return { user: `${identity}/api`, stocks: cores, orders: cores };
  },
};

for (const [shape, startFor] of Object.entries(RUSHED)) {
  eachStore(
    `${BUYERS} concurrent orders for ${ON_SALE} pieces sell exactly ${ON_SALE}, by the ${shape}`,
    (place) =>
      withPrograms(place, async ({ start }) => {
        const { user, stocks, orders } = await startFor(start);
        await setStock(place, PRODUCT, ON_SALE);
        const { id, session } = await signUp(user);
        const headers = { authorization: `Bearer ${session}` };
        const json = JSON.stringify({
          items: [{ product_id: PRODUCT, quantity: 1 }],
          shipping_address: ADDRESS,
        });
        const answers = await Promise.all(Array.from({ length: BUYERS }, async (_, at) => {
          const url = orders[at % 2]!;
          const response = await fetch(`${url}/orders`, { method: "POST", headers, body: json });
          return {
            status: response.status,
            replica: response.headers.get("x-replica"),
            body: await response.json(),
          };
        }));
        const sold = answers.filter((each) => each.status === 201);
        const refused = answers.filter((each) => each.status === 409);
        const others = answers.filter((each) => each.status !== 201 && each.status !== 409);
        assertEquals(others, []);
        assertEquals([sold.length, refused.length], [ON_SALE, BUYERS - ON_SALE]);
        assertEquals(new Set(answers.map((each) => each.replica)).size, 2);
        assert(refused.every((each) => each.body.field === "items[0].quantity"));
        for (const url of stocks) {
          const stock = await (await fetch(`${url}/stock/${PRODUCT}`)).json();
          assertEquals([stock.quantity, stock.reserved, stock.available], [ON_SALE, ON_SALE, 0]);
          assertEquals(stock.status, "out_of_stock");
        }
        for (const url of orders) {
          const list = await (await fetch(`${url}/orders/user/${id}`, { headers })).json();
          assertEquals(list.total, ON_SALE);
        }
      }),
  );
}

eachStore(
  "a cart is the same on every replica and outlives the kill of all of them",
  (place) =>
    withPrograms(place, async ({ start, running }) => {
      await start("product-svc", 2);
      let carts = await start("cart-svc", 2);
      const made = await fetch(`${carts[0]}/session`, { method: "POST" });
      const { session } = await made.json();
      for (let product_id = 1; product_id <= 6; product_id++) {
        const response = await fetch(`${carts[product_id % 2]}/cart/${session}/items`, {
          method: "POST",
          body: JSON.stringify({ product_id, quantity: product_id }),
        });
        assertEquals((await response.json()).items.length, product_id);
      }
      const shown = async (url: string) => await (await fetch(`${url}/cart/${session}`)).json();
      const before = await shown(carts[0]!);
      assertEquals(before.item_count, 21);
      assertEquals(await shown(carts[1]!), before);
      for (const each of running.filter(({ service }) => service === "cart-svc")) {
        each.kill("SIGKILL");
        await each.status;
      }
      carts = await start("cart-svc", 2);
      assertEquals(await shown(carts[0]!), before);
      assertEquals(await shown(carts[1]!), before);
    }),
);

Deno.test("SIGTERM lets a request under way finish and takes no new ones", async () => {
  const place = { folder: Deno.makeTempDirSync({ prefix: "market-" }) };
  try {
    await withPrograms(place, async ({ start, running }) => {
      const [user] = await start("user-svc", 1);
      const program = running.at(-1)!;
      // Hashing a password takes long enough to be interrupted.
      const signingUp = signUp(user!);
      await eventually("it is at work", async () => {
        const metrics = await (await fetch(`${user}/metrics`)).text();
        // The question itself is one.
        return /^http_requests_under_way\{.*\} 2$/m.test(metrics);
      });
      program.kill("SIGTERM");
      assert((await signingUp).session);
      assertEquals((await program.status).code, 0);
      await fetch(`${user}/health`).then(
        () => {
          throw new Error("it still accepts");
        },
        (error) => assert(error instanceof TypeError),
      );
    });
  } finally {
    Deno.removeSync(place.folder, { recursive: true });
  }
});
