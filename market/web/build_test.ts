import { assert, assertEquals, assertMatch } from "@std/assert";
import { buildFront } from "./build.ts";

/** NUMBERS.md: what the front may weigh, gzipped bytes of scripts and styles. */
const ALL_BYTES = 60_000;
const FIRST_VIEW_BYTES = 30_000;

async function inFolder(test: (folder: URL) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempDir({ prefix: "market-build-" });
  try {
    await test(new URL(`file://${path}/`));
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}

async function contents(folder: URL): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of ["index.html", "build.json"]) {
    found[name] = await Deno.readTextFile(new URL(name, folder));
  }
  for await (const { name } of Deno.readDir(new URL("assets/", folder))) {
    found[`assets/${name}`] = await Deno.readTextFile(new URL(`assets/${name}`, folder));
  }
  return found;
}

Deno.test("buildFront() keeps to its budget and makes the same bytes every time", async () => {
  await inFolder(async (first) => {
    const built = await buildFront({ outDir: first });
    assertEquals(built.cached, false);
    assert(built.gzipBytes <= ALL_BYTES, `${built.gzipBytes} bytes in all`);
    assert(built.firstViewBytes <= FIRST_VIEW_BYTES, `${built.firstViewBytes} bytes at first`);
    assert(built.firstViewBytes < built.gzipBytes);
    await inFolder(async (second) => {
      await buildFront({ outDir: second });
      assertEquals(await contents(second), await contents(first));
    });
  });
});

Deno.test("buildFront() does nothing when nothing has changed, and cleans up when it has", async () => {
  await inFolder(async (folder) => {
    const built = await buildFront({ outDir: folder });
    const page = new URL("index.html", folder);
    await Deno.writeTextFile(page, "as it was");
    const again = await buildFront({ outDir: folder });
    assertEquals(again, { ...built, cached: true, ms: again.ms });
    assertEquals(await Deno.readTextFile(page), "as it was");

    await Deno.writeTextFile(new URL("build.json", folder), '{"inputs":"others"}');
    await Deno.writeTextFile(new URL("assets/home-OLDOLDOL.js", folder), "old");
    assertEquals((await buildFront({ outDir: folder })).cached, false);
    const after = await contents(folder);
    assertMatch(after["index.html"]!, /<div id="shop">/);
    assertEquals(after["assets/home-OLDOLDOL.js"], undefined);
  });
});

Deno.test("buildFront() makes a page that a strict content security policy lets through", async () => {
  await inFolder(async (folder) => {
    await buildFront({ outDir: folder });
    const files = await contents(folder);
    const html = files["index.html"]!;
    assertEquals(/<script(?![^>]*\ssrc=)/.test(html), false, "no inline script");
    assertEquals(/<style|\sstyle=|\son\w+=/.test(html), false, "no inline style or handler");
    const named = [...html.matchAll(/"\/(assets\/[^"]+)"/g)].map((match) => match[1]!);
    assert(named.length >= 5);
    for (const name of named) assert(files[name] !== undefined, `${name} is there`);
    for (const [name, text] of Object.entries(files)) {
      assertEquals(text.includes("file://"), false, `${name} names no place of this machine`);
      assertEquals(/\beval\(|new Function\(/.test(text), false, `${name} makes code of text`);
    }
  });
});
