// What the cluster wrote and how it did, gathered in one file: bounded, searchable, and no loss if it
// is lost.
//
// With a key nothing stands in it in plain. Lines are then kept in bundles of one app, each encrypted
// as a whole, since a million small ones would take minutes to open; names are kept as hashes.

import { DatabaseSync, type StatementSync } from "node:sqlite";
import { sha256Hex } from "../../core/bytes.ts";
import type { DeckSample } from "../../core/deck_view.ts";
import { TELEMETRY_CURSORS, TELEMETRY_SAMPLES } from "../../core/limits.ts";
import type { LogView } from "../../core/view.ts";
import type { Known } from "../telemetry/telemetry.ts";
import { decrypt, encrypt } from "./at_rest.ts";

/** What is sought; what is absent does not matter. */
export interface LogSearch {
  readonly app?: string;
  readonly node?: string;
  /** A part of the line, as it stands. */
  readonly grep?: string;
  readonly sinceWallMs?: number;
  /** The newest so many. */
  readonly limit: number;
}

/** Says whether a line that has just come is among what is sought. */
export function isFound(
  { app, node, line, wallMs }: LogView,
  sought: Omit<LogSearch, "limit">,
): boolean {
  return (sought.app === undefined || app === sought.app) &&
    (sought.node === undefined || node === sought.node) &&
    (sought.grep === undefined || line.includes(sought.grep)) &&
    wallMs >= (sought.sinceWallMs ?? 0);
}

/** Bytes that a row takes beside its text. */
const OVERHEAD = 96;
/** What `user_version` says of a file. */
const PLAIN = 0;
const SEALED = 1;
/** Largest bundle, in characters, before it is encrypted. */
const BUNDLE = 65_536;
/** Bundles that are read at a time. */
const PAGE = 8;

/** A row of the table `line`: a line, or with a key an encrypted bundle of them. */
type Row = [
  wallMs: number,
  app: string,
  replica: string,
  node: string,
  text: string,
  stream: string,
];

export class TelemetryStore {
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #insertSample: StatementSync;
  readonly #insertCursor: StatementSync;
  #bytes: number;

