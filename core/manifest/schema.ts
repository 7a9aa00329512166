// How the key table is written down: a block is a record of keys, typed by what it means. The
// table itself is `keys.ts`; parser, canonical form, documents and notes are all driven by it.

import type { Fault, Span } from "./errors.ts";
import type { Kind } from "./kinds.ts";
import type { Extra } from "./spec.ts";

interface KeyBasics {
  /** As the manifest writes it. */
  readonly name: string;
  /** Other spellings of the same key. */
  readonly aliases?: readonly string[];
  /** What other tools call it: only for hints. */
  readonly foreign?: readonly string[];
  /** One line for documents, `explain` and editors. */
  readonly meaning: string;
  /** Whether the cluster acts on it; a function where that depends on the value. */
  readonly built: boolean | ((value: never) => boolean);
  /** The default in words, where it is no fixed value. */
  readonly otherwise?: string;
}

/** `key value`, at most once. */
export interface ValueKey<T> extends KeyBasics {
  readonly type: "value";
  readonly kind: Kind<T>;
  readonly default?: T;
  readonly required?: boolean;
}

/** `key value ...`, repeatable; all lines together make one list. */
export interface ListKey<E> extends KeyBasics {
  readonly type: "list";
  readonly kind: Kind<readonly E[]>;
}

/** `key { NAME value }`: free names. */
export interface MapKey extends KeyBasics {
  readonly type: "map";
  readonly names: Kind<string>;
  readonly kind: Kind<string>;
  /** A name alone stands for itself. */
  readonly bare: boolean;
}

/** `key { ... }`, at most once. */
export interface BlockKey<B> extends KeyBasics {
  readonly type: "block";
  readonly block: BlockOf<B>;
  /** Without the block, its defaults count; otherwise there is then nothing. */
  readonly always: boolean;
}

/** `key { ... }`, repeatable. */
export interface BlocksKey<B> extends KeyBasics {
  readonly type: "blocks";
  readonly block: BlockOf<B>;
}

type KeyFor<T> =
  | ValueKey<T>
  | (T extends readonly (infer E)[] ? ListKey<E> | BlocksKey<E> : never)
  | (T extends Readonly<Record<string, string>> ? MapKey : never)
  | BlockKey<T>;

/** The keys of a block, by the field of the specification that each fills. */
export type Keys<Raw> = {
  readonly [F in Exclude<keyof Raw, "extra">]-?: KeyFor<Exclude<Raw[F], undefined>>;
};

/** What a check may look at: fields are absent where a key was not given, or was wrong. */
export interface Checking<Raw> {
  readonly raw: Readonly<Partial<Raw>>;
  /** Whether the key was written, rightly or not. */
  has(field: keyof Raw & string): boolean;
  /** The place of the `index`-th value of a field; the block's own place if it was not given. */
  at(field: keyof Raw & string, index?: number): Span;
  fault(at: Span, fault: Fault): void;
}

/** A block that reads as `Raw` and means `Spec`. */
export interface BlockOf<Spec> {
  readonly keys: Readonly<Record<string, AnyKey>>;
  /** The field whose value may stand on the line that opens the block. */
  readonly head?: string;
  /** Further rules; called whatever else is wrong. */
  check(checking: Checking<Record<string, unknown>>): void;
  /** Called only when nothing is wrong with the block. */
  finish(raw: Record<string, unknown>): Spec;
  /** The opposite of `finish`: what is to be printed. */
  unfinish(spec: Spec): Readonly<Record<string, unknown>>;
}

/** A key whose type of value is forgotten, for code that walks the table. */
// deno-lint-ignore no-explicit-any
export type AnyKey = ValueKey<any> | ListKey<any> | MapKey | BlockKey<any> | BlocksKey<any>;

type Options<K extends KeyBasics> = Partial<
  Omit<K, "type" | "name" | "meaning" | "kind" | "names">
>;

/** A key with one value. Keys are taken to have their behaviour unless `built` says otherwise. */
export function value<T>(
  name: string,
  kind: Kind<T>,
  meaning: string,
  options: Options<ValueKey<NoInfer<T>>> = {},
): ValueKey<T> {
  return { type: "value", name, kind, meaning, built: true, ...options };
}

