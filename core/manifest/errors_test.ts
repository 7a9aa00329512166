import { assertEquals, assertStringIncludes } from "@std/assert";
import { MANIFEST_ERRORS, MANIFEST_EXCERPT } from "../limits.ts";
import { Faults, formatError, nearest, quoted } from "./errors.ts";

const KEYS = ["exec", "replicas", "port", "env", "ram", "restart", "route"];

for (
  const [written, found] of [
    ["replcas", "replicas"],
    ["Replicas", "replicas"],
    ["prot", "port"],
    ["evn", "env"],
    ["port:", "port"],
    ["exce", "exec"],
    ["rout", "route"],
    ["zzz", undefined],
    ["replication", undefined],
    ["x".repeat(1_000), undefined],
    ["", undefined],
  ] as const
) {
  Deno.test(`nearest() to ${written.slice(0, 20)} is ${found}`, () => {
    assertEquals(nearest(written, KEYS), found);
  });
}

Deno.test("formatError() shows place, message, hint, line and underline", () => {
  const faults = new Faults("shop.skr8tr", ["app shop", "\treplcas 2"]);
  faults.add({ line: 2, start: 1, length: 7 }, {
    code: "unknown-key",
    message: 'unknown key "replcas" in app "shop"',
    nearest: "replicas",
  });
  assertEquals(
    formatError(faults.sorted()[0]!),
    [
      'shop.skr8tr:2:2: unknown key "replcas" in app "shop": did you mean "replicas"?',
      "  2 |  replcas 2",
      "    |  ^^^^^^^",
    ].join("\n"),
  );
});

Deno.test("formatError() underlines wide characters and counts columns in characters", () => {
  const faults = new Faults("f", ["x \u{1f600}\u4e16 bad \u4e16"]);
  faults.add({ line: 1, start: 6, length: 5 }, { code: "wrong-kind", message: "m" });
  const [error] = faults.sorted();
  assertEquals([error!.column, error!.length], [6, 5]);
  assertEquals(formatError(error!).split("\n")[2], "    |        ^^^^^^");
});

Deno.test("formatError() shows nothing that a terminal would act on", () => {
  const faults = new Faults("f", ["x \u001b[31mred\u0000"]);
  faults.add({ line: 1, start: 2, length: 1 }, { code: "character", message: quoted("\u001b[2J") });
  const shown = formatError(faults.sorted()[0]!);
  // deno-lint-ignore no-control-regex
  assertEquals(/[\u0000-\u0009\u000b-\u001f]/.test(shown), false);
});

Deno.test("formatError() cuts the part around the mistake out of a very long line", () => {
  const line = "k ".padEnd(100_000, "a") + "!" + "b".repeat(100_000);
  const faults = new Faults("f", [line]);
  faults.add({ line: 1, start: 100_000, length: 1 }, { code: "wrong-kind", message: "m" });
  const [error] = faults.sorted();
  assertEquals(error!.column, 100_001);
  assertEquals(error!.source.length, MANIFEST_EXCERPT);
  const [, source, underline] = formatError(error!).split("\n");
  assertEquals(source![underline!.indexOf("^")], "!");
});

Deno.test("Faults keeps so many errors, and counts the rest", () => {
  const faults = new Faults("f", ["a".repeat(2_000)]);
  for (let index = 0; index < MANIFEST_ERRORS + 5; index++) {
    faults.add({ line: 1, start: index, length: 1 }, { code: "wrong-kind", message: "m" });
  }
  const errors = faults.sorted();
  assertEquals(errors.length, MANIFEST_ERRORS + 1);
  assertEquals(errors.at(-1)!.code, "too-many-errors");
  assertStringIncludes(errors.at(-1)!.message, "5 more errors");
  assertEquals(faults.count, MANIFEST_ERRORS + 5);
});

Deno.test("quoted() cuts long texts", () => {
  assertEquals(quoted("a".repeat(100)), `"${"a".repeat(57)}..."`);
  assertEquals(quoted("a\nb"), '"a\u00b7b"');
});
