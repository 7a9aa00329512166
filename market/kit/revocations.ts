// Sessions that end before their time. Who is signed in is checked without asking anybody; so the
// identity provider keeps a list of what it called back, numbered in its order, and those who check
// follow it. A session says up to which number the list had come when its credentials were looked at.

import type { Directory } from "./directory.ts";
import { REVOKED_READ_MS, REVOKED_TIMEOUT_MS } from "./limits.ts";
import { unavailable } from "./problem.ts";

/** What of a session says whether it was called back. */
export interface SessionMark {
  /** The token's `jti`. */
  readonly id: string;
  readonly user: string;
  /** The list's number when the user's credentials were looked at. */
  readonly revision: number;
}

/** One entry: a session was called back, or all that a user had up to it. */
export interface Revocation {
  /** From 1; a later entry has a higher one. */
  readonly number: number;
  readonly user: string;
  /** Null: every session of the user whose revision is lower than `number`. */
  readonly session: string | null;
}

/** A part of the list, as it is asked for. */
export interface RevocationPage {
  /** Where to go on; texts of other lists are taken for the beginning. */
  readonly cursor: string;
  /** The page begins the list: what was known before does not count. */
  readonly first: boolean;
  /** There is more already. */
  readonly more: boolean;
  /** Every session with a lower revision has ended: entries up to this number were forgotten. */
  readonly floor: number;
  readonly items: readonly Revocation[];
}

interface OfUser {
  /** All sessions with a lower revision have ended. */
  before: number;
  /** Single sessions that were called back, and their entries' numbers. */
  readonly sessions: Map<string, number>;
}

/** What was called back, as far as one has read. Holds no more than the list it follows. */
export class Revocations {
  #floor = 0;
  readonly #users = new Map<string, OfUser>();

  /** How many entries it holds. */
  get size(): number {
    let size = 0;
    for (const { before, sessions } of this.#users.values()) {
      size += sessions.size + (before > this.#floor ? 1 : 0);
    }
    return size;
  }

  take({ floor, items }: Pick<RevocationPage, "floor" | "items">): void {
    for (const { number, user, session } of items) {
      const known = this.#users.get(user) ?? { before: 0, sessions: new Map<string, number>() };
      this.#users.set(user, known);
      if (session !== null) {
        known.sessions.set(session, number);
        continue;
      }
      known.before = Math.max(known.before, number);
      forget(known.sessions, known.before);
    }
    if (floor <= this.#floor) return;
    this.#floor = floor;
    for (const [user, known] of this.#users) {
      forget(known.sessions, floor);
      if (known.sessions.size === 0 && known.before <= floor) this.#users.delete(user);
    }
  }

  /** Whether a session was called back. */
  covers({ id, user, revision }: SessionMark): boolean {
    if (revision < this.#floor) return true;
    const known = this.#users.get(user);
    return known !== undefined && (revision < known.before || known.sessions.has(id));
  }
}

/** Forgets single sessions whose entries come before a number that covers them. */
function forget(sessions: Map<string, number>, number: number): void {
  for (const [session, at] of sessions) if (at <= number) sessions.delete(session);
}

/** Gives the list as it is now, or was at most `REVOKED_READ_MS` ago. */
export type RevocationSource = () => Promise<Revocations>;

/**
 * Follows the list of an app: whoever needs it reads what is new, at most every `REVOKED_READ_MS`.
 * While the app is away the list goes on being used as it was last known, and nobody waits for more
 * than one try in that time. Without any list yet, nothing can be said: that is the app's 503.
 */
export function remoteRevocations(
  directory: Directory,
  app: string,
  now: () => number,
): RevocationSource {
  let known: Revocations | undefined;
  let cursor = "";
  let readAt = -Infinity;
  let reading: Promise<void> | undefined;
  const read = async () => {
    // The answer is as old as the question.
    const askedAt = now();
    try {
      let [list, at] = [known, cursor];
      for (let more = true; more;) {
        const path = at === "" ? "/revoked" : `/revoked?since=${encodeURIComponent(at)}`;
        // Without any list there is nothing to go on with meanwhile.
        const patience = known ? { timeoutMs: REVOKED_TIMEOUT_MS } : {};
        const response = await directory.call(app, path, patience);
        if (!response.ok) throw new Error(`${app} answered ${response.status}`);
        const page = await response.json() as RevocationPage;
        if (page.first || !list) list = new Revocations();
        list.take(page);
        [at, more] = [page.cursor, page.more];
      }
      [known, cursor] = [list, at];
    } catch {
      if (!known) throw unavailable(app, `${app} does not say who has signed out; try again`);
    }
    readAt = askedAt;
  };
  return async () => {
    if (now() - readAt >= REVOKED_READ_MS) {
      await (reading ??= read().finally(() => reading = undefined));
    }
    return known!;
  };
}
