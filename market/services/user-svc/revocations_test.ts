import { assert, assertEquals } from "@std/assert";
import type { Database } from "../../kit/database.ts";
import { createDirectory } from "../../kit/directory.ts";
import {
  REVOKED_MAX,
  REVOKED_PAGE,
  REVOKED_READ_MS,
  REVOKED_TIMEOUT_MS,
  SESSION_MS,
} from "../../kit/limits.ts";
import { Problem } from "../../kit/problem.ts";
import { remoteRevocations, type RevocationSource } from "../../kit/revocations.ts";
import { eachStore, openAt, type StorePlace } from "../../kit/testing_stores.ts";
import { createRevocationList, REVOCATION_TABLES, type RevocationList } from "./revocations.ts";

interface Bench {
  readonly database: Database;
  readonly list: RevocationList;
  advance(ms: number): void;
}

async function withList(place: StorePlace, test: (bench: Bench) => Promise<void>): Promise<void> {
  const database = await openAt(place, { name: "user-svc", migrations: [REVOCATION_TABLES] });
  let offset = 0;
  try {
    const list = await createRevocationList(database, () => Date.now() + offset);
    await test({ database, list, advance: (ms) => void (offset += ms) });
  } finally {
    await database.close();
  }
}

const one = (list: RevocationList, user: string, id: string) => list.one({ id, user, revision: 0 });

interface Follower {
  /** What user-svc answers. */
  answer(url: URL): Promise<Response>;
  readonly asked: string[];
  advance(ms: number): void;
  readonly source: RevocationSource;
}

/** Follows a list as another program does; `answer` may be replaced. */
function follower(list: RevocationList): Follower {
  let offset = 0;
  const asked: string[] = [];
  const remote: Follower = {
    answer: async (url: URL): Promise<Response> =>
      Response.json(await list.page(url.searchParams.get("since") ?? "")),
    asked,
    advance: (ms: number) => void (offset += ms),
    source: remoteRevocations(
      createDirectory({
        env: () => "http://user-svc.test",
        fetch: async (input, init) => {
          const url = new URL(String(input));
          asked.push(url.search);
          const late = Promise.withResolvers<never>();
          init!.signal!.onabort = () => late.reject(init!.signal!.reason);
          return await Promise.race([remote.answer(url), late.promise]);
        },
        now: Date.now,
      }, ["user-svc"]),
      "user-svc",
      () => offset,
    ),
  };
  return remote;
}

eachStore(
  "calls at the same time all come to be known, in one order",
  (place) =>
    withList(place, async ({ list }) => {
      const remote = follower(list);
      const calls = Array.from({ length: 20 }, (_, at) => one(list, `user-${at}`, `s-${at}`));
      // Read while they are being written: what comes late must not be missed.
      while ((await remote.source()).size < 20) {
        remote.advance(REVOKED_READ_MS);
        await Promise.race(calls);
      }
      await Promise.all(calls);
      const known = await remote.source();
      for (let at = 0; at < 20; at++) {
        assert(known.covers({ id: `s-${at}`, user: `user-${at}`, revision: 0 }));
      }
      assertEquals(await list.revision(), 20);
      assert(!known.covers({ id: "s-1", user: "user-2", revision: 0 }));
    }),
);

eachStore(
  "what is forgotten for its age is never good again",
  (place) =>
    withList(place, async ({ list, advance }) => {
      await one(list, "ada", "s-1");
      const remote = follower(list);
      assertEquals((await remote.source()).size, 1);
      advance(SESSION_MS + 1);
      await one(list, "eve", "s-2");
      remote.advance(REVOKED_READ_MS);
      const known = await remote.source();
      assertEquals([known.size, (await list.source()).size], [1, 1]);
      assert(known.covers({ id: "s-1", user: "ada", revision: 0 }));
      assert(!known.covers({ id: "s-3", user: "ada", revision: 1 }));
      assert(known.covers({ id: "s-2", user: "eve", revision: 1 }));
    }),
);

