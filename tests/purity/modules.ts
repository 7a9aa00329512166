// Keeps the market's modules apart: none reaches into another's folder, and no business code knows
// whether it is asked, or asks, over HTTP or in the same process. Run by `deno task check`.

import ts from "typescript";

const ROOT = new URL("../../", import.meta.url);
const MODULES = "market/services";
const PROGRAMS = "market/five";
const KIT = "market/kit";

/** Where programs are put together; everything else in a module's folder is business code. */
const WIRING = new Set(["main.ts", "service.ts"]);
/** What a module shows to those who put programs together. */
const SURFACE = new Set(["module.ts", "service.ts"]);
/** What only they may use: with it one would know how others are reached. */
const ADAPTERS = new Set(
  ["over_http.ts", "directory.ts", "wiring.ts", "run.ts"].map((file) => `${KIT}/${file}`),
);

/** Who a file is, by its path below the root. */
interface Place {
  readonly kind: "module" | "program" | "kit" | "market" | "other";
  /** The module's or program's own folder; its file's name within. */
  readonly folder: string;
  readonly file: string;
}

function placeOf(path: string): Place {
  const kinds = [[MODULES, "module"], [PROGRAMS, "program"]] as const;
  for (const [root, kind] of kinds) {
    if (!path.startsWith(`${root}/`)) continue;
    const [name = "", ...rest] = path.slice(root.length + 1).split("/");
    if (rest.length > 0) return { kind, folder: `${root}/${name}`, file: rest.join("/") };
  }
  if (path.startsWith(`${KIT}/`)) return { kind: "kit", folder: KIT, file: path };
  return { kind: path.startsWith("market/") ? "market" : "other", folder: "", file: path };
}

/**
 * What is wrong with one file's imports; a sentence each.
 *
 * @param path below the project's root
 */
export function faultsOf(path: string, source: string): string[] {
  const from = placeOf(path);
  const faults: string[] = [];
  for (const { fileName } of ts.preProcessFile(source, true, true).importedFiles) {
    if (!fileName.startsWith(".")) continue;
    const target = new URL(fileName, new URL(path, "file:///")).pathname.slice(1);
    const why = forbidden(from, placeOf(target), target);
    if (why) faults.push(`${path} imports ${target}: ${why}`);
  }
  return faults;
}

function forbidden(from: Place, to: Place, target: string): string | undefined {
  const own = from.folder === to.folder;
  const business = (from.kind === "module" || from.kind === "program") && !WIRING.has(from.file);
  if (from.kind === "kit" && (to.kind === "module" || to.kind === "program")) {
    return "the kit serves all modules and knows none";
  }
  if (from.kind === "module" && !own && (to.kind === "module" || to.kind === "program")) {
    return "a module reaches into another's folder; ask by an interface of market/kit/modules.ts";
  }
  if (business && ADAPTERS.has(target)) {
    return "business code does not know how others are reached; that is for service.ts and main.ts";
  }
  if (from.kind === "program" && !own) {
    if (to.kind === "program") return "a program reaches into another's folder";
    if (to.kind === "module" && (business || !SURFACE.has(to.file))) {
      return "only service.ts and main.ts of a program may use a module, by its module.ts";
    }
  }
}

async function* sources(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(new URL(folder, ROOT))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* sources(path);
    else if (/\.tsx?$/.test(path) && !path.endsWith("_test.ts") && !/\/testing_/.test(path)) {
      yield path;
    }
  }
}

/** What is wrong in the whole market; a sentence each. */
export async function moduleFaults(): Promise<string[]> {
  const faults: string[] = [];
  for (const folder of [MODULES, PROGRAMS, KIT]) {
    for await (const path of sources(folder)) {
      faults.push(...faultsOf(path, await Deno.readTextFile(new URL(path, ROOT))));
    }
  }
  return faults;
}
