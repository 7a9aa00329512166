// Which keys of a manifest are understood, but have no behaviour yet.

import { APP } from "./keys.ts";
import { type AnyKey, type BlockOf, defaultOf, sameValue } from "./schema.ts";
import type { AppSpec } from "./spec.ts";

/**
 * The keys of this app that the cluster does not act on yet, in the order of the key table:
 * `scale`, `route.rate`, `type job`. Empty if everything it says is done. Keys that have their
 * default say nothing and are not named.
 */
export function unbuiltKeys(spec: AppSpec): readonly string[] {
  return unbuiltIn(APP, spec);
}

/** The same for any block. */
export function unbuiltIn<B>(block: BlockOf<B>, spec: B): readonly string[] {
  return [...new Set(walk(block, spec, ""))];
}

function walk<B>(block: BlockOf<B>, spec: B, prefix: string): readonly string[] {
  const raw = block.unfinish(spec);
  return Object.entries(block.keys).flatMap(([field, key]) => {
    const value = raw[field];
    if (value === undefined || sameValue(value, defaultOf(key))) return [];
    if (!isBuilt(key, value)) return [prefix + nameOf(key, value)];
    return innerBlocks(key, value).flatMap((inner) =>
      walk(inner.block, inner.spec, `${prefix}${key.name}.`)
    );
  });
}

function isBuilt(key: AnyKey, value: unknown): boolean {
  return typeof key.built === "function" ? key.built(value as never) : key.built;
}

/** Where only some values have no behaviour, the value is named too. */
function nameOf(key: AnyKey, value: unknown): string {
  if (typeof key.built !== "function" || key.type !== "value") return key.name;
  return `${key.name} ${key.kind.print(value)}`;
}

function innerBlocks(
  key: AnyKey,
  value: unknown,
): readonly { readonly block: BlockOf<unknown>; readonly spec: unknown }[] {
  if (key.type === "block") return [{ block: key.block, spec: value }];
  if (key.type !== "blocks") return [];
  return (value as readonly unknown[]).map((spec) => ({ block: key.block, spec }));
}
