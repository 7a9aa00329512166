import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Allegiance } from "./allegiance.ts";

const BOOT = "0123456789abcdef";

function reign(term: number, beat: number, ms: number, boot = BOOT) {
  return { term, until: { boot, beat, ms } };
}

Deno.test("Allegiance obeys a conductor that leads alone, until one with a term was heard", () => {
  const allegiance = new Allegiance(BOOT);
  assertEquals(allegiance.whyNot(undefined, 0), null);
  assert(allegiance.hear(7));
  assertStringIncludes(allegiance.whyNot(undefined, 0)!, "term 7 has begun");
  assertEquals(allegiance.whyNot({ term: 8 }, 0), null);
});

Deno.test("Allegiance refuses an order after the lease, counted from when the beat was sent", () => {
  const allegiance = new Allegiance(BOOT);
  allegiance.beaten(1, 10_000);
  assertEquals(allegiance.whyNot(reign(5, 1, 1_500), 11_499), null);
  // The conductor was stopped, and wakes: nobody has told of another term.
  assertStringIncludes(allegiance.whyNot(reign(5, 1, 1_500), 11_500)!, "was over 0 ms ago");
  assertEquals(allegiance.term, 5);
});

Deno.test("Allegiance refuses an older term, though its lease would hold", () => {
  const allegiance = new Allegiance(BOOT);
  allegiance.beaten(1, 0);
  assertEquals(allegiance.whyNot(reign(6, 1, 1_000), 10), null);
  assertStringIncludes(allegiance.whyNot(reign(5, 1, 1_000), 20)!, "it is of term 5");
  assert(!allegiance.hear(5));
  assert(!allegiance.hear());
  assert(allegiance.hear(6));
});

Deno.test("Allegiance refuses what counts from a beat of another boot, or a forgotten one", () => {
  const allegiance = new Allegiance(BOOT);
  for (let beat = 1; beat <= 200; beat++) allegiance.beaten(beat, beat);
  assertStringIncludes(allegiance.whyNot(reign(5, 1, 10_000), 300)!, "not remembered");
  const other = reign(5, 200, 10_000, "f".repeat(16));
  assertStringIncludes(allegiance.whyNot(other, 300)!, "not remembered");
  assertEquals(allegiance.whyNot(reign(5, 200, 10_000), 300), null);
});
