// What the cluster wrote and how it did, gathered in one file: bounded, searchable, and no loss if it
// is lost.

import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { DeckSample } from "../../core/deck_view.ts";
import { TELEMETRY_CURSORS, TELEMETRY_SAMPLES } from "../../core/limits.ts";
import type { LogView } from "../../core/view.ts";
import type { Known } from "../telemetry.ts";

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

/** Bytes that a line takes beside its text. */
const OVERHEAD = 96;

export class TelemetryStore {
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #insertSample: StatementSync;
  readonly #insertCursor: StatementSync;
  #bytes: number;

  /** @param maxBytes about how large the lines may be, all together */
  constructor(path: string, private readonly maxBytes: number) {
    this.#database = open(path);
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
        this.#insertCursor.run(replica, Date.now(), JSON.stringify(known));
      }
      for (const { wallMs, app, replica, node, line, stream } of lines) {
        this.#insert.run(wallMs, app, replica, node, line, stream ?? "stdout");
        this.#bytes += line.length + OVERHEAD;
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
      .map((row) => [String(row.replica), JSON.parse(String(row.known)) as Known]);
  }

  addSample(sample: DeckSample): void {
    this.#insertSample.run(sample.wallMs, JSON.stringify(sample));
    this.#database.prepare(
      "DELETE FROM sample WHERE wall_ms NOT IN (SELECT wall_ms FROM sample ORDER BY wall_ms DESC LIMIT ?)",
    ).run(TELEMETRY_SAMPLES);
  }

  /** The newest lines that match, oldest first. */
  search({ app, node, grep, sinceWallMs, limit }: LogSearch): LogView[] {
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
      .all(sinceWallMs).map((row) => JSON.parse(String(row.sample)) as DeckSample);
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

/** A damaged file is begun anew: what was in it stands in the nodes' own logs, too. */
function open(path: string): DatabaseSync {
  try {
    return begin(path);
  } catch {
    for (const end of ["", "-wal", "-shm"]) {
      try {
        Deno.removeSync(`${path}${end}`);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
    return begin(path);
  }
}

function begin(path: string): DatabaseSync {
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
    database.prepare("SELECT count(*) FROM line").get();
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
