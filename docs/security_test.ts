import { assert } from "@std/assert";

const ROOT = new URL("../", import.meta.url);

Deno.test("docs/SECURITY.md names for each of its sentences a test that exists", async () => {
  const page = await Deno.readTextFile(new URL("docs/SECURITY.md", ROOT));
  const table = page.slice(page.indexOf("## Sentence by sentence"));
  const rows = table.split("\n").filter((line) => line.startsWith("| ")).slice(2);
  assert(rows.length >= 25, `only ${rows.length} sentences`);
  const texts = new Map<string, string>();
  const said = new Set<string>();
  for (const row of rows) {
    const [, sentence = "", tests = ""] = row.split(/(?<!\\)\|/).map((cell) => cell.trim());
    assert(!said.has(sentence), `${sentence} stands there twice`);
    said.add(sentence);
    const named = [...tests.matchAll(/`([^`]+_test\.ts)`: ([^;]+)/g)];
    assert(named.length > 0, `${sentence}: no test is named`);
    for (const [, path, name] of named) {
      if (!texts.has(path!)) texts.set(path!, await Deno.readTextFile(new URL(path!, ROOT)));
      const wanted = name!.trim().replaceAll("\\|", "|");
      const exists = texts.get(path!)!.includes(`Deno.test("${wanted}`);
      assert(exists, `${path} has no test that begins with "${wanted}"`);
    }
  }
});
