import { ATTEMPT_WINDOW_MS, ATTEMPTS_PER_CLIENT } from "../../kit/limits.ts";
import { Problem } from "../../kit/problem.ts";
import type { UserStore } from "./store.ts";

/** What is counted, and how often it may be within the window. */
type Counted = readonly [who: string, limit: number];

/** Counts tries, over all replicas, and refuses what is too much. */
export interface Tries {
  /**
   * Counts a try under each name.
   *
   * @param field what the refusal names
   * @throws {Problem} 429 when one of them had too many.
   */
  refuseTooMany(field: string, counted: readonly Counted[], error?: string): Promise<void>;
  /** The same for a client who has to know a secret: one count, whatever is tried. */
  refuseTooManyOf(client: string, field: string, more?: readonly Counted[]): Promise<void>;
}

/** Creates the counter. */
export function createTries(store: Pick<UserStore, "attempt">, now: () => number): Tries {
  const refuseTooMany: Tries["refuseTooMany"] = async (
    field,
    counted,
    error = "too many tries; wait a quarter of an hour",
  ) => {
    const whos = counted.map(([who]) => who);
    const counts = await store.attempt(whos, now(), now() - ATTEMPT_WINDOW_MS);
    if (counts.every((count, at) => count <= counted[at]![1])) return;
    throw new Problem(429, field, error, {
      headers: { "retry-after": String(ATTEMPT_WINDOW_MS / 1_000) },
    });
  };
  return {
    refuseTooMany,
    refuseTooManyOf: (client, field, more = []) =>
      refuseTooMany(field, [...more, [`client ${client}`, ATTEMPTS_PER_CLIENT]]),
  };
}
