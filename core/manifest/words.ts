// Words as a shell splits them, without a shell: quotes and backslashes work, nothing expands.

import { type Fault, UNPRINTABLE } from "./errors.ts";
import { isBlank } from "./line.ts";
import { readEscape, writeQuoted } from "./quote.ts";

export interface Word {
  readonly text: string;
  /** Where it begins in the source, and how much of it it takes, in UTF-16 units. */
  readonly start: number;
  readonly length: number;
  /** For each unit of `text` its offset in the source. */
  readonly at: readonly number[];
}

/** A mistake in the words: `start` and `length` in UTF-16 units of the source. */
export interface WordFault extends Fault {
  readonly start: number;
  readonly length: number;
}

export type WordsResult =
  | { readonly ok: true; readonly words: readonly Word[] }
  | { readonly ok: false; readonly fault: WordFault };

/**
 * Splits at blanks. `'...'` keeps everything; `"..."` knows the escapes of manifest values
 * (`\" \\ \n \t \u{...}`) and, as in a shell, leaves any other backslash standing; a backslash
 * outside quotes makes the next character literal. `\$` becomes `$$`, the manifest's dollar.
 * Errors: an unterminated quote, a backslash at the end.
 */
export function splitWords(source: string): WordsResult {
  const words: Word[] = [];
  let index = 0;
  while (index < source.length) {
    if (isBlank(source[index]!)) {
      index++;
      continue;
    }
    const read = readWord(source, index);
    if ("fault" in read) return { ok: false, fault: read.fault };
    words.push(read.word);
    index = read.word.start + read.word.length;
  }
  return { ok: true, words };
}

type WordRead = { readonly word: Word } | { readonly fault: WordFault };

function readWord(source: string, start: number): WordRead {
  let text = "";
  const at: number[] = [];
  const put = (part: string, from: number) => {
    text += part;
    for (let unit = 0; unit < part.length; unit++) at.push(from);
  };
  let quote: { mark: string; from: number } | undefined;
  let index = start;
  for (; index < source.length; index++) {
    const character = source[index]!;
    if (quote === undefined && isBlank(character)) break;
    if (character === quote?.mark) quote = undefined;
    else if (quote === undefined && (character === "'" || character === '"')) {
      quote = { mark: character, from: index };
    } else if (character === "\\" && quote?.mark !== "'") {
      if (index + 1 === source.length && quote === undefined) {
        return wrong(index, 1, "a backslash at the end has nothing to make literal");
      }
      const escape = quote ? quotedEscape(source, index) : bareEscape(source, index);
      put(escape.text, index);
      index += escape.units;
    } else put(character, index);
  }
  if (quote !== undefined) {
    return wrong(
      quote.from,
      source.length - quote.from,
      `the ${quote.mark} that opens here is never closed`,
    );
  }
  return { word: { text, start, length: index - start, at } };
}

function wrong(start: number, length: number, message: string): WordRead {
  return { fault: { code: "quoting", message, start, length } };
}

function bareEscape(source: string, index: number): { text: string; units: number } {
  const next = String.fromCodePoint(source.codePointAt(index + 1)!);
  return { text: next === "$" ? "$$" : next, units: next.length };
}

function quotedEscape(source: string, index: number): { text: string; units: number } {
  const next = source[index + 1];
  if (next === "$") return { text: "$$", units: 1 };
  if (next === "`") return { text: "`", units: 1 };
  return readEscape(source, index + 1) ?? { text: "\\", units: 0 };
}

/** The words as one line that `splitWords` takes apart into the same words. */
export function joinWords(words: readonly string[]): string {
  return words.map(writeWord).join(" ");
}

/** One word, in quotes where it needs them. */
export function writeWord(word: string): string {
  if (word !== "" && !/[\s'"\\]|^[#{}]|^\{$/.test(word) && !UNPRINTABLE.test(word)) return word;
  if (!word.includes("'") && !UNPRINTABLE.test(word)) return `'${word}'`;
  return writeQuoted(word);
}
