// Builds the shop front into `dist/`: `deno bundle` for scripts and styles, content-hashed names,
// an index.html that names them. Nothing is done when no input has changed.
//
//   deno run -A market/web/build.ts

import { gzip as gzipAsync } from "node:zlib";
import { promisify } from "node:util";

const gzip = promisify(gzipAsync);

/** What a build came to. Sizes are gzipped bytes of scripts and styles. */
export interface FrontBuild {
  /** True when the inputs were those of the build in place, and nothing was done. */
  readonly cached: boolean;
  /** All scripts and styles. */
  readonly gzipBytes: number;
  /** Those that showing the home page fetches. */
  readonly firstViewBytes: number;
  readonly ms: number;
}

/** Kept as `build.json` beside the output. */
interface Stamp {
  readonly inputs: string;
  readonly gzipBytes: number;
  readonly firstViewBytes: number;
}

/** A finished file, by the name it is served under (`assets/main-1a2b3c4d.js`). */
type Files = Map<string, Uint8Array<ArrayBuffer>>;

const HERE = new URL("./", import.meta.url);
const REPOSITORY = new URL("../../", HERE);
/** What the front is made of besides its own folder. */
const OUTSIDE_INPUTS = ["deno.json", "deno.lock", "market/services/order-svc/price.ts"];

/**
 * Builds the front into `outDir` (default `market/web/dist`) unless it is up to date there.
 * A server may serve the folder meanwhile: new files come first, then index.html by a rename, and
 * only then the old files go. Throws an Error with the bundler's own words when a source is wrong.
 */
export async function buildFront(
  options: { readonly outDir?: URL } = {},
): Promise<FrontBuild> {
  const startedMs = performance.now();
  const outDir = options.outDir ?? new URL("dist/", HERE);
  const inputs = await hashInputs();
  const stamp = await readStamp(outDir);
  if (stamp?.inputs === inputs) return report(stamp, true, startedMs);

  const bundled = await bundle();
  const { files, firstView } = await assemble(bundled);
  const zipped = await compress(files);
  const fresh: Stamp = {
    inputs,
    gzipBytes: sum(zipped, [...files.keys()].filter((name) => /\.(js|css)$/.test(name))),
    firstViewBytes: sum(zipped, firstView),
  };
  await install(outDir, files, fresh);
  return report(fresh, false, startedMs);
}

function report(stamp: Stamp, cached: boolean, startedMs: number): FrontBuild {
  const { gzipBytes, firstViewBytes } = stamp;
  return { cached, gzipBytes, firstViewBytes, ms: Math.round(performance.now() - startedMs) };
}

/** One hash over everything that can change the output, this program included. */
async function hashInputs(): Promise<string> {
  const own = await Array.fromAsync(inputFiles(HERE));
  const outside = OUTSIDE_INPUTS.map((path) => new URL(path, REPOSITORY));
  const hashes = await Promise.all([...own, ...outside].map(async (file) => {
    const content = await Deno.readFile(file);
    return `${file.href.slice(REPOSITORY.href.length)} ${await sha256(content)}`;
  }));
  return await sha256(new TextEncoder().encode([Deno.version.deno, ...hashes.sort()].join("\n")));
}

async function* inputFiles(folder: URL): AsyncGenerator<URL> {
  for await (const entry of Deno.readDir(folder)) {
    if (entry.isDirectory && entry.name !== "dist") {
      yield* inputFiles(new URL(`${entry.name}/`, folder));
    }
    if (entry.isFile && !entry.name.endsWith("_test.ts")) yield new URL(entry.name, folder);
  }
}

async function sha256(content: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", content)).toHex();
}

