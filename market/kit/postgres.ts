import postgres from "postgres";
import type { Database, DatabaseSettings, Row, Statement, Steps, Value } from "./database.ts";
import { POSTGRES_CONNECTIONS, TRANSACTION_TRIES } from "./limits.ts";
import { unavailable } from "./problem.ts";

/** Lost against another transaction; the store asks to try again: serialization, deadlock. */
const TRY_AGAIN = new Set(["40001", "40P01"]);

type Run = (sql: string, values: Value[]) => Promise<Row[]>;

/** Opens the service's own schema, `product_svc` for `product-svc`, in the database at `url`. */
export async function openPostgres(url: string, settings: DatabaseSettings): Promise<Database> {
  const schema = settings.name.replaceAll("-", "_");
  const sql = postgres(url, {
    max: POSTGRES_CONNECTIONS,
    onnotice: () => {},
    connection: { search_path: schema },
    types: { bigint: { to: 20, from: [20], parse: Number, serialize: String } },
  });
  const run: Run = async (text, values) => [...await sql.unsafe<Row[]>(text, values)];
  await migrate(sql, schema, settings);
  const attempt = <T>(steps: () => Steps<T>) =>
    sql.begin((tx) =>
      follow(steps(), async (text, values) => [...await tx.unsafe<Row[]>(text, values)])
    ) as Promise<T>;
  return {
    kind: "postgres",
    async query<R extends Row>(text: string, ...values: Value[]) {
      try {
        return await run(numbered(text), values) as R[];
      } catch (error) {
        throw explain(error);
      }
    },
    async transaction(steps) {
      for (let tried = 1;; tried++) {
        try {
          return await attempt(steps);
        } catch (error) {
          const code = (error as { code?: string }).code ?? "";
          if (!TRY_AGAIN.has(code) || tried === TRANSACTION_TRIES) throw explain(error);
        }
      }
    },
    close: () => sql.end({ timeout: 2 }),
  };
}

/** A store that is away is a fact of life (503); anything else stays what it is. */
function explain(error: unknown): unknown {
  const code = (error as { code?: string }).code ?? "";
  // 57P0x: the server shuts down or starts; 08xxx and the driver's own: the connection is gone.
  return /^(ECONN|CONNECT|ENOTFOUND|57P0|08)/.test(code)
    ? unavailable("store", "the store cannot be reached just now; try again")
    : error;
}

async function follow<T>(running: Steps<T>, run: Run): Promise<T> {
  let next = running.next();
  while (!next.done) {
    const { sql, values }: Statement = next.value;
    let result: Row[];
    try {
      result = await run(numbered(sql), [...values]);
    } catch (error) {
      next = running.throw(error);
      continue;
    }
    next = running.next(result);
  }
  return next.value;
}

async function migrate(
  sql: postgres.Sql,
  schema: string,
  { migrations }: DatabaseSettings,
): Promise<void> {
  await sql.begin(async (tx) => {
    // Replicas start together, and `create if not exists` alone is not safe against that.
    await tx`select pg_advisory_xact_lock(hashtext(${schema}))`;
    await tx.unsafe(`create schema if not exists ${schema}`);
    await tx.unsafe(`create table if not exists ${schema}.schema_version (version integer)`);
    const found = await tx.unsafe<{ version: number }[]>(
      `select version from ${schema}.schema_version`,
    );
    const from = found[0]?.version ?? 0;
    if (from === migrations.length) return;
    for (const statements of migrations.slice(from)) {
      for (const statement of statements) await tx.unsafe(statement);
    }
    await tx.unsafe(`delete from ${schema}.schema_version`);
    await tx.unsafe(`insert into ${schema}.schema_version values (${migrations.length})`);
  });
}

const NUMBERED = new Map<string, string>();

/** `?` becomes `$1`, `$2`, ... */
function numbered(sql: string): string {
  let text = NUMBERED.get(sql);
  if (text === undefined) {
    let at = 0;
    NUMBERED.set(sql, text = sql.replace(/\?/g, () => `$${++at}`));
  }
  return text;
}
