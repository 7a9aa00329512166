// The shop in a real browser: the journey, every page's looks and accessibility, and what happens
// when parts of the shop are away. Runs against SHOP_URL, else against a shop of its own.

import { assert, assertEquals } from "@std/assert";
import { gzipSync } from "node:zlib";
import type { Browser, Page, Request } from "playwright-core";
import { haveChromium, launch } from "./browser.ts";
import { byCode, forgotten, usedUp } from "./forgotten.ts";
import { changingPassword, forgetting, registering, signingIn } from "./forms.ts";
import { journey, newShopper, type Shopper, type Step } from "./journey.ts";
import {
  accessibilityFindings,
  type Finding,
  open,
  photograph,
  showPictures,
  STRANGER_VIEWS,
  THEMES,
  views,
  visitor,
  WIDTHS,
} from "./pages.ts";
import { type Shop, startShop } from "./shop.ts";

const SCREENS = new URL("../output/screens/", import.meta.url);
const chromium = await haveChromium();

/** Everything the browser complains about, but the refusals that the journey provokes. */
function complaints(page: Page): string[] {
  const heard: string[] = [];
  page.on("console", (message) => {
    const refused = /the server responded with a status of 40[03]/.test(message.text());
    const complaint = message.type() === "error" || message.type() === "warning";
    if (complaint && !refused) heard.push(message.text());
  });
  page.on("pageerror", (error) => heard.push(`uncaught: ${error.message}`));
  return heard;
}

Deno.test({
  name: "SovereignMarket in a browser",
  ignore: !chromium,
  // Chromium's driver keeps handles of its own until the process ends.
  sanitizeResources: false,
  sanitizeOps: false,
}, async (t) => {
  await Deno.mkdir(SCREENS, { recursive: true });
  const shop = await startShop();
  const browser = await launch();
  try {
    for (const width of WIDTHS) {
      await t.step(
        `journey() at ${width} px, and all its pages`,
        () => visitAt(browser, shop, width),
      );
    }
    await t.step({
      name: "journey() loses nothing when every service is killed and started again on the way",
      ignore: shop.restartAll === undefined,
      fn: () => restarted(browser, shop),
    });
    await t.step("a page asks nobody but the shop", () => ownOriginOnly(browser, shop));
    await t.step(
      "the first view fetches at most 30 KB of scripts and styles",
      () => firstView(browser, shop),
    );
    await t.step(
      "the keyboard alone gets to content and through pages",
      () => keyboard(browser, shop),
    );
    await t.step("back returns to the same place of the list", () => goingBack(browser, shop));
    await t.step("a service that is down takes its section only", () => degraded(browser, shop));
    await t.step("a refused change of the cart is taken back", () => rollback(browser, shop));
    await t.step("an order whose answer is lost is placed once", () => lostAnswer(browser, shop));
    await t.step(
      "a session that ends asks to sign in and returns",
      () => endedSession(browser, shop),
    );
    await t.step("who signs out here is out at the shop", () => signingOut(browser, shop));
    await t.step(
      "another password keeps this device in and no other, also when the answer is lost",
      () => anotherPassword(browser, shop),
    );
    await t.step(
      "the account pages say what is wrong where it is, and are heard",
      () => accountForms(browser, shop),
    );
    await t.step({
      name: "a mail lets in who has forgotten the password, and nobody else",
      ignore: shop.mails === undefined,
      fn: () => forgottenPassword(browser, shop),
    });
  } finally {
    await browser.close();
    await shop.close();
  }
});

