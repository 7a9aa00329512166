// What happens to shoppers on the way: a cart of another shop, one that is away, a reload in the
// middle of a checkout, two windows.

import { haveChromium, launch } from "./browser.ts";
import { registering } from "./forms.ts";
import { visitor } from "./pages.ts";
import { startShop } from "./shop.ts";
import { cartAway, reloadedCheckout, strangeCart, twoWindows } from "./trouble.ts";

Deno.test({
  name: "a shopper in trouble loses nothing and orders nothing unseen",
  ignore: !await haveChromium(),
  // Chromium's driver keeps handles of its own until the process ends.
  sanitizeResources: false,
  sanitizeOps: false,
}, async (t) => {
  const shop = await startShop();
  const browser = await launch();
  try {
    const context = await visitor(browser, 390, "light");
    const page = await context.newPage();
    await t.step("a cart that the shop does not know", () => strangeCart(page, shop.url));
    await registering(page, shop.url);
    await t.step("a cart that is away", () => cartAway(page, shop.url));
    await t.step("a reload in the middle of a checkout", () => reloadedCheckout(page, shop.url));
    const other = await context.newPage();
    await t.step("two windows", () => twoWindows(page, other, shop.url));
    await context.close();
  } finally {
    await browser.close();
    await shop.close();
  }
});
