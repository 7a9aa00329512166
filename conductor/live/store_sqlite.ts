import { DatabaseSync } from "node:sqlite";
import { Failure } from "../../core/errors.ts";
import { decrypt, encrypt } from "./at_rest.ts";
import { sha256Hex } from "../../core/bytes.ts";
import {
  EMPTY_HEAD,
  type Entry,
  type EntryBody,
  type Head,
  type LogStore,
} from "../../core/log.ts";

interface Row {
  readonly sequence: number;
  readonly wall_ms: number;
  readonly previous: string;
  readonly hash: string;
  readonly body: string;
}

/**
 * The log in one SQLite file: write-ahead log, full sync, so that an appended entry survives the
 * loss of power.
 *
 * Reading gives `store-damaged` where an entry is no JSON or the file's pages are broken.
 *
 * @throws {Failure} `store-unreadable` where the file is no such log or is damaged.
 */
export class SqliteStore implements LogStore {
  readonly #database: DatabaseSync;

  /** @param key what entries are encrypted by; `null`: they are not */
  constructor(path: string, private readonly key: Uint8Array | null = null) {
    try {
      this.#database = new DatabaseSync(path, { timeout: 5_000 });
      this.#database.exec(`
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = FULL;
        CREATE TABLE IF NOT EXISTS log (
          sequence INTEGER PRIMARY KEY, wall_ms INTEGER NOT NULL, previous TEXT NOT NULL,
          hash TEXT NOT NULL, body TEXT NOT NULL
        ) STRICT;
        CREATE TABLE IF NOT EXISTS snapshot (
          one INTEGER PRIMARY KEY CHECK (one = 1), sequence INTEGER NOT NULL, hash TEXT NOT NULL,
          state TEXT NOT NULL, digest TEXT NOT NULL
        ) STRICT;
      `);
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) throw error;
      throw unreadable(path, error);
    }
  }

  append(entry: Entry): Promise<void> {
    // One transaction: the check of the last sequence and the insert cannot be parted.
    return attempt(() => {
      this.#database.exec("BEGIN IMMEDIATE");
      try {
        const last = this.#last();
        if (last.sequence !== entry.sequence - 1) {
          throw new Failure(
            "store-conflict",
            `entry ${entry.sequence} cannot follow ${last.sequence}: another conductor writes this log`,
          );
        }
        this.#database.prepare(
          "INSERT INTO log (sequence, wall_ms, previous, hash, body) VALUES (?, ?, ?, ?, ?)",
        ).run(
          entry.sequence,
          entry.wallMs,
          entry.previous,
          entry.hash,
          this.#sealed(JSON.stringify(entry.body), placeOf(entry)),
        );
        this.#database.exec("COMMIT");
      } catch (error) {
        this.#rollback();
        throw error;
      }
    });
  }

  read(sequence: number, limit: number): Promise<Entry[]> {
    return attempt(() =>
      (this.#database.prepare("SELECT * FROM log WHERE sequence > ? ORDER BY sequence LIMIT ?")
        .all(sequence, limit) as unknown as Row[]).map((row) => toEntry(row, this.key))
    );
  }

  head(): Promise<Head> {
    return attempt(() => this.#last());
  }

  saveSnapshot(head: Head, state: string): Promise<void> {
    return attempt(() => {
      this.#database.prepare("REPLACE INTO snapshot VALUES (1, ?, ?, ?, ?)")
        .run(
          head.sequence,
          head.hash,
          this.#sealed(state, placeOf(head)),
          sha256Hex(state),
        );
    });
  }

  loadSnapshot(): Promise<{ readonly head: Head; readonly state: string } | null> {
    return attempt(() => {
      const row = this.#database.prepare("SELECT * FROM snapshot").get() as
        | { sequence: number; hash: string; state: string; digest: string }
        | undefined;
      if (typeof row?.state !== "string") return null;
      const state = decrypt(this.key, row.state, placeOf(row));
      if (!state || sha256Hex(state) !== row.digest) return null;
      return { head: { sequence: row.sequence, hash: row.hash }, state };
    });
  }

  close(): Promise<void> {
    this.#database.close();
    return Promise.resolve();
  }

  #sealed(text: string, place: string): string {
    return this.key === null ? text : encrypt(this.key, text, place);
  }

  #last(): Head {
    const row = this.#database
      .prepare("SELECT sequence, hash FROM log ORDER BY sequence DESC LIMIT 1").get() as
        | Head
        | undefined;
    return row ? { sequence: row.sequence, hash: row.hash } : EMPTY_HEAD;
  }

  #rollback(): void {
    try {
      this.#database.exec("ROLLBACK");
    } catch {
      // SQLite has rolled back by itself, as it does on a full disk.
    }
  }
}

// SQLite's own codes for a file that is damaged, or no database.
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

function damaged(what: string): Failure {
  return new Failure(
    "store-damaged",
    `the log is damaged: ${what}; restore the state folder from a backup`,
  );
}

/** To what an encrypted text belongs. */
function placeOf({ sequence, hash }: Head): string {
  return `${sequence} ${hash}`;
}

function toEntry(row: Row, key: Uint8Array | null): Entry {
  const { sequence, previous, hash } = row;
  // A damaged page may give a row whose fields are gone.
  if (typeof row.body !== "string") throw damaged(`entry ${sequence} was changed`);
  const text = decrypt(key, row.body, placeOf(row));
  if (text === null) {
    throw key === null
      ? new Failure("no-key", "the log is encrypted: give --at-rest-key FILE")
      : damaged(`entry ${sequence} does not open by this --at-rest-key`);
  }
  let body: EntryBody;
  try {
    body = JSON.parse(text) as EntryBody;
  } catch {
    throw damaged(`entry ${sequence} was changed`);
  }
  return { sequence, wallMs: row.wall_ms, previous, hash, body };
}

// deno-lint-ignore require-await -- SQLite is synchronous; callers get a promise, failures included.
async function attempt<T>(work: () => T): Promise<T> {
  try {
    return work();
  } catch (error) {
    if (error instanceof Failure) throw error;
    const { errcode } = error as { errcode?: number };
    if (errcode === SQLITE_CORRUPT || errcode === SQLITE_NOTADB) {
      throw damaged((error as Error).message);
    }
    throw new Failure("store-failed", (error as Error).message, { cause: error });
  }
}

function unreadable(path: string, error: unknown): Failure {
  // SQLite does not say here which it is, and a good log is not to be given up for a full disk.
  return new Failure(
    "store-unreadable",
    `cannot open the log ${path}: ${
      (error as Error).message
    }; see that its folder can be written ` +
      "and its disk has room; only if the file is damaged, restore it from a backup, or move it " +
      "away to begin an empty one",
    { cause: error },
  );
}
