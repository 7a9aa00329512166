import { type Database, type Migrations, row, rows } from "../database.ts";
import { JOBS_KEPT_MS } from "../limits.ts";
import { type Job, type JobQueue, QUEUE_SETTINGS, type QueueSettings } from "./queue.ts";

export const QUEUE_TABLES: Migrations[number] = [
  `create table jobs (
    key text primary key,
    kind text not null,
    payload text not null,
    state text not null check (state in ('waiting', 'running', 'done', 'dead')),
    attempt integer not null default 0,
    due_at bigint not null,
    lease_until bigint not null default 0,
    reason text,
    changed_at bigint not null
  )`,
  "create index jobs_by_due on jobs (state, due_at)",
];

type Taken = { key: string; kind: string; payload: string; attempt: number };

/** The queue in a store of the market's own, which all replicas of a program share. */
export function createSqlQueue(
  database: Database,
  now: () => number,
  settings: QueueSettings = QUEUE_SETTINGS,
): JobQueue {
  const { attempts, leaseMs } = settings;
  return {
    async add(kind, key, payload) {
      const added = await database.query(
        `insert into jobs (key, kind, payload, state, due_at, changed_at)
         values (?, ?, ?, 'waiting', ?, ?) on conflict (key) do nothing returning key`,
        key,
        kind,
        JSON.stringify(payload),
        now(),
        now(),
      );
      return added.length === 1;
    },
    take: (limit) =>
      database.transaction(function* () {
        // Whoever had these has fallen silent, and so often that it may be their doing.
        yield* rows(
          `update jobs set state = 'dead', reason = 'its worker was lost every time', changed_at = ?
           where state = 'running' and lease_until < ? and attempt >= ?`,
          now(),
          now(),
          attempts,
        );
        // All is said twice: PostgreSQL looks again at the outer when another worker was faster.
        const taken = yield* rows<Taken>(
          `update jobs set state = 'running', attempt = attempt + 1, lease_until = ?, changed_at = ?
           where key in (
             select key from jobs
             where (state = 'waiting' and due_at <= ?) or (state = 'running' and lease_until < ?)
             order by due_at, key limit ?
           )
           and ((state = 'waiting' and due_at <= ?) or (state = 'running' and lease_until < ?))
           returning key, kind, payload, attempt`,
          ...[now() + leaseMs, now()],
          ...[now(), now(), limit],
          ...[now(), now()],
        );
        return taken.map((each): Job => ({ ...each, payload: JSON.parse(each.payload) }));
      }),
    async touch({ key, attempt }) {
      await database.query(
        "update jobs set lease_until = ? where key = ? and attempt = ? and state = 'running'",
        now() + leaseMs,
        key,
        attempt,
      );
    },
    async done({ key, attempt }) {
      await database.query(
        `update jobs set state = 'done', payload = 'null', reason = null, changed_at = ?
         where key = ? and attempt = ? and state = 'running'`,
        now(),
        key,
        attempt,
      );
    },
    async fail({ key, attempt }, reason) {
      const last = attempt >= attempts;
      await database.query(
        `update jobs set state = ?, due_at = ?, reason = ?, changed_at = ?
         where key = ? and attempt = ? and state = 'running'`,
        last ? "dead" : "waiting",
        now() + backoff(attempt, settings),
        reason,
        now(),
        key,
        attempt,
      );
    },
    async counts() {
      const found = await database.query<{ state: string; n: number }>(
        "select state, count(*) as n from jobs where state <> 'done' group by state",
      );
      const of = (state: string) => found.find((each) => each.state === state)?.n ?? 0;
      return { waiting: of("waiting"), running: of("running"), dead: of("dead") };
    },
    dead: (limit) =>
      database.query<{ key: string; kind: string; attempts: number; reason: string }>(
        `select key, kind, attempt as attempts, reason from jobs where state = 'dead'
         order by changed_at, key limit ?`,
        limit,
      ),
    revive: (key) =>
      database.transaction(function* () {
        const revived = yield* row(
          `update jobs set state = 'waiting', attempt = 0, due_at = ?, changed_at = ?
           where key = ? and state = 'dead' returning key`,
          now(),
          now(),
          key,
        );
        return revived !== undefined;
      }),
    async sweep() {
      await database.query(
        "delete from jobs where state = 'done' and changed_at < ?",
        now() - JOBS_KEPT_MS,
      );
    },
    close: () => Promise.resolve(),
  };
}

/** Doubled with each failure, and up to half as much again at random, so that not all come at once. */
function backoff(attempt: number, { backoffMs, backoffMaxMs }: QueueSettings): number {
  const wait = Math.min(backoffMaxMs, backoffMs * 2 ** (attempt - 1));
  return wait + Math.floor(Math.random() * wait / 2);
}
