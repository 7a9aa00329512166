// Every page at phone and desktop width, in both themes: photographed, and checked by axe-core.

import AxeBuilder from "@axe-core/playwright";
import type { Browser, BrowserContext, Page } from "playwright-core";
import type { Visit } from "./journey.ts";

export const WIDTHS = [1280, 390] as const;
export const THEMES = ["light", "dark"] as const;

/** A page to look at: how to get there, and what is there once it is complete. */
interface View {
  readonly name: string;
  readonly path: string;
  readonly ready: string;
}

/** All pages, as somebody who has made this visit sees them. */
export function views(visit: Visit): View[] {
  return [
    { name: "home", path: "/", ready: "#trending ~ *, section:last-of-type .card" },
    { name: "catalog", path: "/catalog?category=electronics&sort=rating", ready: ".results .card" },
    { name: "product", path: visit.productPath, ready: ".entry" },
    { name: "search", path: "/search?q=hedphones", ready: ".results .card" },
    { name: "search-nothing", path: "/search?q=qqqqqqqq", ready: ".empty" },
    { name: "cart", path: "/cart", ready: ".line" },
    { name: "checkout", path: "/checkout", ready: ".totals" },
    { name: "orders", path: "/orders", ready: ".order-row" },
    { name: "order", path: `/orders/${visit.orderId}`, ready: ".line" },
    { name: "password", path: "/password", ready: "form [name=new_password]" },
    { name: "not-found", path: "/no/such/aisle", ready: ".empty" },
  ];
}

/** What signed-out visitors see instead. */
export const STRANGER_VIEWS: readonly View[] = [
  { name: "sign-in", path: "/sign-in", ready: "form [name=password]" },
  { name: "forgot", path: "/forgot", ready: "form [name=email]" },
  { name: "reset", path: "/reset", ready: "form [name=token]" },
  { name: "cart-empty", path: "/cart", ready: ".empty" },
];

export interface Finding {
  readonly view: string;
  readonly rule: string;
  readonly impact: string;
  readonly where: string;
}

/** Opens a view and waits until it is complete and at rest. */
export async function open(page: Page, shopUrl: string, view: View): Promise<void> {
  await page.goto(shopUrl + view.path);
  await page.locator(view.ready).first().waitFor();
  await showPictures(page);
}

/** Photographs the whole page, from its top; `showPictures` first. */
export async function photograph(page: Page, file: string): Promise<void> {
  await page.evaluate("scrollTo({ top: 0, behavior: 'instant' })");
  await page.screenshot({ path: file, fullPage: true, animations: "disabled" });
}

/** Fetches the pictures that wait for being scrolled to. */
export async function showPictures(page: Page): Promise<void> {
  await page.evaluate(
    "document.querySelectorAll('img[loading=lazy]').forEach((each) => each.loading = 'eager')",
  );
  await page.waitForLoadState("networkidle");
}

/** What depends on colors; all other rules say the same in every theme. */
const COLOR_RULES = ["color-contrast", "link-in-text-block"];

/**
 * What axe-core finds serious or critical on the page as it is.
 *
 * @param rules `colors` looks only at what another theme can change; much faster.
 */
export async function accessibilityFindings(
  page: Page,
  view: string,
  rules: "all" | "colors" = "all",
): Promise<Finding[]> {
  const builder = new AxeBuilder({ page });
  if (rules === "colors") builder.withRules(COLOR_RULES);
  const { violations } = await builder.analyze();
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, impact, nodes }) =>
      nodes.map((node) => ({
        view,
        rule: id,
        impact: String(impact),
        where: `${node.target.join(" ")}: ${node.failureSummary?.split("\n").at(-1)?.trim() ?? ""}`,
      }))
    );
}

/** How long anything on a page may take before the test says it does not come, ms. */
const DEADLINE_MS = 10_000;

/** A visitor with a screen of this width and this wish for colors. */
export async function visitor(
  browser: Browser,
  width: number,
  theme: "light" | "dark",
): Promise<BrowserContext> {
  const context = await browser.newContext({
    viewport: { width, height: width < 600 ? 844 : 900 },
    colorScheme: theme,
    reducedMotion: "reduce",
    hasTouch: width < 600,
  });
  context.setDefaultTimeout(DEADLINE_MS);
  return context;
}
