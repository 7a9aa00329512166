import { type Database, row, rows } from "../../kit/database.ts";
import type { KeySource, PublicKeys } from "../../kit/keys.ts";
import { KEY_AHEAD_MS, KEY_LIFE_MS, KEYS_READ_MS, SESSION_MS } from "../../kit/limits.ts";
import { createSessionSigner, type SessionSigner, type SessionUser } from "../../kit/session.ts";

// Sessions are signed with a key that is replaced now and then. A new one is shown before it is
// used, so that those who check know it by then; an old one is shown until the last session that it
// signed has ended. All replicas read the same table.

type KeyRow = { seed: string; made_at: number };

export interface SessionKeys {
  /** All that may have signed a session that is still good. */
  readonly keys: KeySource;
  /** A session; `revision` as for `SessionSigner`. */
  sign(user: SessionUser, revision: number): Promise<{ session: string; expiresAt: number }>;
  /** Makes the next key; it signs after `KEY_AHEAD_MS`. */
  rotate(): Promise<void>;
}

/**
 * Creates the keys.
 *
 * @param first the seed of the key that all begins with. With another one (`SESSION_SECRET` was
 * changed) all begins anew: the keys that followed the old one are forgotten.
 */
export async function createSessionKeys(
  database: Database,
  first: Uint8Array<ArrayBuffer>,
  now: () => number,
): Promise<SessionKeys> {
  const origin = await digestOf(first);
  const signers = new Map<string, SessionSigner>();
  let known: readonly KeyRow[] = [];
  let shown: PublicKeys = { keys: [] };
  let readAt = -Infinity;

  /** Adds a key, unless there is one newer than `since`. */
  const add = (seed: string, since: number) =>
    database.transaction(function* () {
      const newest = yield* row<KeyRow>(
        `select seed, made_at from signing_keys where first = ? order by made_at desc limit 1`,
        origin,
      );
      if (newest && newest.made_at > since) return;
      yield* rows(
        "insert into signing_keys (seed, first, made_at) values (?, ?, ?) on conflict do nothing",
        seed,
        origin,
        now(),
      );
    });
  const random = () => crypto.getRandomValues(new Uint8Array(32)).toHex();
  const read = async () => {
    if (now() - readAt < KEYS_READ_MS) return;
    // What was replaced a session's life ago has signed nothing that is still good.
    const kept = await database.transaction(function* () {
      const all = yield* rows<KeyRow>(
        "select seed, made_at from signing_keys where first = ? order by made_at",
        origin,
      );
      const goneBefore = now() - SESSION_MS - KEY_AHEAD_MS;
      const gone = all.filter((_, at) => (all[at + 1]?.made_at ?? Infinity) < goneBefore);
      for (const { seed } of gone) yield* rows("delete from signing_keys where seed = ?", seed);
      return all.slice(gone.length);
    });
    readAt = now();
    for (const { seed } of kept) {
      if (signers.has(seed)) continue;
      signers.set(seed, await createSessionSigner(Uint8Array.fromHex(seed), now));
    }
    // Checks keep what they made of one list of keys: a new list only where there are new keys.
    if (kept.map(({ seed }) => seed).join() === known.map(({ seed }) => seed).join()) return;
    known = kept;
    shown = { keys: kept.flatMap(({ seed }) => signers.get(seed)!.keys.keys) };
  };
  const rotate = async () => {
    await add(random(), Infinity);
    readAt = -Infinity;
  };
  await database.query("delete from signing_keys where first <> ?", origin);
  await add(first.toHex(), -Infinity);
  await read();
  return {
    async keys() {
      await read();
      return shown;
    },
    async sign(user, revision) {
      if (now() - (known.at(-1)?.made_at ?? now()) > KEY_LIFE_MS) {
        await add(random(), now() - KEY_LIFE_MS);
        readAt = -Infinity;
      }
      await read();
      const inUse = known.findLast((each) => each.made_at <= now() - KEY_AHEAD_MS) ?? known[0]!;
      return await signers.get(inUse.seed)!.sign(user, revision);
    },
    rotate,
  };
}

async function digestOf(seed: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", seed)).toHex();
}
