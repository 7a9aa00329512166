// Replicas' log files, one for each stream: read as they grow, kept as one ring.

import { LOG_FILE_BYTES, LOG_READ_MS } from "../../core/limits.ts";
import { logger } from "../../core/live/log.ts";
import { LOG_STREAMS, type LogLine, LogRing, type LogStream } from "../logs.ts";
import { LogFile, type LogFileOptions } from "./log_file.ts";

type Timer = ReturnType<typeof setTimeout>;

const log = () => logger("logs");

interface Tail {
  readonly ring: LogRing;
  readonly files: readonly { readonly stream: LogStream; readonly file: LogFile }[];
  timer: Timer | undefined;
  readonly followers: Set<(lines: readonly LogLine[]) => void>;
}

export class Logs implements Disposable {
  #ended = false;
  readonly #tails = new Map<string, Tail>();
  readonly #allFollowers = new Set<(replica: string, lines: readonly LogLine[]) => void>();
  readonly #watcher: Deno.FsWatcher | null;
  readonly #poll: Timer | undefined;
  readonly #files: LogFileOptions;

  /** @param folder the folder of the replicas' folders */
  constructor(private readonly folder: string, options: Partial<LogFileOptions> = {}) {
    this.#files = {
      fileBytes: LOG_FILE_BYTES,
      punch: () => Promise.resolve(false),
      ...options,
    };
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
        const [file, replica] = path.split("/").reverse();
        if (replica !== undefined && LOG_STREAMS.some(([, name]) => name === file)) {
          this.touch(replica);
        }
      }
    }
  }

  /** The replica's log file has changed, or may have: it is read soon. */
  touch(replica: string): void {
    // What the watcher had seen before it was closed comes even then.
    if (this.#ended) return;
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
      const open = (file: string) => new LogFile(`${this.folder}/${replica}/${file}`, this.#files);
      tail = {
        ring: new LogRing(),
        files: LOG_STREAMS.map(([stream, file]) => ({ stream, file: open(file) })),
        timer: undefined,
        followers: new Set(),
      };
      this.#tails.set(replica, tail);
    }
    return tail;
  }

  #read(replica: string, tail: Tail): void {
    for (const { stream, file } of tail.files) {
      const take = (text: string) => {
        const fresh = tail.ring.feed(text, Date.now(), stream);
        if (fresh.length === 0) return;
        for (const follower of tail.followers) follower(fresh);
        for (const follower of this.#allFollowers) follower(replica, fresh);
      };
      try {
        const { text, more } = file.read();
        take(text);
        if (more) this.touch(replica);
        else file.rotate(take);
      } catch (error) {
        log().error("cannot read the log of {replica}: {error}", { replica, error });
      }
    }
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

  /** The same for the lines of all replicas. */
  followAll(callback: (replica: string, lines: readonly LogLine[]) => void): () => void {
    this.#allFollowers.add(callback);
    return () => this.#allFollowers.delete(callback);
  }

  /** Every replica of which lines are known here. */
  replicas(): string[] {
    return [...this.#tails.keys()];
  }

  /** The replica is gone; its file stays for a while. */
  forget(replica: string): void {
    const tail = this.#tails.get(replica);
    if (!tail || tail.followers.size > 0) return;
    clearTimeout(tail.timer);
    this.#tails.delete(replica);
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    this.#watcher?.close();
    clearInterval(this.#poll);
    for (const { timer } of this.#tails.values()) clearTimeout(timer);
  }
}
