// The deck's pages, as tests open and look at them.

import { assertEquals } from "@std/assert";
import type { Browser, Page } from "playwright-core";
import { accessibilityFindings, THEMES, visitor, WIDTHS } from "./pages.ts";

/** Opens one of the deck's pages; resolves when it is there. */
export async function openDeck(page: Page, url: string): Promise<void> {
  // Only the part after # differs from page to page: without this the heading before would do.
  await page.goto("about:blank");
  await page.goto(url);
  await page.locator("main h1, main h2").first().waitFor();
}

/** Each page, at both widths and in both themes, is as wide as its window and has no serious finding. */
export async function assertPagesFit(
  browser: Browser,
  deck: string,
  paths: readonly string[],
): Promise<void> {
  const found = [];
  for (const width of WIDTHS) {
    for (const theme of THEMES) {
      const context = await visitor(browser, width, theme);
      const page = await context.newPage();
      for (const path of paths) {
        await openDeck(page, `${deck}#/${path}`);
        found.push(...await accessibilityFindings(page, `${path} ${width} ${theme}`));
        const over = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
        assertEquals(over, 0, `${path} is wider than ${width} pixels`);
      }
      await context.close();
    }
  }
  assertEquals(found, []);
}
