// The second layer: a tree of keys to typed blocks, by the key table. Every mistake is reported.

import { type Faults, nearest, quoted, type Span } from "./errors.ts";
import type { Fail, Kind } from "./kinds.ts";
import {
  type AnyKey,
  type BlockOf,
  type Checking,
  defaultsOf,
  type Extra,
  findKey,
  keyNames,
  type ListKey,
  type MapKey,
} from "./schema.ts";
import { type Block, type Entry, type Grammar, type KeyShape, UNKNOWN_SHAPE } from "./tree.ts";

/** What the tree layer must know of a block to read its lines. */
export function grammarOf<B>(block: BlockOf<B>): Grammar {
  return {
    knows: (key) => findKey(block, key) !== undefined,
    shape: (key) => {
      const found = findKey(block, key);
      return found === undefined ? UNKNOWN_SHAPE : shapeOf(found.key);
    },
  };
}

const SHAPES = new WeakMap<AnyKey, KeyShape>();

function shapeOf(key: AnyKey): KeyShape {
  let shape = SHAPES.get(key);
  if (shape === undefined) {
    shape = makeShape(key);
    SHAPES.set(key, shape);
  }
  return shape;
}

function makeShape(key: AnyKey): KeyShape {
  switch (key.type) {
    case "value":
    case "list":
      return { ...UNKNOWN_SHAPE, mode: key.kind.mode, block: "never" };
    case "map":
      return { mode: "plain", block: "only", oneLine: true, inner: MAP_GRAMMAR };
    case "block":
    case "blocks": {
      const block = key.block.head === undefined ? "only" : "either";
      return { mode: "plain", block, oneLine: true, inner: grammarOf(key.block) };
    }
    default:
      return key satisfies never;
  }
}

const MAP_GRAMMAR: Grammar = {
  knows: () => false,
  shape: () => ({ ...UNKNOWN_SHAPE, block: "never" }),
};

/** Where a block stands, for messages: `app "shop"`, `"health"`. */
export interface Place {
  readonly what: string;
  readonly at: Span;
}

/** Finds what a key is called elsewhere in the language: the path of the block that has it. */
export type Elsewhere = (name: string) => string | undefined;

/**
 * Reads one block. Returns what it means, or undefined if anything in it is wrong: then `faults`
 * says what.
 */
export function readBlock<B>(
  block: BlockOf<B>,
  entry: Pick<Entry, "value" | "block">,
  place: Place,
  faults: Faults,
  elsewhere: Elsewhere,
): B | undefined {
  return new BlockReader(block, place, faults, elsewhere).read(entry);
}

class BlockReader<B> {
  readonly #raw: Record<string, unknown>;
  readonly #given = new Map<string, Entry[]>();
  /** What the repeatable lists hold already. */
  readonly #seen = new Map<string, Set<string>>();
  readonly #extra: Extra[] = [];
  readonly #before: number;

  constructor(
    readonly block: BlockOf<B>,
    readonly place: Place,
    readonly faults: Faults,
    readonly elsewhere: Elsewhere,
  ) {
    this.#raw = defaultsOf(block);
    this.#before = faults.count;
  }

