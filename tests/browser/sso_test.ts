// Single sign-on for the deck and its audit, in a browser, with a real issuer.

import { assertEquals } from "@std/assert";
import { id, post, signed, start, withFolder } from "../../conductor/live/rig_test.ts";
import { CLIENT, startIssuer } from "../e2e/oidc_issuer.ts";
import { haveChromium, launch } from "./browser.ts";
import { accessibilityFindings, THEMES, visitor, WIDTHS } from "./pages.ts";

const chromium = await haveChromium();

const HOST = "127.0.9.72";
const PORT = 17_771;
const DECK = `http://${HOST}:${PORT}`;

Deno.test({
  name: "signing in with SSO opens the deck with its audit; signing out ends both sessions",
  ignore: !chromium,
  // Chromium's driver keeps handles of its own until the process ends.
  sanitizeResources: false,
  sanitizeOps: false,
}, async (t) => {
  await using issuer = await startIssuer(HOST, `${DECK}/deck/sso/back`);
  issuer.person = null;
  const sso = {
    issuer: issuer.url,
    client: CLIENT.id,
    secret: CLIENT.secret,
    deck: DECK,
    groups: { platform: { role: "admin" } },
  } as const;
  await withFolder(async (folder) => {
    const conductor = await start(folder, { bind: HOST, port: PORT, sso });
    const browser = await launch();
    try {
      const context = await visitor(browser, 1280, "light");
      // As a proxy would: so nothing is shown for being near.
      await context.setExtraHTTPHeaders({ "x-forwarded-for": "203.0.113.5" });
      const page = await context.newPage();
      await t.step("who has not signed in is offered to", async () => {
        await page.goto(`${DECK}/deck`);
        await page.locator("a", { hasText: "Sign in with SSO" }).waitFor();
        assertEquals(await accessibilityFindings(page, "sign-in"), []);
      });
      await t.step("who is in no group that may look is told so", async () => {
        await page.locator("a", { hasText: "Sign in with SSO" }).click();
        await page.locator("input[name=person]").fill("eve");
        await page.locator("button").click();
        await page.locator("[role=alert]", { hasText: "none of your groups" }).waitFor();
        await context.clearCookies();
      });
      await t.step("an admin is shown the deck", async () => {
        await page.locator("a", { hasText: "Sign in with SSO" }).click();
        await page.locator("input[name=person]").fill("ann");
        await page.locator("button").click();
        await page.locator(".top button", { hasText: "Sign out ann" }).waitFor();
      });
      await t.step("the audit is seen as it is written, by app and operator", async () => {
        await page.locator("nav a", { hasText: "Audit" }).click();
        await page.locator(".audit li", { hasText: "sso:eve" }).locator(".bad").waitFor();
        const came = page.locator(".audit li", { hasText: "signed in at the deck" });
        await came.waitFor();
        assertEquals((await came.innerText()).split("sso:ann").length, 2, "who it was, once");
        assertEquals(await post(DECK, signed(`QUOTA|${id()}|shop|5|-|-`)), "OK|QUOTA|shop");
        await page.locator(".audit li", { hasText: "quota of shop" }).waitFor();
        await page.locator("input[name=operator]").fill("sso:ann");
        await page.locator(".search button").click();
        await page.locator(".audit li", { hasText: "quota of shop" }).waitFor({
          state: "detached",
        });
        assertEquals(await page.locator(".audit li").count(), 1);
        for (const width of WIDTHS) {
          await page.setViewportSize({ width, height: 800 });
          for (const theme of THEMES) {
            await page.emulateMedia({ colorScheme: theme });
            assertEquals(await accessibilityFindings(page, `audit ${width} ${theme}`), []);
          }
          const over = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
          assertEquals(over, 0, `the audit is wider than ${width} pixels`);
        }
      });
      await t.step(
        "signing out goes to the issuer's own page for it, and the deck is shut",
        async () => {
          await page.locator(".top button", { hasText: "Sign out" }).click();
          await page.waitForURL(`${issuer.url}/session/end*`);
          await page.goto(`${DECK}/deck`);
          await page.locator("a", { hasText: "Sign in with SSO" }).waitFor();
        },
      );
    } finally {
      await browser.close();
      await conductor.stop("the test is over");
    }
  });
});
