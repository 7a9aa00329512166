import { type Database, row, rows, type Steps } from "../../kit/database.ts";
import { LETTERS_KEPT_MS, LETTERS_MAX, RESET_MS } from "../../kit/limits.ts";
import type { Letter } from "../../kit/modules.ts";

// Letters to users, written down before anybody is told of them. One about a forgotten password is
// kept for every address that is asked for, known or not, and only who sends it finds out which: so
// the answer to the question, and how long it takes, tell nothing. Its token is made when the letter
// is written and kept as its digest only; it stands in the clear in the mail and nowhere else.

export const LETTER_TABLES: readonly string[] = [
  `create table letters (
    id text primary key,
    kind text not null check (kind in ('reset', 'changed')),
    email text not null,
    made_at bigint not null,
    told integer not null default 0
  )`,
  "create index letters_by_email on letters (email)",
  `create table resets (
    digest text primary key,
    user_id text not null,
    ends_at bigint not null
  )`,
  "create index resets_by_user on resets (user_id)",
];

/** 256 random bits. */
const TOKEN_BYTES = 32;
/** A token as it stands in a mail: base64url. */
export const TOKEN = /^[\w-]{43}$/;

/** A token that is good: its digest, and whose password it may change. */
export interface Reset {
  readonly digest: string;
  readonly user: string;
}

export interface Letters {
  /** Keeps a letter about a forgotten password for an address; false when there are too many. */
  forgot(email: string): Promise<boolean>;
  /** Letters that nobody has been told of, the oldest first. */
  untold(limit: number): Promise<readonly string[]>;
  told(id: string): Promise<void>;
  /** As `Identity.letter`. */
  write(id: string): Promise<Letter | undefined>;
  /** What a token opens, while it is good; it stays so. */
  opened(token: string): Promise<Reset | undefined>;
  /** Uses a token up, as part of a transaction; false when it is good no more. */
  use(reset: Reset): Steps<boolean>;
  /** The password was changed, as part of a transaction: other ways to do so end, and it is said. */
  changed(user: { readonly id: string; readonly email: string }): Steps<void>;
  /** Forgets what is old. */
  sweep(): Promise<void>;
}

/**
 * Creates the store on an open database.
 *
 * @param mayReset whether the password of this address may be chosen anew by its owner
 */
export function createLetters(
  database: Database,
  now: () => number,
  mayReset: (email: string) => boolean,
): Letters {
  const add = (kind: Letter["kind"], email: string) =>
    rows(
      "insert into letters (id, kind, email, made_at) values (?, ?, ?, ?)",
      ...[crypto.randomUUID(), kind, email, now()],
    );
  return {
    forgot: (email) =>
      database.transaction(function* () {
        const kept = yield* row<{ n: number }>(
          "select count(*) as n from letters where kind = 'reset'",
        );
        if (kept!.n >= LETTERS_MAX) return false;
        yield* add("reset", email);
        return true;
      }),
    untold: async (limit) =>
      (await database.query<{ id: string }>(
        "select id from letters where told = 0 order by made_at, id limit ?",
        limit,
      )).map(({ id }) => id),
    async told(id) {
      await database.query("update letters set told = 1 where id = ?", id);
    },
    async write(id) {
      const token = crypto.getRandomValues(new Uint8Array(TOKEN_BYTES))
        .toBase64({ alphabet: "base64url", omitPadding: true });
      const digest = await digestOf(token);
      return await database.transaction(function* (): Steps<Letter | undefined> {
        const letter = yield* row<{ kind: Letter["kind"]; email: string }>(
          "select kind, email from letters where id = ?",
          id,
        );
        if (!letter) return undefined;
        const { kind, email } = letter;
        const user = yield* row<{ id: string; name: string }>(
          "select id, name from users where email = ?",
          email,
        );
        if (!user || (kind === "reset" && !mayReset(email))) {
          yield* rows("delete from letters where id = ?", id);
          return undefined;
        }
        const to = { name: user.name, email };
        if (kind === "changed") return { kind, to };
        yield* rows(
          "insert into resets (digest, user_id, ends_at) values (?, ?, ?)",
          ...[digest, user.id, now() + RESET_MS],
        );
        return { kind, to, token };
      });
    },
    async opened(token) {
      const digest = await digestOf(token);
      const [found] = await database.query<{ user_id: string }>(
        "select user_id from resets where digest = ? and ends_at > ?",
        ...[digest, now()],
      );
      return found && { digest, user: found.user_id };
    },
    *use({ digest }) {
      const used = yield* rows(
        "delete from resets where digest = ? and ends_at > ? returning digest",
        ...[digest, now()],
      );
      return used.length === 1;
    },
    *changed({ id, email }) {
      yield* rows("delete from resets where user_id = ?", id);
      yield* rows("delete from letters where kind = 'reset' and email = ?", email);
      yield* add("changed", email);
    },
    async sweep() {
      await database.query("delete from resets where ends_at <= ?", now());
      await database.query("delete from letters where made_at < ?", now() - LETTERS_KEPT_MS);
    },
  };
}

async function digestOf(token: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token));
  return new Uint8Array(digest).toHex();
}