async function visitAt(browser: Browser, shop: Shop, width: number): Promise<void> {
  const context = await visitor(browser, width, "light");
  const page = await context.newPage();
  const heard = complaints(page);
  const findings: Finding[] = [];
  for (const view of STRANGER_VIEWS) {
    await open(page, shop.url, view);
    await look(page, view.name, width, findings);
  }
  const visit = await journey(page, shop.url, async (done) => {
    if (done !== "check out") return;
    await showPictures(page);
    await look(page, "thank-you", width, findings);
  });
  await page.getByRole("button", { name: /^Add .* to cart$/ }).first().click();
  await page.getByRole("link", { name: "Cart, 1 item" }).waitFor();
  for (const view of views(visit)) {
    await open(page, shop.url, view);
    await look(page, view.name, width, findings);
  }
  assertEquals({ heard, findings }, { heard: [], findings: [] });
  await context.close();
}

/** Photographs the page and checks it, in both themes. */
async function look(page: Page, name: string, width: number, findings: Finding[]): Promise<void> {
  for (const theme of THEMES) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    await page.locator(`html[data-theme=${theme}]`).waitFor();
    await photograph(page, new URL(`${name}-${width}-${theme}.png`, SCREENS).pathname);
    const rules = theme === THEMES[0] ? "all" : "colors";
    findings.push(...await accessibilityFindings(page, `${name} ${width} ${theme}`, rules));
  }
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
}

async function restarted(browser: Browser, shop: Shop): Promise<void> {
  const context = await visitor(browser, 1280, "light");
  const page = await context.newPage();
  const restartAfter: readonly Step[] = ["add to cart", "sign up", "check out"];
  await journey(page, shop.url, async (done) => {
    if (restartAfter.includes(done)) await shop.restartAll?.();
  });
  await context.close();
}

/** The standard's bound for the first view, gzipped bytes. */
const FIRST_VIEW_BYTES = 30_000;

async function firstView(browser: Browser, shop: Shop): Promise<void> {
  const context = await visitor(browser, 1280, "light");
  const page = await context.newPage();
  const sizes: Promise<number>[] = [];
  page.on("requestfinished", (request) => {
    if (["script", "stylesheet"].includes(request.resourceType())) {
      sizes.push(gzippedBytes(request));
    }
  });
  await page.goto(`${shop.url}/`);
  await page.locator(".card").first().waitFor();
  await page.waitForLoadState("networkidle");
  const bytes = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  assert(bytes > 0 && bytes <= FIRST_VIEW_BYTES, `the first view fetched ${bytes} bytes`);
  await context.close();
}

/** Compressed here, whatever the server does. */
async function gzippedBytes(request: Request): Promise<number> {
  const response = await request.response();
  return gzipSync(await response!.body(), { level: 9 }).length;
}

async function ownOriginOnly(browser: Browser, shop: Shop): Promise<void> {
  const context = await visitor(browser, 1280, "light");
  const page = await context.newPage();
  const asked = new Set<string>();
  page.on("request", (request) => asked.add(new URL(request.url()).origin));
  await page.goto(`${shop.url}/product/1`);
  await page.waitForLoadState("networkidle");
  assertEquals([...asked], [new URL(shop.url).origin]);
  await context.close();
}

async function keyboard(browser: Browser, shop: Shop): Promise<void> {
  const context = await visitor(browser, 1280, "light");
  const page = await context.newPage();
  await page.goto(`${shop.url}/`);
  await page.locator(".card").first().waitFor();
  await page.keyboard.press("Tab");
  const skip = page.getByRole("link", { name: "Skip to content" });
  assertEquals(await skip.evaluate(isFocused), true, "the first stop is the skip link");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  const inside = await page.locator("main :focus").count();
  assertEquals(inside, 1, "after it the focus is in the content");

  await page.getByRole("link", { name: "Browse the shop" }).focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/catalog$/);
  await page.getByRole("heading", { level: 1, name: "All goods" }).waitFor();
  await page.locator("main:focus").waitFor();
  await page.locator("[role=status]", { hasText: "All goods" }).first().waitFor({
    state: "attached",
  });
  assertEquals(await page.title(), "All goods · SovereignMarket");
  await context.close();
}

