import type { Context } from "hono";
import { decodeJwt } from "jose";
import type { Database } from "./database.ts";
import { createSigner, createVerifier, type KeySource, type PublicKeys } from "./keys.ts";
import { SERVICE_TOKEN_MS } from "./limits.ts";
import { Problem, unauthorized } from "./problem.ts";
import { insideOnly } from "./request.ts";
import { signingSecret } from "./secrets.ts";
import type { Surroundings } from "./service.ts";

// How one service of the market shows another who it is: by `SERVICE_TOKEN` from the secret store
// where that is set; else by a token of a minute's life, signed with a key of its own and checked
// with the public key that the service of that name shows, as the tower finds it.

/** The header that carries the proof. */
export const SERVICE_TOKEN_HEADER = "x-service-token";

const AUDIENCE = "market services";

/** A caller's side. */
export interface ServiceProof {
  /** To be shown at GET /keys. */
  readonly keys: PublicKeys;
  headers(): Promise<Record<string, string>>;
}

/** Creates the proof of the service `name`; its store has the `secrets` table. */
export async function createServiceProof(
  around: Pick<Surroundings, "env" | "now">,
  database: Database,
  name: string,
): Promise<ServiceProof> {
  const shared = around.env("SERVICE_TOKEN");
  if (shared) {
    const headers = { [SERVICE_TOKEN_HEADER]: shared };
    return { keys: { keys: [] }, headers: () => Promise.resolve(headers) };
  }
  const secret = await signingSecret(around.env, database, `service ${name}`);
  const signer = await createSigner(secret, name, AUDIENCE, around.now);
  let current: { token: string; expiresAt: number } | undefined;
  return {
    keys: signer.keys,
    async headers() {
      // Renewed at half its life, so that a clock a little ahead elsewhere does no harm.
      if (!current || current.expiresAt - around.now() < SERVICE_TOKEN_MS / 2) {
        current = await signer.sign(name, {}, SERVICE_TOKEN_MS);
      }
      return { [SERVICE_TOKEN_HEADER]: current.token };
    },
  };
}

/** Lets a request pass that proves to come from one of the callers; else throws 401 or 403. */
export type ServiceCheck = (c: Context) => Promise<void>;

/**
 * Creates the check of a service that only `callers` may use.
 *
 * @param keysOf asks for the public keys of the caller with this name
 */
export function createServiceCheck(
  around: Pick<Surroundings, "env" | "now">,
  keysOf: (caller: string) => KeySource,
  callers: readonly string[],
): ServiceCheck {
  const shared = callers.length > 0 ? around.env("SERVICE_TOKEN") : undefined;
  const verifiers = new Map(callers.map((caller) => [
    caller,
    createVerifier(keysOf(caller), caller, AUDIENCE, around.now),
  ]));
  return async (c) => {
    insideOnly(c);
    const sent = c.req.header(SERVICE_TOKEN_HEADER);
    if (sent === undefined) {
      throw unauthorized(SERVICE_TOKEN_HEADER, "this is for the market's own services only");
    }
    const known = shared
      ? sameText(sent, shared)
      : (await verifiers.get(issuerOf(sent))?.(sent))?.kind === "valid";
    if (!known) throw new Problem(403, SERVICE_TOKEN_HEADER, "this token proves nothing here");
  };
}

/** Who a token says it is from; nothing is proved by that yet. */
function issuerOf(token: string): string {
  try {
    return decodeJwt(token).iss ?? "";
  } catch {
    return "";
  }
}

/** Compares in a time that depends on the lengths only. */
function sameText(a: string, b: string): boolean {
  const left = new TextEncoder().encode(a);
  const right = new TextEncoder().encode(b);
  let difference = left.length ^ right.length;
  for (let at = 0; at < right.length; at++) difference |= (left[at] ?? 0) ^ right[at]!;
  return difference === 0;
}
