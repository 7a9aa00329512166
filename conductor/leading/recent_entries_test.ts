import { assertEquals } from "@std/assert";
import { RECENT_ENTRIES } from "../../core/limits.ts";
import { EMPTY_HEAD, type Entry, nextEntry } from "../../core/log.ts";
import { RecentEntries } from "./recent_entries.ts";

/** A log of so many entries; another one for each name. */
function logOf(count: number, name = "node"): Entry[] {
  const entries: Entry[] = [];
  for (let at = 0; at < count; at++) {
    const body = { kind: "node", node: "0".repeat(32), name: `${name}-${at}` } as const;
    entries.push(nextEntry(entries.at(-1) ?? EMPTY_HEAD, 1_795_177_690_123, body));
  }
  return entries;
}

Deno.test("RecentEntries gives what leads from an end of the log to an entry", () => {
  const entries = logOf(6);
  const recent = new RecentEntries();
  // What is read again is known already.
  for (const entry of [...entries.slice(0, 5), ...entries.slice(2, 5)]) recent.note(entry);
  assertEquals(recent.between(entries[2]!, entries[5]!), entries.slice(3, 5));
  assertEquals(recent.between(EMPTY_HEAD, entries[5]!), entries.slice(0, 5));
  assertEquals(recent.between(entries[4]!, entries[5]!), []);
});

Deno.test("RecentEntries knows nothing of another log, nor what it has missed", () => {
  const [one, two] = [logOf(5), logOf(5, "other")];
  const recent = new RecentEntries();
  for (const entry of one.slice(0, 4)) recent.note(entry);
  assertEquals(recent.between(two[1]!, one[4]!), null);
  assertEquals(recent.between(one[1]!, two[4]!), null);
  recent.note(two[3]!);
  assertEquals(recent.between(one[1]!, one[4]!), null, "the log was another one");
  assertEquals(recent.between(two[2]!, two[4]!), [two[3]]);
});

Deno.test("RecentEntries keeps so many", () => {
  const entries = logOf(RECENT_ENTRIES + 3);
  const recent = new RecentEntries();
  for (const entry of entries.slice(0, -1)) recent.note(entry);
  const last = entries.at(-1)!;
  assertEquals(recent.between(entries[0]!, last), null);
  assertEquals(recent.between(entries[1]!, last)?.length, RECENT_ENTRIES);
});
