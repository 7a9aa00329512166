import type { Context } from "hono";
import { type Database, row, rows } from "./database.ts";
import { Problem, unauthorized, unavailable } from "./problem.ts";
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

/** The header by which one service shows another that it belongs to the market. */
export const SERVICE_TOKEN_HEADER = "x-service-token";

/**
 * Makes a check that lets only the market's own services through. Without `SERVICE_TOKEN` in the
 * environment it lets nobody through.
 */
export function serviceTokenCheck(env: Surroundings["env"]): (c: Context) => void {
  const expected = env("SERVICE_TOKEN");
  return (c) => {
    const sent = c.req.header(SERVICE_TOKEN_HEADER);
    if (sent === undefined) {
      throw unauthorized(SERVICE_TOKEN_HEADER, "this is for the market's own services only");
    }
    if (!expected) {
      throw unavailable(SERVICE_TOKEN_HEADER, "SERVICE_TOKEN is not set here; nobody is let in");
    }
    if (!sameText(sent, expected)) {
      throw new Problem(403, SERVICE_TOKEN_HEADER, "this is not the market's service token");
    }
  };
}

/** What a service sends along to prove itself. */
export function serviceTokenHeaders(env: Surroundings["env"]): Record<string, string> {
  return { [SERVICE_TOKEN_HEADER]: env("SERVICE_TOKEN") ?? "" };
}

/** Compares in a time that depends on the lengths only. */
function sameText(a: string, b: string): boolean {
  const left = new TextEncoder().encode(a);
  const right = new TextEncoder().encode(b);
  let difference = left.length ^ right.length;
  for (let at = 0; at < right.length; at++) difference |= (left[at] ?? 0) ^ right[at]!;
  return difference === 0;
}
