import { PgBoss } from "pg-boss";
import { JOBS_KEPT_MS } from "../limits.ts";
import { unavailable } from "../problem.ts";
import { type Job, type JobQueue, QUEUE_SETTINGS, type QueueSettings } from "./queue.ts";

const QUEUE = "jobs";
const DEAD = "dead";
/** The library's own bound, in seconds. */
const LEASE_MIN_SECONDS = 10;

interface Data {
  readonly key: string;
  readonly kind: string;
  readonly payload: unknown;
}

/**
 * The queue in PostgreSQL, kept by pg-boss in the schema `pgboss`: for workers on several machines.
 * A job's id is made of its key, so a key is queued once.
 */
export async function openPostgresQueue(
  url: string,
  note: (event: string, more: Record<string, unknown>) => void,
  settings: QueueSettings = QUEUE_SETTINGS,
): Promise<JobQueue & { readonly boss: PgBoss }> {
  const boss = new PgBoss({
    connectionString: url,
    max: 4,
    schedule: false,
    superviseIntervalSeconds: Math.max(1, Math.round(settings.watchMs / 1_000)),
    monitorIntervalSeconds: Math.max(1, Math.round(settings.watchMs / 1_000)),
  });
  boss.on("error", (error) => note("queue-trouble", { error: String(error) }));
  await boss.start();
  await boss.createQueue(DEAD, { deleteAfterSeconds: 0 });
  await boss.createQueue(QUEUE, {
    retryLimit: settings.attempts - 1,
    retryDelay: Math.max(1, Math.round(settings.backoffMs / 1_000)),
    retryBackoff: true,
    retryDelayMax: Math.max(1, Math.round(settings.backoffMaxMs / 1_000)),
    heartbeatSeconds: Math.max(LEASE_MIN_SECONDS, Math.round(settings.leaseMs / 1_000)),
    deleteAfterSeconds: JOBS_KEPT_MS / 1_000,
    deadLetter: DEAD,
  });
  const attemptOf = async ({ key, attempt }: Job) => ({
    id: await idOf(key),
    retryCount: attempt - 1,
  });
  const deadJobs = (options: { limit?: number; data?: object } = {}) =>
    boss.findJobs<Data>(DEAD, { queued: true, ...options });
  return {
    boss,
    async add(kind, key, payload) {
      try {
        const data: Data = { key, kind, payload };
        return await boss.send(QUEUE, data, { id: await idOf(key) }) !== null;
      } catch (error) {
        throw explain(error);
      }
    },
    async take(limit) {
      const jobs = await boss.fetch<Data>(QUEUE, { batchSize: limit, includeMetadata: true });
      return jobs.map(({ data, retryCount }) => ({ ...data, attempt: retryCount + 1 }));
    },
    async touch(job) {
      await boss.touch(QUEUE, await attemptOf(job));
    },
    async done(job) {
      await boss.complete(QUEUE, await attemptOf(job));
    },
    async fail(job, reason) {
      await boss.fail(QUEUE, await attemptOf(job), { reason });
    },
    async counts() {
      const { rows } = await boss.getDb().executeSql(
        "select name, state, count(*)::int as n from pgboss.job where name = any($1) group by 1, 2",
        [[QUEUE, DEAD]],
      );
      const of = (name: string, ...states: string[]) =>
        rows.filter((each) => each.name === name && states.includes(each.state))
          .reduce((sum, each) => sum + each.n, 0);
      return {
        waiting: of(QUEUE, "created", "retry"),
        running: of(QUEUE, "active"),
        dead: of(DEAD, "created"),
      };
    },
    async dead(limit) {
      return (await deadJobs({ limit })).map(({ data, sourceRetryCount, sourceOutput }) => ({
        key: data.key,
        kind: data.kind,
        attempts: (sourceRetryCount ?? 0) + 1,
        reason: reasonOf(sourceOutput),
      }));
    },
    async revive(key) {
      const [dead] = await deadJobs({ data: { key } });
      if (!dead) return false;
      await boss.deleteJob(DEAD, dead.id);
      await boss.deleteJob(QUEUE, await idOf(key));
      await boss.send(QUEUE, dead.data, { id: await idOf(key) });
      return true;
    },
    // pg-boss forgets by itself what was done long ago.
    sweep: () => Promise.resolve(),
    close: () => boss.stop({ graceful: false }),
  };
}

function reasonOf(output: object | null): string {
  const { reason, value } = (output ?? {}) as { reason?: unknown; value?: { reason?: unknown } };
  return String(reason ?? value?.reason ?? "its worker was lost every time");
}

/** A UUID (version 8, RFC 9562) that is always the same for a key. */
async function idOf(key: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key));
  const bytes = new Uint8Array(digest).slice(0, 16);
  bytes[6] = bytes[6]! & 0x0f | 0x80;
  bytes[8] = bytes[8]! & 0x3f | 0x80;
  const hex = bytes.toHex();
  return [[0, 8], [8, 12], [12, 16], [16, 20], [20, 32]]
    .map(([from, to]) => hex.slice(from, to)).join("-");
}

function explain(error: unknown): unknown {
  const code = (error as { code?: string }).code ?? "";
  return /^(ECONN|57P0|08)/.test(code)
    ? unavailable("store", "the queue cannot be reached just now; try again")
    : error;
}
