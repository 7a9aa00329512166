import type { Context } from "hono";
import { createSigner, createVerifier, type PublicKeys } from "./keys.ts";
import { SESSION_MS } from "./limits.ts";
import type { Identity } from "./modules.ts";
import { Problem, unauthorized } from "./problem.ts";
import type { SessionMark } from "./revocations.ts";

// A session is a token signed by user-svc alone. The other services check it with the public key
// that user-svc shows at GET /keys (not routed): they can check sessions, not make them. What was
// called back before its end they know from the list that user-svc shows at GET /revoked.

const ISSUER = "user-svc";
const AUDIENCE = "market";

/** What a user may do besides what every buyer may. */
export const ROLES = ["buyer", "staff"] as const;
export type Role = typeof ROLES[number];

/** Who is signed in. */
export interface SessionUser {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
}

/** Who is signed in, and by which session. */
export interface Session extends SessionUser {
  readonly mark: SessionMark;
}

export interface SessionSigner {
  readonly keys: PublicKeys;
  /**
   * A session of `user` and when it ends, in ms.
   *
   * @param revision the number of the list of what was called back, read before the credentials
   */
  sign(user: SessionUser, revision: number): Promise<{ session: string; expiresAt: number }>;
}

/** Creates user-svc's signer from a 32-byte seed. */
export async function createSessionSigner(
  seed: Uint8Array,
  now: () => number,
): Promise<SessionSigner> {
  const signer = await createSigner(seed, ISSUER, AUDIENCE, now);
  return {
    keys: signer.keys,
    async sign({ id, name, role }, revision) {
      const claims = { name, role, jti: crypto.randomUUID(), revision };
      const { token, expiresAt } = await signer.sign(id, claims, SESSION_MS);
      return { session: token, expiresAt };
    },
  };
}

/** Says who sent a request, or throws the 401. */
export type SessionReader = (c: Context) => Promise<Session>;

/** Creates a reader that checks sessions with the keys of `identity` and what it called back. */
export function createSessionReader(
  identity: Pick<Identity, "keys" | "revocations">,
  now: () => number,
): SessionReader {
  const verify = createVerifier(identity.keys, ISSUER, AUDIENCE, now);
  return async (c) => {
    const header = c.req.header("authorization");
    if (header === undefined) throw unauthorized("session", "sign in first");
    const token = header.match(/^Bearer ([\w.-]{1,2000})$/)?.[1];
    if (token === undefined) throw unauthorized("session", "the session is not of the right form");
    const verdict = await verify(token);
    switch (verdict.kind) {
      case "valid": {
        const { subject: id, claims } = verdict;
        const mark = { id: String(claims.jti), user: id, revision: Number(claims.revision) };
        // Written so that a session without a number, from before there were any, is refused.
        if (!(mark.revision >= 0) || (await identity.revocations()).covers(mark)) {
          throw unauthorized("session", "this session was signed out; sign in again");
        }
        const role = claims.role === "staff" ? "staff" : "buyer";
        return { id, name: String(claims.name ?? ""), role, mark };
      }
      case "expired":
        throw unauthorized("session", "the session has expired; sign in again");
      case "forged":
        throw unauthorized("session", "the session proves nothing; sign in again");
      default:
        verdict satisfies never;
        throw unauthorized("session", "sign in first");
    }
  };
}

/** Creates a reader that lets only the shop's own people pass; else throws the 401 or a 403. */
export function staffOnly(reader: SessionReader): SessionReader {
  return async (c) => {
    const user = await reader(c);
    if (user.role !== "staff") {
      throw new Problem(403, "session", "this is for the shop's own people only");
    }
    return user;
  };
}
