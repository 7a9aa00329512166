/**
 * Who may look at the deck.
 *
 * `skr8tr deck` makes a random token, signs `DECK|<id>|<SHA-256 of the token>` and opens the deck
 * with the token in the link's fragment. The log keeps the command, and with it only the hash. The
 * page hands the token in, once and soon, for a session. Single sign-on (conductor/trust/sso.ts) opens
 * sessions, too.
 */

import { sha256Hex } from "../../core/bytes.ts";
import { DECK_LINK_MS, DECK_SESSION_MS, DECK_SESSIONS, SSO_SESSION_MS } from "../../core/limits.ts";
import type { DeckGrants } from "./deck_grants.ts";

export interface DeckSession {
  /** Fingerprint of the operator's key, or the name that single sign-on gave. */
  readonly operator: string;
  readonly grants: DeckGrants;
  /** Where the issuer that let this person in ends its own session. */
  readonly signOut?: string;
}

interface Until<T> {
  readonly is: T;
  readonly untilMonoMs: number;
}

export class DeckAccess {
  /** Hash of a link's token -> who signed for it. */
  readonly #links = new Map<string, Until<string>>();
  /** Hash of a session's secret -> whose it is. */
  readonly #sessions = new Map<string, Until<DeckSession>>();

  /** An operator signed a DECK command. */
  admit(tokenHash: string, operator: string, nowMonoMs: number): void {
    keep(this.#links, tokenHash, { is: operator, untilMonoMs: nowMonoMs + DECK_LINK_MS });
  }

  /**
   * Turns the token of a link into a session with this secret.
   *
   * @returns the operator, or `null` where the token is unknown, used or late
   */
  redeem(token: string, secret: string, nowMonoMs: number): string | null {
    const hash = sha256Hex(token);
    const link = this.#links.get(hash);
    this.#links.delete(hash);
    if (!link || nowMonoMs > link.untilMonoMs) return null;
    this.open(secret, { operator: link.is, grants: null }, nowMonoMs);
    return link.is;
  }

  /** Opens a session for somebody who has proved who they are. */
  open(secret: string, session: DeckSession, nowMonoMs: number): void {
    const lastsMs = session.grants === null ? DECK_SESSION_MS : SSO_SESSION_MS;
    keep(this.#sessions, sha256Hex(secret), { is: session, untilMonoMs: nowMonoMs + lastsMs });
  }

  /** The session of this secret; `null` where there is none (any more). */
  sessionOf(secret: string, nowMonoMs: number): DeckSession | null {
    const session = this.#sessions.get(sha256Hex(secret));
    return session && nowMonoMs <= session.untilMonoMs ? session.is : null;
  }

  close(secret: string): void {
    this.#sessions.delete(sha256Hex(secret));
  }
}

/** Keeps the newest `DECK_SESSIONS`. */
function keep<T>(map: Map<string, T>, hash: string, value: T): void {
  map.delete(hash);
  map.set(hash, value);
  if (map.size > DECK_SESSIONS) map.delete(map.keys().next().value!);
}
