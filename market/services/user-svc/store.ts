import { type Database, type Migrations, row, rows, type Steps } from "../../kit/database.ts";
import type { Role } from "../../kit/session.ts";
import { SECRETS_TABLE } from "../../kit/secrets.ts";
import { LETTER_TABLES, type Letters, type Reset } from "./letters.ts";
import { REVOCATION_TABLES, type RevocationList } from "./revocations.ts";

export const MIGRATIONS: Migrations = [
  [
    `create table users (
    id text primary key,
    email text not null unique,
    name text not null,
    address text,
    password_hash text not null,
    created_at bigint not null
  )`,
    `create table attempts (
    who text primary key,
    since bigint not null,
    tries integer not null
  )`,
    SECRETS_TABLE,
  ],
  [
    "alter table users add column role text not null default 'buyer'",
    `create table signing_keys (
    seed text primary key,
    first text not null,
    made_at bigint not null
  )`,
  ],
  REVOCATION_TABLES,
  LETTER_TABLES,
];

export type UserRow = {
  id: string;
  /** Lower case. */
  email: string;
  name: string;
  /** JSON, or null. */
  address: string | null;
  password_hash: string;
  created_at: number;
  role: Role;
};

/** Who has an account, and how often somebody tried to get into one. */
export interface UserStore {
  /** Adds a user; false when the email is taken. */
  add(user: UserRow): Promise<boolean>;
  byId(id: string): Promise<UserRow | undefined>;
  byEmail(email: string): Promise<UserRow | undefined>;
  /** Changes what a user may change; the user after it, undefined when there is none. */
  update(id: string, name: string, address: string | null): Promise<UserRow | undefined>;
  /**
   * Counts a try under each name, this one included, since the first one of its window; a window
   * that began before `since` is over.
   */
  attempt(whos: readonly string[], now: number, since: number): Promise<number[]>;
  /**
   * Gives a user another password, and the role; calls all their sessions back, ends other ways to
   * a new password, and keeps a letter that says so.
   *
   * @param old what the password was hashed to when it was looked at
   * @returns the number of the list of what was called back, with these; undefined when the password
   * has changed since.
   */
  renew(id: string, old: string, hash: string, role: Role): Promise<number | undefined>;
  /** Gives a user another password by a token, as `renew`; undefined when the token was used. */
  reset(reset: Reset, hash: string): Promise<number | undefined>;
  /** Forgets the tries under a name. */
  forgive(who: string): Promise<void>;
}

/** Creates the store on an open database. */
export function createUserStore(
  database: Database,
  revoked: Pick<RevocationList, "all">,
  letters: Pick<Letters, "use" | "changed">,
): UserStore {
  type Known = { id: string; email: string };
  /** What another password brings with it. */
  function* changed(user: Known | undefined): Steps<number | undefined> {
    if (!user) return undefined;
    yield* letters.changed(user);
    return yield* revoked.all(user.id);
  }
  return {
    async add(user) {
      const added = await database.query(
        `insert into users (id, email, name, address, password_hash, created_at, role)
         values (?, ?, ?, ?, ?, ?, ?) on conflict (email) do nothing returning id`,
        user.id,
        user.email,
        user.name,
        user.address,
        user.password_hash,
        user.created_at,
        user.role,
      );
      return added.length === 1;
    },
    byId: async (id) => (await database.query<UserRow>("select * from users where id = ?", id))[0],
    byEmail: async (email) =>
      (await database.query<UserRow>("select * from users where email = ?", email))[0],
    update: async (id, name, address) =>
      (await database.query<UserRow>(
        "update users set name = ?, address = ? where id = ? returning *",
        name,
        address,
        id,
      ))[0],
    attempt: (whos, now, since) =>
      database.transaction(function* () {
        yield* rows("delete from attempts where since < ?", since);
        const counts: number[] = [];
        for (const who of whos) {
          // One statement: tries at the same moment, also on two replicas, each see another count.
          const counted = yield* row<{ tries: number }>(
            `insert into attempts (who, since, tries) values (?, ?, 1)
             on conflict (who) do update set tries = attempts.tries + 1 returning tries`,
            who,
            now,
          );
          counts.push(counted!.tries);
        }
        return counts;
      }),
    renew: (id, old, hash, role) =>
      database.transaction(function* () {
        const user = yield* row<Known>(
          `update users set password_hash = ?, role = ? where id = ? and password_hash = ?
           returning id, email`,
          ...[hash, role, id, old],
        );
        return yield* changed(user);
      }),
    reset: (reset, hash) =>
      database.transaction(function* () {
        if (!(yield* letters.use(reset))) return undefined;
        const user = yield* row<Known>(
          "update users set password_hash = ? where id = ? returning id, email",
          ...[hash, reset.user],
        );
        return yield* changed(user);
      }),
    async forgive(who) {
      await database.query("delete from attempts where who = ?", who);
    },
  };
}
