import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { checkEntry, EMPTY_HEAD, type Entry, type Head, nextEntry } from "./log.ts";

function chain(length: number): Entry[] {
  const entries: Entry[] = [];
  let head: Head = EMPTY_HEAD;
  for (let at = 1; at <= length; at++) {
    const entry = nextEntry(head, at * 1_000.4, {
      kind: "node",
      node: `id-${at}`,
      name: `n-${at}`,
    });
    entries.push(entry);
    head = entry;
  }
  return entries;
}

/** What the first entry that does not fit is said to be; `null` where all fit. */
function check(entries: readonly Entry[]): string | null {
  let head: Head = EMPTY_HEAD;
  for (const entry of entries) {
    const wrong = checkEntry(head, entry);
    if (wrong !== null) return wrong;
    head = entry;
  }
  return null;
}

Deno.test("a whole chain is found good, also after it was written and read", () => {
  assertEquals(check(chain(20)), null);
  assertEquals(check(JSON.parse(JSON.stringify(chain(20)))), null);
});

Deno.test("checkEntry() finds any entry that was changed, removed, repeated or moved", () => {
  fc.assert(fc.property(fc.integer({ min: 2, max: 12 }), fc.nat(), fc.nat(), (length, a, b) => {
    const entries = chain(length);
    const at = a % length;
    const entry = entries[at]!;
    const changes: Partial<Entry>[] = [
      { wallMs: entry.wallMs + 1 },
      { hash: "f".repeat(64) },
      { previous: "f".repeat(64) },
      { sequence: entry.sequence + 1 },
      { body: { kind: "node", node: "id-0", name: "other" } },
    ];
    for (const change of changes) {
      assert(check(entries.with(at, { ...entry, ...change })) !== null, JSON.stringify(change));
    }
    if (at < length - 1) assert(check(entries.toSpliced(at, 1)) !== null, "removed");
    assert(check(entries.toSpliced(at, 0, entry)) !== null, "repeated");
    const other = b % length;
    if (other !== at) {
      assert(check(entries.with(at, entries[other]!).with(other, entry)) !== null, "moved");
    }
  }));
});

Deno.test("checkEntry() says which entry is wrong", () => {
  const entries = chain(4);
  assertEquals(
    check(entries.toSpliced(1, 1)),
    "entry 3 follows entry 1: one is missing or out of place",
  );
  assertEquals(check(entries.with(2, { ...entries[2]!, wallMs: 5 })), "entry 3 was changed");
  const forged = nextEntry(EMPTY_HEAD, 1, { kind: "node", node: "x", name: "x" });
  assertEquals(check(entries.with(0, forged)), "entry 2 does not follow entry 1: one was replaced");
});