Deno.test("a full list forgets the oldest and, with them, every session from before", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "market-" });
  try {
    await withList({ folder }, async ({ database, list }) => {
      await database.transaction(function* () {
        yield {
          sql: `insert into revocations (number, user_id, session, at)
            with recursive n(i) as (select 1 union all select i + 1 from n where i < ?)
            select i, 'user-' || i, 's-' || i, ? from n`,
          values: [REVOKED_MAX, Date.now()],
        };
        yield { sql: "update revocation_list set number = ?", values: [REVOKED_MAX] };
      });
      const remote = follower(list);
      assertEquals((await remote.source()).size, REVOKED_MAX);
      assertEquals(remote.asked.length, REVOKED_MAX / REVOKED_PAGE + 1);
      await one(list, "ada", "s-a");
      await one(list, "ada", "s-b");
      remote.advance(REVOKED_READ_MS);
      const known = await remote.source();
      assertEquals(remote.asked.length, REVOKED_MAX / REVOKED_PAGE + 2, "only what is new");
      for (const each of [known, await list.source()]) {
        assertEquals(each.size, REVOKED_MAX);
        assert(each.covers({ id: "s-1", user: "user-1", revision: 0 }), "forgotten, and out");
        assert(each.covers({ id: "any", user: "somebody", revision: 1 }), "so is who came before");
        assert(!each.covers({ id: "any", user: "somebody", revision: 2 }));
        assert(each.covers({ id: "s-b", user: "ada", revision: REVOKED_MAX }));
      }
    });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("a follower takes another list for a beginning, and a broken answer for none", async () => {
  const folders = [1, 2].map(() => Deno.makeTempDirSync({ prefix: "market-" }));
  try {
    await withList(
      { folder: folders[0]! },
      ({ list: first }) =>
        withList({ folder: folders[1]! }, async ({ list: second }) => {
          const remote = follower(first);
          const broken = [
            () => Promise.reject(new TypeError("connection refused")),
            () => Promise.resolve(new Response("{", { status: 200 })),
            () => Promise.resolve(new Response("no", { status: 404 })),
          ];
          const right = remote.answer;
          for (const answer of broken) {
            remote.answer = answer;
            const said = await remote.source().catch((error) => error);
            assert(said instanceof Problem && said.status === 503, "nothing is known yet");
          }
          remote.answer = right;
          await one(first, "ada", "s-1");
          const mark = { id: "s-1", user: "ada", revision: 0 };
          assert((await remote.source()).covers(mark));
          for (const answer of broken) {
            remote.answer = answer;
            remote.advance(REVOKED_READ_MS);
            assert((await remote.source()).covers(mark), "what was known is still used");
          }
          await one(second, "eve", "s-2");
          remote.answer = async (url) =>
            Response.json(await second.page(url.searchParams.get("since") ?? ""));
          remote.advance(REVOKED_READ_MS);
          const known = await remote.source();
          assert(!known.covers(mark));
          assert(known.covers({ id: "s-2", user: "eve", revision: 0 }));
        }),
    );
  } finally {
    for (const folder of folders) Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("a slow answer is waited for at first, and not for long once something is known", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "market-" });
  try {
    await withList({ folder }, async ({ list }) => {
      const remote = follower(list);
      const right = remote.answer;
      const slow = Promise.withResolvers<void>();
      remote.answer = async (url) => {
        await slow.promise;
        return await right(url);
      };
      const first = remote.source();
      setTimeout(slow.resolve, 2 * REVOKED_TIMEOUT_MS);
      assertEquals((await first).size, 0);
      await one(list, "ada", "s-1");
      remote.answer = () => new Promise(() => {});
      remote.advance(REVOKED_READ_MS);
      assertEquals((await remote.source()).size, 0, "what is known is used");
      remote.answer = right;
      remote.advance(REVOKED_READ_MS);
      assertEquals((await remote.source()).size, 1);
    });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