/** Runs in the page, where the tests' types do not know the document. */
const isFocused = (element: unknown) => {
  const { document } = globalThis as unknown as { document: { activeElement: unknown } };
  return document.activeElement === element;
};

async function goingBack(browser: Browser, shop: Shop): Promise<void> {
  const context = await visitor(browser, 1280, "light");
  const page = await context.newPage();
  await page.goto(`${shop.url}/catalog`);
  const card = page.locator(".card").nth(20);
  await card.waitFor();
  await card.scrollIntoViewIfNeeded();
  const before = await scrolled(page);
  assert(before > 500, `scrolled to ${before} px`);
  await card.getByRole("link").click();
  await page.getByRole("button", { name: "Add to cart" }).waitFor();
  assertEquals(await scrolled(page), 0, "a new page begins at its top");
  await page.goBack();
  await card.waitFor();
  await page.waitForFunction(`Math.abs(scrollY - ${before}) < 3`);
  await context.close();
}

function scrolled(page: Page): Promise<number> {
  return page.evaluate("scrollY");
}

async function degraded(browser: Browser, shop: Shop): Promise<void> {
  const context = await visitor(browser, 1280, "light");
  const page = await context.newPage();
  const away = /\/api\/(reviews|stock|recommendations|trending|events)\b/;
  await page.route(away, (route) => route.fulfill({ status: 503, json: { error: "away" } }));
  await page.goto(`${shop.url}/product/1`);
  const reviews = page.getByRole("region", { name: "What buyers say" });
  await reviews.getByText("could not be loaded").waitFor();
  await page.getByRole("region", { name: "Goes well with this" }).getByText("could not be loaded")
    .waitFor();
  await page.getByText("Stock is not known right now").waitFor();
  await showPictures(page);
  await photograph(page, new URL("degraded-1280-light.png", SCREENS).pathname);
  await page.getByRole("button", { name: "Add to cart" }).click();
  await page.getByRole("link", { name: "Cart, 1 item" }).waitFor();

  await page.unroute(away);
  await reviews.getByRole("button", { name: "Try again" }).click();
  await reviews.locator(".loaded").waitFor();

  // The paths of a service that was taken down are nobody's: it is away, and its goods are not gone.
  const products = /\/api\/products\/2$/;
  const nobody = { error: "there is nothing at this path with this method", field: "path" };
  await page.route(products, (route) => route.fulfill({ status: 404, json: nobody }));
  await page.goto(`${shop.url}/product/2`);
  await page.getByText("This product could not be loaded").waitFor();
  await page.unroute(products);
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByRole("button", { name: "Add to cart" }).waitFor();
  await context.close();
}

async function rollback(browser: Browser, shop: Shop): Promise<void> {
  const context = await visitor(browser, 1280, "light");
  const page = await context.newPage();
  await page.goto(`${shop.url}/product/1`);
  const release = Promise.withResolvers<void>();
  await page.route(/\/api\/cart\/[^/]+\/items/, async (route) => {
    await release.promise;
    await route.fulfill({
      status: 409,
      json: { error: "Sold out this minute.", field: "quantity" },
    });
  });
  await page.getByRole("button", { name: "Add to cart" }).click();
  await page.getByRole("link", { name: "Cart, 1 item" }).waitFor();
  release.resolve();
  await page.getByRole("link", { name: "Cart, 0 items" }).waitFor();
  await page.locator(".notice.failed", { hasText: "Sold out this minute." }).waitFor();
  await context.close();
}

