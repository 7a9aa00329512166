// Makes the pictures in docs/: the shop's first page, and the deck of its cluster under some load.
// With a FOLDER only the deck is photographed, into it: every page, at both widths and in both themes,
// of the market as nine or, with values that only OTLP brings, as five.
//
//   deno task pictures [FOLDER [SHAPE]]

import type { Page } from "playwright-core";
import type { TraceView } from "../core/trace_view.ts";
import { haveChromium, launch } from "../tests/browser/browser.ts";
import { journey } from "../tests/browser/journey.ts";
import { photograph, showPictures, THEMES, visitor, WIDTHS } from "../tests/browser/pages.ts";
import { ClusterProcess, ownCluster } from "../tests/e2e/cluster_process.ts";

const DOCS = decodeURIComponent(new URL("./", import.meta.url).pathname);

/** Charts that are looked at need a past, ms. */
const LOAD_MS = 180_000;
const SHORT_LOAD_MS = 60_000;
const SHOPPERS = 4;
const PAUSE_MS = 150;

const PATHS = [
  ...["/", "/api/products?per_page=12", "/api/products?category=electronics&sort=rating"],
  ...["/api/search?q=hedphones", "/api/trending", "/api/featured", "/api/categories"],
];

/** Asks for one thing after another until it is told to stop. */
async function shop(ingress: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const path = PATHS[Math.floor(Math.random() * PATHS.length)]!;
    const response = await fetch(`${ingress}${path}`).catch(() => null);
    await response?.body?.cancel();
    await new Promise((resolve) => setTimeout(resolve, 2 * PAUSE_MS * Math.random()));
  }
}

async function at(page: Page, url: string, ready: string): Promise<void> {
  await page.goto("about:blank");
  await page.goto(url);
  await page.locator(ready).first().waitFor();
  await showPictures(page).catch(() => {}); // the deck's stream is never idle
}

if (!await haveChromium()) Deno.exit(1);
const [folder, shape = "nine"] = Deno.args;
const app = shape === "nine" ? "product-svc" : "core-api";
const { state, flags } = await ownCluster();
await using cluster = new ClusterProcess(state, [
  ...[Deno.execPath(), "task", "-q", "cluster"],
  ...flags.filter((flag) => !flag.startsWith("--only")),
  `--shape=${shape}`,
]);
const line = await cluster.ready();
if (!line.ready) throw new Error(line.error);
const stop = new AbortController();
const shoppers = Array.from({ length: SHOPPERS }, () => shop(line.ingress, stop.signal));
const browser = await launch();
const deck = `http://${line.conductor}/deck`;
try {
  if (folder === undefined) await forDocuments();
  else await everyPage(folder);
} finally {
  stop.abort();
  await Promise.all(shoppers);
  await browser.close();
  await cluster.stop();
}

/** The pictures that the documents show. */
async function forDocuments(): Promise<void> {
  for (const width of WIDTHS) {
    const context = await visitor(browser, width, "light");
    const page = await context.newPage();
    if (width === 1280) await page.setViewportSize({ width, height: 860 });
    await at(page, line.ingress, "section:last-of-type .card");
    await page.screenshot({ path: `${DOCS}shop-${width}.png`, animations: "disabled" });
    await context.close();
  }
  await buy(line.ingress);
  console.log(`the shop is pictured; the deck follows after ${LOAD_MS / 1_000} s of load`);
  await new Promise((resolve) => setTimeout(resolve, LOAD_MS));
  const context = await visitor(browser, 1280, "light");
  const page = await context.newPage();
  await page.setViewportSize({ width: 1280, height: 1_080 });
  await at(page, deck, "#routes");
  await page.screenshot({ path: `${DOCS}deck-1280.png`, animations: "disabled" });
  await context.close();
}

/** Somebody's whole visit: what is bought goes through many programs. */
async function buy(ingress: string): Promise<void> {
  const context = await visitor(browser, 1280, "light");
  await journey(await context.newPage(), ingress);
  await context.close();
}

async function everyPage(folder: string): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  await new Promise((resolve) => setTimeout(resolve, SHORT_LOAD_MS));
  await buy(line.ingress);
  const slowest = new URL("/api/telemetry/traces?limit=1000", deck);
  const { traces } = await (await fetch(slowest)).json() as { traces: TraceView[] };
  const [longest] = traces.sort((a, b) => b.spans - a.spans);
  const pages = {
    overview: "",
    app: `app/${app}`,
    node: "node/node-1",
    route: `route/${app}/${encodeURIComponent(shape === "nine" ? "/api/products" : "/api")}`,
    events: "events",
    logs: "logs",
    traces: "traces",
    "traces-app": `traces/${app}`,
    trace: `trace/${longest?.trace}`,
    // The nine tell of no values.
    ...(shape === "nine" ? {} : { metrics: "metrics", "metrics-app": `metrics/${app}` }),
    audit: "audit",
  };
  for (const width of WIDTHS) {
    for (const theme of THEMES) {
      const context = await visitor(browser, width, theme);
      const page = await context.newPage();
      for (const [name, path] of Object.entries(pages)) {
        await at(page, `${deck}#/${path}`, "main h1, main h2");
        // What a page asks for comes after its frame.
        await page.locator("main table, main .events li, main .log b, main canvas").first()
          .waitFor();
        await photograph(page, `${folder}/${name}-${width}-${theme}.png`);
      }
      await context.close();
    }
  }
}