/** A repeatable key whose lines make one list. */
export function list<E>(
  name: string,
  kind: Kind<readonly E[]>,
  meaning: string,
  options: Options<ListKey<NoInfer<E>>> = {},
): ListKey<E> {
  return { type: "list", name, kind, meaning, built: true, ...options };
}

/** A block of free names, each with a value of one kind. */
export function map(
  name: string,
  kinds: Pick<MapKey, "names" | "kind" | "bare">,
  meaning: string,
  options: Options<MapKey> = {},
): MapKey {
  return { type: "map", name, ...kinds, meaning, built: true, ...options };
}

/** A block that may stand once. */
export function one<B>(
  name: string,
  block: BlockOf<B>,
  meaning: string,
  options: Partial<Omit<BlockKey<B>, "block">> = {},
): BlockKey<B> {
  return { type: "block", name, block, meaning, always: false, built: true, ...options };
}

/** A repeatable block. */
export function many<B>(
  name: string,
  block: BlockOf<B>,
  meaning: string,
  options: Partial<Omit<BlocksKey<B>, "block">> = {},
): BlocksKey<B> {
  return { type: "blocks", name, block, meaning, built: true, ...options };
}

interface BlockOptions<Raw, Spec> {
  readonly head?: keyof Raw & string;
  readonly check?: (checking: Checking<Raw>) => void;
  readonly finish?: (raw: Raw) => Spec;
  readonly unfinish?: (spec: Spec) => Raw;
}

/** Defines a block; `Raw` and `Spec` differ where several keys make one field. */
export function block<Spec, Raw = Spec>(
  keys: Keys<Raw>,
  options: BlockOptions<Raw, Spec> = {},
): BlockOf<Spec> {
  const same = (value: unknown) => value;
  return {
    keys: keys as Readonly<Record<string, AnyKey>>,
    head: options.head,
    check: (checking) => options.check?.(checking as unknown as Checking<Raw>),
    finish: (options.finish ?? same) as (raw: Record<string, unknown>) => Spec,
    unfinish: (options.unfinish ?? same) as (spec: Spec) => Readonly<Record<string, unknown>>,
  };
}

/** The field and the key of a name or an alias. */
export function findKey<B>(
  block: BlockOf<B>,
  name: string,
): { readonly field: string; readonly key: AnyKey } | undefined {
  const names = namesOf(block);
  const field = names.get(name);
  return field === undefined ? undefined : { field, key: block.keys[field]! };
}

const NAMES = new WeakMap<object, ReadonlyMap<string, string>>();

function namesOf<B>(block: BlockOf<B>): ReadonlyMap<string, string> {
  let names = NAMES.get(block);
  if (names === undefined) {
    names = new Map(
      Object.entries(block.keys).flatMap(([field, key]) =>
        [key.name, ...key.aliases ?? []].map((name) => [name, field] as const)
      ),
    );
    NAMES.set(block, names);
  }
  return names;
}

/** The names and aliases of all keys of a block. */
export function keyNames<B>(block: BlockOf<B>): Iterable<string> {
  return namesOf(block).keys();
}

/** The values a block has when none of its keys is given. */
export function defaultsOf<B>(block: BlockOf<B>): Record<string, unknown> {
  const defaults: Record<string, unknown> = {};
  for (const [field, key] of Object.entries(block.keys)) {
    const value = defaultOf(key);
    if (value !== undefined) defaults[field] = value;
  }
  return defaults;
}

/** What a field is when its key is not given; undefined if it is then absent. */
export function defaultOf(key: AnyKey): unknown {
  switch (key.type) {
    case "value":
      return key.default;
    case "list":
    case "blocks":
      return [];
    case "map":
      return {};
    case "block":
      return key.always ? key.block.finish(defaultsOf(key.block)) : undefined;
    default:
      return key satisfies never;
  }
}

/** Whether two values of fields are equal; they hold only plain data. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) =>
    Object.hasOwn(b, name) &&
    sameValue((a as Record<string, unknown>)[name], (b as Record<string, unknown>)[name])
  );
}

export type { Extra };
