/**
 * Who may look at the deck.
 *
 * `skr8tr deck` makes a random token, signs `DECK|<id>|<SHA-256 of the token>` and opens the deck
 * with the token in the link's fragment. The log keeps the command, and with it only the hash. The
 * page hands the token in, once and soon, for a session.
 */

import { sha256Hex } from "../core/bytes.ts";
import { DECK_LINK_MS, DECK_SESSION_MS, DECK_SESSIONS } from "../core/limits.ts";

interface Admission {
  readonly operator: string;
  readonly untilMonoMs: number;
}

export class DeckAccess {
  /** Hash of a link's token -> who signed for it. */
  readonly #links = new Map<string, Admission>();
  /** Hash of a session's secret -> whose it is. */
  readonly #sessions = new Map<string, Admission>();

  /** An operator signed a DECK command. */
  admit(tokenHash: string, operator: string, nowMonoMs: number): void {
    keep(this.#links, tokenHash, { operator, untilMonoMs: nowMonoMs + DECK_LINK_MS });
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
    this.open(secret, link.operator, nowMonoMs);
    return link.operator;
  }

  /** Opens a session for somebody who proved otherwise who they are. */
  open(secret: string, operator: string, nowMonoMs: number): void {
    const untilMonoMs = nowMonoMs + DECK_SESSION_MS;
    keep(this.#sessions, sha256Hex(secret), { operator, untilMonoMs });
  }

  /** Whose session it is; `null` where there is none (any more). */
  operatorOf(secret: string, nowMonoMs: number): string | null {
    const session = this.#sessions.get(sha256Hex(secret));
    return session && nowMonoMs <= session.untilMonoMs ? session.operator : null;
  }

  close(secret: string): void {
    this.#sessions.delete(sha256Hex(secret));
  }
}

/** Keeps the newest `DECK_SESSIONS`. */
function keep(map: Map<string, Admission>, hash: string, admission: Admission): void {
  map.delete(hash);
  map.set(hash, admission);
  if (map.size > DECK_SESSIONS) map.delete(map.keys().next().value!);
}
