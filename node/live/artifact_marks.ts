// What the node remembers of each artifact in its cache, in a file beside it: what it is, and what the
// disk said of it when its content was verified.

import { ARTIFACT_ENTRIES } from "../../core/limits.ts";
import { placeOf, type SignedArtifact } from "../artifact.ts";
import type { PathStat } from "../artifact_stat.ts";
import { logger } from "../../core/live/log.ts";
import { readText, writeAtomic } from "./files.ts";

/** After so many paths others have a turn. */
const AT_ONCE = 500;

/** The mark of a whole one; its time is that of the last use. */
export interface Mark {
  readonly form: "file" | "folder";
  /** Where the content stands, below the folder. */
  readonly place: string;
  readonly bytes: number;
  /** `statDigest()` when it was verified, and in which start of the machine that was. */
  readonly verified?: { readonly stat: string; readonly boot: string };
}

export function markOf(artifact: SignedArtifact): Mark {
  return { form: artifact.form, place: placeOf(artifact), bytes: artifact.bytes };
}

/** Beside `${ARTIFACT}`. */
export function markPath(folder: string): string {
  return `${folder}.json`;
}

/** `null` where there is none, or a damaged one. */
export function readMark(folder: string): Mark | null {
  try {
    const mark = JSON.parse(readText(markPath(folder)) ?? "null") as Mark | null;
    return typeof mark?.place === "string" ? mark : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

export function writeMark(folder: string, mark: Mark): void {
  writeAtomic(markPath(folder), JSON.stringify(mark));
}

/** The same where that may fail, as on a full disk: what is not remembered is only read once more. */
export function rememberMark(folder: string, mark: Mark): void {
  try {
    writeMark(folder, mark);
  } catch (error) {
    logger("artifacts").warn("cannot remember that {folder} was verified: {error}", {
      folder,
      error: (error as Error).message,
    });
  }
}

/** It is used now. */
export function touchMark(folder: string): void {
  const now = new Date();
  Deno.utimeSync(markPath(folder), now, now);
}

/**
 * What stands in a folder; `null` where there is no such folder.
 *
 * @throws {Error} for what cannot be looked at, and for more than an artifact may hold.
 */
export async function statsOf(root: string): Promise<PathStat[] | null> {
  const top = statOf(root, "");
  if (top === null) return null;
  const stats = [top];
  const folders = top.kind === "folder" ? [""] : [];
  for (let folder; (folder = folders.pop()) !== undefined;) {
    for (const { name } of Deno.readDirSync(folder === "" ? root : `${root}/${folder}`)) {
      const path = folder === "" ? name : `${folder}/${name}`;
      const stat = statOf(root, path);
      if (stat === null) continue;
      if (stats.push(stat) > 2 * ARTIFACT_ENTRIES) throw new Error("it holds too many files");
      if (stat.kind === "folder") folders.push(path);
      if (stats.length % AT_ONCE === 0) await new Promise((go) => setTimeout(go, 0));
    }
  }
  return stats;
}

function statOf(root: string, path: string): PathStat | null {
  try {
    const info = Deno.lstatSync(path === "" ? root : `${root}/${path}`);
    return {
      path,
      kind: info.isSymlink ? "link" : info.isDirectory ? "folder" : info.isFile ? "file" : "other",
      inode: `${info.dev}/${info.ino}`,
      bytes: info.size,
      modifiedMs: info.mtime?.getTime() ?? 0,
      changedMs: info.ctime?.getTime() ?? 0,
    };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
