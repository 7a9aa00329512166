// Builds the deck and writes it, compressed, as a module that the conductor serves it from: so the
// deck is there wherever the conductor runs, without a build, a folder or a permission to read it.
//
//   deno run -A conductor/deck/build.ts

import { gzipSync } from "node:zlib";

/** A file as it is served. */
export interface Asset {
  /** Content type. */
  readonly type: string;
  readonly content: Uint8Array<ArrayBuffer>;
}

const HERE = new URL("./", import.meta.url);
const TARGET = new URL("../live/deck_assets.ts", HERE);
const TYPES: Readonly<Record<string, string>> = {
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
  html: "text/html; charset=utf-8",
};

/** Every file of the deck by the name it is served under; all but the page carry a hash. */
export async function buildDeck(): Promise<Map<string, Asset>> {
  const sources = new Map<string, Uint8Array<ArrayBuffer>>([
    ["main.js", await bundle("main.tsx")],
    ["style.css", await bundle("style.css")],
    ["theme.js", await bundle("theme.js")],
    ["favicon.svg", await Deno.readFile(new URL("favicon.svg", HERE))],
  ]);
  const assets = new Map<string, Asset>();
  const served: Record<string, string> = {};
  for (const [name, content] of sources) {
    const dot = name.lastIndexOf(".");
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
    const as = `${name.slice(0, dot)}-${digest.toHex().slice(0, 8)}${name.slice(dot)}`;
    served[name] = as;
    assets.set(as, { type: typeOf(name), content });
  }
  const page = (await Deno.readTextFile(new URL("index.html", HERE)))
    .replace(/\{\{ ([\w.]+) \}\}/g, (_, name: string) => served[name] ?? `missing-${name}`);
  assets.set("index.html", { type: TYPES.html!, content: new TextEncoder().encode(page) });
  return assets;
}

/** What all of it comes to over the wire, in bytes. */
export function compressedBytes(assets: ReadonlyMap<string, Asset>): number {
  let bytes = 0;
  for (const { content } of assets.values()) bytes += gzipSync(content, { level: 9 }).length;
  return bytes;
}

/** The module's text. */
export function moduleOf(assets: ReadonlyMap<string, Asset>): string {
  const entries = [...assets].map(([name, { type, content }]) => {
    const zipped = new Uint8Array(gzipSync(content, { level: 9 }));
    // The system that compressed it is of no interest, and would make two builds differ.
    zipped[9] = 255;
    return `  ${JSON.stringify(name)}: { type: ${
      JSON.stringify(type)
    }, gzip: "${zipped.toBase64()}" },`;
  });
  return `// Made by conductor/deck/build.ts; do not edit.\n` +
    `export const ASSETS: Readonly<Record<string, { type: string; gzip: string }>> = {\n` +
    `${entries.join("\n")}\n};\n`;
}

function typeOf(name: string): string {
  return TYPES[name.slice(name.lastIndexOf(".") + 1)] ?? "application/octet-stream";
}

async function bundle(entry: string): Promise<Uint8Array<ArrayBuffer>> {
  const folder = await Deno.makeTempDir({ prefix: "deck-" });
  try {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["bundle", "--quiet", "--platform", "browser", "--minify", "--outdir", folder],
        `conductor/deck/${entry}`,
      ],
      cwd: new URL("../../", HERE),
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) {
      throw new Error(`cannot bundle ${entry}: ${new TextDecoder().decode(stderr)}`);
    }
    return await Deno.readFile(`${folder}/${entry.replace(/\.tsx$/, ".js")}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  const assets = await buildDeck();
  await Deno.writeTextFile(TARGET, moduleOf(assets));
  console.log(`deck: ${(compressedBytes(assets) / 1_000).toFixed(1)} KB gzipped`);
}
