// The hand-written documents against the code that they speak of.

import { assert, assertEquals } from "@std/assert";

const ROOT = decodeURIComponent(new URL("../", import.meta.url).pathname).replace(/\/$/, "");
const read = (path: string) => Deno.readTextFile(`${ROOT}/${path}`);

/** What a heading is linked to by, as GitHub makes it. */
function anchorOf(heading: string): string {
  return heading.trim().toLowerCase().replace(/[^\p{L}\p{N}\- _]/gu, "").replaceAll(" ", "-");
}

Deno.test("the documents link only to what exists, headings included", async () => {
  const pages = ["README.md"];
  for await (const { name } of Deno.readDir(`${ROOT}/docs`)) {
    if (name.endsWith(".md")) pages.push(`docs/${name}`);
  }
  let count = 0;
  for (const page of pages) {
    for (const [, link] of (await read(page)).matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g)) {
      count++;
      const to = new URL(link!, `file://${ROOT}/${page}`);
      const path = decodeURIComponent(to.pathname);
      const { isFile } = await Deno.stat(path).catch(() => ({ isFile: null }));
      assert(isFile !== null, `${page}: there is no ${link}`);
      if (to.hash === "") continue;
      assert(isFile, `${page}: ${link} is no page`);
      const headings = (await Deno.readTextFile(path)).matchAll(/^#+ (.+)$/gm);
      const anchors = [...headings].map(([, heading]) => anchorOf(heading!));
      assert(anchors.includes(to.hash.slice(1)), `${page}: ${link} names no heading`);
    }
  }
  assert(count > 20, `only ${count} links were found`);
});

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
