// One line of a manifest: where its key stands, what its value is, where a comment begins.

import type { Fault, Faults, Span } from "./errors.ts";
import { readQuoted } from "./quote.ts";
import type { KeyShape } from "./tree.ts";

/** A value as it stands in the text. */
export interface Value {
  /** What it means: without its quotes, escapes replaced; in shell mode as written. */
  readonly text: string;
  /** As written, without the comment. */
  readonly written: string;
  readonly quoted: boolean;
  readonly at: Span;
  /** The place of a part of `text`, in UTF-16 units. */
  span(start: number, length: number): Span;
}

/** A line that is only a brace. */
export interface BraceStart {
  readonly kind: "brace";
  readonly brace: "{" | "}";
  readonly at: Span;
  /** What follows the brace and is no comment: a mistake. */
  readonly rest?: Span;
  readonly comment?: string;
}

/** A line that begins with a key. */
export interface KeyStart {
  readonly kind: "key";
  readonly indent: number;
  readonly key: string;
  readonly at: Span;
}

export type LineStart =
  | { readonly kind: "blank"; readonly indent: number }
  | { readonly kind: "comment"; readonly indent: number; readonly comment: string }
  | BraceStart
  | KeyStart;

/** The indentation of a line up to `end`: a tab counts as two blanks. */
export function indentOf(text: string, end: number): number {
  let indent = 0;
  for (let index = 0; index < end; index++) indent += text[index] === "\t" ? 2 : 1;
  return indent;
}

/** Says what a line is, without looking at values. */
export function startLine(text: string, line: number): LineStart {
  const start = skipBlanks(text, 0);
  const indent = indentOf(text, start);
  if (start === text.length) return { kind: "blank", indent };
  if (text[start] === "#") return { kind: "comment", indent, comment: text.slice(start).trimEnd() };
  const end = wordEnd(text, start);
  const key = text.slice(start, end);
  const at = { line, start, length: key.length };
  if (key !== "{" && key !== "}") return { kind: "key", indent, key, at };
  const { comment, end: stop } = scanPlain(text, skipBlanks(text, end), NO_STOPS);
  const from = skipBlanks(text, end);
  const rest = stop > from ? { line, start: from, length: stop - from } : undefined;
  return { kind: "brace", brace: key, at, rest, comment };
}

/** A key with its value, before it has its place in the tree. */
export interface LineEntry {
  readonly key: string;
  readonly at: Span;
  readonly value?: Value;
  readonly comment?: string;
}

export interface ReadEntry {
  readonly entry: LineEntry;
  /** The `{` at the end of the line that opens its block. */
  readonly opens?: Span;
  /** The entries of a block written on this line: `{ path data; env DATA }`. */
  readonly inline?: readonly LineEntry[];
}

