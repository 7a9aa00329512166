// An archive of core/tar.ts becomes files again.

import { readTarHead, TAR_BLOCK, type TarEntry, tarPadding, textOf } from "../../core/tar.ts";

/**
 * Unpacks an archive into a folder that is there and empty.
 *
 * @throws {Error} for an archive that is damaged or leads out of the folder.
 */
export async function unpack(archive: string, folder: string): Promise<void> {
  using file = await Deno.open(archive);
  const links: Extract<TarEntry, { kind: "link" }>[] = [];
  let name: string | undefined;
  let target: string | undefined;
  for (;;) {
    const head = readTarHead(await exactly(file, TAR_BLOCK), name, target);
    if (head.at === "end") break;
    if (head.at === "bad") throw new Error(`the archive cannot be read: ${head.reason}`);
    if (head.at !== "entry") {
      const text = textOf(await exactly(file, head.bytes)) ?? "";
      await exactly(file, tarPadding(head.bytes));
      if (head.at === "name") name = text;
      else target = text;
      continue;
    }
    name = target = undefined;
    const { entry } = head;
    if (entry.kind === "folder") await Deno.mkdir(`${folder}/${entry.path}`, { mode: 0o755 });
    else if (entry.kind === "file") await write(file, entry, `${folder}/${entry.path}`);
    // Links come last, so that nothing is ever written through one.
    else links.push(entry);
  }
  for (const link of links) await Deno.symlink(link.target, `${folder}/${link.path}`);
}

async function write(
  from: Deno.FsFile,
  { bytes, executable }: Extract<TarEntry, { kind: "file" }>,
  path: string,
): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true });
  const buffer = new Uint8Array(Math.min(262_144, Math.max(1, bytes)));
  for (let left = bytes; left > 0;) {
    const count = await from.read(buffer.subarray(0, Math.min(left, buffer.length)));
    if (count === null) throw new Error("the archive breaks off");
    for (let at = 0; at < count;) at += await file.write(buffer.subarray(at, count));
    left -= count;
  }
  await exactly(from, tarPadding(bytes));
  await Deno.chmod(path, executable ? 0o755 : 0o644);
}

async function exactly(file: Deno.FsFile, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const count = await file.read(bytes.subarray(at));
    if (count === null) throw new Error("the archive breaks off");
    at += count;
  }
  return bytes;
}
