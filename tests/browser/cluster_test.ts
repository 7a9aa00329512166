// The shop on a real cluster, through its ingress: a visit, a visit while everything is killed and
// started again under it, and the loss of the node on which carts and their like are at home.

import { assert, assertEquals } from "@std/assert";
import type { Browser, Page } from "playwright-core";
import { SHAPES } from "../../market/launch.ts";
import { haveChromium, launch } from "./browser.ts";
import { ClusterShop } from "./cluster_shop.ts";
import { forgotten, signIn } from "./forgotten.ts";
import { journey, type Step, type Visit } from "./journey.ts";
import { visitor } from "./pages.ts";
import { refusals } from "./refusals.ts";

const chromium = await haveChromium();

/** How long a page may take to show what is there while a node is away, ms. */
const PATIENCE_MS = 30_000;

for (const shape of ["nine", "five"] as const) {
  Deno.test({
    name: `SovereignMarket as ${shape} on a cluster, in a browser`,
    ignore: !chromium,
    // Chromium's driver keeps handles of its own until the process ends.
    sanitizeResources: false,
    sanitizeOps: false,
  }, async (t) => {
    await using shop = await ClusterShop.start(shape);
    const browser = await launch();
    try {
      await t.step(
        "journey() through the ingress, and in again with a forgotten password",
        async () => {
          const { shopper } = await onNewDevice(browser, (page) => journey(page, shop.url));
          await onNewDevice(
            browser,
            (page) => forgotten(page, shop.url, shop.mails, shopper, "a forgotten sentence"),
          );
        },
      );
      await t.step("what is wrong with a request is refused and named", () => refusals(shop.url));
      await t.step(
        "journey() loses nothing while every replica and one node are killed under it",
        () => killedUnderWay(browser, shop),
      );
      // In the other shape the shop as a whole is at home where its carts are.
      if (shape === "nine") {
        await t.step(
          "the home of the carts goes away and comes back: the cart page says so, then all is there",
          () => homeLost(browser, shop),
        );
      }
    } finally {
      await browser.close();
    }
    await shop.stop();
  });
}

/** Runs `visit` in a browser that knows nothing of the shop. */
async function onNewDevice<T>(browser: Browser, visit: (page: Page) => Promise<T>): Promise<T> {
  const context = await visitor(browser, 1280, "light");
  try {
    return await visit(await context.newPage());
  } finally {
    await context.close();
  }
}

/** The first replica of every program, then the second of every program that has one. */
async function killedIn(shop: ClusterShop): Promise<readonly string[]> {
  const there = new Set((await shop.replicas()).map(({ replica }) => replica));
  return [1, 2].flatMap((index) => SHAPES[shop.shape].map((program) => `${program}.${index}`))
    .filter((replica) => there.has(replica));
}

/** After these steps some of them are killed; after "check out" a whole node. */
const KILLS: readonly Step[] = ["browse", "filter", "search", "add to cart", "sign up"];

async function killedUnderWay(browser: Browser, shop: ClusterShop): Promise<void> {
  const all = (await shop.replicas()).map((replica) => replica.pid!);
  const killed = await killedIn(shop);
  const atOnce = Math.ceil(killed.length / KILLS.length);
  const gone = new Set<number>();
  const visit = await onNewDevice(browser, (page) =>
    journey(page, shop.url, async (done) => {
      // The next step begins at once, with what is left. Only the killing waits for the last one's
      // victims, so that a service always has one replica.
      await shop.recovered(gone);
      const turn = KILLS.indexOf(done);
      const replicas = turn < 0 ? [] : killed.slice(turn * atOnce, (turn + 1) * atOnce);
      for (const pid of await shop.killReplicas(replicas)) gone.add(pid);
      if (done !== "check out") return;
      const homes = shop.shape === "nine" ? ["order-svc", "cart-svc"] : ["core-api"];
      const node = await nodeBeside(shop, homes);
      for (const pid of await shop.killNode(node)) gone.add(pid);
    }));
  assertEquals(all.filter((pid) => !gone.has(pid)), [], "every replica was killed");
  await nothingLost(browser, shop, visit);
}

/** A node that is home to none of these. */
async function nodeBeside(shop: ClusterShop, apps: readonly string[]): Promise<string> {
  const homes = new Set(await Promise.all(apps.map((app) => shop.homeOf(app))));
  const node = ["node-1", "node-2", "node-3"].find((each) => !homes.has(each));
  assert(node !== undefined, `${apps.join(" and ")} are on ${[...homes].join(" and ")}`);
  return node;
}

/** Account, order and review of a visit are all there, for somebody who comes anew. */
async function nothingLost(browser: Browser, shop: ClusterShop, visit: Visit): Promise<void> {
  await onNewDevice(browser, async (page) => {
    await page.goto(`${shop.url}/sign-in?next=/orders`);
    await signIn(page, visit.shopper.email, visit.shopper.password);
    const row = page.locator(".order-row");
    await row.first().waitFor();
    assertEquals(await row.count(), 1, "one order");
    assert((await row.textContent())?.includes(visit.total), `its total is ${visit.total}`);
    await row.getByRole("link").click();
    await page.getByText(visit.orderId).waitFor();
    await page.goto(shop.url + visit.productPath);
    const mine = page.locator(".entry", { hasText: visit.headline });
    await mine.getByText("Verified buyer").waitFor();
    assertEquals(await mine.count(), 1, "one review");
  });
}

async function homeLost(browser: Browser, shop: ClusterShop): Promise<void> {
  const visit = await onNewDevice(browser, async (page) => {
    const visit = await journey(page, shop.url);
    await page.getByRole("button", { name: "Add to cart", exact: true }).click();
    await page.getByRole("link", { name: "Cart, 1 item" }).waitFor();
    await page.waitForLoadState("networkidle");

    const home = await shop.homeOf("cart-svc");
    const gone = new Set(await shop.takeAway(home));
    try {
      await page.goto(`${shop.url}/cart`);
      await page.getByText("It is kept, and will be back.").waitFor({ timeout: PATIENCE_MS });
      await page.goto(`${shop.url}/catalog?category=electronics`);
      await page.locator(".results .card").first().waitFor({ timeout: PATIENCE_MS });
    } finally {
      await shop.bringBack(home);
    }
    await shop.recovered(gone);
    await page.goto(`${shop.url}/cart`);
    await page.getByRole("link", { name: "Cart, 1 item" }).waitFor();
    await page.locator(".line").first().waitFor();
    return visit;
  });
  await nothingLost(browser, shop, visit);
}
