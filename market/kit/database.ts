// One SQL for two stores. Statements use `?` for values and stay within what SQLite and PostgreSQL
// both understand (`on conflict`, `returning`, integer, bigint, text); amounts and booleans are
// integers, times are bigint ms. A transaction is a generator: SQLite runs it in one turn of the
// event loop, so nothing can come between; PostgreSQL awaits each step.

export type Value = string | number | null;
export type Row = Record<string, Value>;

/** One statement on its way to the store; its rows come back from `yield`. */
export interface Statement {
  readonly sql: string;
  readonly values: readonly Value[];
}

/** A transaction's steps. */
export type Steps<T> = Generator<Statement, T, Row[]>;

export interface Database {
  readonly kind: "sqlite" | "postgres";
  /** Runs one statement by itself. */
  query<R extends Row>(sql: string, ...values: Value[]): Promise<R[]>;
  /**
   * Runs the steps as one transaction: all or nothing; a thrown error undoes it. May run them again
   * from the start when the store asks for that, so they must change nothing but rows.
   */
  transaction<T>(steps: () => Steps<T>): Promise<T>;
  close(): Promise<void>;
}

/** Inside a transaction: the rows of a statement, by `yield*`. */
export function* rows<R extends Row>(sql: string, ...values: Value[]): Steps<R[]> {
  return (yield { sql, values }) as R[];
}

/** Inside a transaction: the first row of a statement, by `yield*`. */
export function* row<R extends Row>(sql: string, ...values: Value[]): Steps<R | undefined> {
  return ((yield { sql, values }) as R[])[0];
}

/**
 * A schema's versions in order: each entry is the statements that lead from the one before. A store
 * remembers how many it has applied.
 */
export type Migrations = readonly (readonly string[])[];

export interface DatabaseSettings {
  /** The service's name: SQLite's file name, PostgreSQL's schema. */
  readonly name: string;
  readonly migrations: Migrations;
  /** Where SQLite's file is (made if missing); the manifest's volume. */
  readonly folder?: string;
  /** PostgreSQL, when it is given. */
  readonly url?: string;
  /** SQLite need not wait for the disk: what a loss of power takes is no loss. */
  readonly relaxed?: boolean;
}

/**
 * Opens the store that the settings name: PostgreSQL with a `url`, else SQLite in `folder`.
 *
 * @throws when neither is given, or the store cannot be reached.
 */
export async function openDatabase(settings: DatabaseSettings): Promise<Database> {
  if (settings.url) {
    // Imported only here: the driver takes longer to load than a whole service.
    const { openPostgres } = await import("./postgres.ts");
    return await openPostgres(settings.url, settings);
  }
  if (!settings.folder) {
    throw new Error(
      `${settings.name} has nowhere to keep its state: set DATA_DIR (the manifest's volume) ` +
        `or DATABASE_URL`,
    );
  }
  const { openSqlite } = await import("./sqlite.ts");
  return openSqlite(settings.folder, settings);
}

/** Opens a service's store as its environment says: `DATABASE_URL`, else `DATA_DIR`. */
export function openFromEnv(
  env: (name: string) => string | undefined,
  name: string,
  migrations: Migrations,
): Promise<Database> {
  return openDatabase({ name, migrations, url: env("DATABASE_URL"), folder: env("DATA_DIR") });
}