/** Reads the value of the line whose key was found by `startLine`. */
export function readEntry(
  text: string,
  start: { readonly key: string; readonly at: Span },
  shape: KeyShape,
  faults: Faults,
): ReadEntry {
  const line = start.at.line;
  const from = skipBlanks(text, start.at.start + start.key.length);
  if (shape.oneLine && text[from] === "{") {
    const inline = readInline(text, from, line, shape, faults);
    if (inline) return { ...inline, entry: { ...start, comment: inline.comment } };
  }
  const scanned = scanValue(text, from, line, shape, faults, NO_STOPS);
  const entry = { key: start.key, at: start.at, value: scanned.value, comment: scanned.comment };
  const value = scanned.value;
  if (value === undefined || value.quoted && !/[ \t]\{$/.test(value.written)) return { entry };
  const brace = value.written === "{" ||
    (shape.block !== "never" && /[ \t]\{$/.test(value.written));
  if (!brace) return { entry };
  const opens = { line, start: value.at.start + value.at.length - 1, length: 1 };
  return { entry: { ...entry, value: withoutBrace(text, value, line, shape, faults) }, opens };
}

function withoutBrace(
  text: string,
  value: Value,
  line: number,
  shape: KeyShape,
  faults: Faults,
): Value | undefined {
  const end = value.at.start + value.at.length - 1;
  return scanValue(text.slice(0, end), value.at.start, line, shape, faults, NO_STOPS).value;
}

// --- blocks on one line -------------------------------------------------------------------------

/** Reads `{ key value; key value }`; undefined if the line ends at the `{`. */
function readInline(
  text: string,
  open: number,
  line: number,
  shape: KeyShape,
  faults: Faults,
): { inline: readonly LineEntry[]; comment?: string } | undefined {
  let index = skipBlanks(text, open + 1);
  if (index === text.length || text[index] === "#") return undefined;
  const inline: LineEntry[] = [];
  while (index < text.length && text[index] !== "#") {
    if (text[index] === ";") {
      index = skipBlanks(text, index + 1);
      continue;
    }
    if (closesInline(text, index) || (index === open + 1 && text[index] === "}")) {
      return { inline, comment: afterInline(text, index, line, faults) };
    }
    const end = inlineKeyEnd(text, index);
    const key = text.slice(index, end);
    const at = { line, start: index, length: key.length };
    const inner = shape.inner.shape(key);
    const scanned = scanValue(text, skipBlanks(text, end), line, inner, faults, INLINE_STOPS);
    inline.push({ key, at, value: scanned.value });
    index = scanned.stopped;
  }
  faults.add({ line, start: open, length: 1 }, {
    code: "braces",
    message: "the block that opens here is not closed on this line by a } after a blank; " +
      "longer blocks begin on the next line",
  });
  return { inline };
}

function afterInline(
  text: string,
  close: number,
  line: number,
  faults: Faults,
): string | undefined {
  const from = skipBlanks(text, close + 1);
  if (from === text.length) return undefined;
  if (text[from] === "#") return text.slice(from).trimEnd();
  faults.add({ line, start: from, length: text.trimEnd().length - from }, {
    code: "braces",
    message: "nothing but a comment may follow a } on its line",
  });
  return undefined;
}

function inlineKeyEnd(text: string, start: number): number {
  let end = start;
  while (end < text.length && !isBlank(text[end]!) && text[end] !== ";") end++;
  return end;
}

/** A `}` that stands alone, so that `${PORT}` and `a}` close nothing. */
function closesInline(text: string, index: number): boolean {
  if (text[index] !== "}") return false;
  const before = text[index - 1] ?? " ";
  const after = text[index + 1] ?? " ";
  return (isBlank(before) || before === ";") && isBlank(after);
}

// --- values -------------------------------------------------------------------------------------

type Stops = (text: string, index: number) => boolean;
const NO_STOPS: Stops = () => false;
const INLINE_STOPS: Stops = (text, index) => text[index] === ";" || closesInline(text, index);

interface Scanned {
  readonly value?: Value;
  readonly comment?: string;
  /** The offset where the scan stopped: a stop, a comment, or the end. */
  readonly stopped: number;
}

function scanValue(
  text: string,
  from: number,
  line: number,
  shape: KeyShape,
  faults: Faults,
  stops: Stops,
): Scanned {
  const fail = (start: number, length: number, fault: Fault) =>
    faults.add({ line, start, length }, fault);
  if (shape.mode === "plain" && text[from] === '"') {
    return scanQuoted(text, from, line, stops, shape, fail);
  }
  const raw = shape.mode === "shell" ? scanShell(text, from, stops) : scanPlain(text, from, stops);
  if (raw.unclosed !== undefined) {
    fail(raw.unclosed, raw.end - raw.unclosed, {
      code: "quoting",
      message: 'the " that opens here is never closed; if it is part of the value, put the whole ' +
        'value in quotes and write \\" for it',
    });
  }
  if (raw.end <= from) return { comment: raw.comment, stopped: raw.stopped };
  const written = text.slice(from, raw.end);
  const value = makeValue(written, written, { line, start: from, length: raw.end - from });
  return { value, comment: raw.comment, stopped: raw.stopped };
}

function scanQuoted(
  text: string,
  from: number,
  line: number,
  stops: Stops,
  shape: KeyShape,
  fail: (start: number, length: number, fault: Fault) => void,
): Scanned {
  const read = readQuoted(text, from, fail);
  if (read === undefined) {
    const rest = text.slice(from).trimEnd();
    const value = makeValue(rest, rest, { line, start: from, length: rest.length });
    return { value, stopped: text.length };
  }
  const rest = skipBlanks(text, read.end);
  const blankBefore = rest > read.end;
  let end = read.end;
  let stopped = rest;
  let comment: string | undefined;
  if (shape.block !== "never" && /^[ \t]+\{[ \t]*(#|$)/.test(text.slice(read.end, read.end + 64))) {
    end = rest + 1;
    stopped = skipBlanks(text, end);
  }
  if (text[stopped] === "#" && (blankBefore || stopped > end)) {
    comment = text.slice(stopped).trimEnd();
  } else if (stopped < text.length && !stops(text, stopped)) {
    fail(stopped, text.trimEnd().length - stopped, {
      code: "quoting",
      message: "text after the closing quote: put the whole value in quotes",
    });
    stopped = text.length;
  }
  const at = { line, start: from, length: end - from };
  const { decoded } = read;
  const value = makeValue(decoded.text, text.slice(from, end), at, decoded.at);
  return { value, comment, stopped };
}

interface RawScan {
  /** Where the value ends, blanks before the comment left out. */
  readonly end: number;
  readonly stopped: number;
  readonly comment?: string;
  /** Where a quote opens that never closes. */
  readonly unclosed?: number;
}

/** To the end, a stop or a comment; `"..."` protects a `#`. */
function scanPlain(text: string, from: number, stops: Stops): RawScan {
  let quote: number | undefined;
  for (let index = from; index < text.length; index++) {
    if (text[index] === "\\" && quote !== undefined) index++;
    else if (text[index] === '"') quote = quote === undefined ? index : undefined;
    else if (quote === undefined && stopsHere(text, index, from, stops)) {
      return finish(text, from, index);
    }
  }
  return { ...finish(text, from, text.length), unclosed: quote };
}

/** The same with the quotes and backslashes of a shell; what is unclosed, `splitWords` reports. */
function scanShell(text: string, from: number, stops: Stops): RawScan {
  let quote: string | undefined;
  for (let index = from; index < text.length; index++) {
    const character = text[index]!;
    if (character === "\\" && quote !== "'") index++;
    else if (quote !== undefined) quote = character === quote ? undefined : quote;
    else if (character === '"' || character === "'") quote = character;
    else if (stopsHere(text, index, from, stops)) return finish(text, from, index);
  }
  return finish(text, from, text.length);
}

function stopsHere(text: string, index: number, from: number, stops: Stops): boolean {
  if (text[index] === "#") return index === from || isBlank(text[index - 1]!);
  return stops(text, index);
}

function finish(text: string, from: number, stopped: number): RawScan {
  let end = stopped;
  while (end > from && isBlank(text[end - 1]!)) end--;
  const comment = text[stopped] === "#" ? text.slice(stopped).trimEnd() : undefined;
  return { end, stopped, comment };
}

function makeValue(text: string, written: string, at: Span, offsets?: readonly number[]): Value {
  const place = (index: number) => offsets?.[index] ?? at.start + (offsets ? at.length : index);
  return {
    text,
    written,
    quoted: offsets !== undefined,
    at,
    span(start, length) {
      if (length <= 0) return { line: at.line, start: place(start), length: 1 };
      const end = place(start + length - 1) + 1;
      return { line: at.line, start: place(start), length: end - place(start) };
    },
  };
}

function skipBlanks(text: string, from: number): number {
  let index = from;
  while (index < text.length && isBlank(text[index]!)) index++;
  return index;
}

function wordEnd(text: string, from: number): number {
  let index = from;
  while (index < text.length && !isBlank(text[index]!)) index++;
  return index;
}

export function isBlank(character: string): boolean {
  return character === " " || character === "\t";
}
