import { type Database, type Migrations } from "../../kit/database.ts";

export const DOCUMENT_TABLES: Migrations[number] = [
  // Text in both stores; what is kept here is small.
  "create table documents (name text primary key, owner text not null, base64 text not null)",
  "create table sent (key text primary key, at bigint not null)",
];

/** What jobs made, by name, the same on every replica; and what they have sent. */
export interface Documents {
  /** Keeps a document; what is there already stays. */
  keep(name: string, owner: string, bytes: Uint8Array): Promise<void>;
  find(name: string): Promise<{ owner: string; bytes: Uint8Array<ArrayBuffer> } | undefined>;
  wasSent(key: string): Promise<boolean>;
  markSent(key: string, now: number): Promise<void>;
}

/** Creates the store on an open database. */
export function createDocuments(database: Database): Documents {
  return {
    async keep(name, owner, bytes) {
      await database.query(
        "insert into documents (name, owner, base64) values (?, ?, ?) on conflict (name) do nothing",
        name,
        owner,
        bytes.toBase64(),
      );
    },
    async find(name) {
      const [found] = await database.query<{ owner: string; base64: string }>(
        "select owner, base64 from documents where name = ?",
        name,
      );
      return found && { owner: found.owner, bytes: Uint8Array.fromBase64(found.base64) };
    },
    async wasSent(key) {
      return (await database.query("select key from sent where key = ?", key)).length === 1;
    },
    async markSent(key, now) {
      await database.query(
        "insert into sent (key, at) values (?, ?) on conflict (key) do nothing",
        key,
        now,
      );
    },
  };
}