async function lostAnswer(browser: Browser, shop: Shop): Promise<void> {
  const context = await visitor(browser, 1280, "light");
  const page = await context.newPage();
  await page.goto(`${shop.url}/product/1`);
  await page.getByRole("button", { name: "Add to cart" }).click();
  await page.getByRole("link", { name: "Cart, 1 item" }).waitFor();
  await page.waitForLoadState("networkidle");
  await registerAt(page, shop, "/checkout");
  await page.getByLabel("Street and number").fill("1 Row");
  await page.getByLabel("Postal code").fill("1000");
  await page.getByLabel("City").fill("Brussels");
  await page.getByLabel("Country").selectOption("BE");
  const sent: Request[] = [];
  await page.route(/\/api\/orders$/, async (route) => {
    sent.push(route.request());
    const response = await route.fetch();
    // The order stands, but the shopper's connection breaks before the answer is there.
    if (sent.length === 1) await route.abort("connectionreset");
    else await route.fulfill({ response });
  });
  await page.getByRole("button", { name: /^Place order/ }).click();
  await page.getByRole("heading", { level: 1, name: /^Thank you/ }).waitFor();
  const keys = new Set(sent.map((request) => request.headers()["idempotency-key"]));
  assertEquals([sent.length, keys.size], [2, 1], "sent twice under one key");
  await page.goto(`${shop.url}/orders`);
  await page.locator(".order-row").first().waitFor();
  assertEquals(await page.locator(".order-row").count(), 1, "one order");
  await context.close();
}

async function registerAt(page: Page, shop: Shop, next: string): Promise<Shopper> {
  const shopper = newShopper();
  await page.goto(`${shop.url}/sign-in?new=1&next=${encodeURIComponent(next)}`);
  await page.getByLabel("Your name").fill(shopper.name);
  await page.getByLabel("Email").fill(shopper.email);
  await page.getByLabel("Password").fill(shopper.password);
  await page.getByRole("button", { name: "Create account" }).click();
  await page.waitForURL((url) => url.pathname === next);
  return shopper;
}

async function endedSession(browser: Browser, shop: Shop): Promise<void> {
  const context = await visitor(browser, 390, "dark");
  const page = await context.newPage();
  await registerAt(page, shop, "/orders");
  const session = await sessionOf(page);
  // As from another device.
  const out = await askAs(page, shop, session, "POST", "/api/logout/everywhere");
  assertEquals(out, 204);
  await isSignedOut(page, shop, session);
  await page.reload();
  await page.waitForURL(/\/sign-in\?next=\/orders/);
  await context.close();
}

async function signingOut(browser: Browser, shop: Shop): Promise<void> {
  const context = await visitor(browser, 390, "dark");
  const page = await context.newPage();
  for (const button of ["Sign out", "Sign out everywhere"]) {
    await registerAt(page, shop, "/orders");
    const session = await sessionOf(page);
    await page.getByLabel(/^Account of /).click();
    await page.getByRole("button", { name: button, exact: true }).click();
    await page.getByText(/^You are signed out/).first().waitFor();
    await page.getByRole("link", { name: "Sign in" }).first().waitFor();
    await isSignedOut(page, shop, session);
  }
  await context.close();
}

