// What the account pages say of what is wrong: where it is, heard as well as seen, with the focus on it.

import { assert, assertEquals } from "@std/assert";
import type { Locator, Page } from "playwright-core";
import { newShopper, type Shopper } from "./journey.ts";

/** A text field whose error is told with it. */
function refusedField(page: Page, name: string, error: string): Locator {
  return page.getByRole("textbox", { name, exact: true, description: error });
}

/** Waits until a field has an error, and the focus. */
export async function refused(page: Page, name: string, error: string): Promise<void> {
  await focused(refusedField(page, name, error), `${name}: ${error}`);
  assertEquals(await page.getByRole("alert").count(), 0, `${error} is said once`);
}

/** Waits until it has the focus. */
export async function focused(element: Locator, what: string): Promise<void> {
  await element.and(element.page().locator(":focus")).waitFor()
    .catch((error) => assert(false, `${what}: it does not come, or has no focus: ${error}`));
}

/** Waits until a text is said to screen readers. */
export async function heard(page: Page, text: string): Promise<void> {
  await page.locator("[role=status]", { hasText: text }).first().waitFor({ state: "attached" });
}

/** Waits until a text stands in an alert. */
async function alerted(page: Page, text: string): Promise<void> {
  await page.getByRole("alert").getByText(text).waitFor();
}

/** Answers requests to a path so, while `test` runs. */
async function answering(
  page: Page,
  path: string,
  answer: { status: number; field: string; error?: string; retryAfterS?: number } | "nothing",
  test: () => Promise<void>,
): Promise<void> {
  const url = `**/api${path}`;
  await page.route(url, (route) => {
    if (answer === "nothing") return route.abort("connectionreset");
    const { status, field, error = "as it is", retryAfterS } = answer;
    const headers: Record<string, string> = retryAfterS === undefined
      ? {}
      : { "retry-after": String(retryAfterS) };
    return route.fulfill({ status, headers, json: { error, field } });
  });
  await test();
  await page.unroute(url);
}

/** While it is being sent, a form cannot be sent again. */
async function sendsOnce(page: Page, path: string, send: Locator): Promise<void> {
  const held = Promise.withResolvers<void>();
  await page.route(`**/api${path}`, async (route) => {
    await held.promise;
    await route.fulfill({ status: 400, json: { error: "as it is", field: "other" } });
  });
  await send.click();
  const waiting = page.getByRole("button", { name: "One moment…" });
  await waiting.waitFor();
  assert(await waiting.isDisabled(), `what is sent to ${path} can be sent again`);
  held.resolve();
  await alerted(page, "as it is");
  assert(await send.isEnabled(), "it can be tried again");
  await page.unroute(`**/api${path}`);
}

/** Opens an account by way of all that can be wrong with it. */
export async function registering(page: Page, shopUrl: string): Promise<Shopper> {
  const shopper = newShopper();
  // Nobody is led out of the shop.
  await page.goto(`${shopUrl}/sign-in?next=//elsewhere.test/`);
  await page.getByRole("button", { name: "I am new", pressed: false }).click();
  await page.getByRole("button", { name: "I am new", pressed: true }).waitFor();
  await page.getByRole("heading", { level: 1, name: "Create an account" }).waitFor();
  const create = page.getByRole("button", { name: "Create account" });
  await create.click();
  await refused(page, "Your name", "Tell us what to call you.");
  await page.getByLabel("Your name").fill(shopper.name);
  const noAddress = "Enter an email address such as ada@example.org.";
  for (const email of ["", "ada", "ada@example"]) {
    await page.getByLabel("Email").fill(email);
    await create.click();
    await refused(page, "Email", noAddress);
  }
  await page.getByLabel("Email").fill(shopper.email);
  await page.getByLabel("Password").fill("1234567");
  await create.click();
  await refused(page, "Password", "Use at least 8 characters.");
  await page.getByLabel("Password").fill(shopper.password);
  await answering(page, "/register", { status: 400, field: "name", error: "so not" }, async () => {
    await create.click();
    await refused(page, "Your name", "so not");
  });
  await create.click();
  await heard(page, `You are signed in as ${shopper.name}.`);
  await page.waitForURL(`${shopUrl}/`);
  await page.goto(`${shopUrl}/sign-in?next=/orders`);
  await page.waitForURL(`${shopUrl}/orders`);
  return shopper;
}

