import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ADDRESS, EMAIL, PERSON_NAME } from "./people.ts";
import { Problem } from "./problem.ts";
import { type Check, integer, list, nullable, oneOf, optional, shape, text } from "./validate.ts";

function fieldOf(check: Check<unknown>, value: unknown): string {
  return (assertThrows(() => check(value, "body"), Problem) as Problem).field;
}

const LINE = shape({ id: integer(1, 9), note: optional(text({ max: 5 })) });
const BODY = shape({ lines: list(LINE, 1, 2), kind: oneOf(["a", "b"]), to: nullable(LINE) });

Deno.test("shape() yields what it was given, without what was left out", () => {
  const value = { lines: [{ id: 1 }, { id: 2, note: " hi " }], kind: "a", to: null };
  const expected: unknown = { lines: [{ id: 1 }, { id: 2, note: "hi" }], kind: "a", to: null };
  assertEquals(BODY(value, "body"), expected);
});

Deno.test("shape() names what is wrong by its path", () => {
  const good = { lines: [{ id: 1 }], kind: "a", to: null };
  const cases: [unknown, string][] = [
    [[], "body"],
    [null, "body"],
    [{ ...good, kind: undefined }, "kind"],
    [{ kind: "a", to: null }, "lines"],
    [{ ...good, lines: [] }, "lines"],
    [{ ...good, lines: [{ id: 1 }, { id: "2" }] }, "lines[1].id"],
    [{ ...good, lines: [{ id: 1, note: "too long" }] }, "lines[0].note"],
    [{ ...good, lines: [{ id: 1, price: 1 }] }, "lines[0].price"],
    [{ ...good, lines: [{ id: 1, note: undefined }] }, "lines[0].note"],
    [{ ...good, to: { id: 10 } }, "to.id"],
    [{ ...good, to: 1 }, "to"],
    [{ ...good, toString: 1 }, "toString"],
    [JSON.parse('{"lines":[{"id":1}],"kind":"a","to":null,"__proto__":{"x":1}}'), "__proto__"],
  ];
  for (const [value, field] of cases) assertEquals(fieldOf(BODY, value), field);
});

Deno.test("a check throws a Problem or nothing, whatever it is given", () => {
  const checks = [BODY, ADDRESS, EMAIL, PERSON_NAME, integer(0, 5), text({ max: 9, lines: true })];
  fc.assert(fc.property(fc.anything(), fc.nat(checks.length - 1), (value, at) => {
    try {
      checks[at]!(value, "body");
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 400) throw error;
    }
  }));
});

Deno.test("people's names and addresses of many places are accepted", () => {
  for (const name of ["Åsa Ödlund", "O'Brien-Smith, Jr.", "李小龍", "José María", "X Æ 12"]) {
    assertEquals(PERSON_NAME(name, "name"), name);
  }
  for (const email of ["a@b.co", "first.last+tag@sub.example.org", "o_o@xn--bcher-kva.example"]) {
    assertEquals(EMAIL(email, "email"), email);
  }
  const wrong = ["a", "a@b", "a b@c.de", "a@b..de", "a@-b.de", "<a@b.de>", "a@b.de'--", "@b.de"];
  for (const email of wrong) assertEquals(fieldOf(EMAIL, email), "body", email);
});

Deno.test("text() counts characters as people do and keeps lines only where they belong", () => {
  assertEquals(text({ max: 2 })("😀😀", "x"), "😀😀");
  assertEquals(text({ max: 9, lines: true })("a\r\nb\tc", "x"), "a\r\nb\tc");
  for (const value of ["a\nb", "a\u0000", "\ud800", "<b>", "</p", "<!--"]) {
    fieldOf(text({ max: 9 }), value);
  }
  assertEquals(text({ max: 20 })("1 < 2, I <3 this", "x"), "1 < 2, I <3 this");
});
