import { assertEquals, assertMatch } from "@std/assert";
import { eventually } from "../testing.ts";
import { eachStore, openAt, type StorePlace } from "../testing_stores.ts";
import { type LoopSettings, startLoop } from "./loop.ts";
import { type Job, type JobQueue, QUEUE_SETTINGS, type QueueSettings } from "./queue.ts";
import { openPostgresQueue } from "./queue_postgres.ts";
import { createSqlQueue, QUEUE_TABLES } from "./queue_sql.ts";

// What every queue promises: the one in a store of the market's own, on both stores, and pg-boss.

const QUICK: QueueSettings = {
  ...QUEUE_SETTINGS,
  attempts: 2,
  backoffMs: 10,
  backoffMaxMs: 20,
  watchMs: 1_000,
};

interface Bench {
  readonly queue: JobQueue;
  /** Lets the leases of all running jobs run out, as when their worker was killed. */
  loseWorkers(): Promise<void>;
}

/** Registers a test for each queue. */
function eachQueue(name: string, test: (bench: Bench) => Promise<void>): void {
  eachStore(name, (place) => withQueue(place, test));
  eachStore(`${name}, by pg-boss`, async ({ url }) => {
    if (url === undefined) return;
    const queue = await openPostgresQueue(url, () => {}, QUICK);
    try {
      await test({
        queue,
        async loseWorkers() {
          await queue.boss.getDb().executeSql(
            "update pgboss.job set heartbeat_on = now() - interval '1 hour' where state = 'active'",
          );
          await queue.boss.supervise();
        },
      });
    } finally {
      await queue.close();
    }
  });
}

async function withQueue(place: StorePlace, test: (bench: Bench) => Promise<void>) {
  const database = await openAt(place, { name: "async-worker", migrations: [QUEUE_TABLES] });
  let offset = 0;
  const now = () => Date.now() + offset;
  try {
    await test({
      queue: createSqlQueue(database, now, QUICK),
      loseWorkers: () => Promise.resolve(void (offset += QUICK.leaseMs + 1)),
    });
  } finally {
    await database.close();
  }
}

/** Takes one job, waiting until it is due. */
async function next(queue: JobQueue): Promise<Job> {
  let job: Job | undefined;
  await eventually("a job is due", async () => (job = (await queue.take(1))[0]) !== undefined);
  return job!;
}

eachQueue("a key is queued once, whatever becomes of its job", async ({ queue }) => {
  const many = await Promise.all(
    Array.from({ length: 5 }, () => queue.add("mail", "mail:1", { to: "ada" })),
  );
  assertEquals(many.filter(Boolean).length, 1);
  const job = await next(queue);
  assertEquals(job, { key: "mail:1", kind: "mail", payload: { to: "ada" }, attempt: 1 });
  assertEquals(await queue.take(5), [], "nobody else gets it");
  assertEquals(await queue.add("mail", "mail:1", {}), false);
  await queue.done(job);
  assertEquals(await queue.add("mail", "mail:1", {}), false, "done is known, too");
  assertEquals(await queue.counts(), { waiting: 0, running: 0, dead: 0 });
});

eachQueue(
  "what fails is tried again, then dead, and lives again when somebody says so",
  async ({ queue }) => {
    await queue.add("mail", "mail:1", { to: "ada" });
    await queue.fail(await next(queue), "the first reason");
    const second = await next(queue);
    assertEquals(second.attempt, 2);
    await queue.fail(second, "the server is away");
    assertEquals(await queue.counts(), { waiting: 0, running: 0, dead: 1 });
    const [dead] = await queue.dead(10);
    assertEquals(dead, {
      key: "mail:1",
      kind: "mail",
      attempts: 2,
      reason: "the server is away",
    });
    assertEquals(await queue.revive("mail:2"), false);
    assertEquals(await queue.revive("mail:1"), true);
    const revived = await next(queue);
    assertEquals([revived.key, revived.payload, revived.attempt], ["mail:1", { to: "ada" }, 1]);
    await queue.done(revived);
    assertEquals(await queue.counts(), { waiting: 0, running: 0, dead: 0 });
  },
);

eachQueue("of many who take at once each gets others", async ({ queue }) => {
  const keys = Array.from({ length: 40 }, (_, at) => `mail:${at}`);
  for (const key of keys) await queue.add("mail", key, null);
  const taken = await Promise.all(Array.from({ length: 8 }, () => queue.take(5)));
  for (let job = await queue.take(5); job.length > 0; job = await queue.take(5)) taken.push(job);
  assertEquals(taken.flat().map(({ key }) => key).sort(), keys.sort());
});

eachQueue(
  "a lost worker's job goes to another, and the lost one can no longer end it",
  async ({ queue, loseWorkers }) => {
    await queue.add("mail", "mail:1", null);
    const lost = await next(queue);
    await loseWorkers();
    const second = await next(queue);
    assertEquals(second.attempt, 2);
    await queue.done(lost);
    await queue.fail(lost, "late");
    assertEquals(
      (await queue.counts()).running,
      1,
      "the late word of the lost one changes nothing",
    );
    await loseWorkers();
    await eventually("what loses its worker every time is dead", async () => {
      await queue.take(1);
      return (await queue.counts()).dead === 1;
    });
    assertMatch((await queue.dead(1))[0]!.reason, /./);
  },
);

Deno.test("a job that hangs, one that fails and one of an unknown kind hold up no other", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "market-" });
  try {
    await withQueue({ folder }, async ({ queue }) => {
      const settings: LoopSettings = { atOnce: 2, timeoutMs: 50, pollMs: 5, touchMs: 1_000 };
      const done: string[] = [];
      let aborted = 0;
      const loop = startLoop(
        queue,
        {
          hang: (_, signal) => {
            signal.addEventListener("abort", () => aborted++);
            return new Promise(() => {});
          },
          fail: () => Promise.reject(new Error("no use")),
          good: ({ key }) => Promise.resolve(void done.push(key)),
        },
        settings,
        () => {},
      );
      for (const kind of ["hang", "fail", "strange"]) await queue.add(kind, `${kind}:1`, null);
      for (let at = 0; at < 20; at++) await queue.add("good", `good:${at}`, null);
      loop.wake();
      await eventually("all good ones are done", () => done.length === 20);
      await eventually("the others are dead", async () => (await queue.counts()).dead === 3);
      await loop.stop();
      assertEquals(aborted, QUICK.attempts);
      const reasons = Object.fromEntries(
        (await queue.dead(10)).map(({ kind, reason }) => [kind, reason]),
      );
      assertEquals(reasons, {
        hang: "took longer than 50 ms",
        fail: "no use",
        strange: "nobody here knows what to do with a strange",
      });
    });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
