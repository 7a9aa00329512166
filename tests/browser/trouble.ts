// What happens to shoppers, and what the shop makes of it.

import { assertEquals, assertNotEquals } from "@std/assert";
import type { Page } from "playwright-core";

/** A product's page, and one piece of it in the cart. */
export async function oneInCart(page: Page, shopUrl: string): Promise<void> {
  await page.goto(`${shopUrl}/product/1`);
  await page.getByRole("button", { name: "Add to cart" }).click();
  await page.getByRole("link", { name: "Cart, 1 item" }).waitFor();
  await page.waitForLoadState("networkidle");
}

/** A browser that knows a cart of another shop that was at this address can shop all the same. */
export async function strangeCart(page: Page, shopUrl: string): Promise<void> {
  await page.goto(`${shopUrl}/cart`);
  const strange = `${"A".repeat(22)}.${"A".repeat(43)}`;
  const forge = `localStorage.setItem("market.cart", "${strange}")`;
  await page.evaluate(forge);
  await page.reload();
  await page.getByText("Nothing in here yet").waitFor();
  await page.evaluate(forge);
  await oneInCart(page, shopUrl);
}

/** With a signed-in page and a filled cart: a cart that is away is not told as empty. */
export async function cartAway(page: Page, shopUrl: string): Promise<void> {
  const cart = /\/api\/cart\//;
  await page.route(cart, (route) => route.fulfill({ status: 503, json: { error: "away" } }));
  for (const path of ["/checkout", "/cart"]) {
    await page.goto(shopUrl + path);
    await page.getByText("It is kept, and will be back.").waitFor();
  }
  await page.unroute(cart);
  await page.getByRole("button", { name: "Try again" }).click();
  await page.locator(".line").first().waitFor();
}

/** With the same: what was typed outlives a reload, and a session that ends. */
export async function reloadedCheckout(page: Page, shopUrl: string): Promise<void> {
  await page.goto(`${shopUrl}/checkout`);
  const street = page.getByLabel("Street and number");
  await street.fill("1 Row");
  await page.getByLabel("Country").selectOption("BE");
  await page.getByLabel("Express").check();
  await page.reload();
  await street.waitFor();
  assertEquals(await street.inputValue(), "1 Row");
  assertEquals(await page.getByLabel("Country").inputValue(), "BE");
  assertEquals(await page.getByLabel("Express").isChecked(), true);
  await page.getByLabel("Postal code").fill("1000");
  await page.getByLabel("City").fill("Brussels");
  await page.getByRole("button", { name: /^Place order/ }).click();
  await page.getByRole("heading", { level: 1, name: /^Thank you/ }).waitFor();
  // Back is not into the checkout of what was ordered.
  await page.goBack();
  await page.waitForURL((url) => url.pathname !== "/checkout");
}

/** What one window makes of the cart, the other does not order unseen. */
export async function twoWindows(page: Page, other: Page, shopUrl: string): Promise<void> {
  await oneInCart(page, shopUrl);
  await other.goto(`${shopUrl}/checkout`);
  const place = other.getByRole("button", { name: /^Place order/ });
  const promised = await place.textContent();
  await page.goto(`${shopUrl}/product/1`);
  await page.getByRole("button", { name: "Add to cart" }).click();
  await page.getByRole("link", { name: "Cart, 2 items" }).waitFor();
  await page.waitForLoadState("networkidle");
  await place.click();
  await other.getByRole("alert").getByText("Your cart was changed elsewhere.").waitFor();
  assertNotEquals(await place.textContent(), promised, "the button has the new total");
  await page.goto(`${shopUrl}/cart`);
  await page.getByRole("button", { name: /^Remove / }).click();
  await page.getByText("Nothing in here yet").waitFor();
  await page.waitForLoadState("networkidle");
  await place.click();
  await other.getByText("Nothing to check out").waitFor();
}
