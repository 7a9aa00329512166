import { assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import type { Route } from "../core/mesh.ts";
import { AppPool } from "./balance.ts";
import { ascii, DONE, latin1 } from "./field_block.ts";
import { RequestHead } from "./http1.ts";
import { type Match, RouteTable } from "./route.ts";

function route(path: string, app: string, more: Partial<Route> = {}): Route {
  return { app, path, sticky: false, weight: 100, tlsRequired: false, ...more };
}

function tableOf(...routes: Route[]): RouteTable {
  return new RouteTable(routes, (app) => new AppPool(app));
}

function match(table: RouteTable, target: string, host = "a.test"): Match | null {
  const bytes = ascii(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  const head = new RequestHead();
  head.restart(0);
  assertEquals(head.parse(bytes, bytes.length), DONE, target);
  return table.match(bytes, head);
}

function appOf(table: RouteTable, target: string, host?: string): string | null {
  return match(table, target, host)?.destination.route.app ?? null;
}

Deno.test("RouteTable matches whole segments, the longest path first", () => {
  const table = tableOf(
    route("/", "front"),
    route("/api", "api"),
    route("/api/products", "products"),
    route("/docs/", "docs"),
  );
  assertEquals(appOf(table, "/"), "front");
  assertEquals(appOf(table, "/api"), "api");
  assertEquals(appOf(table, "/api/"), "api");
  assertEquals(appOf(table, "/api?x"), "api");
  assertEquals(appOf(table, "/apis"), "front");
  assertEquals(appOf(table, "/api/product"), "api");
  assertEquals(appOf(table, "/api/products/7?page=2"), "products");
  assertEquals(appOf(table, "/docs"), "docs");
  assertEquals(appOf(table, "//api"), "front");
});

Deno.test("RouteTable prefers the routes of a host to those of any", () => {
  const table = tableOf(
    route("/api", "any-api"),
    route("/", "any"),
    route("/", "shop", { host: "shop.test" }),
  );
  assertEquals(appOf(table, "/api", "SHOP.test:8080"), "shop");
  assertEquals(appOf(table, "/api", "shop.test."), "shop");
  assertEquals(appOf(table, "/api", "other.test"), "any-api");
  const only = tableOf(route("/cart", "cart", { host: "shop.test" }), route("/", "any"));
  assertEquals(appOf(only, "/else", "shop.test"), "any");
  assertEquals(appOf(tableOf(route("/a", "a")), "/b"), null);
});

Deno.test("RouteTable matches odd paths in their normal form", () => {
  const table = tableOf(route("/", "front"), route("/admin", "admin"), route("/a b", "space"));
  assertEquals(appOf(table, "/%61dmin"), "admin");
  assertEquals(appOf(table, "/x/../admin/y"), "admin");
  assertEquals(appOf(table, "/x/%2e%2E/admin"), "admin");
  assertEquals(appOf(table, "/admin/.."), "front");
  assertEquals(appOf(table, "/admin%2fx"), "front");
  assertEquals(appOf(table, "/../../admin"), "admin");
});

Deno.test("RouteTable cuts `strip` off the front, also of odd paths", () => {
  const table = tableOf(
    route("/api/products", "products", { strip: "/api" }),
    route("/whole", "whole", { strip: "/whole" }),
  );
  const cut = (target: string) => {
    const found = match(table, target)!;
    return found.target === null
      ? target.slice(found.strip)
      : latin1(found.target, 0, found.target.length);
  };
  assertEquals(cut("/api/products/7?x=/api"), "/products/7?x=/api");
  assertEquals(cut("/whole"), "");
  assertEquals(cut("/whole?x"), "?x");
  assertEquals(cut("/whole/more"), "/more");
  assertEquals(cut("/%61pi/products/a%2fb?q"), "/products/a%2Fb?q");
  assertEquals(cut("/z/../whole"), "/");
});

Deno.test("RouteTable shares one path by weight, in turn", () => {
  const table = tableOf(
    route("/", "old", { weight: 90 }),
    route("/", "new", { weight: 10 }),
    route("/", "none", { weight: 0 }),
  );
  const counts: Record<string, number> = { old: 0, new: 0, none: 0 };
  for (let count = 0; count < 100; count++) counts[appOf(table, "/x")!]!++;
  assertEquals(counts, { old: 90, new: 10, none: 0 });
});

Deno.test("RouteTable finds what a plain search finds, whatever the routes", () => {
  const segment = fc.constantFrom("a", "b", "ab", "c");
  const path = fc.array(segment, { maxLength: 4 }).map((parts) => `/${parts.join("/")}`);
  fc.assert(fc.property(fc.uniqueArray(path, { maxLength: 12 }), path, (paths, target) => {
    const table = tableOf(...paths.map((each, index) => route(each, `app${index}`)));
    const fits = (each: string) => each === "/" || target === each || target.startsWith(`${each}/`);
    const best = paths.filter(fits).sort((left, right) => right.length - left.length)[0];
    const expected = best === undefined ? null : `app${paths.indexOf(best)}`;
    assertStrictEquals(appOf(table, target), expected);
  }));
});
