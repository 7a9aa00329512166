// The first layer: lines to keys with values and blocks. It knows the braces, the indentation, the
// quotes and the comments, and asks the grammar only what it needs to read a line one way.

import { MANIFEST_DEPTH } from "../limits.ts";
import { type Faults, quoted, type Span, UNPRINTABLE } from "./errors.ts";
import {
  type BraceStart,
  indentOf,
  type KeyStart,
  type ReadEntry,
  readEntry,
  startLine,
  type Value,
} from "./line.ts";

export type { Value } from "./line.ts";

/** How the value of a key is scanned, and whether a block may follow it. */
export interface KeyShape {
  /** `shell`: single quotes and backslashes count too, as in `args`. */
  readonly mode: "plain" | "shell";
  /** `never`, `only` (a block and no value), or `either` (a value, a block, or both). */
  readonly block: "never" | "only" | "either";
  /** The block may stand on the key's own line: `{ key value; key value }`. */
  readonly oneLine: boolean;
  /** The keys of its block. */
  readonly inner: Grammar;
}

export interface Grammar {
  /** Whether the key is one of these by name (and not merely tolerated). */
  knows(key: string): boolean;
  shape(key: string): KeyShape;
}

/** A comment (its text with the `#`), or undefined for a blank line, standing before something. */
export interface Gap {
  readonly comment?: string;
  readonly indent: number;
}

export interface Entry {
  readonly key: string;
  readonly at: Span;
  readonly value?: Value;
  block?: Block;
  readonly gaps: readonly Gap[];
  /** The comment at the end of the line. */
  readonly comment?: string;
}

export interface Block {
  readonly entries: Entry[];
  readonly form: "braces" | "indentation";
  /** Comments after the last entry. */
  readonly gaps: Gap[];
  /** The comment beside the `}`. */
  closing?: string;
}

/** An open block, while reading. */
interface Frame {
  readonly block: Block;
  readonly grammar: Grammar;
  /** The entry that opened it; undefined for the file itself. */
  readonly opener?: Entry;
  readonly openerIndent: number;
  /** Indentation of its entries: known from the first one on. */
  indent?: number;
  /** Lines this deep were already complained about and count as entries of this frame. */
  tolerated?: number;
}

const ANYTHING: Grammar = {
  knows: () => false,
  shape: () => ({ mode: "plain", block: "either", oneLine: false, inner: ANYTHING }),
};

/** The grammar of blocks whose keys are not looked at. */
export const UNKNOWN_SHAPE: KeyShape = ANYTHING.shape("");

/** Reads the lines of `faults` into a tree whose roots are the `app` entries. */
export function readTree(faults: Faults, apps: Grammar): Block {
  return new TreeReader(faults, apps).read();
}

/** Lines that need no closer look for characters that do not print. */
const ORDINARY = /^[\t -~]*$/;

class TreeReader {
  readonly #root: Block = { entries: [], form: "braces", gaps: [] };
  readonly #stack: Frame[];
  #pending: Gap[] = [];
  /** The last entry, while a `{` on its own line may still open its block. */
  #awaiting: Entry | undefined;
  /** Closing braces whose block was closed already because something was wrong. */
  #strayBraces = 0;
  #complainedOutside = false;
  #complainedDepth = false;

  constructor(readonly faults: Faults, apps: Grammar) {
    this.#stack = [{ block: this.#root, grammar: apps, openerIndent: -1 }];
  }

  read(): Block {
    this.faults.lines.forEach((text, index) => this.#line(text, index + 1));
    while (this.#stack.length > 1) {
      this.#complainUnclosed("the end of the file");
      this.#pop(-1);
    }
    for (const gap of this.#pending) this.#root.gaps.push(gap);
    return this.#root;
  }

  #line(text: string, line: number): void {
    const bad = ORDINARY.test(text) ? null : UNPRINTABLE.exec(text.replaceAll("\t", " "));
    if (bad) this.#complainCharacter(line, bad.index, bad[0]);
    const start = startLine(text, line);
    switch (start.kind) {
      case "blank":
        if (this.#pending.at(-1)?.comment !== undefined || this.#pending.length === 0) {
          this.#pending.push({ indent: start.indent });
        }
        return;
      case "comment":
        this.#pending.push({ comment: start.comment, indent: start.indent });
        return;
      case "brace":
        return start.brace === "{" ? this.#open(start) : this.#close(start);
      case "key":
        return this.#entry(start);
      default:
        start satisfies never;
    }
  }

  #complainCharacter(line: number, start: number, character: string): void {
    const code = character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
    const message = character === "\ufffd"
      ? "this is not valid UTF-8 text"
      : `the character U+${code} does not print and may not stand here; in a quoted value write ` +
        `\\u{${code.toLowerCase()}}`;
    this.faults.add({ line, start, length: character.length }, { code: "character", message });
  }

  // --- braces -----------------------------------------------------------------------------------

