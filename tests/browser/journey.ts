// One shopper's whole visit: browse, filter, search with a typo, fill the cart, sign up, check out,
// find the order, review what was bought, take another password. Every step asserts what the shopper sees. It runs against
// any shop with the market's 500 products, also while its services are restarted: `between` is
// called after each step and may do to the shop what it likes.

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Page } from "playwright-core";

export type Step =
  | "browse"
  | "filter"
  | "search"
  | "add to cart"
  | "sign up"
  | "check out"
  | "see the order"
  | "review"
  | "change the password";

export interface Shopper {
  readonly name: string;
  readonly email: string;
  readonly password: string;
}

/** What the visit came to (the shopper with the password they have by then), for those who want to look again later. */
export interface Visit {
  readonly shopper: Shopper;
  readonly orderId: string;
  /** The order's total as the confirmation showed it: `$118.97`. */
  readonly total: string;
  readonly productPath: string;
  /** Of the review. */
  readonly headline: string;
}

/** A shopper nobody has been before. */
export function newShopper(): Shopper {
  const id = crypto.randomUUID().slice(0, 8);
  return { name: "Ada Byron", email: `ada.${id}@example.org`, password: "a long sentence" };
}

/** The whole visit on a fresh page. Throws where the shop does not do what it should. */
export async function journey(
  page: Page,
  shopUrl: string,
  between: (done: Step) => Promise<void> = () => Promise.resolve(),
): Promise<Visit> {
  const shopper = newShopper();
  await browse(page, shopUrl);
  await between("browse");
  await filter(page);
  await between("filter");
  const productPath = await searchWithTypo(page);
  await between("search");
  await addToCart(page);
  await between("add to cart");
  await signUp(page, shopper);
  await between("sign up");
  const { orderId, total } = await checkOut(page);
  await between("check out");
  await seeOrder(page, orderId, total);
  await between("see the order");
  const headline = await review(page, productPath, shopper);
  await between("review");
  const password = "another long sentence";
  await changePassword(page, shopper, password);
  await between("change the password");
  return { shopper: { ...shopper, password }, orderId, total, productPath, headline };
}

async function browse(page: Page, shopUrl: string): Promise<void> {
  await page.goto(`${shopUrl}/`);
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.getByRole("region", { name: "Picked by the house" }).getByRole("article").first()
    .waitFor();
  const categories = page.getByRole("navigation", { name: "Categories" }).getByRole("link");
  await page.getByRole("link", { name: "Electronics", exact: true }).waitFor();
  assertEquals(await categories.count(), 8, "seven categories and the link to all");
}

async function filter(page: Page): Promise<void> {
  await page.getByRole("navigation", { name: "Categories" })
    .getByRole("link", { name: "Electronics" }).click();
  await page.getByRole("heading", { level: 1, name: "Electronics" }).waitFor();
  const before = await shownCount(page, "goods");
  await openFilters(page);
  await page.getByRole("textbox", { name: "Lowest price, dollars" }).fill("50");
  await page.getByRole("textbox", { name: "Highest price, dollars" }).fill("150");
  await page.getByRole("button", { name: "Go", exact: true }).click();
  await page.waitForURL(/min_price=5000/);
  await page.locator(".results .loaded[aria-busy=false]").waitFor();
  const after = await shownCount(page, "goods");
  assert(after > 0 && after < before, `filtering by price: ${before} goods, then ${after}`);

  await page.getByLabel("Sort by").selectOption("price_asc");
  await page.waitForURL(/sort=price_asc/);
  await page.locator(".results .loaded[aria-busy=false]").waitFor();
  const prices = await cardPrices(page);
  assertEquals(prices, prices.toSorted((a, b) => a - b), "sorted by price");
  assert(prices.every((price) => price >= 5000 && price <= 15000), `prices ${prices}`);
}

/** On a phone the filters are behind a button. */
async function openFilters(page: Page): Promise<void> {
  const toggle = page.getByRole("button", { name: /^Filters/ });
  if (await toggle.isVisible()) await toggle.click();
}

async function shownCount(page: Page, noun: string): Promise<number> {
  const text = await page.locator(".count", { hasText: noun }).textContent();
  return Number(/\d+/.exec(text ?? "")?.[0] ?? NaN);
}

/** Prices of the cards on the page, in cents. */
async function cardPrices(page: Page): Promise<number[]> {
  const texts = await page.locator(".results .card .price").allTextContents();
  return texts.map((text) => Math.round(Number(text.replace(/[$,]/g, "")) * 100));
}

async function searchWithTypo(page: Page): Promise<string> {
  await page.getByRole("searchbox").fill("hedphones");
  await page.getByRole("searchbox").press("Enter");
  await page.waitForURL(/\/search\?q=hedphones/);
  const cards = page.getByRole("region", { name: "Results" }).getByRole("article");
  await cards.first().waitFor();
  assertMatch(await cards.first().textContent() ?? "", /headphones/i);
  const marked = await page.locator(".results mark").first().textContent();
  assertMatch(marked ?? "", /headphones/i);
  const inStock = cards.filter({ hasNotText: "Sold out" }).first();
  const link = inStock.getByRole("link");
  const path = await link.getAttribute("href");
  await link.click();
  await page.getByRole("button", { name: "Add to cart" }).waitFor();
  assert(path !== null && /^\/product\/\d+$/.test(path), `a product's path: ${path}`);
  return path;
}

