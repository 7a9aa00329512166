import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { formatMoney, moneyField, parseMoney } from "./money.ts";

Deno.test("formatMoney() writes cents with two decimals and thousands", () => {
  assertEquals(formatMoney(0), "$0.00");
  assertEquals(formatMoney(5), "$0.05");
  assertEquals(formatMoney(1999), "$19.99");
  assertEquals(formatMoney(123456789), "$1,234,567.89");
});

Deno.test("parseMoney() reads what people type", () => {
  assertEquals(parseMoney("12"), 1200);
  assertEquals(parseMoney(" 12.5 "), 1250);
  assertEquals(parseMoney("12."), 1200);
  assertEquals(parseMoney("$1,250.05"), 125005);
});

Deno.test("parseMoney() refuses what is no amount", () => {
  for (const text of ["", "abc", "-5", "1.234", "1e3", "12,34", "1 2", ".", "NaN"]) {
    assertEquals(parseMoney(text), undefined, text);
  }
});

Deno.test("parseMoney() reads back every field it was shown", () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 99_999_999_999 }), (cents) => {
    assertEquals(parseMoney(moneyField(cents)), cents);
  }));
});
