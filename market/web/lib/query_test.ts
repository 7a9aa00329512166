import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { oneOf, pageNumbers, positive, safeNext, withQuery } from "./query.ts";

Deno.test("withQuery() leaves out what is absent and sorts the rest", () => {
  assertEquals(withQuery("/catalog", {}), "/catalog");
  assertEquals(
    withQuery("/catalog", { sort: "name", page: 2, brand: "", featured: false, category: "A & B" }),
    "/catalog?category=A+%26+B&page=2&sort=name",
  );
});

Deno.test("positive() takes whole numbers from 1 and nothing else", () => {
  const read = (text: string) => positive(new URLSearchParams(text), "page", 1);
  assertEquals(read("page=7"), 7);
  for (const text of ["", "page=", "page=0", "page=-1", "page=1.5", "page=x", "page=9999999999"]) {
    assertEquals(read(text), 1, text);
  }
});

Deno.test("oneOf() refuses values it does not know", () => {
  const sorts = ["name", "rating"] as const;
  assertEquals(oneOf(new URLSearchParams("sort=rating"), "sort", sorts), "rating");
  assertEquals(oneOf(new URLSearchParams("sort=drop"), "sort", sorts), undefined);
});

Deno.test("pageNumbers() shows ends, neighbours and gaps", () => {
  assertEquals(pageNumbers(1, 1), [1]);
  assertEquals(pageNumbers(1, 5), [1, 2, 0, 5]);
  assertEquals(pageNumbers(4, 9), [1, 2, 3, 4, 5, 0, 9]);
  assertEquals(pageNumbers(10, 21), [1, 0, 9, 10, 11, 0, 21]);
  assertEquals(pageNumbers(21, 21), [1, 0, 20, 21]);
});

Deno.test("pageNumbers() never hides a single page behind a gap", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 60 }), (a, b) => {
      const [current, total] = [Math.min(a, b), Math.max(a, b)];
      const shown = pageNumbers(current, total);
      for (const [index, page] of shown.entries()) {
        if (page !== 0) continue;
        const hidden = shown[index + 1]! - shown[index - 1]! - 1;
        if (hidden < 2) throw new Error(`${current}/${total}: ${shown}`);
      }
      assertEquals(shown.includes(current), true);
    }),
  );
});

Deno.test("safeNext() never leaves the shop", () => {
  assertEquals(safeNext("/checkout"), "/checkout");
  assertEquals(safeNext("/orders/4?placed=1"), "/orders/4?placed=1");
  for (const next of [null, "", "//evil.example", "/\\evil.example", "https://evil.example"]) {
    assertEquals(safeNext(next), "/");
  }
});
