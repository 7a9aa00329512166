import { assertEquals, assertNotEquals } from "@std/assert";
import { attemptFor, parseAttempt } from "./attempt.ts";

const newKey = () => crypto.randomUUID();

Deno.test("attemptFor() keeps the key while the order stays the same", () => {
  const first = attemptFor(null, "cart-1: 2 x 17", newKey);
  const again = attemptFor(JSON.stringify(first), "cart-1: 2 x 17", newKey);
  assertEquals(again, first);
});

Deno.test("attemptFor() takes a new key for another order", () => {
  const first = attemptFor(null, "cart-1: 2 x 17", newKey);
  const other = attemptFor(JSON.stringify(first), "cart-1: 3 x 17", newKey);
  assertNotEquals(other.key, first.key);
});

Deno.test("parseAttempt() takes nothing from a broken store", () => {
  const broken = ["", "{", "null", "[]", "{}", '{"key":1,"fingerprint":"x"}'];
  for (const stored of [null, ...broken, '{"key":"a b\\n","fingerprint":"x"}']) {
    assertEquals(parseAttempt(stored), undefined);
  }
});
