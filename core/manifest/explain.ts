// What a key means, for `skr8tr explain` and the documents: all from the key table.

import { nearest, quoted } from "./errors.ts";
import { APP } from "./keys.ts";
import { type AnyKey, type BlockOf, defaultOf, findKey, keyNames } from "./schema.ts";

/** One key as documents show it. */
export interface KeyDocument {
  /** `health.interval`. */
  readonly path: string;
  readonly aliases: readonly string[];
  readonly meaning: string;
  /** What may be written: `a duration from 100ms to 1h such as 10s`, or `a block`. */
  readonly form: string;
  /** As the manifest writes it, or in words; absent if there is none. */
  readonly default?: string;
  readonly required: boolean;
  readonly repeatable: boolean;
  /** False where the cluster does not act on it (or on some of its values) yet. */
  readonly built: boolean;
  /** Fixed words to choose from, for editors. */
  readonly words: readonly string[];
}

/** Every key of the language, blocks before their keys, in the order of the canonical form. */
export function allKeys(): readonly KeyDocument[] {
  return documentsOf(APP, "");
}

function documentsOf<B>(block: BlockOf<B>, prefix: string): readonly KeyDocument[] {
  return Object.values(block.keys).flatMap((key) => {
    const own = documentOf(key, prefix);
    const inner = innerOf(key);
    return inner === undefined ? [own] : [own, ...documentsOf(inner, `${own.path}.`)];
  });
}

function innerOf(key: AnyKey): BlockOf<unknown> | undefined {
  return key.type === "block" || key.type === "blocks" ? key.block : undefined;
}

function documentOf(key: AnyKey, prefix: string): KeyDocument {
  const fallback = defaultText(key);
  return {
    path: prefix + key.name,
    aliases: key.aliases ?? [],
    meaning: key.meaning,
    form: formOf(key),
    ...(fallback === undefined ? {} : { default: fallback }),
    required: key.type === "value" && key.required === true,
    repeatable: key.type === "list" || key.type === "blocks",
    built: key.built === true,
    words: key.type === "value" ? key.kind.words ?? [] : [],
  };
}

function formOf(key: AnyKey): string {
  switch (key.type) {
    case "value":
    case "list":
      return key.kind.form;
    case "map":
      return key.bare
        ? "a block of lines: NAME value, or NAME alone"
        : "a block of lines: NAME value";
    case "block":
    case "blocks": {
      const keys = Object.values(key.block.keys).map((inner) => inner.name).join(" ");
      const head = key.block.head === undefined ? undefined : key.block.keys[key.block.head];
      const value = head?.type === "value" ? `${head.kind.form}, or ` : "";
      return `${value}a block of the keys ${keys}`;
    }
    default:
      return key satisfies never;
  }
}

function defaultText(key: AnyKey): string | undefined {
  if (key.otherwise !== undefined) return key.otherwise;
  if (key.type !== "value") return undefined;
  const value = defaultOf(key);
  if (value === undefined) return undefined;
  return key.kind.print(value) || undefined;
}

/**
 * The explanation of a key by its path (`health.interval`, `route`); undefined and the nearest
 * path if there is no such key.
 */
export function explainKey(path: string): ExplainedKey {
  const steps = path.trim().toLowerCase().split(".");
  let block: BlockOf<unknown> | undefined = APP as BlockOf<unknown>;
  let prefix = "";
  for (const [index, step] of steps.entries()) {
    const found: { readonly key: AnyKey } | undefined = block && findKey(block, step);
    if (found === undefined) return unknown(path, prefix, step, block);
    if (index === steps.length - 1) return { ok: true, text: explanation(found.key, prefix) };
    prefix += `${found.key.name}.`;
    block = innerOf(found.key);
  }
  return unknown(path, prefix, "", block);
}

export type ExplainedKey =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly message: string; readonly nearest?: string };

function unknown(
  path: string,
  prefix: string,
  step: string,
  block: BlockOf<unknown> | undefined,
): ExplainedKey {
  const known = block === undefined ? undefined : nearest(step, keyNames(block));
  const elsewhere = allKeys().find((document) => document.path.endsWith(`.${step}`))?.path;
  const suggestion = known === undefined ? elsewhere : prefix + known;
  return {
    ok: false,
    message: `a manifest has no key ${quoted(path)}`,
    ...(suggestion === undefined ? {} : { nearest: suggestion }),
  };
}

function explanation(key: AnyKey, prefix: string): string {
  const document = documentOf(key, prefix);
  const lines = [
    document.path + (document.repeatable ? "  (may stand several times)" : ""),
    `  ${document.meaning}`,
    "",
    `  value    ${document.form}`,
  ];
  if (document.required) lines.push("  default  none: it must be given");
  else if (document.default !== undefined) lines.push(`  default  ${document.default}`);
  if (document.aliases.length > 0) lines.push(`  also     ${document.aliases.join(" ")}`);
  if (key.built === false) lines.push("  note     not acted on yet");
  if (typeof key.built === "function") lines.push("  note     not every value is acted on yet");
  const inner = innerOf(key);
  if (inner !== undefined) lines.push("", ...innerLines(inner));
  return `${lines.join("\n")}\n`;
}

function innerLines<B>(block: BlockOf<B>): readonly string[] {
  const keys = Object.values(block.keys);
  const width = Math.max(...keys.map((key) => key.name.length));
  return keys.map((key) => {
    const fallback = defaultText(key);
    const shown = fallback === undefined ? "" : ` (${fallback})`;
    return `  ${key.name.padEnd(width)}  ${key.meaning}${shown}`;
  });
}
