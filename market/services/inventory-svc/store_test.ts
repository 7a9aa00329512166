import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { Problem } from "../../kit/problem.ts";
import { eachStore, openAt, type StorePlace } from "../../kit/testing_stores.ts";
import { createStockStore, MIGRATIONS, type NewStock, type StockStore } from "./store.ts";

const stockOf = (product_id: number, quantity: number): NewStock => ({
  product_id,
  sku: `SKU-${product_id}`,
  quantity,
  warehouse: "Porto",
  reorder_point: 2,
});

async function withStore(
  place: StorePlace,
  test: (store: StockStore, second: StockStore) => Promise<void>,
): Promise<void> {
  const settings = { name: "inventory-svc", migrations: MIGRATIONS };
  const databases = [await openAt(place, settings), await openAt(place, settings)] as const;
  try {
    await test(createStockStore(databases[0]), createStockStore(databases[1]));
  } finally {
    for (const each of databases) await each.close();
  }
}

const reserved = async (store: StockStore, id: number) => (await store.find([id]))[0]?.reserved;

eachStore("add() keeps what is known", (place) =>
  withStore(place, async (store, second) => {
    await Promise.all([store.add([stockOf(1, 5)]), second.add([stockOf(1, 5), stockOf(2, 1)])]);
    await store.reserve("r", [{ product_id: 1, quantity: 2 }], 1);
    await second.add([stockOf(1, 99)]);
    assertEquals((await store.find([1]))[0], { ...stockOf(1, 5), reserved: 2 });
    assertEquals(await store.count(), 2);
  }));

eachStore(
  "reserve() and release() are safe to repeat",
  (place) =>
    withStore(place, async (store, second) => {
      await store.add([stockOf(1, 5)]);
      const items = [{ product_id: 1, quantity: 2 }];
      for (let time = 0; time < 3; time++) await second.reserve("r", items, 1);
      assertEquals(await reserved(store, 1), 2);
      for (let time = 0; time < 3; time++) await store.release("r", 2);
      assertEquals(await reserved(store, 1), 0);
      await assertRejects(() => store.reserve("r", items, 3), Problem, "has been released");
      await store.release("never-came", 3);
      await assertRejects(() => store.reserve("never-came", items, 4), Problem, "released");
      assertEquals(await reserved(store, 1), 0);
    }),
);

eachStore(
  "reserve() of what is not there names the item and takes nothing",
  (place) =>
    withStore(place, async (store) => {
      await store.add([stockOf(1, 5), stockOf(2, 1)]);
      const ask = (product_id: number, quantity: number) =>
        store.reserve(
          crypto.randomUUID(),
          [{ product_id: 2, quantity: 1 }, { product_id, quantity }],
          1,
        );
      const short = await assertRejects(() => ask(1, 6), Problem) as Problem;
      assertEquals([short.status, short.field, short.details], [409, "items[1].quantity", {
        product_id: 1,
        available: 5,
      }]);
      const unknown = await assertRejects(() => ask(9, 1), Problem) as Problem;
      assertEquals([unknown.status, unknown.field], [404, "items[1].product_id"]);
      assertEquals([await reserved(store, 1), await reserved(store, 2)], [0, 0]);
    }),
);

eachStore("whatever is reserved and released, the books balance", async (place) => {
  await withStore(place, async (store, second) => {
    const quantities = [4, 7, 0, 12];
    await store.add(quantities.map((quantity, at) => stockOf(at + 1, quantity)));
    let run = 0;
    const line = fc.record({
      product_id: fc.integer({ min: 1, max: 4 }),
      quantity: fc.integer({ min: 1, max: 5 }),
    });
    const lines = fc.uniqueArray(line, {
      selector: (each) => each.product_id,
      minLength: 1,
      maxLength: 4,
    });
    const action = fc.record({ id: fc.integer({ min: 0, max: 6 }), lines, release: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 25 }), async (actions) => {
        const prefix = `run${run++}-`;
        const held = new Map<number, typeof actions[number]["lines"]>();
        const gone = new Set<number>();
        for (const [at, { id, lines, release }] of actions.entries()) {
          const replica = at % 2 ? store : second;
          if (release) {
            await replica.release(prefix + id, at);
            held.delete(id);
            gone.add(id);
            continue;
          }
          const fits = lines.every(({ product_id, quantity }) =>
            quantity + taken(held, product_id) <= quantities[product_id - 1]!
          );
          const done = await replica.reserve(prefix + id, lines, at).then(() => true, () => false);
          assertEquals(done, held.has(id) || (fits && !gone.has(id)));
          if (done && !held.has(id)) held.set(id, lines);
        }
        for (const row of await store.find([1, 2, 3, 4])) {
          assertEquals(row.reserved, taken(held, row.product_id));
        }
        for (const id of held.keys()) await store.release(prefix + id, 0);
      }),
      { numRuns: 30 },
    );
  });
});

function taken(
  held: ReadonlyMap<number, readonly { product_id: number; quantity: number }[]>,
  product: number,
): number {
  return [...held.values()].flat()
    .filter((each) => each.product_id === product)
    .reduce((sum, each) => sum + each.quantity, 0);
}
