// What is wrong with a manifest, and how it is shown: `file:line:column`, the line, the underline.

import { MANIFEST_ERRORS, MANIFEST_EXCERPT } from "../limits.ts";

/** What kind of mistake it is; programs decide by this, people read the message. */
export type ManifestErrorCode =
  | "character"
  | "quoting"
  | "indentation"
  | "braces"
  | "unknown-key"
  | "duplicate-key"
  | "missing-key"
  | "missing-value"
  | "unexpected-value"
  | "wrong-kind"
  | "out-of-range"
  | "unknown-variable"
  | "conflict"
  | "too-large"
  | "too-many-errors";

export interface ManifestError {
  readonly code: ManifestErrorCode;
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in characters (a tab counts as one). */
  readonly column: number;
  /** How many characters are wrong; at least 1, all on this line. */
  readonly length: number;
  /** One line, without a full stop. */
  readonly message: string;
  /** The nearest valid key or word, bare: `replicas`. */
  readonly nearest?: string;
  /** The source line, or the part of it around the mistake if it is very long. */
  readonly source: string;
  /** Where the mistake begins in `source`, from 1, in characters. */
  readonly sourceColumn: number;
}

/** A place in the text: `line` from 1; `start` from 0, in UTF-16 units of that line. */
export interface Span {
  readonly line: number;
  readonly start: number;
  readonly length: number;
}

/** One mistake as the layers report it; `Faults` turns it into a `ManifestError`. */
export interface Fault {
  readonly code: ManifestErrorCode;
  readonly message: string;
  readonly nearest?: string;
}

/** Collects the mistakes of one file, and knows its lines. */
export class Faults {
  readonly #errors: ManifestError[] = [];
  #dropped = 0;
  /** Where the last column was counted, so that many errors on one long line stay cheap. */
  #counted = { line: 0, start: 0, characters: 0 };

  constructor(readonly file: string, readonly lines: readonly string[]) {}

  get count(): number {
    return this.#errors.length + this.#dropped;
  }

  /** False once further errors would only be counted: then hints need not be looked for. */
  get open(): boolean {
    return this.#errors.length < MANIFEST_ERRORS;
  }

  add(at: Span, fault: Fault): void {
    if (!this.open) {
      this.#dropped++;
      return;
    }
    const text = this.lines[at.line - 1] ?? "";
    const start = Math.min(at.start, text.length);
    const end = Math.min(text.length, start + at.length);
    const column = this.#characters(at.line, text, start) + 1;
    const from = Math.max(0, start - MANIFEST_EXCERPT / 2);
    const source = text.length <= MANIFEST_EXCERPT
      ? text
      : text.slice(from, from + MANIFEST_EXCERPT);
    const sourceStart = text.length <= MANIFEST_EXCERPT ? start : start - from;
    this.#errors.push({
      ...fault,
      file: this.file,
      line: at.line,
      column,
      length: Math.max(1, characters(text.slice(start, end))),
      source,
      sourceColumn: characters(source.slice(0, sourceStart)) + 1,
    });
  }

  /** All errors in the order of the text; of one kind at one place, the first. */
  sorted(): readonly ManifestError[] {
    const all = this.#errors.toSorted((a, b) => a.line - b.line || a.column - b.column);
    const errors = all.filter((error, index) => {
      const before = all[index - 1];
      return before === undefined || error.line !== before.line ||
        error.column !== before.column || error.code !== before.code;
    });
    const last = errors.at(-1);
    if (this.#dropped > 0 && last !== undefined) {
      errors.push({
        ...last,
        code: "too-many-errors",
        message: `${this.#dropped} more errors are not shown`,
        nearest: undefined,
      });
    }
    return errors;
  }

  #characters(line: number, text: string, start: number): number {
    const known = this.#counted;
    const reuse = known.line === line && known.start <= start;
    const from = reuse ? known.start : 0;
    const total = (reuse ? known.characters : 0) + characters(text.slice(from, start));
    this.#counted = { line, start, characters: total };
    return total;
  }
}

/** How many characters (code points) a text has; a lone surrogate counts as one. */
function characters(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/**
 * The error as people read it: place and message, the source line, the underline.
 *
 *     shop.skr8tr:4:3: unknown key "replcas": did you mean "replicas"?
 *       4 |   replcas 2
 *         |   ^^^^^^^
 */
export function formatError(error: ManifestError): string {
  const place = `${error.file}:${error.line}:${error.column}`;
  const hint = error.nearest === undefined ? "" : `: did you mean ${quoted(error.nearest)}?`;
  const gutter = String(error.line).padStart(3);
  const shown = Array.from(error.source, visible);
  const before = shown.slice(0, error.sourceColumn - 1).map(blankOf).join("");
  const under = shown.slice(error.sourceColumn - 1, error.sourceColumn - 1 + error.length)
    .map((character) => "^".repeat(isWide(character) ? 2 : 1)).join("") || "^";
  return `${place}: ${error.message}${hint}\n${gutter} | ${shown.join("")}\n` +
    `${" ".repeat(gutter.length)} | ${before}${under}`;
}

/** All errors of a file, as `formatError` shows them. */
export function formatErrors(errors: readonly ManifestError[]): string {
  return errors.map(formatError).join("\n");
}

/** Text for a message: in quotes, cut, and with nothing in it that a terminal would act on. */
export function quoted(text: string): string {
  const all = Array.from(text.slice(0, 200));
  const cut = all.length > 60 ? [...all.slice(0, 57), "..."] : all;
  return `"${cut.map((part) => part === "..." ? part : visible(part)).join("")}"`;
}

/** Characters that are neither printed nor harmless: controls, lone surrogates, bidi overrides. */
export const UNPRINTABLE = /[\p{Cc}\p{Cs}\u2028-\u202e\u2066-\u2069\ufeff\ufffd]/u;

function visible(character: string): string {
  if (character === "\t") return " ";
  return UNPRINTABLE.test(character) ? "\u00b7" : character;
}

function blankOf(character: string): string {
  return isWide(character) ? "  " : " ";
}

/** Characters that a terminal shows two columns wide (East Asian scripts, most emoji). */
function isWide(character: string): boolean {
  return /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u
    .test(character);
}

/**
 * The candidate nearest to what was written, if it is near enough to be what was meant.
 * Distance: insertions, deletions, substitutions and swaps of neighbours (optimal string
 * alignment), at most a third of the word and at least one.
 */
export function nearest(written: string, candidates: Iterable<string>): string | undefined {
  if (written.length > 40) return undefined;
  const wanted = written.toLowerCase();
  const allowed = Math.max(1, Math.floor(wanted.length / 3));
  let best: string | undefined;
  let bestDistance = allowed + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - wanted.length) >= bestDistance) continue;
    const distance = editDistance(wanted, candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, beforeLast[j - 2]! + 1);
      }
      row.push(cost);
    }
    [beforeLast, last] = [last, row];
  }
  return last[b.length]!;
}
