import { assertEquals, assertMatch } from "@std/assert";
import { faultsOf, moduleFaults } from "../tests/purity/modules.ts";

Deno.test("the market's modules are kept apart", async () => {
  assertEquals(await moduleFaults(), []);
});

Deno.test("faultsOf() names what a module must not import", () => {
  const cart = "market/services/cart-svc/module.ts";
  const refused: [path: string, source: string, why: RegExp][] = [
    [cart, 'import { x } from "../product-svc/catalogue.ts";', /another's folder/],
    [cart, 'export { x } from "../product-svc/module.ts";', /another's folder/],
    [cart, 'const x = await import("../product-svc/module.ts");', /another's folder/],
    [cart, 'import type { Directory } from "../../kit/directory.ts";', /how others are reached/],
    [cart, 'import { x } from "../../kit/over_http.ts";', /how others are reached/],
    ["market/kit/x.ts", 'import { x } from "../services/cart-svc/module.ts";', /knows none/],
    ["market/five/a/job.ts", 'import { x } from "../../services/cart-svc/module.ts";', /only/],
    ["market/five/a/main.ts", 'import { x } from "../../services/cart-svc/store.ts";', /only/],
    ["market/five/a/main.ts", 'import { x } from "../b/queue.ts";', /another's folder/],
  ];
  for (const [path, source, why] of refused) {
    const faults = faultsOf(path, source);
    assertEquals(faults.length, 1, source);
    assertMatch(faults[0]!, why);
  }
  const allowed: [path: string, source: string][] = [
    [cart, 'import { x } from "./store.ts";\nimport type { Carts } from "../../kit/modules.ts";'],
    ["market/services/cart-svc/service.ts", 'import { x } from "../../kit/over_http.ts";'],
    ["market/five/a/main.ts", 'import { x } from "../../services/cart-svc/module.ts";'],
  ];
  for (const [path, source] of allowed) assertEquals(faultsOf(path, source), [], source);
});
