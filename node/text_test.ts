import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { cutEnd, cutStart, jsonBytes, plainText } from "./text.ts";

const encoder = new TextEncoder();

Deno.test("jsonBytes() counts what JSON in UTF-8 takes", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    assertEquals(jsonBytes(text), encoder.encode(JSON.stringify(text)).length - 2);
  }));
});

Deno.test("cutEnd() and cutStart() keep as much as fits of the right end", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 300 }), fc.nat(200), (text, max) => {
    const head = cutEnd(text, max);
    const tail = cutStart(text, max);
    assert(jsonBytes(head) <= max && jsonBytes(tail) <= max);
    if (jsonBytes(text) <= max) assertEquals([head, tail], [text, text]);
  }));
  assertEquals(cutEnd("abcdef", 3), "abc");
  assertEquals(cutStart("abcdef", 3), "def");
});

Deno.test("plainText() takes colours and control characters away", () => {
  assertEquals(plainText("\x1b[31mred\x1b[0m\ttab\nnext\x07"), "red tab\nnext ");
  assertEquals(plainText("\ud800"), "\ufffd");
});
