import { assertEquals } from "@std/assert";
import { paint } from "../output.ts";
import { findLayout, portsFrom } from "./layout.ts";
import { denoCommand, whereLines } from "./screen.ts";

Deno.test("denoCommand() is what the reader can type", () => {
  assertEquals(denoCommand("/usr/local/bin/deno"), "deno");
  const cached = "/home/ann/.npm/_npx/7a40be787520bede/node_modules/@deno/linux-x64-glibc/deno";
  assertEquals(denoCommand(cached), `npx -y deno@${Deno.version.deno}`);
});

Deno.test("whereLines() names the shop in either shape, and where its mails are", () => {
  const layout = {
    ...findLayout(portsFrom(19_000), () => {}, ["127.0.0.1"]),
    conductor: { hostname: "127.0.0.1", port: 7_771 },
    ingress: { hostname: "127.0.0.1", port: 8_080 },
  };
  const lines = (...apps: string[]) => {
    const outcomes = apps.map((app) => ({ app, generation: 1, result: "ready" as const, ms: 1 }));
    return whereLines({ layout, secretKey: "/k", outcomes }, paint(false), "deno");
  };
  const shop = "shop       http://127.0.0.1:8080";
  const mails = (app: string) => `mails      deno task skr8tr logs ${app} --grep mail-written`;
  assertEquals(lines("user-svc", "frontend-svc").slice(0, 2), [shop, mails("user-svc")]);
  assertEquals(lines("core-api", "async-worker").slice(0, 2), [shop, mails("async-worker")]);
  assertEquals(lines("core-api").some((line) => line.startsWith("mails")), false);
  assertEquals(lines("product-svc")[0], "ingress    http://127.0.0.1:8080/api/products?per_page=3");
  assertEquals(lines("cart-svc")[0], "ingress    http://127.0.0.1:8080");
  assertEquals(lines().at(-2), "try        deno task skr8tr status");
});
