// Files and folders as archives, for skr8tr cp. An archive that is sent holds `content` and then an
// empty `whole`; one that comes holds what tar(1) made of `.` or of one file.

import { createTarDecoder, createTarPacker, type TarHeader } from "modern-tar";
import { Failure } from "../core/errors.ts";
import { staysWithin } from "../core/tar.ts";

/** What was copied. */
export interface Copied {
  readonly files: number;
  readonly bytes: number;
  /** What was not, each with its reason. */
  readonly left: readonly string[];
}

interface Found {
  readonly path: string;
  /** In the archive, below `content`; empty for that itself. */
  readonly inner: string;
  readonly stat: Deno.FileInfo;
  /** Of a link: where to. */
  readonly target?: string;
}

/** What of a path on this machine will be copied. */
export interface Source {
  readonly isFolder: boolean;
  readonly bytes: number;
  readonly found: readonly Found[];
  readonly left: readonly string[];
}

/** Looks through a file or folder. @throws {Failure} `no-file` */
export async function lookThrough(path: string): Promise<Source> {
  const found: Found[] = [];
  const left: string[] = [];
  let bytes = 0;
  const look = async (at: string, inner: string, stat: Deno.FileInfo): Promise<void> => {
    if (stat.isSymlink) {
      const target = await Deno.readLink(at);
      if (staysWithin(inner, target)) found.push({ path: at, inner, stat, target });
      else left.push(`${at}: a link that leads out, to ${target}`);
    } else if (stat.isFile) {
      bytes += stat.size;
      found.push({ path: at, inner, stat });
    } else if (stat.isDirectory) {
      found.push({ path: at, inner, stat });
      const names = (await Array.fromAsync(Deno.readDir(at))).map(({ name }) => name).sort();
      for (const name of names) {
        const below = inner === "" ? name : `${inner}/${name}`;
        await look(`${at}/${name}`, below, await Deno.lstat(`${at}/${name}`));
      }
    } else {
      left.push(`${at}: neither a file, a folder nor a link`);
    }
  };
  try {
    const stat = await Deno.stat(path);
    if (!stat.isFile && !stat.isDirectory) throw new Error("it is neither a file nor a folder");
    await look(path.replace(/(.)\/+$/, "$1"), "", stat);
    return { isFolder: stat.isDirectory, bytes, found, left };
  } catch (error) {
    throw new Failure("no-file", `cannot copy ${path}: ${(error as Error).message}`);
  }
}

/**
 * The archive of a source.
 *
 * @param sent is told how many bytes of contents have gone into it
 */
export function pack(
  { found }: Source,
  sent: (bytes: number) => void,
): ReadableStream<Uint8Array> {
  const { readable, controller } = createTarPacker();
  const add = async (header: TarHeader, path?: string) => {
    const body = controller.add(header);
    if (path === undefined) return await body.close();
    using file = await Deno.open(path);
    await exactly(file, header.size, body.getWriter(), sent);
  };
  const all = async () => {
    for (const { path, inner, stat, target } of found) {
      const name = inner === "" ? "content" : `content/${inner}`;
      const common = { mode: (stat.mode ?? 0o644) & 0o777, mtime: stat.mtime ?? new Date() };
      if (target !== undefined) {
        await add({ ...common, name, type: "symlink", size: 0, linkname: target });
      } else if (stat.isDirectory) {
        await add({ ...common, name: `${name}/`, type: "directory", size: 0 });
      } else {
        await add({ ...common, name, type: "file", size: stat.size }, path);
      }
    }
    await add({ name: "whole", type: "file", size: 0 });
    controller.finalize();
  };
  all().catch((error) => controller.error(error));
  return readable;
}

/** As many bytes of a file as its head says: one that grows meanwhile is cut. */
async function exactly(
  file: Deno.FsFile,
  size: number,
  to: WritableStreamDefaultWriter<Uint8Array>,
  sent: (bytes: number) => void,
): Promise<void> {
  for (let left = size; left > 0;) {
    const buffer = new Uint8Array(Math.min(left, 262_144));
    const count = await file.read(buffer);
    if (count === null) throw new Error("a file became shorter while it was copied");
    await to.write(buffer.subarray(0, count));
    left -= count;
    sent(count);
  }
  await to.close();
}

/**
 * Unpacks an archive to a path that is not there, or is a file that it replaces. Nothing is at the
 * path before all has come.
 *
 * @param came is told how many bytes of contents have come
 * @param whole resolves when the other side says that it has sent all
 * @throws {Failure} `cannot-write`; `bad-archive` for one that is damaged or leads out.
 */
