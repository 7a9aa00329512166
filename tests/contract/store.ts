// What every log store must do, run against each implementation.

import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { Failure } from "../../core/errors.ts";
import { EMPTY_HEAD, type Entry, type Head, type LogStore, nextEntry } from "../../core/log.ts";

/** Opens the same store each time it is called, as after a restart. */
export type OpenStore = () => Promise<LogStore>;

function entryAfter(head: Head, name: string): Entry {
  return nextEntry(head, 1_795_177_690_123, { kind: "node", node: "0".repeat(32), name });
}

async function fill(store: LogStore, count: number): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (let step = 0; step < count; step++) {
    const entry = entryAfter(await store.head(), `node-${step}`);
    await store.append(entry);
    entries.push(entry);
  }
  return entries;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    assertInstanceOf(error, Failure);
    return (error as Failure).code;
  }
  return "no failure";
}

/** Registers the suite for one implementation. */
export function storeContract(
  name: string,
  make: () => Promise<OpenStore>,
  options: Pick<Deno.TestDefinition, "ignore"> = {},
): void {
  const test = (what: string, body: (open: OpenStore) => Promise<void>) =>
    Deno.test({
      ...options,
      name: `store ${name}: ${what}`,
      fn: async () => await body(await make()),
    });

  test("a new log is empty", async (open) => {
    const store = await open();
    assertEquals(await store.head(), EMPTY_HEAD);
    assertEquals(await store.read(0, 10), []);
    assertEquals(await store.loadSnapshot(), null);
    await store.close();
  });

  test("what was appended is read back whole, in order, in pages", async (open) => {
    const store = await open();
    const entries = await fill(store, 7);
    assertEquals(await store.read(0, 100), entries);
    assertEquals(await store.read(2, 3), entries.slice(2, 5));
    assertEquals(await store.read(7, 3), []);
    assertEquals((await store.head()).sequence, 7);
    await store.close();
  });

  test("an entry that does not follow the last one is refused and changes nothing", async (open) => {
    const store = await open();
    const entries = await fill(store, 2);
    const stale = entryAfter({ sequence: 1, hash: entries[0]!.hash }, "late");
    const early = entryAfter({ sequence: 5, hash: entries[1]!.hash }, "early");
    assertEquals(await codeOf(store.append(stale)), "store-conflict");
    assertEquals(await codeOf(store.append(early)), "store-conflict");
    assertEquals(await store.read(0, 100), entries);
    await store.close();
  });

  test("of two writers of the same place one wins", async (open) => {
    const [one, two] = [await open(), await open()];
    const head = await one.head();
    const results = await Promise.allSettled([
      one.append(entryAfter(head, "one")),
      two.append(entryAfter(head, "two")),
    ]);
    assertEquals(results.map((each) => each.status).sort(), ["fulfilled", "rejected"]);
    assertEquals((await two.head()).sequence, 1);
    await one.close();
    await two.close();
  });

  test("everything is there again after a restart, the snapshot too", async (open) => {
    const first = await open();
    const entries = await fill(first, 3);
    await first.saveSnapshot(await first.head(), '{"some":"state"}');
    await first.saveSnapshot(await first.head(), '{"some":"later state"}');
    await first.close();
    const second = await open();
    assertEquals(await second.read(0, 100), entries);
    const snapshot = await second.loadSnapshot();
    assert(snapshot);
    assertEquals(snapshot.state, '{"some":"later state"}');
    assertEquals(snapshot.head, { sequence: 3, hash: entries[2]!.hash });
    await second.close();
  });
}
