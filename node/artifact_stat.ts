/**
 * What the disk says of an artifact that lies on a node, without a byte of it being read: as long as
 * it says the same as when the content was verified, the content is the same. Files are looked at
 * under live/.
 */

import { sha256Hex } from "../core/bytes.ts";
import { ARTIFACT_SETTLE_MS } from "../core/limits.ts";
import { placeOf, type SignedArtifact } from "./artifact.ts";

/** Of one path below `${ARTIFACT}`; times are the disk's, wall clock, in ms. */
export interface PathStat {
  /** Relative; empty for the folder itself. */
  readonly path: string;
  readonly kind: "file" | "folder" | "link" | "other";
  /** With the device, for another file by the same name. */
  readonly inode: string;
  readonly bytes: number;
  /** The content's time, which anybody who may write can set. */
  readonly modifiedMs: number;
  /** The time of any change, of the times above, too: the kernel's alone, in whole seconds. */
  readonly changedMs: number;
}

/** One digest over all of it, in hex. The order does not matter. */
export function statDigest(stats: readonly PathStat[]): string {
  const lines = stats.map(({ path, kind, inode, bytes, modifiedMs, changedMs }) =>
    JSON.stringify([path, kind, inode, bytes, modifiedMs, changedMs])
  );
  return sha256Hex(lines.sort().join("\n"));
}

/**
 * Whether any change since `atMs` shows in `statDigest()`. What was changed in the same second might
 * be changed once more without a trace.
 *
 * @param atMs wall time at which the content began to be read
 */
export function isSettled(stats: readonly PathStat[], atMs: number): boolean {
  return stats.every(({ changedMs }) => changedMs + ARTIFACT_SETTLE_MS <= atMs);
}

/**
 * Why what lies there cannot be the artifact, whatever it contains: something is missing, of another
 * kind or too much; `null` where the content has to tell.
 */
export function whyMisplaced(
  artifact: Pick<SignedArtifact, "form" | "from" | "to" | "bytes">,
  stats: readonly PathStat[],
): string | null {
  const place = placeOf(artifact);
  const kinds = new Map(stats.map((each) => [each.path, each]));
  for (const folder of foldersTo(place, artifact.form)) {
    const kind = kinds.get(folder)?.kind;
    if (kind !== "folder") return `${folder || "its folder"} ${isInstead(kind)}`;
  }
  if (artifact.form === "file") {
    const file = kinds.get(place);
    if (file?.kind !== "file") return `${place} ${isInstead(file?.kind)}`;
    if (file.bytes !== artifact.bytes) return `${place} has ${file.bytes} bytes`;
  }
  const stray = stats.find(({ path }) => !belongs(path, place, artifact.form));
  return stray ? `it holds ${stray.path}, which nobody signed` : null;
}

/** The folders that must be there: those above the place, and a folder's own. */
function foldersTo(place: string, form: SignedArtifact["form"]): string[] {
  const parts = place === "" ? [] : place.split("/");
  const folders = parts.map((_, index) => parts.slice(0, index).join("/"));
  return form === "folder" ? [...folders, place] : folders;
}

function isInstead(kind: PathStat["kind"] | undefined): string {
  switch (kind) {
    case undefined:
      return "is missing";
    case "link":
      return "is a link";
    case "other":
      return "is neither a file nor a folder";
    case "file":
    case "folder":
      return `is a ${kind}`;
    default:
      return kind satisfies never;
  }
}

/** On the way to the place, at it or, of a folder, in it. */
function belongs(path: string, place: string, form: SignedArtifact["form"]): boolean {
  if (path === "" || path === place || place.startsWith(`${path}/`)) return true;
  return form === "folder" && (place === "" || path.startsWith(`${place}/`));
}