  #open(start: BraceStart): void {
    const entry = this.#awaiting;
    if (start.rest !== undefined) {
      this.faults.add(start.rest, {
        code: "braces",
        message: "the lines of a block stand on lines of their own, below its {",
      });
    }
    if (entry?.key === "app" && this.#top.opener === entry) {
      this.#stack.pop();
      entry.block = undefined;
    }
    if (entry === undefined || entry.block !== undefined) {
      this.faults.add(start.at, {
        code: "braces",
        message: "this { follows no key that could open a block",
      });
      this.#strayBraces++;
      return;
    }
    this.#awaiting = undefined;
    if (this.#takesNoBlock(entry)) this.#complainNoBlock(entry, start.at);
    this.#push(entry, "braces");
    if (start.comment !== undefined) {
      this.#pending.push({ comment: start.comment, indent: this.#indentOf(entry) + 1 });
    }
  }

  #close(start: BraceStart): void {
    this.#awaiting = undefined;
    if (start.rest !== undefined) {
      this.faults.add(start.rest, {
        code: "braces",
        message: "nothing but a comment may follow a } on its line",
      });
    }
    const open = this.#stack.findLastIndex((frame) =>
      frame.opener && frame.block.form === "braces"
    );
    if (open < 0) {
      if (this.#strayBraces > 0) this.#strayBraces--;
      else this.faults.add(start.at, { code: "braces", message: "this } closes no block" });
      return;
    }
    while (this.#stack.length > open + 1) this.#pop(-1);
    this.#top.block.closing = start.comment;
    this.#pop("all");
  }

  // --- entries ----------------------------------------------------------------------------------

  #entry(start: KeyStart): void {
    const opensApp = this.#opensApp(start);
    this.#awaiting = undefined;
    if (opensApp) this.#leaveApp(start);
    else this.#settle(start);
    const frame = this.#top;
    const shape = this.#shapeIn(frame, start.key);
    const read = readEntry(this.faults.lines[start.at.line - 1] ?? "", start, shape, this.faults);
    const entry: Entry = { ...read.entry, gaps: this.#pending };
    this.#pending = [];
    this.#add(frame, entry, start);
    this.#startBlock(entry, read, shape);
  }

  #add(frame: Frame, entry: Entry, start: KeyStart): void {
    frame.block.entries.push(entry);
    if (frame.opener !== undefined || entry.key === "app" || this.#complainedOutside) return;
    const isFirst = !this.#root.entries.some((other) => other.key === "app");
    if (entry.key.startsWith("x-") && isFirst) return;
    this.#complainedOutside = true;
    this.faults.add(start.at, {
      code: "missing-key",
      message: `${quoted(entry.key)} stands outside an app: a manifest begins with "app <name>"`,
    });
  }

  #startBlock(
    entry: Entry,
    read: ReadEntry,
    shape: KeyShape,
  ): void {
    if (read.inline !== undefined) {
      entry.block = {
        entries: read.inline.map((inner) => ({ ...inner, gaps: [] })),
        form: "braces",
        gaps: [],
      };
    } else if (read.opens) {
      if (shape.block === "never") this.#complainNoBlock(entry, read.opens);
      this.#push(entry, "braces");
    } else if (entry.key === "app" && this.#stack.length === 1) {
      this.#push(entry, "indentation");
      this.#awaiting = entry;
    } else this.#awaiting = entry;
  }

  /** `app` begins an app wherever it could not be a key of the block it stands in. */
  #opensApp(start: KeyStart): boolean {
    if (start.key !== "app") return false;
    const app = this.#stack[1];
    if (app === undefined || app.opener?.key !== "app") return true;
    if (start.indent <= app.openerIndent) return true;
    const level = this.#stack.findLast((frame) =>
      frame.block.form === "braces" || frame === app || (frame.indent ?? 0) <= start.indent
    );
    const opener = this.#awaiting;
    const isItsChild = opener !== undefined && opener.key !== "app" &&
      !this.#takesNoBlock(opener) && start.indent > this.#indentOf(opener);
    return level === app && !isItsChild;
  }

  #leaveApp(start: KeyStart): void {
    while (this.#stack.length > 1) {
      this.#complainUnclosed(`line ${start.at.line}`);
      this.#pop(start.indent);
    }
    const first = this.#root.entries.find((entry) => entry.key === "app");
    if (first !== undefined && this.#indentOf(first) !== start.indent) {
      this.faults.add(start.at, {
        code: "indentation",
        message: `this app is indented unlike the one on line ${first.at.line}`,
      });
    }
  }

  /** Finds the block that a line with this indentation belongs to, and makes it the top. */
  #settle(start: KeyStart): void {
    for (;;) {
      const frame = this.#top;
      if (frame.opener === undefined) return this.#settleOutside(start);
      if (frame.indent === undefined) {
        frame.indent = start.indent;
        return;
      }
      if (start.indent === frame.indent || start.indent === frame.tolerated) return;
      if (start.indent > frame.indent) return this.#deeper(frame, start);
      if (!this.#shallower(frame, start)) return;
    }
  }

  #settleOutside(start: KeyStart): void {
    const previous = this.#root.entries.at(-1);
    if (previous === undefined || previous.block !== undefined) return;
    if (start.indent > this.#indentOf(previous) && this.#push(previous, "indentation")) {
      this.#top.indent = start.indent;
    }
  }

  #deeper(frame: Frame, start: KeyStart): void {
    const previous = frame.block.entries.at(-1);
    if (previous === undefined || previous.block !== undefined || this.#takesNoBlock(previous)) {
      frame.tolerated = start.indent;
      const why = previous === undefined || previous.block !== undefined
        ? "indented deeper than the lines it stands among"
        : `indented deeper than ${quoted(previous.key)}, which takes no block`;
      this.faults.add(start.at, { code: "indentation", message: `${quoted(start.key)} is ${why}` });
      return;
    }
    if (this.#push(previous, "indentation")) this.#top.indent = start.indent;
  }

  /** Handles a line less indented than the top's entries; true if the next frame must decide. */
  #shallower(frame: Frame, start: KeyStart): boolean {
    const outside = start.indent <= frame.openerIndent;
    const isApp = this.#stack.length === 2 && frame.opener?.key === "app";
    if (frame.block.form === "indentation" && !isApp && outside) {
      this.#pop(start.indent);
      return true;
    }
    const outer = this.#stack.slice(1, -1).some((other) => other.grammar.knows(start.key));
    if (frame.block.form === "braces" && outside && outer && !frame.grammar.knows(start.key)) {
      this.#complainUnclosed(`line ${start.at.line}`);
      this.#strayBraces++;
      this.#pop(start.indent);
      return true;
    }
    const first = frame.block.entries[0];
    this.faults.add(start.at, {
      code: "indentation",
      message: `${quoted(start.key)} is indented by ${blanks(start.indent)}, but the block ` +
        `that it stands in by ${blanks(frame.indent ?? 0)}` +
        (first === undefined ? "" : ` since line ${first.at.line}`),
    });
    frame.indent = start.indent;
    return false;
  }

  // --- frames -----------------------------------------------------------------------------------

  get #top(): Frame {
    return this.#stack.at(-1)!;
  }

  #push(entry: Entry, form: Block["form"]): boolean {
    if (this.#stack.length >= MANIFEST_DEPTH) {
      if (!this.#complainedDepth) {
        this.faults.add(entry.at, {
          code: "too-large",
          message: `blocks stand at most ${MANIFEST_DEPTH} deep`,
        });
      }
      this.#complainedDepth = true;
      if (form === "braces") this.#strayBraces++;
      return false;
    }
    entry.block = { entries: [], form, gaps: [] };
    const grammar = this.#shapeIn(this.#top, entry.key).inner;
    const openerIndent = this.#indentOf(entry);
    this.#stack.push({ block: entry.block, grammar, opener: entry, openerIndent });
    return true;
  }

  /** Closes the top block; comments indented like its entries stay with it. */
  #pop(next: number | "all"): void {
    const frame = this.#stack.pop()!;
    const deepEnough = (indent: number) =>
      next === "all" ||
      (indent >= (frame.indent ?? 0) && indent > Math.max(next, frame.openerIndent));
    const others = this.#pending.findIndex((gap) =>
      gap.comment !== undefined && !deepEnough(gap.indent)
    );
    const mine = others < 0 ? this.#pending.length : others;
    for (const gap of this.#pending.splice(0, mine)) frame.block.gaps.push(gap);
  }

  #shapeIn(frame: Frame, key: string): KeyShape {
    return key.startsWith("x-") ? UNKNOWN_SHAPE : frame.grammar.shape(key);
  }

  #takesNoBlock(entry: Entry): boolean {
    return this.#shapeIn(this.#top, entry.key).block === "never";
  }

  readonly #indents = new WeakMap<Entry, number>();

  #indentOf(entry: Entry): number {
    let indent = this.#indents.get(entry);
    if (indent === undefined) {
      indent = indentOf(this.faults.lines[entry.at.line - 1] ?? "", entry.at.start);
      this.#indents.set(entry, indent);
    }
    return indent;
  }

  #complainNoBlock(entry: Entry, at: Span): void {
    this.faults.add(at, {
      code: "unexpected-value",
      message: `${quoted(entry.key)} takes a value, not a block; a value { is written "{"`,
    });
  }

  #complainUnclosed(before: string): void {
    const { opener, block } = this.#top;
    if (opener === undefined || block.form !== "braces") return;
    this.faults.add(opener.at, {
      code: "braces",
      message: `the block of ${quoted(opener.key)} is not closed by a } before ${before}`,
    });
  }
}

function blanks(count: number): string {
  return count === 1 ? "1 blank" : `${count} blanks`;
}
