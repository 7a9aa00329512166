import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  decimal,
  flag,
  integer,
  list,
  map,
  maybe,
  oneOf,
  parseShaped,
  type Shape,
  ShapeError,
  struct,
  text,
  variant,
} from "./shape.ts";

Deno.test("each shape takes what it describes and names the path of what it does not", () => {
  const cases: [Shape<unknown>, good: unknown[], bad: unknown[]][] = [
    [text(3), ["", "abc"], ["abcd", 1, null, undefined, {}]],
    [text(9, /^a+$/), ["aa"], ["", "ab", "aa\n"]],
    [integer(-1, 5), [-1, 0, 5], [-2, 6, 1.5, "1", NaN, Infinity, 2 ** 53, null]],
    [decimal(0, 1), [0, 0.5, 1], [-0.1, 1.1, NaN, "0", null]],
    [flag, [true, false], [0, "true", null]],
    [oneOf("a", "b"), ["a"], ["c", "", 0, ["a"]]],
    [list(integer(0, 9), 2), [[], [1, 2]], [[1, 2, 3], ["1"], {}, null, "ab"]],
    [map(integer(0, 9), 2), [{}, { a: 1 }], [{ a: 1, b: 1, c: 1 }, { a: "1" }, [], null, {
      ["k".repeat(257)]: 1,
    }]],
    [struct({ a: flag }), [{ a: true }], [{}, { a: 1 }, [], null, 1, "a"]],
    [variant({ x: struct({ a: flag }) }), [{ k: "x", a: true }], [
      { k: "y" },
      { k: "toString" },
      { a: true },
      [],
      null,
      1,
    ]],
  ];
  for (const [shape, good, bad] of cases) {
    for (const value of good) assertEquals(shape(value), value);
    for (const value of bad) {
      assertThrows(() => shape(value), ShapeError, undefined, JSON.stringify(value));
    }
  }
  const nested = struct({ items: list(struct({ port: integer(1, 9) }), 5) });
  assertThrows(
    () => nested({ items: [{ port: 1 }, { port: 0 }] }),
    ShapeError,
    "items[1].port: expected a whole number from 1 to 9",
  );
});

Deno.test("struct() drops what it does not know and what maybe() finds absent", () => {
  const shape = struct({ a: maybe(integer(0, 9)) });
  assertEquals(shape({ b: 1 }), {});
  assertEquals(shape({ a: null }), {});
  assertEquals(shape(JSON.parse('{"__proto__":{"a":1}}')), {});
  assertThrows(() => shape({ a: "x" }), ShapeError);
});

Deno.test("map() keeps odd keys as plain data", () => {
  const value = map(integer(0, 9), 5)(JSON.parse('{"__proto__":1,"constructor":2}'));
  assertEquals(Object.entries(value), [["__proto__", 1], ["constructor", 2]]);
  assertEquals(Object.getPrototypeOf(value), Object.prototype);
});

Deno.test("parseShaped() gives null for any text that does not fit, and never throws", () => {
  const shape = variant({ a: struct({ n: integer(0, 9), l: list(map(text(3), 2), 2) }) });
  fc.assert(fc.property(fc.string(), (json) => assertEquals(parseShaped(shape, json), null)));
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    const parsed = parseShaped(shape, JSON.stringify(value));
    assert(parsed === null || parsed.k === "a");
  }));
});

Deno.test("variant() puts the kind first: the beginning of the text tells it", () => {
  const shape = variant({ b: struct({ a: flag }) });
  assertEquals(JSON.stringify(shape({ a: true, k: "b" })), '{"k":"b","a":true}');
});
