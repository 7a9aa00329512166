import { DatabaseSync } from "node:sqlite";
import { EVENTS } from "../../core/limits.ts";
import { logger } from "../../core/live/log.ts";
import type { EventView } from "../../core/view.ts";

/** The cluster's history: durable, bounded, and followed live. Losing it loses no decision. */
export class EventHistory {
  readonly #database: DatabaseSync;
  readonly #followers = new Set<(event: EventView) => void>();
  #sequence: number;
  #failing = false;

  constructor(path: string) {
    this.#database = new DatabaseSync(path, { timeout: 5_000 });
    this.#database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = NORMAL;
      CREATE TABLE IF NOT EXISTS event (
        sequence INTEGER PRIMARY KEY, app TEXT, event TEXT NOT NULL
      ) STRICT;
      CREATE INDEX IF NOT EXISTS event_app ON event (app, sequence);
    `);
    const row = this.#database.prepare("SELECT max(sequence) AS last FROM event").get();
    this.#sequence = Number(row?.last ?? 0);
  }

  add(event: Omit<EventView, "sequence">): void {
    const kept: EventView = { sequence: ++this.#sequence, ...event };
    try {
      this.#database.prepare("INSERT INTO event VALUES (?, ?, ?)")
        .run(kept.sequence, kept.app ?? null, JSON.stringify(kept));
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
    for (const follow of this.#followers) follow(kept);
  }

  /** The newest `limit` events, oldest first. */
  read(options: { readonly app?: string; readonly limit: number }): EventView[] {
    const { app = null, limit } = options;
    const rows = this.#database.prepare(
      "SELECT event FROM event WHERE ?1 IS NULL OR app = ?1 ORDER BY sequence DESC LIMIT ?2",
    ).all(app, limit);
    return rows.map((row) => JSON.parse(String(row.event)) as EventView).reverse();
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