/** By the keyboard alone; the first time the answer is lost, the second time it comes. */
async function anotherPassword(browser: Browser, shop: Shop): Promise<void> {
  const contexts = [await visitor(browser, 1280, "light"), await visitor(browser, 390, "dark")];
  const [here, elsewhere] = await Promise.all(contexts.map((context) => context.newPage()));
  const { email, password } = await registerAt(here!, shop, "/password");
  const signIn = async (secret: string) => {
    await elsewhere!.goto(`${shop.url}/sign-in?next=/password`);
    await elsewhere!.getByLabel("Email").fill(email);
    await elsewhere!.getByLabel("Password").fill(secret);
    await elsewhere!.locator("form").getByRole("button", { name: "Sign in" }).click();
    await elsewhere!.waitForURL((url) => url.pathname === "/password");
    return await sessionOf(elsewhere!);
  };
  let lost = 0;
  await here!.route(/\/api\/password$/, async (route) => {
    const response = await route.fetch();
    if (lost++ === 0) await route.abort("connectionreset");
    else await route.fulfill({ response });
  });
  for (const [now, next] of [[password, "a second sentence"], ["a second sentence", password]]) {
    const before = [await sessionOf(here!), await signIn(now!)];
    await here!.goto(`${shop.url}/password`);
    const changing = here!.getByLabel("Current password");
    await changing.focus();
    await here!.keyboard.type(now!);
    await here!.keyboard.press("Tab");
    await here!.keyboard.type(next!);
    await here!.keyboard.press("Enter");
    const done = here!.getByRole("heading", { level: 1, name: "Password changed" });
    await done.waitFor();
    assert(await done.evaluate((heading) => heading.matches(":focus")), "the news has the focus");
    for (const session of before) await isSignedOut(here!, shop, session);
    const after = await sessionOf(here!);
    const orders = `/api/orders/user/${after.user.id}`;
    assertEquals(await askAs(here!, shop, after, "GET", orders), 200);
    // The other device hears of it when it wants something, and is asked who it is.
    await elsewhere!.getByLabel("Current password").fill(now!);
    await elsewhere!.getByLabel("New password").fill("whatever it is");
    await elsewhere!.getByRole("button", { name: "Change password" }).click();
    await elsewhere!.waitForURL(/\/sign-in\?next=\/password/);
    await elsewhere!.getByText("Your session has ended.").first().waitFor();
  }
  await signIn(password);
  for (const context of contexts) await context.close();
}

async function accountForms(browser: Browser, shop: Shop): Promise<void> {
  const contexts = [await visitor(browser, 1280, "light"), await visitor(browser, 390, "dark")];
  const [first, second] = await Promise.all(contexts.map((context) => context.newPage()));
  const shopper = await registering(first!, shop.url);
  await signingIn(second!, shop.url, shopper);
  await changingPassword(second!, shopper, "a second sentence");
  await forgetting(first!, shop.url);
  for (const context of contexts) await context.close();
}

async function forgottenPassword(browser: Browser, shop: Shop): Promise<void> {
  const contexts = [await visitor(browser, 1280, "light"), await visitor(browser, 390, "dark")];
  const [elsewhere, here] = await Promise.all(contexts.map((context) => context.newPage()));
  const shopper = await registerAt(elsewhere!, shop, "/orders");
  const session = await sessionOf(elsewhere!);
  const mails = shop.mails!;
  const findings: Finding[] = [];
  const next = "a sentence to remember";
  const link = await forgotten(here!, shop.url, mails, shopper, next, async (sight) => {
    await photograph(here!, new URL(`${sight.replace(" ", "-")}-390-dark.png`, SCREENS).pathname);
    findings.push(...await accessibilityFindings(here!, sight));
  });
  assertEquals(findings, []);
  await isSignedOut(here!, shop, session);
  await here!.waitForLoadState("networkidle");
  await usedUp(elsewhere!, link);
  await byCode(elsewhere!, shop.url, mails, shopper, "one more sentence");
  for (const context of contexts) await context.close();
}

interface SignedIn {
  readonly session: string;
  readonly user: { readonly id: string };
}

/** What the page has kept of who is signed in. */
async function sessionOf(page: Page): Promise<SignedIn> {
  return JSON.parse(await page.evaluate(() => localStorage.getItem("market.session")) ?? "null");
}

async function askAs(
  page: Page,
  shop: Shop,
  { session }: SignedIn,
  method: string,
  path: string,
): Promise<number> {
  const headers = { authorization: `Bearer ${session}` };
  return (await page.request.fetch(`${shop.url}${path}`, { method, headers })).status();
}

/** Until a service that only follows the list of what was called back refuses a session, too. */
async function isSignedOut(page: Page, shop: Shop, signedIn: SignedIn): Promise<void> {
  const deadline = performance.now() + 30_000;
  const path = `/api/orders/user/${signedIn.user.id}`;
  while (await askAs(page, shop, signedIn, "GET", path) !== 401) {
    assert(performance.now() < deadline, "the session is still good");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
