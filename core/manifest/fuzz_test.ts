// No text crashes the parser, makes it slow, or makes parser and formatter disagree.

import { assert, assertEquals, assertLess } from "@std/assert";
import fc from "fast-check";
import { MANIFEST_BYTES, MANIFEST_ERRORS } from "../limits.ts";
import { specs, untidy } from "./arbitraries_test.ts";
import { canonical } from "./canonical.ts";
import { formatErrors } from "./errors.ts";
import { formatManifest } from "./format.ts";
import { parseManifest } from "./parse.ts";

/** Whatever the text: no throw, places inside it, and all three views of it agree. */
function holds(text: string): void {
  const parsed = parseManifest(text, "f");
  const formatted = formatManifest(text, "f");
  if (parsed.ok) {
    assert(formatted.ok, `parsed but not formatted:\n${text}`);
    for (const app of parsed.apps) {
      assertEquals(parseManifest(canonical(app)), { ok: true, apps: [app] });
    }
    assertEquals(parseManifest(formatted.text), parsed);
  } else {
    assert(parsed.errors.length > 0);
    assert(formatErrors(parsed.errors).startsWith("f:"));
    const lines = text.split(/\r?\n/);
    for (const error of parsed.errors) {
      const line = Array.from(lines[error.line - 1] ?? "");
      assert(error.line >= 1 && error.line <= lines.length, error.message);
      assert(error.column >= 1 && error.column <= line.length + 1, error.message);
      assert(error.length >= 1, error.message);
      assert(!/undefined|NaN|\[object/.test(error.message), error.message);
    }
  }
  if (!formatted.ok) return;
  assertEquals(formatManifest(formatted.text), formatted, "fmt is not idempotent");
  assertEquals(parseManifest(formatted.text).ok, parsed.ok, `fmt changed validity:\n${text}`);
}

Deno.test("parseManifest() takes any bytes", () => {
  const decoder = new TextDecoder();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => holds(decoder.decode(bytes))),
  );
});

Deno.test("parseManifest() takes any text", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), holds));
});

const PIECES = [
  "app a\n",
  "app b {\n",
  "  exec /x\n",
  "exec /x",
  "  port 80\n",
  "\n",
  " ",
  "  ",
  "\t",
  "{",
  "}",
  "{\n",
  "}\n",
  " {\n",
  "\n{\n",
  "#",
  " # c\n",
  '"',
  "'",
  "\\",
  ";",
  "$",
  "${PORT}",
  "${",
  "env",
  "  env\n",
  "    A 1\n",
  "health",
  "  health {\n",
  "check TCP\n",
  "    check GET /h\n",
  "interval 5s\n",
  "route { }\n",
  "  route { path /a; strip yes }\n",
  "x-a",
  "  x-b c\n",
  "schedule * * * * *",
  "type job\n",
  "args 'a b'\n",
  "secret { A; B c }\n",
  "  place\n",
  "    require a=b\n",
  "replcas 2\n",
  "\r\n",
  "\u0000",
  "\u{1f600}",
  "\ufeff",
  "scale {\n",
  "  min 1\n",
  "needs a b\n",
  "volume { path x }\n",
] as const;

Deno.test("parseManifest() takes any arrangement of the language's own pieces", () => {
  const text = fc.array(fc.constantFrom(...PIECES), { maxLength: 40 }).map((pieces) =>
    pieces.join("")
  );
  fc.assert(fc.property(text, holds), { numRuns: 3_000 });
});

Deno.test("parseManifest() takes any valid manifest with something changed", () => {
  const change = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    remove: fc.nat(12),
    insert: fc.oneof(fc.constant(""), fc.constantFrom(...PIECES), fc.string({ maxLength: 3 })),
  });
  fc.assert(
    fc.property(
      specs,
      fc.array(fc.nat(59), { minLength: 1, maxLength: 30 }),
      fc.array(change, { minLength: 1, maxLength: 4 }),
      (spec, chances, changes) => {
        let text = untidy(canonical(spec), chances);
        for (const { at, remove, insert } of changes) {
          const start = Math.floor(at * text.length);
          text = text.slice(0, start) + insert + text.slice(start + remove);
        }
        holds(text);
      },
    ),
    { numRuns: 1_000 },
  );
});

/** Fills a manifest up to the largest size with repetitions. */
function filled(head: string, piece: string | ((index: number) => string), tail = ""): string {
  let text = head;
  for (let index = 0;; index++) {
    const next = typeof piece === "string" ? piece : piece(index);
    if (text.length + next.length + tail.length > MANIFEST_BYTES) return text + tail;
    text += next;
  }
}

