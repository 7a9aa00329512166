import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Fault } from "./errors.ts";
import { readQuoted, writeQuoted, writeValue } from "./quote.ts";

function read(source: string) {
  const faults: { start: number; length: number; code: Fault["code"] }[] = [];
  const result = readQuoted(
    source,
    0,
    (start, length, fault) => faults.push({ start, length, code: fault.code }),
  );
  return { result, faults };
}

Deno.test("readQuoted() replaces the escapes and knows where each character came from", () => {
  const source = String.raw`"a\"b\\c\nd\te\u{1f600}f" rest`;
  const { result, faults } = read(source);
  assertEquals(faults, []);
  assert(result);
  assertEquals(result.decoded.text, 'a"b\\c\nd\te\u{1f600}f');
  assertEquals(source.slice(result.end), " rest");
  assertEquals(source[result.decoded.at.at(-1)!], "f");
  assertEquals(result.decoded.at.length, result.decoded.text.length);
});

for (
  const [source, start, length] of [
    [String.raw`"a\qb"`, 2, 2],
    [String.raw`"\u41"`, 1, 2],
    [String.raw`"\u{}"`, 1, 4],
    [String.raw`"\u{0}"`, 1, 5],
    [String.raw`"\u{d800}"`, 1, 8],
    [String.raw`"\u{110000}"`, 1, 10],
    [`"open`, 0, 5],
    [`"open\\"`, 0, 7],
  ] as const
) {
  Deno.test(`readQuoted() names the mistake in ${source}`, () => {
    assertEquals(read(source).faults, [{ start, length, code: "quoting" }]);
  });
}

Deno.test("writeQuoted() writes what readQuoted() reads back", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (raw) => {
    const text = raw.replace(/[\0\p{Cs}]/gu, "");
    const { result, faults } = read(writeQuoted(text));
    assertEquals(faults, []);
    assertEquals(result?.decoded.text, text);
  }));
});

for (
  const [text, written] of [
    ["plain", "plain"],
    ["two words", "two words"],
    ["", '""'],
    [" lead", '" lead"'],
    ["trail ", '"trail "'],
    ["a #b", '"a #b"'],
    ["a#b", "a#b"],
    ["#a", '"#a"'],
    ["{", '"{"'],
    ["{}", '"{}"'],
    ["}", '"}"'],
    ["a {", '"a {"'],
    ["a{", '"a{"'],
    ['say "hi"', 'say "hi"'],
    ['5" wide', String.raw`"5\" wide"`],
    ['"a"', String.raw`"\"a\""`],
    ["a\tb", String.raw`"a\tb"`],
    ["a\u{1b}b", String.raw`"a\u{1b}b"`],
    ["C:\\new", "C:\\new"],
    ["\u202eevil", String.raw`"\u{202e}evil"`],
  ] as const
) {
  Deno.test(`writeValue() writes ${JSON.stringify(text)} as ${written}`, () => {
    assertEquals(writeValue(text), written);
  });
}

Deno.test("writeValue() quotes blanks where only one word may stand", () => {
  assertEquals(writeValue("/my files/x", true), '"/my files/x"');
  assertEquals(writeValue("/files/x", true), "/files/x");
});
