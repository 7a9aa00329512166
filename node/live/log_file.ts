// One file that a program appends its output to: read as it grows, rotated without losing a line.

import { LOG_FILES, LOG_READ_BYTES } from "../../core/limits.ts";
import { logger } from "../../core/live/log.ts";
import { readText, writeAtomic } from "./files.ts";

const log = () => logger("logs");

export interface LogFileOptions {
  /** It is rotated at this size. */
  readonly fileBytes: number;
  /** Gives a file's beginning back to the disk; false where that cannot be done. */
  punch(path: string, bytes: number): Promise<boolean>;
}

export class LogFile {
  readonly #decoder = new TextDecoder();
  #offset: number;
  /** What is before this is in older files; the file has a hole there. */
  #base: number;
  #rotating = false;

  constructor(private readonly path: string, private readonly options: LogFileOptions) {
    const size = sizeOf(path);
    this.#base = readBase(path, size);
    this.#offset = Math.max(this.#base, size - LOG_READ_BYTES);
  }

  /** What was written since, and whether there is still more to read. A missing file has nothing. */
  read(): { readonly text: string; readonly more: boolean } {
    let file: Deno.FsFile;
    try {
      file = Deno.openSync(this.path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return { text: "", more: false };
      throw error;
    }
    using _ = file;
    const { size } = file.statSync();
    if (size < this.#offset) this.#offset = this.#base = 0;
    const length = Math.min(size - this.#offset, LOG_READ_BYTES);
    if (length === 0) return { text: "", more: false };
    file.seekSync(this.#offset, Deno.SeekMode.Start);
    const buffer = new Uint8Array(length);
    const read = file.readSync(buffer) ?? 0;
    this.#offset += read;
    const text = this.#decoder.decode(buffer.subarray(0, read), { stream: true });
    return { text, more: this.#offset < size };
  }

  /**
   * Rotates, if it is time. The program keeps its descriptor, which appends: what was read so far is
   * copied into an older file and its blocks are given back, while the program writes on behind it. The
   * file grows in length, but not on the disk, and no line can fall between.
   *
   * @param late takes text that was first seen while rotating
   */
  async rotate(late: (text: string) => void): Promise<void> {
    const { path } = this;
    if (this.#rotating || this.#offset - this.#base < this.options.fileBytes) return;
    this.#rotating = true;
    try {
      const end = this.#offset;
      for (let age = LOG_FILES - 1; age >= 1; age--) rename(`${path}.${age}`, `${path}.${age + 1}`);
      copyRange(path, this.#base, end, `${path}.1`);
      // Written down before the hole is there: a later daemon reads no hole as lines.
      writeAtomic(`${path}.base`, `${end}\n`);
      if (await this.options.punch(path, end)) this.#base = end;
      else this.#truncate(end, late);
    } catch (error) {
      log().error("cannot rotate {path}: {error}", { path, error });
    } finally {
      this.#rotating = false;
    }
  }

  /**
   * Where a file cannot have holes: what was written since the copy is copied, too, and the file is
   * emptied. A line that is written within the microseconds between these two is lost.
   */
  #truncate(end: number, late: (text: string) => void): void {
    const { path } = this;
    using file = Deno.openSync(path, { read: true, write: true });
    using old = Deno.openSync(`${path}.1`, { append: true });
    file.seekSync(end, Deno.SeekMode.Start);
    const buffer = new Uint8Array(65_536);
    let at = end;
    for (let read; (read = file.readSync(buffer)) !== null; at += read) {
      const part = buffer.subarray(0, read);
      old.writeSync(part);
      // What was read before is known already.
      const fresh = part.subarray(Math.max(0, Math.min(read, this.#offset - at)));
      late(this.#decoder.decode(fresh, { stream: true }));
    }
    file.truncateSync(0);
    this.#offset = this.#base = 0;
    Deno.removeSync(`${path}.base`);
  }
}

/** Copies a part of a file into a new one. */
function copyRange(from: string, start: number, end: number, to: string): void {
  using source = Deno.openSync(from);
  using target = Deno.openSync(to, { write: true, create: true, truncate: true });
  source.seekSync(start, Deno.SeekMode.Start);
  const buffer = new Uint8Array(65_536);
  for (let left = end - start; left > 0;) {
    const read = source.readSync(buffer.subarray(0, Math.min(left, buffer.length)));
    if (read === null) return;
    for (let at = 0; at < read;) at += target.writeSync(buffer.subarray(at, read));
    left -= read;
  }
}

/** Where an earlier daemon's rotation ended; 0 where there was none. */
function readBase(path: string, size: number): number {
  const base = Number.parseInt(readText(`${path}.base`) ?? "");
  return base >= 0 && base <= size ? base : 0;
}

/** The size of a file; 0 where there is none. */
export function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch {
    return 0;
  }
}

function rename(from: string, to: string): void {
  try {
    Deno.renameSync(from, to);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** The last lines of a file from an offset on, at most 4 KiB of them, without the last line end. */
export function lastLines(path: string, start: number): string {
  try {
    using file = Deno.openSync(path);
    const { size } = file.statSync();
    const from = Math.max(start > size ? 0 : start, size - 4096);
    file.seekSync(from, Deno.SeekMode.Start);
    const buffer = new Uint8Array(size - from);
    let length = 0;
    while (length < buffer.length) {
      const read = file.readSync(buffer.subarray(length));
      if (read === null) break;
      length += read;
    }
    // Rotation leaves a hole at the beginning, which reads as zeros.
    return new TextDecoder().decode(buffer.subarray(0, length)).replace(/^\0+/, "").trimEnd();
  } catch {
    return "";
  }
}
