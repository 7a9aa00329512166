import type { Database, Migrations } from "../../kit/database.ts";
import { SENT_TABLE } from "../../kit/mail/sending.ts";

export const DOCUMENT_TABLES: Migrations[number] = [
  // Text in both stores; what is kept here is small.
  "create table documents (name text primary key, owner text not null, base64 text not null)",
  SENT_TABLE,
];

/** What jobs made, by name, the same on every replica. */
export interface Documents {
  /** Keeps a document; what is there already stays. */
  keep(name: string, owner: string, bytes: Uint8Array): Promise<void>;
  find(name: string): Promise<{ owner: string; bytes: Uint8Array<ArrayBuffer> } | undefined>;
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
  };
}
