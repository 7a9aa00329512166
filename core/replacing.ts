/**
 * Which changes of a manifest need another process, and which a running replica takes on as it is.
 * Conductor and node both ask this: the one to plan, the other to see for itself.
 */

import type { AppSpec } from "./manifest/spec.ts";

/**
 * What a running program has no part in: how many there are, what they are reached by, how they are
 * judged, ended and restarted. Everything else, a key that is new included, needs a new process.
 */
const LIVE: ReadonlySet<string> = new Set<keyof AppSpec>([
  "replicas",
  "scale",
  "routes",
  "rollout",
  "health",
  "restart",
  "drainMs",
  "graceMs",
  "stopSignal",
  "needs",
  "schedule",
  "place",
  "build",
  "extra",
]);

/** Of `place`, what forbids a node; the rest only prefers some. */
const BINDING = ["require", "avoid"] as const;

/**
 * Of `health`, what has to be passed; the rest is patience. One that no replica has passed is tried
 * on a new one: if it is wrong, it ends that one and not all that serve.
 */
const PASSED = ["check", "timeoutMs"] as const;

/**
 * The first key, as the specification names it, because of which a replica of `before` cannot go on
 * as one of `after`; `null` where it can.
 */
export function whyReplaced(before: AppSpec, after: AppSpec): string | null {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  for (const key of [...keys].sort()) {
    if (LIVE.has(key)) continue;
    const field = key as keyof AppSpec;
    if (!same(before[field], after[field])) return key;
  }
  const moved = BINDING.find((key) => !same(before.place[key], after.place[key]));
  if (moved !== undefined) return `place.${moved}`;
  const asked = after.health &&
    PASSED.find((key) => !same(before.health?.[key], after.health?.[key]));
  return asked === undefined ? null : `health.${asked}`;
}

/** Compares plain values; an absent field and one that is `undefined` are the same. */
function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
  for (const key of keys) if (!same(left[key], right[key])) return false;
  return Array.isArray(a) === Array.isArray(b);
}
