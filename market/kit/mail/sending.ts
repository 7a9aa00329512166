import type { Database, Migrations } from "../database.ts";

export const SENT_TABLE = "create table sent (key text primary key, at bigint not null)";

/** Of what is sent is known how far it has come: `begun`, `ending` or `sent`. */
export const SENDING_TABLES: Migrations[number] = [
  "alter table sent add column state text not null default 'sent'",
  "alter table sent add column turn text not null default ''",
];

/** One who is about to send something. */
export interface Turn {
  readonly key: string;
  /** Tells it from whoever took the same thing on before or after. */
  readonly turn: string;
  /** An earlier turn came to its end, and nobody knows whether what it sent was taken on. */
  readonly unsure: boolean;
}

/** What was sent, and what is being sent, the same on every replica. */
export interface Sending {
  /**
   * Takes on to send what `key` names: from here on no earlier turn may come to its end.
   *
   * @returns undefined when it is sent.
   */
  begin(key: string, now: number): Promise<Turn | undefined>;
  /**
   * Notes that the last bit is about to be sent: if nothing more is noted, nobody knows.
   *
   * @returns false, and it must not be sent, when another turn has begun since.
   */
  ending(turn: Turn): Promise<boolean>;
  /** It is known now that what this turn sent was not taken on. */
  refused(turn: Turn): Promise<void>;
  /** It is sent, once for all. */
  sent(turn: Turn): Promise<void>;
}

/** Creates the store on an open database. */
export function createSending(database: Database): Sending {
  return {
    async begin(key, now) {
      const turn = crypto.randomUUID();
      const [begun] = await database.query<{ state: string }>(
        `insert into sent (key, at, state, turn) values (?, ?, 'begun', ?)
         on conflict (key) do update set turn = excluded.turn where sent.state <> 'sent'
         returning state`,
        ...[key, now, turn],
      );
      return begun && { key, turn, unsure: begun.state === "ending" };
    },
    async ending({ key, turn }) {
      const ending = await database.query(
        `update sent set state = 'ending' where key = ? and turn = ? and state <> 'sent'
         returning key`,
        ...[key, turn],
      );
      return ending.length === 1;
    },
    async refused({ key, turn, unsure }) {
      if (unsure) return;
      await database.query(
        "update sent set state = 'begun' where key = ? and turn = ? and state = 'ending'",
        ...[key, turn],
      );
    },
    async sent({ key }) {
      await database.query("update sent set state = 'sent' where key = ?", key);
    },
  };
}
