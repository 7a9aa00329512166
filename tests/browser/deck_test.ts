// The deck of a running cluster in a browser: what it shows, how it follows what happens, who may
// look, at both widths and in both themes.

import { assert, assertEquals } from "@std/assert";
import { conductorAt } from "../../cli/conductor.ts";
import type { AppView } from "../../core/view.ts";
import {
  daemonPid,
  kill,
  type ReadyLine,
  startClusterTask,
  until,
} from "../e2e/cluster_process.ts";
import { haveChromium, launch } from "./browser.ts";
import { assertPagesFit, openDeck } from "./deck_pages.ts";
import { visitor } from "./pages.ts";

const chromium = await haveChromium();

const PAGES = [
  ...["", "app/product-svc", "node/node-1", "events", "logs", "audit", "metrics"],
  ...["traces", "traces/product-svc", `route/product-svc/${encodeURIComponent("/api/products")}`],
];

Deno.test({
  name: "the deck shows a cluster as it is, in a browser",
  ignore: !chromium,
  // Chromium's driver keeps handles of its own until the process ends.
  sanitizeResources: false,
  sanitizeOps: false,
}, async (t) => {
  await using cluster = await startClusterTask(["--only=product-svc"]);
  const line = await cluster.ready();
  assert(line.ready, line.error);
  const deck = `http://${line.conductor}/deck`;
  const browser = await launch();
  try {
    let trace = "";
    await t.step("a request that was made is found as a trace", async () => {
      const slowest = `http://${line.conductor}/api/telemetry/traces?app=product-svc`;
      await until(30_000, "a trace", async () => {
        await (await fetch(`${line.ingress}/api/products?per_page=1`)).body?.cancel();
        const { traces } = await (await fetch(slowest)).json();
        trace = traces[0]?.trace;
        return trace !== undefined;
      });
    });
    await t.step("every page fits, and axe-core finds nothing serious", async () => {
      await assertPagesFit(browser, deck, [...PAGES, `trace/${trace}`]);
    });
    const context = await visitor(browser, 1280, "light");
    const page = await context.newPage();
    await t.step("a replica that dies and starts again is seen without reloading", async () => {
      await openDeck(page, deck);
      const { pid, replica } = (await productSvc(line)).replicas[0]!;
      kill(pid!, "SIGKILL");
      await page.locator(".events li", { hasText: replica }).filter({ hasText: "SIGKILL" }).first()
        .waitFor();
      await page.locator("tr", { hasText: "product-svc" }).locator(".badge", { hasText: "ready" })
        .first().waitFor();
    });
    await t.step("an app's page shows its replicas and its log as it is written", async () => {
      await page.locator("a", { hasText: "product-svc" }).first().click();
      await page.locator("td", { hasText: "product-svc.1" }).waitFor();
      await page.locator(".log b", { hasText: "product-svc.1" }).first().waitFor();
      const lines = await page.locator(".log > div").count();
      await (await fetch(`${line.ingress}/api/products?per_page=1`)).body?.cancel();
      await page.locator(`.log > div:nth-child(${lines + 1})`).waitFor();
      await page.locator("button", { hasText: "Pause" }).click();
      await page.locator("button", { hasText: "Follow" }).waitFor();
      assert(await page.locator(".log > div").count() > lines, "what was written stays");
    });
    await t.step("requests are told by route", async () => {
      await page.locator("nav a", { hasText: "Overview" }).click();
      const routes = page.getByRole("region", { name: "Routes" });
      await routes.locator("td a", { hasText: "/api/products" }).first().click();
      await page.locator("h1", { hasText: "/api/products" }).waitFor();
      const charts = page.locator(".chart [role=img]");
      await charts.and(page.locator("[aria-label^=Requests]")).waitFor();
      await charts.and(page.locator("[aria-label*=p99]")).waitFor();
    });
    await t.step("a trace is found among the slowest, with who asked whom", async () => {
      await page.locator("nav a", { hasText: "Traces" }).click();
      await page.getByRole("region", { name: "Apps" }).locator("a", { hasText: "product-svc" })
        .click();
      await page.locator(".chart [aria-label*=p99]").waitFor();
      const slowest = page.getByRole("region", { name: "Slowest traces" });
      await slowest.locator("a", { hasText: "GET /products" }).first().click();
      const span = page.getByRole("region", { name: "Spans" }).locator("tbody tr").first();
      await span.locator("td", { hasText: /product-svc\.\d+ on node-\d/ }).waitFor();
      await span.getByRole("img", { name: /^from 0 ms to / }).waitFor();
      await page.locator("a", { hasText: "Lines of this trace" }).click();
      await page.locator(".log div", { hasText: '"event":"request"' }).first().waitFor();
    });
    await t.step("events are found by words", async () => {
      await page.locator("nav a", { hasText: "Events" }).click();
      // Until then the fields of the page before are there.
      await page.locator("h1", { hasText: "Events" }).waitFor();
      const others = page.locator(".events li", { hasText: "is ready" });
      await others.first().waitFor();
      await page.locator("input[type=search]").fill("joined");
      await others.first().waitFor({ state: "detached" });
      await page.locator(".events li", { hasText: "node-1 joined" }).first().waitFor();
    });
    await t.step("lines of the whole cluster are found by words", async () => {
      await page.locator("nav a", { hasText: "Logs" }).click();
      await page.locator("input[name=grep]").fill("listening");
      await page.locator("button[type=submit]").click();
      // Until the answer is there, the lines of before the search are shown.
      const others = page.locator(".log div", { hasText: '"event":"request"' });
      await others.first().waitFor({ state: "detached" });
      await page.locator(".log div", { hasText: "product-svc.1" }).first().waitFor();
      assertEquals(await others.count(), 0);
    });
    await t.step("a conductor that dies is said so, and seen when it is back", async () => {
      const broken = page.locator(".top [role=status]", { hasText: "does not answer" }).waitFor();
      kill(await daemonPid(cluster.state, "conductor"), "SIGKILL");
      await broken;
      await page.locator(".top .dot.good").waitFor({ timeout: 30_000 });
    });
    await context.close();
  } finally {
    await browser.close();
  }
  await cluster.stop();
});

async function productSvc(line: ReadyLine): Promise<AppView> {
  const [hostname, port] = line.conductor.split(":");
  const conductor = conductorAt({ hostname: hostname!, port: Number(port) }, 10_000);
  return await conductor.get<AppView>("/api/apps/product-svc");
}
