// One checkout attempt has one idempotency key. The key is kept with what was ordered, so that a
// reload or a retry after a lost answer sends the same key and cannot buy twice; a different order
// is a different attempt.

/** A checkout attempt as it is stored between page loads. */
export interface Attempt {
  readonly key: string;
  readonly fingerprint: string;
}

/**
 * The attempt to use for an order: the stored one if it was for the same order, else a fresh one.
 * `fingerprint` is any text that is equal exactly for equal orders.
 */
export function attemptFor(
  stored: string | null,
  fingerprint: string,
  newKey: () => string,
): Attempt {
  const earlier = parseAttempt(stored);
  if (earlier && earlier.fingerprint === fingerprint) return earlier;
  return { key: newKey(), fingerprint };
}

/** The attempt in a stored text; undefined if it is none. */
export function parseAttempt(stored: string | null): Attempt | undefined {
  if (stored === null) return undefined;
  try {
    const value = JSON.parse(stored) as Partial<Attempt> | null;
    if (typeof value?.key !== "string" || typeof value.fingerprint !== "string") return undefined;
    if (!/^[A-Za-z0-9_-]{8,64}$/.test(value.key)) return undefined;
    return { key: value.key, fingerprint: value.fingerprint };
  } catch {
    return undefined;
  }
}