/** Signs in by way of all that can be wrong with it, on a page that knows nobody. */
export async function signingIn(page: Page, shopUrl: string, shopper: Shopper): Promise<void> {
  await page.goto(`${shopUrl}/password`);
  await page.waitForURL(/\/sign-in\?next=\/password$/);
  await page.getByRole("button", { name: "I am new" }).click();
  await page.getByLabel("Your name").fill(shopper.name);
  await page.getByLabel("Email").fill(shopper.email);
  await page.getByLabel("Password").fill(shopper.password);
  await page.getByRole("button", { name: "Create account" }).click();
  await refused(page, "Email", "There is an account with this email already. Sign in instead.");
  await page.getByRole("button", { name: "I have an account" }).click();
  await page.getByLabel("Email").fill(shopper.email);
  await page.getByLabel("Password").fill("not the one");
  const signIn = page.locator("form").getByRole("button", { name: "Sign in" });
  await signIn.click();
  await alerted(page, "This email and password do not go together.");
  await page.getByLabel("Password").fill(shopper.password);
  await sendsOnce(page, "/login", signIn);
  const tooMany = { status: 429, field: "email", retryAfterS: 900 };
  await answering(page, "/login", tooMany, async () => {
    await signIn.click();
    await alerted(page, "Too many tries. Wait 15 minutes, then try again.");
  });
  await answering(page, "/login", "nothing", async () => {
    await signIn.click();
    await alerted(page, "The shop did not answer.");
  });
  await signIn.click();
  await page.waitForURL(`${shopUrl}/password`);
}

/** Changes the password by way of all that can be wrong with it. */
export async function changingPassword(page: Page, shopper: Shopper, next: string): Promise<void> {
  const now = page.getByLabel("Current password");
  const other = page.getByLabel("New password");
  const change = page.getByRole("button", { name: "Change password" });
  await change.click();
  await refused(page, "Current password", "Enter your current password.");
  await now.fill(shopper.password);
  await other.fill("1234567");
  await change.click();
  await refused(page, "New password", "Use at least 8 characters.");
  await other.fill(shopper.password);
  await change.click();
  await refused(page, "New password", "This is your current one. Choose another.");
  const types = () =>
    Promise.all([now, other].map((field) => field.evaluate((each) => Reflect.get(each, "type"))));
  assertEquals(await types(), ["password", "password"]);
  await page.getByLabel("Show what I type").check();
  assertEquals(await types(), ["text", "text"]);
  await page.getByLabel("Show what I type").uncheck();
  const whose = page.locator("form [autocomplete=username]");
  assertEquals(await whose.inputValue(), shopper.email, "a password manager knows whose it is");
  await other.fill(next);
  await sendsOnce(page, "/password", change);
  const answers: [status: number, field: string, said: string][] = [
    [409, "password", "Your password was changed elsewhere just now."],
    [429, "password", "Too many tries. Wait 15 minutes, then try again."],
    [403, "session", "as it is"],
  ];
  for (const [status, field, said] of answers) {
    await answering(page, "/password", { status, field, retryAfterS: 900 }, async () => {
      await change.click();
      await alerted(page, said);
    });
  }
  await answering(page, "/password", { status: 403, field: "password" }, async () => {
    await change.click();
    await refused(page, "Current password", "This is not your current password.");
  });
  await change.click();
  await heard(page, "Your password is changed.");
  await focused(page.getByRole("heading", { name: "Password changed" }), "that it is done");
}

/** What the pages of a forgotten password say when the shop refuses. */
export async function forgetting(page: Page, shopUrl: string): Promise<void> {
  const tooMany = { status: 429, field: "email", retryAfterS: 900 };
  const said = "Too many tries. Wait 15 minutes, then try again.";
  await page.goto(`${shopUrl}/forgot`);
  await page.getByLabel("Email").fill("ada@example.org");
  const send = page.getByRole("button", { name: "Send me the mail" });
  await answering(page, "/forgot", tooMany, async () => {
    await send.click();
    await alerted(page, said);
  });
  await answering(page, "/forgot", { status: 400, field: "email", error: "so not" }, async () => {
    await send.click();
    await refused(page, "Email", "so not");
  });
  await sendsOnce(page, "/forgot", send);

  await page.goto(`${shopUrl}/reset#${"A".repeat(43)}`);
  await page.getByLabel("New password").fill("another sentence");
  const set = page.getByRole("button", { name: "Set new password" });
  await answering(page, "/reset", { ...tooMany, field: "token" }, async () => {
    await set.click();
    await alerted(page, said);
  });
  await answering(page, "/reset", { status: 400, field: "new_password" }, async () => {
    await set.click();
    await refused(page, "New password", "as it is");
  });
  await sendsOnce(page, "/reset", set);
  // Whoever was signed in here is not any more.
  await page.getByLabel(/^Account of /).waitFor();
  await page.route("**/api/reset", (route) => route.fulfill({ status: 204 }));
  await set.click();
  await page.getByRole("heading", { name: "Password changed" }).waitFor();
  await page.getByLabel(/^Account of /).waitFor({ state: "detached" });

  await page.goto(`${shopUrl}/reset`);
  const code = page.getByLabel("Code from the mail");
  await code.waitFor();
  // As when the mail's link is opened in the window that has the page already.
  await page.evaluate("location.hash = 'A'.repeat(43)");
  await code.waitFor({ state: "detached" });
}