async function addToCart(page: Page): Promise<void> {
  await page.getByRole("button", { name: "One more" }).click();
  await page.getByRole("button", { name: "Add to cart" }).click();
  // The optimistic cart shows two at once; the reload shows what the service has.
  await page.getByRole("link", { name: "Cart, 2 items" }).waitFor();
  const confirmed = page.waitForResponse((response) =>
    response.url().includes("/api/cart/") && response.request().method() === "GET" && response.ok()
  );
  await page.getByRole("link", { name: "Cart, 2 items" }).click();
  await page.getByRole("heading", { level: 1, name: "Your cart" }).waitFor();
  await settle(page);
  await page.reload();
  await confirmed;
  await page.getByRole("link", { name: "Cart, 2 items" }).waitFor();
  assertEquals(await page.getByRole("textbox", { name: "Quantity" }).inputValue(), "2");
}

/** Until nothing the page asked for is still on its way. */
async function settle(page: Page): Promise<void> {
  await page.waitForLoadState("networkidle");
}

async function signUp(page: Page, shopper: Shopper): Promise<void> {
  await page.getByRole("link", { name: "Check out" }).click();
  await page.waitForURL(/\/sign-in\?next=/);
  await page.getByRole("button", { name: "I am new" }).click();
  await page.getByLabel("Your name").fill(shopper.name);
  await page.getByLabel("Email").fill(shopper.email);
  await page.getByLabel("Password").fill(shopper.password);
  await page.getByRole("button", { name: "Create account" }).click();
  await page.waitForURL((url) => url.pathname === "/checkout");
}

async function checkOut(page: Page): Promise<{ orderId: string; total: string }> {
  await page.getByRole("button", { name: /^Place order/ }).click();
  await page.getByText("Enter a street and number.").waitFor();
  await page.getByLabel("Street and number").fill("12 St James's Square");
  await page.getByLabel("Postal code").fill("SW1Y 4JH");
  await page.getByLabel("City").fill("London");
  await page.getByLabel("Country").selectOption("GB");
  await page.getByLabel("Express").check();
  const button = page.getByRole("button", { name: /^Place order/ });
  const promised = /\$[\d,.]+/.exec(await button.textContent() ?? "")?.[0];
  await button.click();
  await page.waitForURL(/\/orders\/[^/]+\?placed=1$/);
  await page.getByRole("heading", { level: 1, name: /^Thank you/ }).waitFor();
  const total = await page.locator(".totals .total dd").textContent() ?? "";
  assertEquals(total, promised, "the order costs what the button said");
  await page.getByRole("link", { name: "Cart, 0 items" }).waitFor();
  const orderId = new URL(page.url()).pathname.split("/").at(-1)!;
  return { orderId: decodeURIComponent(orderId), total };
}

async function seeOrder(page: Page, orderId: string, total: string): Promise<void> {
  await page.locator("summary").click();
  await page.getByRole("link", { name: "Your orders" }).first().click();
  await page.getByRole("heading", { level: 1, name: "Your orders" }).waitFor();
  const row = page.locator(".order-row");
  await row.first().waitFor();
  assertEquals(await row.count(), 1);
  assertMatch(await row.textContent() ?? "", /2 pieces/);
  assert((await row.textContent())?.includes(total), `the list shows ${total}`);
  await row.getByRole("link").click();
  await page.getByText(orderId).waitFor();
  await page.getByText("12 St James's Square").waitFor();
}

async function review(page: Page, productPath: string, shopper: Shopper): Promise<string> {
  const headline = `Better & quieter than "the old ones", ${shopper.email.slice(4, 8)}`;
  await page.getByRole("link", { name: /^Review / }).click();
  await page.waitForURL((url) => url.pathname === productPath);
  const form = page.locator(".review-form");
  const publish = form.getByRole("button", { name: "Publish review" });
  await form.getByLabel("4 stars, Good").check();
  await form.getByLabel("Headline").fill("<b>Loud</b>");
  await form.getByLabel("Your words").fill("Light, and the cups don't squeak.");
  await publish.click();
  // What the service refuses stands beside the field it is about.
  await form.getByRole("textbox", { name: "Headline", description: /HTML/ }).waitFor();
  await form.getByLabel("Headline").fill(headline);
  await publish.click();
  const entry = page.locator(".entry", { hasText: headline });
  await entry.getByText("Verified buyer").waitFor();
  await entry.getByText("Light, and the cups don't squeak.").waitFor();
  return headline;
}

async function changePassword(page: Page, { password }: Shopper, next: string): Promise<void> {
  const path = new URL(page.url()).pathname;
  await page.getByLabel(/^Account of /).click();
  await page.getByRole("link", { name: "Change password" }).click();
  await page.getByRole("heading", { level: 1, name: "Change password" }).waitFor();
  const now = page.getByLabel("Current password");
  const change = page.getByRole("button", { name: "Change password" });
  await change.click();
  await page.getByText("Enter your current password.").waitFor();
  await now.fill("not the one");
  await page.getByLabel("New password").fill(next);
  await change.click();
  await page.getByText("This is not your current password.").waitFor();
  assert(await now.evaluate((field) => field.matches(":focus")), "what was refused has the focus");
  await now.fill(password);
  await change.click();
  await page.getByRole("heading", { level: 1, name: "Password changed" }).waitFor();
  // The session that it came with is another one by now, and opens what it opened.
  await page.goto(new URL(path, page.url()).href);
  await page.getByLabel(/^Account of /).waitFor();
}