  read(entry: Pick<Entry, "value" | "block">): B | undefined {
    const { head } = this.block;
    if (head !== undefined && entry.value !== undefined) {
      this.#take(head, {
        key: this.block.keys[head]!.name,
        at: entry.value.at,
        gaps: [],
        value: entry.value,
      });
    }
    for (const inner of entry.block?.entries ?? []) this.#entry(inner);
    this.#checkRequired();
    this.block.check(this.#checking());
    if (this.faults.count > this.#before) return undefined;
    const raw = this.#extra.length > 0 ? { ...this.#raw, extra: this.#extra } : this.#raw;
    return this.block.finish(raw);
  }

  #entry(entry: Entry): void {
    if (entry.key.startsWith("x-")) {
      this.#extra.push(readExtra(entry));
      return;
    }
    const found = findKey(this.block, entry.key);
    if (found === undefined) this.#complainUnknown(entry);
    else this.#take(found.field, entry);
  }

  #take(field: string, entry: Entry): void {
    const key = this.block.keys[field]!;
    const first = this.#given.get(field)?.[0];
    if (first === undefined) this.#given.set(field, [entry]);
    else this.#given.get(field)!.push(entry);
    if (first !== undefined && key.type !== "list" && key.type !== "blocks") {
      const same = first.key === entry.key ? "" : ` as ${quoted(first.key)}`;
      this.faults.add(entry.at, {
        code: "duplicate-key",
        message: `${quoted(entry.key)} is given twice; first${same} on line ${first.at.line}`,
      });
      return;
    }
    const value = this.#readKey(key, entry);
    if (key.type === "list") this.#append(field, key, entry, value as readonly unknown[]);
    else if (key.type === "blocks") {
      (this.#raw[field] as unknown[]).push(value);
    } else if (value !== undefined) this.#raw[field] = value;
    else delete this.#raw[field];
  }

  #append(field: string, key: ListKey<unknown>, entry: Entry, values?: readonly unknown[]): void {
    const list = this.#raw[field] as unknown[];
    const seen = this.#seen.get(field) ?? new Set();
    this.#seen.set(field, seen);
    for (const value of values ?? []) {
      const written = key.kind.print([value]);
      if (seen.has(written)) {
        this.faults.add(entry.value?.at ?? entry.at, {
          code: "duplicate-key",
          message: `${quoted(written)} stands in ${quoted(key.name)} twice`,
        });
      }
      seen.add(written);
      list.push(value);
    }
  }

  #readKey(key: AnyKey, entry: Entry): unknown {
    switch (key.type) {
      case "value":
      case "list":
        return this.#readValue(key.kind, entry);
      case "map":
        return this.#opened(key, entry) ? this.#readMap(key, entry.block!) : undefined;
      case "block":
      case "blocks":
        if (!this.#opened(key, entry)) return undefined;
        return readBlock(
          key.block,
          entry,
          { what: quoted(key.name), at: entry.at },
          this.faults,
          this.elsewhere,
        );
      default:
        return key satisfies never;
    }
  }

  #readValue<T>(kind: Kind<T>, entry: Entry): T | undefined {
    const { value } = entry;
    if (value !== undefined) {
      return kind.parse(value.text, failAt(entry, this.faults), value.quoted);
    }
    if (entry.block === undefined) {
      this.faults.add(entry.at, {
        code: "missing-value",
        message: `${quoted(entry.key)} needs a value: ${kind.form}`,
      });
    }
    return undefined;
  }

  /** Whether a key that opens a block did so, and stands alone on its line if it must. */
  #opened(key: AnyKey, entry: Entry): boolean {
    const head = key.type === "block" || key.type === "blocks" ? key.block.head : undefined;
    if (entry.value !== undefined && head === undefined) {
      this.faults.add(entry.value.at, {
        code: "unexpected-value",
        message: `${quoted(entry.key)} takes no value but a block: its lines stand in { } below, ` +
          `or indented deeper`,
      });
      return entry.block !== undefined;
    }
    if (entry.block !== undefined || entry.value !== undefined) return true;
    this.faults.add(entry.at, {
      code: "missing-value",
      message: `${quoted(entry.key)} needs a block: its lines stand in { } below, or indented ` +
        `deeper`,
    });
    return false;
  }

  #readMap(key: MapKey, block: Block): Readonly<Record<string, string>> {
    const lines = new Map<string, number>();
    const pairs: [string, string][] = [];
    for (const entry of block.entries) {
      const name = key.names.parse(entry.key, (fault) => this.faults.add(entry.at, fault), false);
      if (name === undefined) continue;
      const first = lines.get(name);
      if (first !== undefined) {
        this.faults.add(entry.at, {
          code: "duplicate-key",
          message: `${quoted(name)} is given twice; first on line ${first}`,
        });
        continue;
      }
      lines.set(name, entry.at.line);
      const bare = key.bare && entry.value === undefined && entry.block === undefined;
      const value = bare ? name : this.#readValue(key.kind, entry);
      if (value !== undefined) pairs.push([name, value]);
    }
    return Object.fromEntries(pairs);
  }

  #complainUnknown(entry: Entry): void {
    if (!this.faults.open) return this.faults.add(entry.at, { code: "unknown-key", message: "" });
    const known = nearest(entry.key, keyNames(this.block)) ?? this.#foreign(entry.key);
    const other = known === undefined ? this.elsewhere(entry.key) : undefined;
    this.faults.add(entry.at, {
      code: "unknown-key",
      message: `unknown key ${quoted(entry.key)} in ${this.place.what}` +
        (other === undefined ? "" : `; it belongs in ${other}`),
      nearest: known,
    });
  }

  #foreign(name: string): string | undefined {
    const wanted = name.toLowerCase().replace(/:$/, "");
    return Object.values(this.block.keys).find((key) => key.foreign?.includes(wanted))?.name;
  }

  #checkRequired(): void {
    for (const [field, key] of Object.entries(this.block.keys)) {
      if (key.type !== "value" || !key.required || this.#given.has(field)) continue;
      this.faults.add(this.place.at, {
        code: "missing-key",
        message: `${this.place.what} has no ${quoted(key.name)}: ${key.kind.form}`,
      });
    }
  }

  #checking(): Checking<Record<string, unknown>> {
    return {
      raw: this.#raw,
      has: (field) => this.#given.has(field),
      at: (field, index = 0) => {
        const entry = this.#given.get(field)?.[index];
        return entry?.value?.at ?? entry?.at ?? this.place.at;
      },
      fault: (at, fault) => this.faults.add(at, fault),
    };
  }
}

function failAt(entry: Entry, faults: Faults): Fail {
  return (fault, start, length) => {
    const value = entry.value!;
    faults.add(start === undefined ? value.at : value.span(start, length ?? 1), fault);
  };
}

/** An `x-` key with all that belongs to it. */
function readExtra(entry: Entry): Extra {
  return {
    key: entry.key,
    ...(entry.value === undefined ? {} : { value: entry.value.text }),
    ...(entry.block === undefined ? {} : { lines: entry.block.entries.map(readExtra) }),
  };
}