async function readStamp(outDir: URL): Promise<Stamp | undefined> {
  try {
    await Deno.stat(new URL("index.html", outDir));
    return JSON.parse(await Deno.readTextFile(new URL("build.json", outDir)));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The bundler's output by path: `main.js`, `chunk-*.js`, `styles/main.css`, ... */
async function bundle(): Promise<Files> {
  const folder = await Deno.makeTempDir({ prefix: "market-front-" });
  try {
    const entries = ["main.tsx", "theme.js", "styles/main.css", "styles/inner.css"];
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["bundle", "--quiet", "--platform", "browser", "--minify", "--code-splitting"],
        ...["--outdir", folder],
        ...entries.map((entry) => `market/web/${entry}`),
      ],
      cwd: REPOSITORY,
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) {
      throw new Error(`cannot bundle the shop front:\n${new TextDecoder().decode(stderr)}`);
    }
    const output: Files = new Map();
    await collect(folder, "", output);
    return output;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function collect(root: string, path: string, into: Files): Promise<void> {
  const entries = await Array.fromAsync(Deno.readDir(`${root}/${path}`));
  for (const { name, isDirectory } of entries.sort((a, b) => a.name < b.name ? -1 : 1)) {
    if (isDirectory) await collect(root, `${path}${name}/`, into);
    else into.set(`${path}${name}`, await Deno.readFile(`${root}/${path}${name}`));
  }
}

/** Gives every file its served name and writes the index.html that names them. */
async function assemble(bundled: Files): Promise<{ files: Files; firstView: string[] }> {
  const files: Files = new Map();
  const named: Record<string, string> = {};
  // Entries are named by their content here; the chunks carry a hash of the bundler's already.
  for (
    const [path, content] of [...bundled, ["favicon.svg", await readOwn("favicon.svg")] as const]
  ) {
    const base = path.split("/").at(-1)!;
    const isChunk = /-[0-9A-Z]{8}\.js$/.test(base);
    const served = isChunk ? base : await hashedName(base, content);
    named[base] = `assets/${served}`;
    files.set(`assets/${served}`, content);
  }
  const start = staticImports(files, named["main.js"]!);
  const home = Object.keys(named).find((name) => name.startsWith("home-"));
  if (!home) throw new Error("cannot build the shop front: the bundle has no chunk for home");
  const scripts = new Set([...start, ...staticImports(files, named[home]!)]);
  const preloads = [...start].slice(1)
    .map((name) => `<link rel="modulepreload" href="/${name}">`).join("\n    ");

  const template = new TextDecoder().decode(await readOwn("index.html"));
  const html = template.replace(/\{\{ ?([\w.]+) ?\}\}/g, (_, key: string) => {
    if (key === "preloads") return preloads;
    const name = named[key];
    if (!name) throw new Error(`cannot build the shop front: index.html names ${key}, unknown`);
    return `/${name}`;
  });
  files.set("index.html", new TextEncoder().encode(html));
  return { files, firstView: [...scripts, named["theme.js"]!, named["main.css"]!] };
}

function readOwn(name: string): Promise<Uint8Array<ArrayBuffer>> {
  return Deno.readFile(new URL(name, HERE));
}

async function hashedName(name: string, content: Uint8Array<ArrayBuffer>): Promise<string> {
  const dot = name.lastIndexOf(".");
  return `${name.slice(0, dot)}-${(await sha256(content)).slice(0, 8)}${name.slice(dot)}`;
}

/** A script and everything it imports statically, itself first. */
function staticImports(files: Files, name: string, found = new Set<string>()): Set<string> {
  if (found.has(name)) return found;
  const content = files.get(name);
  if (!content) throw new Error(`cannot build the shop front: ${name} is imported and missing`);
  found.add(name);
  const text = new TextDecoder().decode(content);
  for (
    const match of text.matchAll(/(?:^|[;}\s])(?:import|export)\b[^"'();]*["']\.\/([^"']+)["']/g)
  ) {
    staticImports(files, `assets/${match[1]}`, found);
  }
  return found;
}

async function compress(files: Files): Promise<Files> {
  const zipped: Files = new Map();
  await Promise.all([...files].map(async ([name, content]) => {
    zipped.set(`${name}.gz`, new Uint8Array(await gzip(content, { level: 9 })));
  }));
  return zipped;
}

function sum(zipped: Files, names: readonly string[]): number {
  return names.reduce((bytes, name) => bytes + zipped.get(`${name}.gz`)!.length, 0);
}

async function install(outDir: URL, files: Files, stamp: Stamp): Promise<void> {
  await Deno.mkdir(new URL("assets/", outDir), { recursive: true });
  const last = (name: string) => name.startsWith("index.html") ? 1 : 0;
  const order = [...files].sort(([a], [b]) => last(a) - last(b));
  for (const [name, content] of order) await replace(new URL(name, outDir), content);
  const text = new TextEncoder().encode(`${JSON.stringify(stamp)}\n`);
  await replace(new URL("build.json", outDir), text);
  for await (const { name } of Deno.readDir(new URL("assets/", outDir))) {
    if (!files.has(`assets/${name}`)) await Deno.remove(new URL(`assets/${name}`, outDir));
  }
}

/** Writes a file so that nobody sees half of it. */
async function replace(file: URL, content: Uint8Array): Promise<void> {
  const half = new URL(`${file.href}.${crypto.randomUUID().slice(0, 8)}.part`);
  await Deno.writeFile(half, content);
  await Deno.rename(half, file);
}

if (import.meta.main) {
  const { cached, gzipBytes, firstViewBytes, ms } = await buildFront();
  const kilobytes = (bytes: number) => `${(bytes / 1000).toFixed(1)} KB`;
  console.log(
    `front: ${cached ? "up to date" : "built"} in ${ms} ms; scripts and styles gzipped: ` +
      `${kilobytes(gzipBytes)} in all, ${kilobytes(firstViewBytes)} for the first view`,
  );
}
