import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { allKeys, explainKey } from "./explain.ts";

function text(path: string): string {
  const explained = explainKey(path);
  assert(explained.ok, path);
  return explained.text;
}

Deno.test("explainKey() says what a key means, takes and defaults to", () => {
  assertEquals(
    text("health.interval"),
    `health.interval
  From one check to the next; before the first pass from 20 ms on, doubling.

  value    a duration from 100ms to 1h such as 500ms, 10s, 5m, 1h or 2d
  default  10s
`,
  );
});

Deno.test("explainKey() lists the keys of a block", () => {
  const shown = text("scale");
  assertStringIncludes(shown, "cooldown");
  assertStringIncludes(shown, "(30s)");
  assertStringIncludes(text("route"), "(may stand several times)");
});

Deno.test("explainKey() knows aliases and says what must be given", () => {
  assertStringIncludes(text("bin"), "also     bin");
  assertStringIncludes(text("health.check"), "it must be given");
});

Deno.test("explainKey() explains every key of the table in full", () => {
  const keys = allKeys();
  assert(keys.length > 90, `only ${keys.length}`);
  assertEquals(new Set(keys.map((key) => key.path)).size, keys.length);
  for (const key of keys) {
    assertStringIncludes(text(key.path), key.meaning);
    assertMatch(key.meaning, /^[A-Z].*\.$/, key.path);
    assert(key.form !== "" && !key.form.includes("undefined"), key.path);
  }
});

for (
  const [path, nearest] of [
    ["health.intervl", "health.interval"],
    ["helth", "health"],
    ["interval", "health.interval"],
    ["port.x", undefined],
    ["", undefined],
    ["health.", undefined],
  ] as const
) {
  Deno.test(`explainKey() of ${JSON.stringify(path)} suggests ${nearest}`, () => {
    const explained = explainKey(path);
    assert(!explained.ok);
    assertEquals(explained.nearest, nearest);
    assertStringIncludes(explained.message, "has no key");
  });
}
