// Who has forgotten the password: from the page that asks for it to the mail, and in again.

import { assert } from "@std/assert";
import type { Page } from "playwright-core";
import { linkIn, tokenIn } from "../../market/testing_mail.ts";
import { focused, heard, refused } from "./forms.ts";
import type { Shopper } from "./journey.ts";
import type { Mailbox } from "./mailbox.ts";

const ASKED = /^Subject: Choose a new password/m;
const CHANGED = /^Subject: Your password at SovereignMarket was changed/m;

/** Every page on the way that is worth a look. */
export type Sight = "mail sent" | "new password" | "password chosen";

/**
 * A signed-out visitor asks for a mail, reads it, and signs in with another password.
 *
 * @returns the link that was in the mail
 */
export async function forgotten(
  page: Page,
  shopUrl: string,
  mails: Mailbox,
  { email }: Shopper,
  next: string,
  seen: (sight: Sight) => Promise<void> = () => Promise.resolve(),
): Promise<string> {
  await page.goto(`${shopUrl}/sign-in?next=/orders`);
  await page.getByRole("link", { name: "Forgot your password?" }).click();
  await page.getByRole("heading", { level: 1, name: "Forgot your password?" }).waitFor();
  const send = page.getByRole("button", { name: "Send me the mail" });
  const address = page.getByLabel("Email");
  await send.click();
  await refused(page, "Email", "Enter the email address of your account.");
  await address.fill(email);
  await address.press("Enter");
  await focused(page.getByRole("heading", { name: "Look into your mail" }), "what came of it");
  await heard(page, "Look into your mail.");
  await seen("mail sent");

  const link = linkIn(await mails.wait(email, ASKED));
  assert(link !== undefined && link.startsWith(`${shopUrl}/reset#`), `the link is ${link}`);
  await page.goto(link);
  await page.getByRole("heading", { level: 1, name: "Choose a new password" }).waitFor();
  await seen("new password");
  const secret = page.getByLabel("New password");
  await secret.fill("short");
  await secret.press("Enter");
  await refused(page, "New password", "Use at least 8 characters.");
  await secret.fill(next);
  await secret.press("Enter");
  await focused(page.getByRole("heading", { name: "Password changed" }), "that it is done");
  await heard(page, "Your password is changed.");
  await seen("password chosen");
  await mails.wait(email, CHANGED);

  await page.getByRole("link", { name: "Sign in", exact: true }).last().click();
  await signIn(page, email, next);
  return link;
}

/** Fills in the page to sign in, and waits until it is left. */
export async function signIn(page: Page, email: string, password: string): Promise<void> {
  await page.getByLabel("Email").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.locator("form").getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL((url) => url.pathname !== "/sign-in");
  await page.getByLabel(/^Account of /).waitFor();
}

/** The second mail is used by the code in it, and the answer is lost once. */
export async function byCode(
  page: Page,
  shopUrl: string,
  mails: Mailbox,
  { email }: Shopper,
  next: string,
): Promise<void> {
  await page.goto(`${shopUrl}/forgot`);
  await page.getByLabel("Email").fill(email);
  await page.getByRole("button", { name: "Send me the mail" }).click();
  const code = tokenIn(await mails.wait(email, ASKED, 2));
  assert(code, "the mail has a code");
  await page.goto(`${shopUrl}/reset`);
  const field = page.getByLabel("Code from the mail");
  const secret = page.getByLabel("New password");
  await secret.fill(next);
  await secret.press("Enter");
  await refused(page, "Code from the mail", "Enter the code from the mail.");
  await field.fill("what I remember of it");
  await field.press("Enter");
  const usedUp = "This link was used already, or is too old. Ask for another mail.";
  await refused(page, "Code from the mail", usedUp);
  let lost = 0;
  await page.route(/\/api\/reset$/, async (route) => {
    const response = await route.fetch();
    if (lost++ === 0) await route.abort("connectionreset");
    else await route.fulfill({ response });
  });
  await field.fill(` ${code} `);
  await secret.press("Enter");
  await page.getByRole("alert").getByText("Your new password may hold already").waitFor();
  await page.goto(`${shopUrl}/sign-in?next=/orders`);
  await signIn(page, email, next);
}

/** A link that was used says so, and where to go from there. */
export async function usedUp(page: Page, link: string): Promise<void> {
  await page.goto(link);
  const secret = page.getByLabel("New password");
  await secret.fill("yet another sentence");
  await secret.press("Enter");
  await page.getByRole("alert").getByText("This link was used already").waitFor();
  await page.getByRole("link", { name: "Send me another mail" }).click();
  await page.getByRole("heading", { level: 1, name: "Forgot your password?" }).waitFor();
}
