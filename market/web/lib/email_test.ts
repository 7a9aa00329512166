import { assertEquals } from "@std/assert";
import { isEmail } from "./email.ts";

Deno.test("isEmail() says what looks like an address", () => {
  for (const text of ["ada@example.org", "a.b+c@mail.example.org"]) {
    assertEquals(isEmail(text), true);
  }
  const others = ["", "ada", "ada@", "ada@example", "@example.org", "ada byron@example.org"];
  for (const text of others) assertEquals(isEmail(text), false, text);
});
