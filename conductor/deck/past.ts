/** Charts that begin with what the conductor remembers, and go on with what its stream tells. */

import type { DeckSample } from "../../core/deck_view.ts";
import { usePolled } from "./lines.ts";
import { samples } from "./state.ts";

/** Asked for again before the samples that are kept here have all come after it. */
const AGAIN_MS = 60_000;
/** As many as the conductor has. */
const MOST = 450;

/** Values at some times, oldest first. */
export interface Track {
  /** ms since 1970. */
  readonly wallMs: readonly number[];
  readonly values: readonly (number | null)[];
}

/** What was told before, and after that what the samples tell. */
export function joined(
  past: Track | null,
  fresh: readonly DeckSample[],
  valueOf: (sample: DeckSample) => number | undefined,
  most = MOST,
): Track {
  const last = past?.wallMs.at(-1) ?? -Infinity;
  const later = fresh.filter((sample) => sample.wallMs > last);
  return {
    wallMs: [...past?.wallMs ?? [], ...later.map((sample) => sample.wallMs)].slice(-most),
    values: [...past?.values ?? [], ...later.map((sample) => valueOf(sample) ?? null)].slice(-most),
  };
}

/** The past at `url`, and what has come since: a function that joins them, value by value. */
export function usePast<T extends { readonly wallMs: readonly number[] }>(url: string) {
  const { value } = usePolled<T>(url, AGAIN_MS);
  return (
    before: (past: T) => readonly (number | null)[] | undefined,
    now: (sample: DeckSample) => number | undefined,
  ): Track => {
    const values = value === null ? undefined : before(value);
    const past = values === undefined ? null : { wallMs: value!.wallMs, values };
    return joined(past, samples.value, now);
  };
}
