// Every parser takes any bytes. `deno task fuzz` goes on longer: a million inputs for each.

import { assertEquals } from "@std/assert";
import { FINDINGS } from "./findings.ts";
import { fuzz, tryOne } from "./run.ts";
import { TARGETS } from "./targets.ts";

const SEEDS = [1, 2, 3];
const INPUTS = 3_000;

for (const target of TARGETS) {
  Deno.test(`the parser of ${target.name} takes ${SEEDS.length * INPUTS} inputs of fixed seeds`, () => {
    for (const seed of SEEDS) {
      const { finding } = fuzz(target, seed, INPUTS);
      const what = finding && `${finding.what}\ninput (base64): ${finding.input.toBase64()}`;
      assertEquals(what, null);
    }
  });
}

Deno.test("what once was a finding is none any more", () => {
  for (const { target, name, base64 } of FINDINGS) {
    const parser = TARGETS.find((each) => each.name === target)!;
    assertEquals(tryOne(parser, Uint8Array.fromBase64(base64)), null, name);
  }
});

Deno.test("fuzz() finds a parser that does not take everything, and repeats it by its seed", () => {
  const bad = {
    name: "bad",
    samples: ["abc"],
    take(bytes: Uint8Array) {
      if (bytes.includes(0x7c)) throw new Error("a bar");
    },
  };
  const first = fuzz(bad, 7, 100_000).finding;
  assertEquals(first?.what.includes("a bar"), true);
  assertEquals(fuzz(bad, 7, 100_000).finding?.input, first?.input);
});
