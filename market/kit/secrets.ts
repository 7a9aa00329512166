import { type Database, row, rows } from "./database.ts";
import type { Surroundings } from "./service.ts";

/** Part of the schema of a service that signs something. */
export const SECRETS_TABLE = "create table secrets (name text primary key, secret text not null)";

const SECRET_BYTES = 32;

/**
 * 32 secret bytes for one purpose: derived (HKDF-SHA-256) from `SESSION_SECRET` where that is set,
 * else made at random once and kept in the service's own store, the same for all replicas.
 */
export async function signingSecret(
  env: Surroundings["env"],
  database: Database,
  purpose: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const given = env("SESSION_SECRET");
  if (given) return await derive(given, purpose);
  const made = crypto.getRandomValues(new Uint8Array(SECRET_BYTES)).toHex();
  const kept = await database.transaction(function* () {
    yield* rows(
      "insert into secrets (name, secret) values (?, ?) on conflict (name) do nothing",
      purpose,
      made,
    );
    return yield* row<{ secret: string }>("select secret from secrets where name = ?", purpose);
  });
  return Uint8Array.fromHex(kept!.secret);
}

async function derive(secret: string, purpose: string): Promise<Uint8Array<ArrayBuffer>> {
  const encoder = new TextEncoder();
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), "HKDF", false, [
    "deriveBits",
  ]);
  const bits = await crypto.subtle.deriveBits(
    { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: encoder.encode(purpose) },
    key,
    SECRET_BYTES * 8,
  );
  return new Uint8Array(bits);
}
