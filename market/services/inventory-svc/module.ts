import { createPrng } from "../../../core/prng.ts";
import { followCatalogue } from "../../kit/catalogue.ts";
import { openFromEnv } from "../../kit/database.ts";
import { BULK_IDS, ID_MAX, LINE_QUANTITY, LINES } from "../../kit/limits.ts";
import type { Module, Products, Stock } from "../../kit/modules.ts";
import { badRequest, notFound } from "../../kit/problem.ts";
import type { Product } from "../../kit/product.ts";
import { page, pathInteger, readBody } from "../../kit/request.ts";
import type { Surroundings } from "../../kit/service.ts";
import { integer, list, shape, text } from "../../kit/validate.ts";
import { createStockStore, MIGRATIONS, type NewStock, type StockRow } from "./store.ts";

const WAREHOUSES = ["Rotterdam", "Leipzig", "Lyon", "Porto"];

const IDS = list(integer(1, ID_MAX), 1, BULK_IDS);
const RESERVATION_ID = text({ max: 64, pattern: /^[\w-]+$/, meaning: "of A-Za-z0-9_-" });
const RESERVE = shape({
  reservation_id: RESERVATION_ID,
  items: list(
    shape({ product_id: integer(1, ID_MAX), quantity: integer(1, LINE_QUANTITY) }),
    1,
    LINES,
  ),
});
const RELEASE = shape({ reservation_id: RESERVATION_ID });
const REORDER = shape({ key: RESERVATION_ID });

/** How much there is of everything; order-svc takes and gives back. */
export async function createInventory(
  around: Surroundings,
  { products }: { readonly products: Products },
): Promise<Module<Stock>> {
  const database = await openFromEnv(around.env, "inventory-svc", MIGRATIONS);
  const store = createStockStore(database);
  let stocked = await store.count() > 0;
  const catalogue = followCatalogue(products, async (products) => {
    if (await store.count() < products.size) {
      await store.add([...products.values()].map(firstStock));
    }
    stocked = true;
  });
  const api: Stock = {
    reserve: (id, items) => store.reserve(id, items, around.now()),
    release: (id) => store.release(id, around.now()),
    reorder: (key) => store.reorder(key, around.now()),
  };
  const routes: Module<Stock>["routes"] = (
    { app, readyWhen, onClose, metrics },
    ownServicesOnly,
  ) => {
    readyWhen(() => stocked ? undefined : catalogue.missing());
    onClose(() => catalogue.close());
    onClose(() => database.close());
    app.get("/stock/:id", async (c) => {
      const id = pathInteger(c, "id");
      const [found] = await store.find([id]);
      if (!found) throw notFound("id", `there is no product ${id}`);
      return c.json(shown(found));
    });
    app.post("/stock/bulk", async (c) => {
      const ids = await readBody(c, IDS);
      const found = new Map((await store.find(ids)).map((each) => [each.product_id, each]));
      const items = ids.map((id, at) => {
        const each = found.get(id);
        if (!each) throw notFound(`body[${at}]`, `there is no product ${id}`);
        return shown(each);
      });
      return c.json(page(items, items.length, { page: 1, perPage: BULK_IDS }));
    });
    app.post("/stock/reserve", async (c) => {
      await ownServicesOnly(c);
      const { reservation_id, items } = await readBody(c, RESERVE);
      refuseTwice(items);
      await api.reserve(reservation_id, items);
      metrics.count("market_reservations_total", "Reservations that were granted.");
      return c.json({ reservation_id, items }, 201);
    });
    app.post("/stock/release", async (c) => {
      await ownServicesOnly(c);
      const { reservation_id } = await readBody(c, RELEASE);
      await api.release(reservation_id);
      metrics.count("market_releases_total", "Reservations that were given back.");
      return c.json({ reservation_id });
    });
    app.post("/stock/reorder", async (c) => {
      await ownServicesOnly(c);
      const { key } = await readBody(c, REORDER);
      return c.json({ ordered: await api.reorder(key) });
    });
  };
  return { api, routes };
}

function refuseTwice(items: readonly { product_id: number }[]): void {
  const seen = new Set<number>();
  for (const [at, { product_id }] of items.entries()) {
    if (seen.has(product_id)) {
      throw badRequest(`items[${at}].product_id`, `product ${product_id} is listed twice`);
    }
    seen.add(product_id);
  }
}

function shown(stock: StockRow) {
  const available = stock.quantity - stock.reserved;
  const status = available === 0
    ? "out_of_stock"
    : available <= stock.reorder_point
    ? "low_stock"
    : "in_stock";
  return {
    product_id: stock.product_id,
    sku: stock.sku,
    quantity: stock.quantity,
    reserved: stock.reserved,
    available,
    warehouse: stock.warehouse,
    reorder_point: stock.reorder_point,
    status,
  };
}

/** What a product starts with: nothing if it is not carried, now and then little. */
function firstStock({ id, sku, in_stock }: Product): NewStock {
  const prng = createPrng(id * 31);
  const quantity = prng.below(12) === 0 ? 1 + prng.below(8) : 24 + prng.below(200);
  return {
    product_id: id,
    sku,
    quantity: in_stock ? quantity : 0,
    warehouse: WAREHOUSES[prng.below(WAREHOUSES.length)]!,
    reorder_point: 8 + prng.below(8),
  };
}
