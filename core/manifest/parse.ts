// A manifest's text to what it means, or to everything that is wrong with it.

import { MANIFEST_APPS, MANIFEST_BYTES } from "../limits.ts";
import { Faults, type ManifestError, quoted } from "./errors.ts";
import { APP } from "./keys.ts";
import { grammarOf, type Place, readBlock } from "./read.ts";
import { type AnyKey, type BlockOf, findKey } from "./schema.ts";
import type { AppSpec } from "./spec.ts";
import {
  type Block,
  type Entry,
  type Grammar,
  type KeyShape,
  readTree,
  UNKNOWN_SHAPE,
} from "./tree.ts";

export type ParsedManifest =
  | { readonly ok: true; readonly apps: readonly AppSpec[] }
  | { readonly ok: false; readonly errors: readonly ManifestError[] };

const APP_SHAPE: KeyShape = {
  mode: "plain",
  block: "either",
  oneLine: false,
  inner: grammarOf(APP),
};

const FILE_GRAMMAR: Grammar = {
  knows: (key) => key === "app",
  shape: (key) => key === "app" ? APP_SHAPE : UNKNOWN_SHAPE,
};

/**
 * Parses one manifest file: its apps in the order of the text, or all of its errors in that order.
 * `file` is only for messages. Never throws, whatever the text.
 */
export function parseManifest(text: string, file = "<manifest>"): ParsedManifest {
  const read = readLines(text, file);
  if (!read.ok) return read;
  const apps = readApps(read.tree, read.faults);
  return read.faults.count > 0 ? { ok: false, errors: read.faults.sorted() } : { ok: true, apps };
}

export type ManifestTree =
  | { readonly ok: true; readonly tree: Block; readonly faults: Faults }
  | { readonly ok: false; readonly errors: readonly ManifestError[] };

/** The first layer alone: the tree of keys, with the faults found so far. */
export function readLines(text: string, file: string): ManifestTree {
  const bytes = utf8Bytes(text);
  if (bytes > MANIFEST_BYTES) {
    const faults = new Faults(file, [""]);
    faults.add({ line: 1, start: 0, length: 1 }, {
      code: "too-large",
      message: `the manifest is ${bytes} bytes long; at most ${MANIFEST_BYTES} are read`,
    });
    return { ok: false, errors: faults.sorted() };
  }
  const lines = (text.startsWith("\ufeff") ? text.slice(1) : text).split(/\r?\n/);
  const faults = new Faults(file, lines);
  return { ok: true, tree: readTree(faults, FILE_GRAMMAR), faults };
}

function readApps(tree: Block, faults: Faults): readonly AppSpec[] {
  const apps: AppSpec[] = [];
  const lines = new Map<string, number>();
  const entries = tree.entries.filter((entry) => entry.key === "app");
  if (entries.length === 0 && faults.count === 0) {
    faults.add({ line: 1, start: 0, length: 1 }, {
      code: "missing-key",
      message: 'there is no app in this file: a manifest begins with "app <name>"',
    });
  }
  for (const [index, entry] of entries.entries()) {
    if (index === MANIFEST_APPS) {
      faults.add(entry.at, {
        code: "too-large",
        message: `a manifest holds at most ${MANIFEST_APPS} apps; this one ${entries.length}`,
      });
      break;
    }
    checkName(entry, lines, faults);
    const app = readBlock(APP, entry, placeOf(entry), faults, elsewhere);
    if (app !== undefined) apps.push(app);
  }
  return apps;
}

function placeOf(entry: Entry): Place {
  const name = entry.value?.text;
  return {
    what: name === undefined ? "this app" : `app ${quoted(name)}`,
    at: entry.value?.at ?? entry.at,
  };
}

function checkName(entry: Entry, lines: Map<string, number>, faults: Faults): void {
  const name = entry.value?.text;
  if (name === undefined) {
    faults.add(entry.at, { code: "missing-value", message: `"app" needs a name: app <name>` });
    return;
  }
  const first = lines.get(name);
  if (first === undefined) {
    lines.set(name, entry.at.line);
    return;
  }
  faults.add(entry.value!.at, {
    code: "duplicate-key",
    message: `there are two apps ${quoted(name)} in this file; the first on line ${first}`,
  });
}

/** The block that has a key of this name, if an app has not: `interval` stands in `"health"`. */
function elsewhere(name: string): string | undefined {
  if (findKey(APP, name) !== undefined) return "the app itself, outside this block";
  const owners = Object.values<AnyKey>(APP.keys).filter((key) => {
    const inner = innerBlock(key);
    return inner !== undefined && findKey(inner, name) !== undefined;
  });
  if (owners.length === 0) return undefined;
  return owners.map((key) => quoted(key.name)).join(" or ");
}

function innerBlock(key: AnyKey): BlockOf<unknown> | undefined {
  return key.type === "block" || key.type === "blocks" ? key.block : undefined;
}

/** How long a text is in UTF-8. */
function utf8Bytes(text: string): number {
  let bytes = text.length;
  if (bytes > MANIFEST_BYTES) return bytes;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit > 0x7f) bytes++;
    if (unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff)) bytes++;
  }
  return bytes;
}