export async function unpack(
  archive: ReadableStream<Uint8Array>,
  path: string,
  came: (bytes: number) => void,
  whole: Promise<unknown>,
): Promise<Copied> {
  const cut = path.lastIndexOf("/");
  const dir = cut < 0 ? "." : path.slice(0, cut) || "/";
  let made: string;
  try {
    made = await Deno.makeTempDir({ dir, prefix: ".skr8tr-copy-" });
  } catch (error) {
    throw cannotWrite(path, error);
  }
  try {
    const copied = await new Unpacking(made, came).run(archive);
    await whole;
    try {
      await Deno.rename(`${made}/content`, path);
    } catch (error) {
      throw cannotWrite(path, error);
    }
    return copied;
  } finally {
    await Deno.remove(made, { recursive: true }).catch(() => {});
  }
}

function cannotWrite(path: string, error: unknown): Failure {
  const hint = error instanceof Deno.errors.NotCapable
    ? " (deno task skr8tr may write only below the folder that it is called in)"
    : "";
  return new Failure("cannot-write", `cannot write ${path}: ${(error as Error).message}${hint}`);
}

interface Link {
  readonly path: string;
  readonly target: string;
  /** The same file under another name. */
  readonly hard: boolean;
}

/** One archive becoming files. */
class Unpacking {
  readonly #links: Link[] = [];
  readonly #folders: { readonly path: string; readonly mode: number }[] = [];
  readonly #left: string[] = [];
  #files = 0;
  #bytes = 0;

  constructor(readonly folder: string, readonly came: (bytes: number) => void) {}

  async run(archive: ReadableStream<Uint8Array>): Promise<Copied> {
    const decoder = createTarDecoder({ strict: true });
    // What it fails with is what the entries fail with.
    archive.pipeTo(decoder.writable).catch(() => {});
    for await (const { header, body } of decoder.readable) await this.#take(header, body);
    // Links come last, so that nothing is ever written through one; then folders may be closed.
    for (const link of this.#links) await this.#link(link);
    for (const { path, mode } of this.#folders.reverse()) await Deno.chmod(path, mode);
    return { files: this.#files, bytes: this.#bytes, left: this.#left };
  }

  async #take(header: TarHeader, body: ReadableStream<Uint8Array>): Promise<void> {
    const inner = innerPath(header.name);
    const mode = (header.mode ?? 0o644) & 0o777;
    if (header.type === "directory") {
      const path = this.#at(inner);
      await Deno.mkdir(path, { recursive: true, mode: 0o700 });
      this.#folders.push({ path, mode });
    } else if (header.type === "symlink" || header.type === "link") {
      const hard = header.type === "link";
      this.#links.push({ path: inner, target: header.linkname ?? "", hard });
    } else if (header.type === "file" || header.type === undefined) {
      // A file alone is itself the content.
      const path = this.#folders.length === 0 ? `${this.folder}/content` : this.#at(inner);
      await this.#write(path, mode, body);
      return;
    } else {
      this.#left.push(`${inner}: neither a file, a folder nor a link`);
    }
    await body.cancel();
  }

  async #write(path: string, mode: number, body: ReadableStream<Uint8Array>): Promise<void> {
    {
      using file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
      for await (const chunk of body) {
        for (let at = 0; at < chunk.length;) at += await file.write(chunk.subarray(at));
        this.#bytes += chunk.length;
        this.came(chunk.length);
      }
    }
    await Deno.chmod(path, mode);
    this.#files++;
  }

  async #link({ path, target, hard }: Link): Promise<void> {
    if (hard) {
      // The same file under two names becomes two files.
      await Deno.copyFile(this.#at(innerPath(target)), this.#at(path));
      this.#files++;
    } else if (!staysWithin(path, target)) {
      this.#left.push(`${path}: a link that leads out, to ${target}`);
    } else {
      try {
        await Deno.symlink(target, this.#at(path));
      } catch (error) {
        if (!(error instanceof Deno.errors.NotCapable)) throw error;
        this.#left.push(`${path}: a link, which deno task skr8tr may not make`);
      }
    }
  }

  #at(inner: string): string {
    return inner === "" ? `${this.folder}/content` : `${this.folder}/content/${inner}`;
  }
}

/** A name of an archive without `./`. @throws {Failure} `bad-archive` where it leads out. */
function innerPath(name: string): string {
  const parts = name.replace(/\/+$/, "").split("/").filter((part) => part !== ".");
  if (name.startsWith("/") || parts.some((part) => part === "" || part === "..")) {
    throw new Failure(
      "bad-archive",
      `what came would have been written to ${name}, which leads out`,
    );
  }
  return parts.join("/");
}
