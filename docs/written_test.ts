// The hand-written documents against the code that they speak of.

import { assert, assertEquals } from "@std/assert";

const ROOT = decodeURIComponent(new URL("../", import.meta.url).pathname).replace(/\/$/, "");
const read = (path: string) => Deno.readTextFile(`${ROOT}/${path}`);

Deno.test("ARCHITECTURE.md and PROTOCOL.md name only files that exist", async () => {
  for (const page of ["docs/ARCHITECTURE.md", "docs/PROTOCOL.md"]) {
    const text = await read(page);
    const paths = [...text.matchAll(/`([a-z]+\/[\w./]*(?:\.(?:ts|sh)|\/))`/g)].map(([, path]) =>
      path!
    );
    assert(paths.length > 0, `${page} names no file`);
    for (const path of paths) {
      await Deno.stat(`${ROOT}/${path}`).catch(() => assert(false, `${page}: there is no ${path}`));
    }
  }
});

Deno.test("ARCHITECTURE.md names only functions that exist", async () => {
  const text = await read("docs/ARCHITECTURE.md");
  // "`name()` in `file`": the pages' way to point at code.
  const named = [...text.matchAll(/`#?(?:\w+\.)?(\w+)(?:\(\))?`\s+in\s+`([\w./]+\.ts)`/g)];
  assert(named.length >= 6, "too few to be right");
  for (const [, name, path] of named) {
    assert(new RegExp(`\\b${name}\\b`).test(await read(path!)), `there is no ${name} in ${path}`);
  }
});

Deno.test("PROTOCOL.md has every message of core/mesh.ts, and none besides", async () => {
  const mesh = await read("core/mesh.ts");
  const kinds = [...mesh.matchAll(/= variant\(\{\n([^]*?)\n\}\);/g)].flatMap(([, body]) =>
    [...body!.matchAll(/^ {2}"?([a-z-]+)"?(?:,$|: struct)/gm)].map(([, kind]) => kind!)
  );
  assert(kinds.length >= 20, `only ${kinds.length} kinds were found`);
  const page = await read("docs/PROTOCOL.md");
  const tables = page.slice(page.indexOf("## Mesh"), page.indexOf("## HTTP"));
  const named = [...tables.matchAll(/^\|(?:[^|`]*\|)*? *`([a-z-]+)` *\|/gm)]
    .map(([, kind]) => kind!)
    .filter((kind) => kind !== "k"); // the heading of the column
  // What the tower hands on stands in both directions.
  assertEquals(named.toSorted(), [...new Set(kinds)].toSorted());
});

Deno.test("PROTOCOL.md has every plain command", async () => {
  const page = await read("docs/PROTOCOL.md");
  const wire = await read("core/wire.ts") + await read("core/command.ts");
  const verbs = new Set([...wire.matchAll(/case "([A-Z]+)":/g)].map(([, verb]) => verb!));
  assert(verbs.size >= 12, `only ${verbs.size} verbs were found`);
  for (const verb of verbs) assert(page.includes(`\`${verb}`), `${verb} is missing`);
});
