// Artifacts as bytes: a file as it is, a folder as the archive of core/tar.ts.

import { createHash } from "node:crypto";
import { Failure } from "../errors.ts";
import { ARTIFACT_ENTRIES } from "../limits.ts";
import { staysWithin, TAR_END_BYTES, type TarEntry, tarHead, tarPadding } from "../tar.ts";

/** How much is read at a time, in bytes. */
const CHUNK_BYTES = 262_144;

/** What the bytes of an artifact are. */
export type ArtifactForm = "file" | "folder";

/**
 * The form of what is at a path.
 *
 * @throws {Failure} `no-artifact` where there is nothing that can be sent.
 */
export async function formOf(path: string): Promise<ArtifactForm> {
  try {
    const info = await Deno.stat(path);
    if (info.isFile) return "file";
    if (info.isDirectory) return "folder";
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound
      ? "there is nothing"
      : (error as Error).message;
    throw new Failure("no-artifact", `cannot read the artifact ${path}: ${why}`);
  }
  throw new Failure("no-artifact", `the artifact ${path} is neither a file nor a folder`);
}

/**
 * The bytes of an artifact, in order.
 *
 * @param without names right in the folder that are left out
 * @throws {Failure} `no-artifact` for what cannot be packed: a link that leads out of the folder, a
 *   device, a file that becomes shorter while it is read.
 */
export async function* packed(
  path: string,
  form: ArtifactForm,
  without: readonly string[] = [],
): AsyncGenerator<Uint8Array> {
  if (form === "file") return yield* contentOf(path, (await Deno.stat(path)).size);
  for (const entry of await entriesOf(path)) {
    if (without.includes(entry.path)) continue;
    yield tarHead(entry);
    if (entry.kind !== "file") continue;
    yield* contentOf(`${path}/${entry.path}`, entry.bytes);
    yield new Uint8Array(tarPadding(entry.bytes));
  }
  yield new Uint8Array(TAR_END_BYTES);
}

/** Digest and length of the bytes of an artifact. */
export async function digestOfArtifact(
  path: string,
  form: ArtifactForm,
): Promise<{ readonly sha256: string; readonly bytes: number }> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of packed(path, form)) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { sha256: hash.digest("hex"), bytes };
}

/** Everything below a folder, in one order. */
async function entriesOf(root: string): Promise<TarEntry[]> {
  const entries: TarEntry[] = [];
  const walk = async (folder: string): Promise<void> => {
    const names = (await Array.fromAsync(Deno.readDir(`${root}/${folder}`))).map((each) =>
      each.name
    )
      .sort();
    for (const name of names) {
      const path = folder === "" ? name : `${folder}/${name}`;
      if (entries.length >= ARTIFACT_ENTRIES) {
        throw new Failure("no-artifact", `${root} holds more than ${ARTIFACT_ENTRIES} files`);
      }
      const info = await Deno.lstat(`${root}/${path}`);
      if (info.isDirectory) {
        entries.push({ kind: "folder", path });
        await walk(path);
      } else if (info.isSymlink) {
        const target = await Deno.readLink(`${root}/${path}`);
        if (!staysWithin(path, target)) {
          throw new Failure("no-artifact", `the link ${root}/${path} leads out, to ${target}`);
        }
        entries.push({ kind: "link", path, target });
      } else if (info.isFile) {
        const executable = ((info.mode ?? 0) & 0o111) !== 0;
        entries.push({ kind: "file", path, bytes: info.size, executable });
      } else {
        throw new Failure("no-artifact", `${root}/${path} is neither a file nor a folder`);
      }
    }
  };
  await walk("");
  return entries;
}

async function* contentOf(path: string, bytes: number): AsyncGenerator<Uint8Array> {
  using file = await Deno.open(path);
  for (let left = bytes; left > 0;) {
    const buffer = new Uint8Array(Math.min(left, CHUNK_BYTES));
    const count = await file.read(buffer);
    if (count === null) throw new Failure("no-artifact", `${path} has become shorter`);
    left -= count;
    yield buffer.subarray(0, count);
  }
}
