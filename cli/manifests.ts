// Manifests from files.

import { Failure } from "../core/errors.ts";
import { MANIFEST_BYTES } from "../core/limits.ts";
import { formatErrors, type ManifestError } from "../core/manifest/errors.ts";
import { parseManifest } from "../core/manifest/parse.ts";
import type { AppSpec } from "../core/manifest/spec.ts";
import type { Output } from "./output.ts";

/** What stands in some manifest files. */
export interface Manifests {
  readonly specs: readonly AppSpec[];
  readonly errors: readonly ManifestError[];
  /** App -> the folder of its file. */
  readonly folders: ReadonlyMap<string, string>;
}

/**
 * Reads and checks files; every error of every file is found.
 *
 * @throws {Failure} `usage` for a file that cannot be read.
 */
export async function readManifests(paths: readonly string[]): Promise<Manifests> {
  const specs: AppSpec[] = [];
  const errors: ManifestError[] = [];
  const folders = new Map<string, string>();
  for (const path of paths) {
    const parsed = parseManifest(await readText(path), path);
    if (!parsed.ok) {
      errors.push(...parsed.errors);
      continue;
    }
    specs.push(...parsed.apps);
    for (const { name } of parsed.apps) folders.set(name, folderOf(path));
  }
  return { specs, errors, folders };
}

/** The folder that a file is in, absolute. */
function folderOf(path: string): string {
  const whole = path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
  return whole.slice(0, Math.max(1, whole.lastIndexOf("/")));
}

/** Reads one file as UTF-8 text. */
export async function readText(path: string): Promise<string> {
  try {
    const { size } = await Deno.stat(path);
    if (size > MANIFEST_BYTES) {
      throw new Failure("usage", `${path} is too large: at most ${MANIFEST_BYTES} bytes`);
    }
    const bytes = await Deno.readFile(path);
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure("usage", `cannot read ${path}: ${whyUnreadable(error)}`);
  }
}

function whyUnreadable(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof TypeError) return "it is not UTF-8 text";
  return (error as Error).message;
}

/** The apps of the files, for a command that sends them. Nothing is sent where any has an error. */
export async function appsOf(paths: readonly string[]): Promise<readonly AppSpec[]> {
  return (await appsWithFolders(paths)).specs;
}

/** The same, with the folders that paths in them are relative to. */
export async function appsWithFolders(
  paths: readonly string[],
): Promise<Pick<Manifests, "specs" | "folders">> {
  const { specs, errors, folders } = await readManifests(paths);
  if (errors.length > 0) throw wrong(errors);
  const seen = new Set<string>();
  for (const { name } of specs) {
    if (seen.has(name)) {
      throw new Failure("manifest", `app ${name} stands in more than one of these files`);
    }
    seen.add(name);
  }
  return { specs, folders };
}

/**
 * The apps of a text.
 *
 * @param file how errors call it
 * @throws {Failure} `manifest` with every error.
 */
export function appsOfText(text: string, file: string): readonly AppSpec[] {
  const parsed = parseManifest(text, file);
  if (!parsed.ok) throw wrong(parsed.errors);
  return parsed.apps;
}

function wrong(errors: readonly ManifestError[]): Failure {
  const count = `${errors.length} error${errors.length === 1 ? "" : "s"}, nothing was done`;
  return new Failure("manifest", `${count}:\n${formatErrors(errors)}`);
}

/** Prints errors as people read them, with how many there are. */
export function printErrors(errors: readonly ManifestError[], output: Output): void {
  output.note(formatErrors(errors));
  const files = new Set(errors.map((error) => error.file)).size;
  output.note(
    `${errors.length} error${errors.length === 1 ? "" : "s"} in ${files} file${
      files === 1 ? "" : "s"
    }`,
  );
}