  /**
   * @param maxBytes about how large the lines may be, all together
   * @param key what everything is encrypted by; `null`: it is not
   */
  constructor(
    path: string,
    private readonly maxBytes: number,
    private readonly key: Uint8Array | null = null,
  ) {
    this.#database = open(path, key !== null);
    this.#insert = this.#database.prepare("INSERT INTO line VALUES (NULL, ?, ?, ?, ?, ?, ?)");
    this.#insertSample = this.#database.prepare("INSERT OR REPLACE INTO sample VALUES (?, ?)");
    this.#insertCursor = this.#database.prepare("INSERT OR REPLACE INTO cursor VALUES (?, ?, ?)");
    const row = this.#database.prepare(
      "SELECT coalesce(sum(length(line) + ?), 0) AS bytes FROM line",
    ).get(OVERHEAD);
    this.#bytes = Number(row?.bytes);
  }

  /** About how large the lines are, all together. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Keeps lines, and with them up to where they are known; the oldest go where there are too many. */
  add(lines: readonly LogView[], cursors: ReadonlyMap<string, Known> = new Map()): void {
    this.#together(() => {
      for (const [replica, known] of cursors) {
        const text = this.#sealed(JSON.stringify([replica, known]), "cursor");
        this.#insertCursor.run(this.#nameOf(replica), Date.now(), text);
      }
      for (const row of this.key === null ? lines.map(rowOf) : this.#bundles(lines)) {
        this.#insert.run(...row);
        this.#bytes += row[4].length + OVERHEAD;
      }
      if (this.#bytes > this.maxBytes) this.#drop(this.#bytes - this.maxBytes * 0.9);
    });
  }

  /** Up to where each replica's lines are kept, the longest silent first. */
  cursors(): [replica: string, known: Known][] {
    this.#database.prepare(
      "DELETE FROM cursor WHERE replica NOT IN (SELECT replica FROM cursor ORDER BY wall_ms DESC LIMIT ?)",
    ).run(TELEMETRY_CURSORS);
    return this.#database.prepare("SELECT replica, known FROM cursor ORDER BY wall_ms").all()
      .flatMap((row) => {
        const text = this.#opened(String(row.known), "cursor");
        return text === null ? [] : [JSON.parse(text) as [string, Known]];
      });
  }

  addSample(sample: DeckSample): void {
    this.#insertSample.run(sample.wallMs, this.#sealed(JSON.stringify(sample), "sample"));
    this.#database.prepare(
      "DELETE FROM sample WHERE wall_ms NOT IN (SELECT wall_ms FROM sample ORDER BY wall_ms DESC LIMIT ?)",
    ).run(TELEMETRY_SAMPLES);
  }

  /** The newest lines that match, oldest first. */
  async search(search: LogSearch): Promise<LogView[]> {
    return this.key === null ? this.#searchPlain(search) : await this.#searchBundles(search);
  }

  #searchPlain({ app, node, grep, sinceWallMs, limit }: LogSearch): LogView[] {
    const rows = this.#database.prepare(`
      SELECT wall_ms, app, replica, node, line, stream FROM line
      WHERE (?1 IS NULL OR app = ?1) AND (?2 IS NULL OR node = ?2)
        AND (?3 IS NULL OR instr(line, ?3) > 0) AND wall_ms >= ?4
      ORDER BY id DESC LIMIT ?5
    `).all(app ?? null, node ?? null, grep ?? null, sinceWallMs ?? 0, limit);
    return rows.map((row): LogView => ({
      wallMs: Number(row.wall_ms),
      app: String(row.app),
      replica: String(row.replica),
      node: String(row.node),
      line: String(row.line),
      ...(row.stream === "stderr" ? { stream: row.stream } : {}),
    })).reverse();
  }

  /** Samples since a time, oldest first. */
  samples(sinceWallMs: number): DeckSample[] {
    return this.#database.prepare("SELECT sample FROM sample WHERE wall_ms >= ? ORDER BY wall_ms")
      .all(sinceWallMs).flatMap((row) => {
        const text = this.#opened(String(row.sample), "sample");
        return text === null ? [] : [JSON.parse(text) as DeckSample];
      });
  }

  /** Opens bundles from the newest on, and lets others have their turn between pages of them. */
  async #searchBundles({ limit, ...sought }: LogSearch): Promise<LogView[]> {
    const { app, grep, sinceWallMs = 0 } = sought;
    const page = this.#database.prepare(`
      SELECT id, line FROM line
      WHERE (?1 IS NULL OR app = ?1) AND wall_ms >= ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4
    `);
    const name = app === undefined ? null : this.#nameOf(app);
    // As it stands in a bundle's JSON: most bundles need not be read to know that it is not there.
    const written = JSON.stringify(grep ?? "").slice(1, -1);
    const found: LogView[] = [];
    for (let before = Number.MAX_SAFE_INTEGER; found.length < limit;) {
      const rows = page.all(name, sinceWallMs, before, PAGE);
      if (rows.length === 0) break;
      for (const row of rows) {
        const text = this.#opened(String(row.line), "line");
        if (text === null || !text.includes(written)) continue;
        const lines = JSON.parse(text) as LogView[];
        found.push(...lines.filter((line) => isFound(line, sought)));
      }
      before = Number(rows.at(-1)!.id);
      await new Promise((resolve) => setTimeout(resolve));
    }
    return found.sort((a, b) => a.wallMs - b.wallMs).slice(-limit);
  }

  /** The lines in bundles of one app each. */
  #bundles(lines: readonly LogView[]): Row[] {
    const rows: Row[] = [];
    for (const [app, own] of Map.groupBy(lines, (line) => line.app)) {
      let bundle: LogView[] = [];
      let size = 0;
      const close = () => {
        if (bundle.length === 0) return;
        const newest = bundle.reduce((max, { wallMs }) => Math.max(max, wallMs), 0);
        const text = this.#sealed(JSON.stringify(bundle), "line");
        rows.push([newest, this.#nameOf(app), "", "", text, ""]);
        [bundle, size] = [[], 0];
      };
      for (const line of own) {
        bundle.push(line);
        size += line.line.length + OVERHEAD;
        if (size >= BUNDLE) close();
      }
      close();
    }
    return rows;
  }

  #sealed(text: string, place: string): string {
    return this.key === null ? text : encrypt(this.key, text, place);
  }

  #opened(stored: string, place: string): string | null {
    return decrypt(this.key, stored, place);
  }

  /** A name to find things by, which tells nothing where they are encrypted. */
  #nameOf(name: string): string {
    return this.key === null ? name : sha256Hex(`${this.key.toHex()} ${name}`);
  }

  close(): void {
    this.#database.close();
  }

  /** Drops the oldest lines that make up so many bytes. */
  #drop(bytes: number): void {
    const oldest = this.#database.prepare(
      "SELECT id, length(line) AS length FROM line ORDER BY id",
    );
    let dropped = 0;
    let last = 0;
    for (const row of oldest.iterate()) {
      dropped += Number(row.length) + OVERHEAD;
      last = Number(row.id);
      if (dropped >= bytes) break;
    }
    this.#database.prepare("DELETE FROM line WHERE id <= ?").run(last);
    this.#bytes -= dropped;
  }

  #together(work: () => void): void {
    const bytes = this.#bytes;
    this.#database.exec("BEGIN");
    try {
      work();
      this.#database.exec("COMMIT");
    } catch (error) {
      this.#bytes = bytes;
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }
}

function rowOf({ wallMs, app, replica, node, line, stream }: LogView): Row {
  return [wallMs, app, replica, node, line, stream ?? "stdout"];
}

/**
 * A file that is damaged, or in plain where it should be encrypted (or the reverse), is begun anew:
 * what was in it stands in the nodes' own logs, too.
 */
function open(path: string, sealed: boolean): DatabaseSync {
  try {
    return begin(path, sealed);
  } catch {
    for (const end of ["", "-wal", "-shm"]) {
      try {
        Deno.removeSync(`${path}${end}`);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
    return begin(path, sealed);
  }
}

function begin(path: string, sealed: boolean): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: 5_000 });
  try {
    database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = NORMAL;
      PRAGMA auto_vacuum = INCREMENTAL;
      CREATE TABLE IF NOT EXISTS line (
        id INTEGER PRIMARY KEY, wall_ms INTEGER NOT NULL, app TEXT NOT NULL,
        replica TEXT NOT NULL, node TEXT NOT NULL, line TEXT NOT NULL, stream TEXT NOT NULL
      ) STRICT;
      CREATE INDEX IF NOT EXISTS line_app ON line (app, id);
      CREATE TABLE IF NOT EXISTS cursor (
        replica TEXT PRIMARY KEY, wall_ms INTEGER NOT NULL, known TEXT NOT NULL
      ) STRICT;
      CREATE TABLE IF NOT EXISTS sample (wall_ms INTEGER PRIMARY KEY, sample TEXT NOT NULL) STRICT;
    `);
    const { rows } = database.prepare(
      "SELECT (SELECT count(*) FROM line) + (SELECT count(*) FROM cursor) + (SELECT count(*) FROM sample) AS rows",
    ).get()!;
    const { user_version: form } = database.prepare("PRAGMA user_version").get()!;
    const wanted = sealed ? SEALED : PLAIN;
    if (form !== wanted && rows !== 0) throw new Error("what stands there is of another form");
    database.exec(`PRAGMA user_version = ${wanted}`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
