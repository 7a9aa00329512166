import {
  createLocalJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  jwtVerify,
  SignJWT,
} from "jose";
import type { Directory } from "./directory.ts";
import { KEYS_MISSING_MS, KEYS_REFRESH_MS } from "./limits.ts";
import { Problem, unavailable } from "./problem.ts";

// Tokens are JWTs signed with Ed25519. Who signs shows the public key at GET /keys; who checks asks
// for it where the tower says the signer is. So no two services need to share a secret.

export type PublicKeys = JSONWebKeySet;

const ALGORITHM = "EdDSA";
/** The DER bytes that stand before the 32-byte seed in an Ed25519 PKCS #8 key (RFC 8410). */
const PKCS8_PREFIX = Uint8Array.fromHex("302e020100300506032b657004220420");

export interface Signer {
  readonly keys: PublicKeys;
  /** A token about `subject`, and when it ends, in ms. */
  sign(
    subject: string,
    claims: JWTPayload,
    lifetimeMs: number,
  ): Promise<{ token: string; expiresAt: number }>;
}

/** Creates a signer from a 32-byte seed. */
export async function createSigner(
  seed: Uint8Array,
  issuer: string,
  audience: string,
  now: () => number,
): Promise<Signer> {
  const pkcs8 = new Uint8Array([...PKCS8_PREFIX, ...seed]);
  const key = await crypto.subtle.importKey("pkcs8", pkcs8, "Ed25519", true, ["sign"]);
  const { x = "" } = await crypto.subtle.exportKey("jwk", key);
  const kid = x.slice(0, 12);
  return {
    keys: { keys: [{ kty: "OKP", crv: "Ed25519", x, kid, alg: ALGORITHM, use: "sig" }] },
    async sign(subject, claims, lifetimeMs) {
      const issuedAt = Math.floor(now() / 1_000);
      const expires = issuedAt + Math.floor(lifetimeMs / 1_000);
      const token = await new SignJWT(claims)
        .setProtectedHeader({ alg: ALGORITHM, kid })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(subject)
        .setIssuedAt(issuedAt)
        .setExpirationTime(expires)
        .sign(key);
      return { token, expiresAt: expires * 1_000 };
    },
  };
}

/**
 * Gives an issuer's public keys; `missing` says that those it gave lately lack one that is asked
 * for: the issuer may have changed its keys since.
 */
export type KeySource = (missing?: boolean) => Promise<PublicKeys>;

export type Verdict =
  | { readonly kind: "valid"; readonly subject: string; readonly claims: JWTPayload }
  | { readonly kind: "expired" }
  | { readonly kind: "forged" };

/** Creates a check of tokens by one issuer for one audience. */
export function createVerifier(
  keys: KeySource,
  issuer: string,
  audience: string,
  now: () => number,
): (token: string) => Promise<Verdict> {
  let keySet: ReturnType<typeof createLocalJWKSet> | undefined;
  let madeOf: PublicKeys | undefined;
  const verify = async (token: string, missing: boolean): Promise<Verdict> => {
    const current = await keys(missing);
    if (!keySet || madeOf !== current) keySet = createLocalJWKSet(madeOf = current);
    try {
      const { payload } = await jwtVerify(token, keySet, {
        issuer,
        audience,
        algorithms: [ALGORITHM],
        requiredClaims: ["sub", "exp"],
        currentDate: new Date(now()),
      });
      return { kind: "valid", subject: payload.sub!, claims: payload };
    } catch (error) {
      if (error instanceof errors.JWTExpired) return { kind: "expired" };
      if (error instanceof errors.JWKSNoMatchingKey && !missing) return await verify(token, true);
      if (error instanceof errors.JOSEError) return { kind: "forged" };
      throw error;
    }
  };
  return (token) => verify(token, false);
}

/**
 * Fetches an app's public keys when they are first needed, and again after `KEYS_REFRESH_MS`;
 * while the app is away the keys it had go on being used. One that is missing is looked for at once,
 * but a stranger's tokens cannot make it ask more often than every `KEYS_MISSING_MS`.
 */
export function remoteKeys(
  directory: Directory,
  app: string,
  now: () => number,
): KeySource {
  let known: PublicKeys | undefined;
  let readAt = -Infinity;
  return async (missing = false) => {
    const freshMs = missing ? KEYS_MISSING_MS : KEYS_REFRESH_MS;
    if (known && now() - readAt < freshMs) return known;
    try {
      const response = await directory.call(app, "/keys");
      if (!response.ok) throw unavailable(app, `${app} shows no keys just now; try again`);
      known = await response.json() as PublicKeys;
      readAt = now();
    } catch (error) {
      if (!known || !(error instanceof Problem)) throw error;
    }
    return known;
  };
}

/**
 * Fetches something before it is needed, again and again until it has come: who has an issuer's keys
 * can check tokens while the issuer is away. @returns what ends that.
 */
export function fetchAhead(source: () => Promise<unknown>): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let closed = false;
  const attempt = async (): Promise<void> => {
    try {
      await source();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (!closed) timer = setTimeout(attempt, KEYS_MISSING_MS);
    }
  };
  attempt();
  return () => {
    closed = true;
    clearTimeout(timer);
  };
}
