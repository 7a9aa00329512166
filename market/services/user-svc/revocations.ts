import { type Database, type Row, row, rows, type Steps } from "../../kit/database.ts";
import { REVOKED_MAX, REVOKED_PAGE, REVOKED_PER_USER, SESSION_MS } from "../../kit/limits.ts";
import {
  type Revocation,
  type RevocationPage,
  Revocations,
  type RevocationSource,
  type SessionMark,
} from "../../kit/revocations.ts";

// The list of sessions that were called back. Its number is counted up in the transaction that calls
// back, on a row that holds others up until it is done: entries become visible in their order, so
// who follows the list misses none. What is forgotten, for its age or because the list is full,
// raises the floor: nothing that was called back ever counts again.

export const REVOCATION_TABLES: readonly string[] = [
  `create table revocation_list (
    id integer primary key check (id = 1),
    list text not null,
    number bigint not null,
    floor bigint not null
  )`,
  `create table revocations (
    number bigint primary key,
    user_id text not null,
    session text,
    at bigint not null
  )`,
  "create index revocations_by_user on revocations (user_id)",
];

const LIST = "select list, number, floor from revocation_list";

type ListRow = { list: string; number: number; floor: number };
type EntryRow = { number: number; user_id: string; session: string | null };

export interface RevocationList {
  /** The list's number now; to be read before the credentials that a session is made for. */
  revision(): Promise<number>;
  /** The next part of the list. */
  page(cursor: string): Promise<RevocationPage>;
  /** All of the list, as it is at this moment. */
  readonly source: RevocationSource;
  /** Calls one session back. */
  one(session: SessionMark): Promise<void>;
  /**
   * Calls back all that a user has, as part of a transaction.
   *
   * @returns the list's number with it: a session made with that is the first that is good again.
   */
  all(user: string): Steps<number>;
}

/** Creates the list on an open database; all replicas share it. */
export async function createRevocationList(
  database: Database,
  now: () => number,
): Promise<RevocationList> {
  await database.query(
    `insert into revocation_list (id, list, number, floor) values (1, ?, 0, 0)
     on conflict (id) do nothing`,
    crypto.randomUUID(),
  );
  function* add(user: string, session: string | null): Steps<number> {
    const list = yield* row<{ number: number }>(
      "update revocation_list set number = number + 1 returning number",
    );
    if (session === null) yield* rows("delete from revocations where user_id = ?", user);
    yield* rows(
      "insert into revocations (number, user_id, session, at) values (?, ?, ?, ?)",
      list!.number,
      user,
      session,
      now(),
    );
    yield* forget(now() - SESSION_MS);
    return list!.number;
  }
  const page = async (cursor: string): Promise<RevocationPage> => {
    const { list, number, floor } = (await database.query<ListRow>(LIST))[0]!;
    const [of, at] = cursor.split("/");
    const known = of === list && Number(at) <= number ? Number(at) : undefined;
    const found = await database.query<EntryRow>(
      `select number, user_id, session from revocations where number > ? and number <= ?
       order by number limit ?`,
      known ?? 0,
      number,
      REVOKED_PAGE,
    );
    const items = found.map((each): Revocation => ({
      number: each.number,
      user: each.user_id,
      session: each.session,
    }));
    const more = items.length === REVOKED_PAGE;
    const next = more ? items.at(-1)!.number : number;
    return { cursor: `${list}/${next}`, first: known === undefined, more, floor, items };
  };
  let whole = new Revocations();
  let cursor = "";
  return {
    revision: async () => (await database.query<ListRow>(LIST))[0]!.number,
    page,
    async source() {
      for (let more = true; more;) {
        const next = await page(cursor);
        if (next.first) whole = new Revocations();
        whole.take(next);
        ({ cursor, more } = next);
      }
      return whole;
    },
    one: ({ id, user }) =>
      database.transaction(function* () {
        const [{ n = 0 } = {}] = yield* rows<{ n: number }>(
          "select count(*) as n from revocations where user_id = ? and session is not null",
          user,
        );
        // One who signs out so often could fill the list: then all their sessions are one entry.
        yield* add(user, n < REVOKED_PER_USER ? id : null);
      }),
    all: (user) => add(user, null),
  };
}

/** Forgets what is older than every session that it could mean, and what is too much. */
function* forget(before: number): Steps<void> {
  const [{ n = 0 } = {}] = yield* rows<{ n: number }>("select count(*) as n from revocations");
  const gone = yield* rows<{ number: number } & Row>(
    `delete from revocations where at < ? or number in (
       select number from revocations order by number limit ?
     ) returning number`,
    before,
    Math.max(0, n - REVOKED_MAX),
  );
  if (gone.length === 0) return;
  const highest = Math.max(...gone.map(({ number }) => number));
  yield* rows("update revocation_list set floor = ? where floor < ?", highest, highest);
}
