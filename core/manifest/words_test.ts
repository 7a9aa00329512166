import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { joinWords, splitWords } from "./words.ts";

function split(source: string): readonly string[] {
  const result = splitWords(source);
  assert(result.ok, result.ok ? "" : result.fault.message);
  return result.words.map((word) => word.text);
}

const SPLIT: readonly (readonly [source: string, ...words: string[]])[] = [
  [""],
  ["   \t "],
  ["one", "one"],
  ["  one   two\tthree ", "one", "two", "three"],
  ["'one two' three", "one two", "three"],
  ['"one two" three', "one two", "three"],
  [`a'b c'd"e f"g`, "ab cde fg"],
  ["''", ""],
  [`"" ''`, "", ""],
  [`'it"s' "it's"`, 'it"s', "it's"],
  [String.raw`a\ b \" \' \\`, "a b", '"', "'", "\\"],
  [String.raw`"a\"b" "c\\d" "e\nf" "g\th"`, 'a"b', "c\\d", "e\nf", "g\th"],
  [String.raw`"\u{41}\u{1f600}"`, "A\u{1f600}"],
  [String.raw`"\d\x\u{}\u{110000}\u{d800}\u{0}"`, String.raw`\d\x\u{}\u{110000}\u{d800}\u{0}`],
  [String.raw`'\n'`, String.raw`\n`],
  [String.raw`\n`, "n"],
  [String.raw`\$HOME "\$HOME" '$HOME' $HOME`, "$$HOME", "$$HOME", "$HOME", "$HOME"],
  ["\\\u{1f600}x", "\u{1f600}x"],
  ["a#b {x} ;|&<>*?~", "a#b", "{x}", ";|&<>*?~"],
  ["non\u00a0breaking", "non\u00a0breaking"],
];

for (const [source, ...words] of SPLIT) {
  Deno.test(`splitWords() takes ${JSON.stringify(source)} apart`, () => {
    assertEquals(split(source), words);
  });
}

Deno.test("splitWords() says where each word stands", () => {
  const result = splitWords(`  ab "c\\nd" e`);
  assert(result.ok);
  assertEquals(
    result.words.map(({ text, start, length, at }) => ({ text, start, length, at: [...at] })),
    [
      { text: "ab", start: 2, length: 2, at: [2, 3] },
      { text: "c\nd", start: 5, length: 6, at: [6, 7, 9] },
      { text: "e", start: 12, length: 1, at: [12] },
    ],
  );
});

const WRONG: readonly (readonly [source: string, start: number, length: number])[] = [
  ["'", 0, 1],
  ['one "two three', 4, 10],
  ["a b'c d", 3, 4],
  ["one \\", 4, 1],
  ['"ends in a backslash\\', 0, 21],
];

for (const [source, start, length] of WRONG) {
  Deno.test(`splitWords() names the place of what is open in ${JSON.stringify(source)}`, () => {
    const result = splitWords(source);
    assert(!result.ok);
    assertEquals([result.fault.start, result.fault.length], [start, length]);
    assertEquals(result.fault.code, "quoting");
  });
}

Deno.test("joinWords() writes what splitWords() reads back", () => {
  const word = fc.oneof(
    fc.string({ unit: "binary", maxLength: 20 }).map((text) => text.replace(/[\0\p{Cs}]/gu, "")),
    fc.string({
      unit: fc.constantFrom("a", " ", "'", '"', "\\", "$", "{", "}", "#", "\n", "\t", "u"),
    }),
  );
  fc.assert(fc.property(fc.array(word), (words) => {
    assertEquals(split(joinWords(words)), words);
  }));
});

Deno.test("joinWords() leaves plain words bare", () => {
  assertEquals(
    joinWords(["--port", "${PORT}", "a=b,c:d", "*.txt"]),
    "--port ${PORT} a=b,c:d *.txt",
  );
  assertEquals(joinWords(["two words", "", "it's", "#x", "{"]), `'two words' '' "it's" '#x' '{'`);
});

Deno.test("splitWords() never throws and keeps offsets inside the source", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (source) => {
    const result = splitWords(source);
    if (!result.ok) {
      assert(result.fault.start + result.fault.length <= source.length);
      return;
    }
    for (const word of result.words) {
      assertEquals(word.at.length, word.text.length);
      assert(word.start + word.length <= source.length);
    }
  }));
});
