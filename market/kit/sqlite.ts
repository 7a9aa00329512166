import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { Database, DatabaseSettings, Migrations, Row, Statement } from "./database.ts";
import { SQLITE_BUSY_MS } from "./limits.ts";
import { unavailable } from "./problem.ts";

/**
 * Opens `<folder>/<name>.db`. Several replicas share the file: write-ahead log, immediate
 * transactions, and patience for each other. Every commit is on the disk before it is answered, unless
 * the settings are `relaxed`.
 */
export function openSqlite(folder: string, settings: DatabaseSettings): Database {
  Deno.mkdirSync(folder, { recursive: true });
  const db = new DatabaseSync(`${folder}/${settings.name}.db`, { timeout: SQLITE_BUSY_MS });
  try {
    if (pragma(db, "journal_mode") !== "wal") enterWal(db);
    const synchronous = settings.relaxed ? "normal" : "full";
    db.exec(`pragma synchronous = ${synchronous}; pragma foreign_keys = on`);
    migrate(db, settings.migrations);
  } catch (error) {
    db.close();
    throw error;
  }
  const prepared = new Map<string, StatementSync>();
  const execute = ({ sql, values }: Statement): Row[] => {
    let statement = prepared.get(sql);
    if (!statement) prepared.set(sql, statement = db.prepare(sql));
    return statement.all(...values) as Row[];
  };

  return {
    kind: "sqlite",
    // deno-lint-ignore require-await -- a thrown error must become a rejection
    async query<R extends Row>(sql: string, ...values: (string | number | null)[]) {
      try {
        return execute({ sql, values }) as R[];
      } catch (error) {
        throw explain(error);
      }
    },
    // deno-lint-ignore require-await
    async transaction(steps) {
      return immediate(db, () => {
        const running = steps();
        let next = running.next();
        while (!next.done) {
          let result: Row[];
          try {
            result = execute(next.value);
          } catch (error) {
            next = running.throw(error);
            continue;
          }
          next = running.next(result);
        }
        return next.value;
      });
    },
    // deno-lint-ignore require-await
    async close() {
      db.close();
    },
  };
}

function immediate<T>(db: DatabaseSync, work: () => T): T {
  try {
    // Not by `exec`, whose errors do not say which they are.
    db.prepare("begin immediate").run();
  } catch (error) {
    throw explain(error);
  }
  try {
    const result = work();
    db.exec("commit");
    return result;
  } catch (error) {
    if (db.isTransaction) db.exec("rollback");
    throw error;
  }
}

/** SQLITE_BUSY, after all the patience: another replica holds the file. */
function explain(error: unknown): unknown {
  return (error as { errcode?: number }).errcode === 5
    ? unavailable("store", "the store is busy just now; try again")
    : error;
}

function migrate(db: DatabaseSync, migrations: Migrations): void {
  if (pragma(db, "user_version") === migrations.length) return;
  immediate(db, () => {
    const from = Number(pragma(db, "user_version"));
    for (const statements of migrations.slice(from)) {
      for (const sql of statements) db.exec(sql);
    }
    db.exec(`pragma user_version = ${migrations.length}`);
  });
}

/** SQLite does not wait for others here by itself, whatever the timeout; so we do. */
function enterWal(db: DatabaseSync): void {
  const deadline = performance.now() + SQLITE_BUSY_MS;
  for (;;) {
    try {
      db.exec("pragma journal_mode = wal");
      return;
    } catch (error) {
      if (!String(error).includes("locked") || performance.now() > deadline) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

function pragma(db: DatabaseSync, name: string): unknown {
  return Object.values(db.prepare(`pragma ${name}`).get() ?? {})[0];
}
