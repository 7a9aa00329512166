import { assertEquals } from "@std/assert";
import { checkAddress, COUNTRIES } from "./address.ts";

const address = {
  name: "Ada Byron",
  line1: "1 Analytical Row",
  city: "London",
  postal_code: "N1 7AA",
  country: "GB",
};

Deno.test("checkAddress() accepts a whole address", () => {
  assertEquals(checkAddress(address), undefined);
  assertEquals(checkAddress({ ...address, line2: "" }), undefined);
});

Deno.test("checkAddress() names the first field that is missing or blank", () => {
  assertEquals(checkAddress({ ...address, name: " ", city: "" })?.field, "shipping_address.name");
  assertEquals(checkAddress({ ...address, city: "\t" })?.field, "shipping_address.city");
});

Deno.test("COUNTRIES are two-letter codes, each once, in order of their names", () => {
  const codes = COUNTRIES.map(([code]) => code);
  assertEquals(new Set(codes).size, codes.length);
  assertEquals(codes.filter((code) => !/^[A-Z]{2}$/.test(code)), []);
  const names = COUNTRIES.map(([, name]) => name);
  assertEquals(names, names.toSorted());
});
