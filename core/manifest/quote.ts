// Quoted values: `"..."` with the escapes `\" \\ \n \t \u{...}`.

import { type Fault, UNPRINTABLE } from "./errors.ts";

/** A text with, for each of its UTF-16 units, the offset in the source it came from. */
export interface Decoded {
  readonly text: string;
  readonly at: readonly number[];
}

/** Reports a mistake at an offset of the source. */
export type FaultAt = (start: number, length: number, fault: Fault) => void;

/** What an escape after a backslash stands for, and how many units it takes (without the `\`). */
export interface Escape {
  readonly text: string;
  readonly units: number;
}

/** Reads the escape whose letter stands at `index`; undefined if it is none of the known. */
export function readEscape(source: string, index: number): Escape | undefined {
  const letter = source[index];
  if (letter === "n") return { text: "\n", units: 1 };
  if (letter === "t") return { text: "\t", units: 1 };
  if (letter === '"' || letter === "\\") return { text: letter, units: 1 };
  if (letter !== "u" || source[index + 1] !== "{") return undefined;
  const digits = /^[0-9a-fA-F]{1,6}(?=\})/.exec(source.slice(index + 2, index + 9))?.[0];
  if (digits === undefined) return undefined;
  const code = parseInt(digits, 16);
  if (code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return undefined;
  return { text: String.fromCodePoint(code), units: digits.length + 3 };
}

/**
 * Reads the quoted value whose opening quote stands at `start`.
 * Returns it and the offset after the closing quote; undefined (and a fault) if it never closes.
 */
export function readQuoted(
  source: string,
  start: number,
  fail: FaultAt,
): { readonly decoded: Decoded; readonly end: number } | undefined {
  let text = "";
  const at: number[] = [];
  for (let index = start + 1; index < source.length; index++) {
    const character = source[index]!;
    if (character === '"') return { decoded: { text, at }, end: index + 1 };
    if (character !== "\\") {
      text += character;
      at.push(index);
      continue;
    }
    const escape = readEscape(source, index + 1);
    if (escape === undefined) {
      const length = /^\\u\{[^}"]{0,7}\}/.exec(source.slice(index, index + 12))?.[0].length ?? 2;
      fail(index, length, {
        code: "quoting",
        message: 'unknown escape: known are \\" \\\\ \\n \\t \\u{1f600}, and a backslash is \\\\',
      });
      text += source[index + 1] ?? "";
      at.push(index);
      index++;
      continue;
    }
    text += escape.text;
    for (let unit = 0; unit < escape.text.length; unit++) at.push(index);
    index += escape.units;
  }
  fail(start, source.length - start, {
    code: "quoting",
    message: "the quote that opens here is never closed on this line",
  });
  return undefined;
}

/** The value as it must be written to be read back the same, in quotes only where needed. */
export function writeValue(text: string, oneWord = false): string {
  return needsQuotes(text, oneWord) ? writeQuoted(text) : text;
}

function needsQuotes(text: string, oneWord: boolean): boolean {
  if (text === "" || UNPRINTABLE.test(text)) return true;
  if (/^[ "#{}]|[ {]$| #/.test(text)) return true;
  if (oneWord && text.includes(" ")) return true;
  return leavesQuoteOpen(text);
}

/** Whether a `"` inside an unquoted value has no partner. */
function leavesQuoteOpen(text: string): boolean {
  let open = false;
  for (let index = 0; index < text.length; index++) {
    if (text[index] === "\\" && open) index++;
    else if (text[index] === '"') open = !open;
  }
  return open;
}

/** The text in double quotes, with escapes. */
export function writeQuoted(text: string): string {
  let out = '"';
  for (const character of text) out += writeEscaped(character);
  return out + '"';
}

function writeEscaped(character: string): string {
  if (character === '"' || character === "\\") return `\\${character}`;
  if (character === "\n") return "\\n";
  if (character === "\t") return "\\t";
  if (!UNPRINTABLE.test(character)) return character;
  return `\\u{${character.codePointAt(0)!.toString(16)}}`;
}
