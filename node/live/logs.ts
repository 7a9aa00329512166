// Replicas' log files: read as they grow, kept as rings, rotated without losing a line.

import { LOG_FILE_BYTES, LOG_FILES, LOG_READ_BYTES, LOG_READ_MS } from "../../core/limits.ts";
import { logger } from "../../core/live/log.ts";
import { type LogLine, LogRing } from "../logs.ts";
import { readText, writeAtomic } from "./files.ts";

type Timer = ReturnType<typeof setTimeout>;

const log = () => logger("logs");

interface Tail {
  readonly ring: LogRing;
  readonly decoder: TextDecoder;
  offset: number;
  /** What is before this is in older files; the file has a hole there. */
  base: number;
  rotating: boolean;
  timer: Timer | undefined;
  readonly followers: Set<(lines: readonly LogLine[]) => void>;
}

export interface LogsOptions {
  /** A log file is rotated at this size. */
  readonly fileBytes?: number;
  /** Gives a file's beginning back to the disk; false where that cannot be done. */
  punch?(path: string, bytes: number): Promise<boolean>;
}

export class Logs implements Disposable {
  readonly #tails = new Map<string, Tail>();
  readonly #watcher: Deno.FsWatcher | null;
  readonly #poll: Timer | undefined;
  readonly #fileBytes: number;
  readonly #punch: (path: string, bytes: number) => Promise<boolean>;

  /** @param folder the folder of the replicas' folders */
  constructor(private readonly folder: string, options: LogsOptions = {}) {
    this.#fileBytes = options.fileBytes ?? LOG_FILE_BYTES;
    this.#punch = options.punch ?? (() => Promise.resolve(false));
    this.#watcher = this.#watch();
    if (this.#watcher) return;
    this.#poll = setInterval(() => {
      for (const replica of this.#tails.keys()) this.touch(replica);
    }, 10 * LOG_READ_MS);
    Deno.unrefTimer(this.#poll);
  }

  #watch(): Deno.FsWatcher | null {
    try {
      const watcher = Deno.watchFs(this.folder, { recursive: true });
      this.#hear(watcher);
      return watcher;
    } catch (error) {
      log().warn("log files cannot be watched and are looked at twice a second: {error}", {
        error,
      });
      return null;
    }
  }

  async #hear(watcher: Deno.FsWatcher): Promise<void> {
    for await (const event of watcher) {
      if (event.kind === "access") continue;
      for (const path of event.paths) {
        if (!path.endsWith("/log")) continue;
        const replica = path.slice(0, -4);
        this.touch(replica.slice(replica.lastIndexOf("/") + 1));
      }
    }
  }

  /** The replica's log file has changed, or may have: it is read soon. */
  touch(replica: string): void {
    const tail = this.#tailOf(replica);
    if (tail.timer !== undefined) return;
    tail.timer = setTimeout(() => {
      tail.timer = undefined;
      this.#read(replica, tail);
    }, LOG_READ_MS);
    Deno.unrefTimer(tail.timer);
  }

  #tailOf(replica: string): Tail {
    let tail = this.#tails.get(replica);
    if (!tail) {
      const size = sizeOf(this.#path(replica));
      const base = readBase(this.#path(replica), size);
      tail = {
        ring: new LogRing(),
        decoder: new TextDecoder(),
        offset: Math.max(base, size - LOG_READ_BYTES),
        base,
        rotating: false,
        timer: undefined,
        followers: new Set(),
      };
      this.#tails.set(replica, tail);
    }
    return tail;
  }

  #path(replica: string): string {
    return `${this.folder}/${replica}/log`;
  }

  #read(replica: string, tail: Tail): void {
    try {
      const more = this.#readSome(replica, tail);
      if (more) this.touch(replica);
      else if (tail.offset - tail.base >= this.#fileBytes) this.#rotate(replica, tail);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      log().error("cannot read the log of {replica}: {error}", { replica, error });
    }
  }

  /** Says whether there is still more to read. */
  #readSome(replica: string, tail: Tail): boolean {
    using file = Deno.openSync(this.#path(replica));
    const { size } = file.statSync();
    if (size < tail.offset) tail.offset = tail.base = 0;
    const length = Math.min(size - tail.offset, LOG_READ_BYTES);
    if (length === 0) return false;
    file.seekSync(tail.offset, Deno.SeekMode.Start);
    const buffer = new Uint8Array(length);
    const read = file.readSync(buffer) ?? 0;
    tail.offset += read;
    const text = tail.decoder.decode(buffer.subarray(0, read), { stream: true });
    const fresh = tail.ring.feed(text, Date.now());
    if (fresh.length > 0) { for (const follower of tail.followers) follower(fresh); }
    return tail.offset < size;
  }

  /**
   * The program keeps its descriptor, which appends. What was read so far is copied into an older file
   * and its blocks are given back, while the program writes on behind it: the file grows in length, but
   * not on the disk, and no line can fall between.
   */
  async #rotate(replica: string, tail: Tail): Promise<void> {
    if (tail.rotating) return;
    tail.rotating = true;
    const path = this.#path(replica);
    try {
      const end = tail.offset;
      for (let age = LOG_FILES - 1; age >= 1; age--) rename(`${path}.${age}`, `${path}.${age + 1}`);
      copyRange(path, tail.base, end, `${path}.1`);
      // Written down before the hole is there: a later daemon reads no hole as lines.
      writeAtomic(`${path}.base`, `${end}\n`);
      if (await this.#punch(path, end)) tail.base = end;
      else this.#truncate(path, end, tail);
    } catch (error) {
      log().error("cannot rotate the log of {replica}: {error}", { replica, error });
    } finally {
      tail.rotating = false;
    }
  }

  /**
   * Where a file cannot have holes: what was written since the copy is copied, too, and the file is
   * emptied. A line that is written within the microseconds between these two is lost.
   */
  #truncate(path: string, end: number, tail: Tail): void {
    using file = Deno.openSync(path, { read: true, write: true });
    using old = Deno.openSync(`${path}.1`, { append: true });
    file.seekSync(end, Deno.SeekMode.Start);
    const buffer = new Uint8Array(65_536);
    let at = end;
    for (let read; (read = file.readSync(buffer)) !== null; at += read) {
      const part = buffer.subarray(0, read);
      old.writeSync(part);
      // What was read before is known already.
      const fresh = part.subarray(Math.max(0, Math.min(read, tail.offset - at)));
      tail.ring.feed(tail.decoder.decode(fresh, { stream: true }), Date.now());
    }
    file.truncateSync(0);
    tail.offset = tail.base = 0;
    Deno.removeSync(`${path}.base`);
  }

  /** The last lines of a replica, read up to this moment. */
  lines(replica: string, count: number): LogLine[] {
    const tail = this.#tailOf(replica);
    this.#read(replica, tail);
    return tail.ring.last(count);
  }

  /** Calls back with each batch of new lines, until the returned function is called. */
  follow(replica: string, callback: (lines: readonly LogLine[]) => void): () => void {
    const { followers } = this.#tailOf(replica);
    followers.add(callback);
    return () => followers.delete(callback);
  }

  /** The replica is gone; its file stays for a while. */
  forget(replica: string): void {
    const tail = this.#tails.get(replica);
    if (!tail || tail.followers.size > 0) return;
    clearTimeout(tail.timer);
    this.#tails.delete(replica);
  }

  [Symbol.dispose](): void {
    this.#watcher?.close();
    clearInterval(this.#poll);
    for (const { timer } of this.#tails.values()) clearTimeout(timer);
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

function sizeOf(path: string): number {
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
