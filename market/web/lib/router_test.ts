import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { findRoute, matchPath } from "./router.ts";

Deno.test("matchPath() takes parameters out of a path", () => {
  assertEquals(matchPath("/product/:id", "/product/17"), { id: "17" });
  assertEquals(matchPath("/product/:id", "/product/17/"), { id: "17" });
  assertEquals(matchPath("/product/:id", "/product/a%2Fb"), { id: "a/b" });
  assertEquals(matchPath("/", "/"), {});
});

Deno.test("matchPath() refuses other paths", () => {
  assertEquals(matchPath("/product/:id", "/product"), undefined);
  assertEquals(matchPath("/product/:id", "/product/1/2"), undefined);
  assertEquals(matchPath("/product/:id", "/order/1"), undefined);
  assertEquals(matchPath("/", "/x"), undefined);
  assertEquals(matchPath("/product/:id", "/product/%E0%A4%A"), undefined);
});

Deno.test("matchPath() gives back any text that was encoded into the path", () => {
  fc.assert(fc.property(fc.string({ minLength: 1, unit: "grapheme" }), (id) => {
    assertEquals(matchPath("/p/:id", `/p/${encodeURIComponent(id)}`), { id });
  }));
});

Deno.test("findRoute() takes the first that fits", () => {
  const routes = [{ pattern: "/orders" }, { pattern: "/orders/:id" }] as const;
  assertEquals(findRoute(routes, "/orders")?.route, routes[0]);
  assertEquals(findRoute(routes, "/orders/9")?.params, { id: "9" });
  assertEquals(findRoute(routes, "/nowhere"), undefined);
});
