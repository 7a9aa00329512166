import { DatabaseSync } from "node:sqlite";
import { sha256Hex } from "../../core/bytes.ts";
import { decrypt, encrypt } from "./at_rest.ts";
import { EVENTS, REFUSED_LATELY, REFUSED_LATELY_MS } from "../../core/limits.ts";
import { logger } from "../../core/live/log.ts";
import type { EventView } from "../../core/view.ts";

/** The cluster's history: durable, bounded, and followed live. Losing it loses no decision. */
/** Whether a command was refused, an operator's or a stranger's. */
export function isRefusal({ kind }: Pick<EventView, "kind">): boolean {
  return kind === "command-refused" || kind === "refused";
}

export class EventHistory {
  readonly #database: DatabaseSync;
  readonly #followers = new Set<(event: EventView) => void>();
  #sequence: number;
  #failing = false;
  #refused: readonly EventView[] = [];

  /** @param key what events are encrypted by; `null`: they are not */
  constructor(path: string, private readonly key: Uint8Array | null = null) {
    this.#database = openOrBegin(path);
    const row = this.#database.prepare("SELECT max(sequence) AS last FROM event").get();
    this.#sequence = Number(row?.last ?? 0);
  }

  add(event: Omit<EventView, "sequence">): void {
    const kept: EventView = { sequence: ++this.#sequence, ...event };
    try {
      this.#database.prepare("INSERT INTO event VALUES (?, ?, ?)")
        .run(kept.sequence, this.#nameOf(kept.app), this.#sealed(kept));
      if (kept.sequence % 100 === 0) {
        this.#database.prepare("DELETE FROM event WHERE sequence <= ?").run(kept.sequence - EVENTS);
      }
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) {
        logger("events").error("events are not being kept: {error}", { error: String(error) });
      }
      this.#failing = true;
    }
    if (isRefusal(kept)) this.#refused = [...this.#refused, kept].slice(-REFUSED_LATELY);
    for (const follow of this.#followers) follow(kept);
  }

  /** The newest `limit` events, oldest first. */
  read(options: { readonly app?: string; readonly limit: number }): EventView[] {
    const { app = null, limit } = options;
    const rows = this.#database.prepare(
      "SELECT event FROM event WHERE ?1 IS NULL OR app = ?1 ORDER BY sequence DESC LIMIT ?2",
    ).all(this.#nameOf(app ?? undefined), limit);
    return rows.flatMap((row) => {
      const text = decrypt(this.key, String(row.event), "event");
      return text === null ? [] : [JSON.parse(text) as EventView];
    }).reverse();
  }

  /** The last commands that were refused, if it was lately and since this start. */
  refusedLately(nowWallMs: number): readonly EventView[] {
    return this.#refused.filter(({ wallMs }) => wallMs >= nowWallMs - REFUSED_LATELY_MS);
  }

  #sealed(event: EventView): string {
    const text = JSON.stringify(event);
    return this.key === null ? text : encrypt(this.key, text, "event");
  }

  /** An app's name, to find its events by, which tells nothing where they are encrypted. */
  #nameOf(app: string | undefined): string | null {
    if (app === undefined) return null;
    return this.key === null ? app : sha256Hex(`${this.key.toHex()} ${app}`);
  }

  /** Calls `take` for every event from now on, until the returned function is called. */
  follow(take: (event: EventView) => void): () => void {
    this.#followers.add(take);
    return () => this.#followers.delete(take);
  }

  close(): void {
    this.#database.close();
  }
}

/** A history that is damaged is put aside; one that cannot be written is kept in memory. */
function openOrBegin(path: string): DatabaseSync {
  const log = logger("events");
  try {
    return open(path);
  } catch (error) {
    log.error("the history {path} cannot be read and is put aside: {error}", {
      path,
      error: String(error),
    });
  }
  try {
    Deno.renameSync(path, `${path}.damaged`);
    for (const end of ["-wal", "-shm"]) removeIfThere(`${path}${end}`);
    return open(path);
  } catch (error) {
    log.error("the history is kept in memory only: {error}", { error: String(error) });
    return open(":memory:");
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function open(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: 5_000 });
  try {
    database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = NORMAL;
      CREATE TABLE IF NOT EXISTS event (
        sequence INTEGER PRIMARY KEY, app TEXT, event TEXT NOT NULL
      ) STRICT;
      CREATE INDEX IF NOT EXISTS event_app ON event (app, sequence);
    `);
    database.prepare("SELECT max(sequence) FROM event").get();
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
