// docs/RELIABILITY.md names the tests that keep each row: they must exist.

import { assert, assertEquals } from "@std/assert";

const ROOT = new URL("../", import.meta.url);
const page = Deno.readTextFileSync(new URL("docs/RELIABILITY.md", ROOT));

/** `file`: _name_ in the rows of the table. */
const NAMED = /`([A-Za-z0-9_/.-]+_test\.ts)`: _(.+?)_(?=[ ;|])/g;

Deno.test("every test that docs/RELIABILITY.md names exists", () => {
  const rows = page.split("\n").filter((line) => /^\| \d+ /.test(line));
  assertEquals(
    rows.map((row) => Number(row.split("|")[1])),
    Array.from({ length: 21 }, (_, at) => at + 1),
  );
  const missing: string[] = [];
  for (const row of rows) {
    const named = [...row.matchAll(NAMED)];
    assert(named.length > 0, `a row without a test: ${row}`);
    assertEquals(named.length, row.match(/_test\.ts`: /g)?.length, `a name is not read in: ${row}`);
    for (const [, file, name] of named) {
      const text = Deno.readTextFileSync(new URL(file!, ROOT)).replaceAll(/\s+/g, " ");
      if (!text.includes(name!)) missing.push(`${file}: ${name}`);
    }
  }
  assertEquals(missing, []);
});

Deno.test("every task that docs/RELIABILITY.md names exists", () => {
  const { tasks } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT)));
  const named = [...page.matchAll(/deno task ([a-z]+)/g)].map(([, name]) => name!);
  assertEquals([...new Set(named)].filter((name) => !Object.hasOwn(tasks, name)), []);
});
