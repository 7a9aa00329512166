// `skr8tr fmt`: the text of a manifest in its one form, comments kept.

import { writeValue } from "./quote.ts";
import { APP } from "./keys.ts";
import type { ManifestError } from "./errors.ts";
import { flag } from "./kinds.ts";
import { readLines } from "./parse.ts";
import { BLANK, type Item, type Line, render } from "./render.ts";
import { type AnyKey, type BlockOf, findKey } from "./schema.ts";
import type { Block, Entry, Gap, Value } from "./tree.ts";

export { canonical } from "./canonical.ts";

export type FormattedManifest =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly errors: readonly ManifestError[] };

/**
 * Formats a manifest: braces, two blanks, values aligned, aliases and needless quotes replaced,
 * comments and order kept. Formatting the result changes nothing, and it means what the text
 * meant. Errors: only those that leave in doubt what belongs to what; wrong values are kept.
 */
export function formatManifest(text: string, file = "<manifest>"): FormattedManifest {
  const read = readLines(text, file);
  if (!read.ok) return read;
  if (read.faults.count > 0) return { ok: false, errors: read.faults.sorted() };
  const items = [...itemsOf(read.tree, FILE), ...gapItems(read.tree.gaps)];
  return { ok: true, text: render(items) };
}

/** What the formatter must know of the block it is in. */
interface Scope {
  /** The canonical name of a key, and the scope of its block. */
  find(name: string): { readonly name: string; readonly key?: AnyKey; readonly inner: Scope };
}

const UNKNOWN: Scope = { find: (name) => ({ name, inner: UNKNOWN }) };

/** Free names, whose values are plain text. */
const NAMES: Scope = { find: (name) => ({ name, inner: UNKNOWN }) };

const FILE: Scope = {
  find: (name) => name === "app" ? { name, inner: scopeOf(APP) } : { name, inner: UNKNOWN },
};

function scopeOf<B>(block: BlockOf<B>): Scope {
  return {
    find(name) {
      const found = findKey(block, name);
      if (found === undefined) return { name, inner: UNKNOWN };
      const { key } = found;
      if (key.type === "map") return { name: key.name, key, inner: NAMES };
      const hasBlock = key.type === "block" || key.type === "blocks";
      return { name: key.name, key, inner: hasBlock ? scopeOf(key.block) : UNKNOWN };
    },
  };
}

function itemsOf(block: Block, scope: Scope): Item[] {
  return block.entries.flatMap((entry) => [...gapItems(entry.gaps), lineOf(entry, scope)]);
}

function gapItems(gaps: readonly Gap[]): Item[] {
  return gaps.map((gap) => gap.comment === undefined ? BLANK : { only: gap.comment });
}

function lineOf(entry: Entry, scope: Scope): Line {
  const { name, key, inner } = scope.find(entry.key);
  const line = { key: name, value: valueOf(entry.value, key), comment: entry.comment };
  const { block } = entry;
  if (block === undefined) return line;
  const bare = scope === FILE && entry.key === "app";
  const closing = bare && block.closing !== undefined ? [{ only: block.closing }] : [];
  return {
    ...line,
    bare,
    lines: [...itemsOf(block, inner), ...gapItems(block.gaps), ...closing],
    closing: bare ? undefined : block.closing,
  };
}

function valueOf(value: Value | undefined, key: AnyKey | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (key === undefined || key.type === "map") return writeValue(value.text);
  if (key.type === "value" && key.kind === flag) {
    const read = flag.parse(value.text, () => {}, value.quoted);
    return read === undefined ? value.written : flag.print(read);
  }
  if (key.type === "value" && key.kind.mode === "plain") {
    // Several words where one belongs are a mistake; quoting them here would hide it.
    const isMistaken = key.kind.oneWord && !value.quoted && /[ \t]/.test(value.text);
    return isMistaken ? value.written : writeValue(value.text, key.kind.oneWord);
  }
  return value.written;
}
