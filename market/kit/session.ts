import type { Context } from "hono";
import { createLocalJWKSet, errors, type JSONWebKeySet, jwtVerify, SignJWT } from "jose";
import type { Directory } from "./directory.ts";
import { Problem, unauthorized } from "./problem.ts";
import type { Surroundings } from "./service.ts";
import { KEYS_REFRESH_MS, SESSION_MS } from "./limits.ts";

// A session is a JWT signed with Ed25519 by user-svc alone. The other services check it with the
// public key that user-svc shows at GET /keys (not routed): they can check sessions, not make them.

const ISSUER = "market/user-svc";
const AUDIENCE = "market";
const ALGORITHM = "EdDSA";
/** The DER bytes that stand before the 32-byte seed in an Ed25519 PKCS #8 key (RFC 8410). */
const PKCS8_PREFIX = Uint8Array.fromHex("302e020100300506032b657004220420");

/** Who is signed in. */
export interface SessionUser {
  readonly id: string;
  readonly name: string;
}

export interface SessionSigner {
  readonly keys: JSONWebKeySet;
  /** A session of `user` and when it ends, in ms. */
  sign(user: SessionUser): Promise<{ session: string; expiresAt: number }>;
}

/** Creates user-svc's signer from a 32-byte seed. */
export async function createSessionSigner(
  seed: Uint8Array,
  now: () => number,
): Promise<SessionSigner> {
  const pkcs8 = new Uint8Array([...PKCS8_PREFIX, ...seed]);
  const key = await crypto.subtle.importKey("pkcs8", pkcs8, "Ed25519", true, ["sign"]);
  const { x = "" } = await crypto.subtle.exportKey("jwk", key);
  const kid = x.slice(0, 12);
  return {
    keys: { keys: [{ kty: "OKP", crv: "Ed25519", x, kid, alg: ALGORITHM, use: "sig" }] },
    async sign(user) {
      const issuedAt = Math.floor(now() / 1_000);
      const expiresAt = issuedAt + SESSION_MS / 1_000;
      const session = await new SignJWT({ name: user.name })
        .setProtectedHeader({ alg: ALGORITHM, kid })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setSubject(user.id)
        .setIssuedAt(issuedAt)
        .setExpirationTime(expiresAt)
        .sign(key);
      return { session, expiresAt: expiresAt * 1_000 };
    },
  };
}

/** Says who sent a request, or throws the 401. */
export type SessionReader = (c: Context) => Promise<SessionUser>;

/** Creates a reader that checks sessions with `keys`. */
export function createSessionReader(
  keys: () => Promise<JSONWebKeySet>,
  now: () => number,
): SessionReader {
  let verify: ReturnType<typeof createLocalJWKSet> | undefined;
  let verifies: JSONWebKeySet | undefined;
  return async (c) => {
    const header = c.req.header("authorization");
    if (header === undefined) throw unauthorized("session", "sign in first");
    const token = header.match(/^Bearer ([\w.-]{1,2000})$/)?.[1];
    if (token === undefined) throw unauthorized("session", "the session is not of the right form");
    const current = await keys();
    if (!verify || verifies !== current) verify = createLocalJWKSet(verifies = current);
    try {
      const { payload } = await jwtVerify(token, verify, {
        issuer: ISSUER,
        audience: AUDIENCE,
        algorithms: [ALGORITHM],
        requiredClaims: ["sub", "exp"],
        currentDate: new Date(now()),
      });
      return { id: payload.sub!, name: String(payload.name ?? "") };
    } catch (error) {
      if (error instanceof errors.JWTExpired) {
        throw unauthorized("session", "the session has expired; sign in again");
      }
      throw unauthorized("session", "the session proves nothing; sign in again");
    }
  };
}

/**
 * Creates the reader of every service but user-svc: it fetches the keys when it first needs them,
 * and again after `KEYS_REFRESH_MS`; while user-svc is away the keys it has go on being used.
 */
export function createRemoteSessionReader(
  directory: Directory,
  now: Surroundings["now"],
): SessionReader {
  let known: JSONWebKeySet | undefined;
  let readAt = -Infinity;
  const keys = async () => {
    if (known && now() - readAt < KEYS_REFRESH_MS) return known;
    try {
      const response = await directory.call("user-svc", "/keys");
      known = await response.json() as JSONWebKeySet;
      readAt = now();
    } catch (error) {
      if (!known || !(error instanceof Problem)) throw error;
    }
    return known;
  };
  return createSessionReader(keys, now);
}