const HEAD = "app a\n  exec /a\n";

const PATHOLOGICAL: Readonly<Record<string, string>> = {
  "one long value": filled(`${HEAD}  env {\n    A `, "x", "\n  }\n"),
  "one long key": filled(HEAD, "k"),
  "one long line of quotes": filled(`${HEAD}  args `, '"'),
  "one long line of backslashes": filled(`${HEAD}  args `, "\\"),
  "one long line of braces": filled(`${HEAD}  env `, "{"),
  "one long line of semicolons": filled(`${HEAD}  env { `, ";"),
  "one long line of one-line entries": filled(`${HEAD}  env { `, (index) => `A${index} 1; `),
  "one long line of unclosed variables": filled(`${HEAD}  args `, "${"),
  "one long line of unknown variables": filled(`${HEAD}  args `, "${X} "),
  "one long line of wrong labels": filled(`${HEAD}  place {\n    require `, "x "),
  "one long line of wide characters": `${HEAD}  args ${"\u{1f600}".repeat(60_000)} '`,
  "one long schedule": filled(`${HEAD}  type job\n  schedule `, "1,", " * * * *\n"),
  "one long path": filled(`${HEAD}  port 1\n  route { path /`, "a/", "? }"),
  "one long host": filled(`${HEAD}  port 1\n  route { host `, "a.", "! }"),
  "one long number": filled(`${HEAD}  cpu `, "1"),
  "one long comment": filled(`${HEAD}  # `, "#"),
  "one long line of blanks": filled(`${HEAD}  args a`, " ", "b"),
  "only line ends": filled(HEAD, "\n"),
  "only blanks": filled(HEAD, " \n"),
  "only comments": filled(HEAD, "#\n"),
  "only closing braces": filled(HEAD, "}\n"),
  "only opening braces": filled(HEAD, "{\n"),
  "only apps": filled("", "app a\n"),
  "many apps": filled("", (index) => `app a${index}\n`),
  "unknown keys": filled(HEAD, (index) => `  replcas${index}x\n`),
  "unknown short keys": filled(HEAD, "  z\n"),
  "one key again and again": filled(HEAD, "  port 1\n"),
  "many routes": filled(`${HEAD}  port 1\n`, (index) => `  route { path /p${index} }\n`),
  "the same route again and again": filled(`${HEAD}  port 1\n`, "  route {}\n"),
  "many volumes": filled(HEAD, (index) => `  volume { path p${index}; env E${index} }\n`),
  "many needs": filled(HEAD, (index) => `  needs a${index}\n`),
  "one need again and again": filled(HEAD, "  needs b\n"),
  "a large environment": filled(`${HEAD}  env {\n`, (index) => `    A${index} b\n`, "  }\n"),
  "a large x- block": filled(HEAD, "  x-a\n    b\n      c d\n"),
  "ever deeper lines": filled(HEAD, (index) => `${" ".repeat(Math.min(index, 500))}x-a\n`),
  "a ladder of braces": filled(HEAD, "x-a {\n"),
  "zigzag indentation": filled(HEAD, (index) => `${" ".repeat((index * 7) % 40)}env\n`),
  "NUL": filled(HEAD, "\0"),
  "NUL lines": filled(HEAD, "\0\n"),
  "aligned keys": filled(
    HEAD,
    (index) => index === 0 ? `  x-${"k".repeat(60_000)} v\n` : "  x-a b\n",
  ),
};

/**
 * Each takes 50 to 300 ms on one idle core; anything quadratic takes minutes at this size. The
 * limit leaves room for a machine that does ten other things.
 */
const LIMIT_MS = 3_000;

for (const [name, text] of Object.entries(PATHOLOGICAL)) {
  Deno.test(`parseManifest() stays quick on ${name}`, () => {
    assertLess(text.length, MANIFEST_BYTES + 1);
    const start = performance.now();
    const parsed = parseManifest(text);
    const middle = performance.now();
    const formatted = formatManifest(text);
    const end = performance.now();
    assertLess(middle - start, LIMIT_MS, "parse");
    assertLess(end - middle, LIMIT_MS, "format");
    if (formatted.ok) assertLess(formatted.text.length, 20 * MANIFEST_BYTES);
    if (parsed.ok) return;
    assertLess(parsed.errors.length, MANIFEST_ERRORS + 2);
    assertLess(formatErrors(parsed.errors).length, 2_000_000);
  });
}
