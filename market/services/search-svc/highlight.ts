import { wordsOf } from "./words.ts";

/** A piece of a text; joined, the pieces are the text. Plain text, never markup. */
export interface Segment {
  readonly text: string;
  readonly hit: boolean;
}

const EXCERPT_CHARACTERS = 160;
const BEFORE_CHARACTERS = 50;

/** Cuts a text where its words match. */
export function highlight(text: string, terms: ReadonlySet<string>): Segment[] {
  const segments: Segment[] = [];
  let at = 0;
  for (const { term, start, end } of wordsOf(text)) {
    if (!terms.has(term)) continue;
    if (start > at) segments.push({ text: text.slice(at, start), hit: false });
    segments.push({ text: text.slice(start, end), hit: true });
    at = end;
  }
  if (at < text.length) segments.push({ text: text.slice(at), hit: false });
  return segments;
}

/** The part of a long text around its first match, cut between words, with its matches. */
export function excerpt(text: string, terms: ReadonlySet<string>): Segment[] {
  const words = wordsOf(text);
  const first = words.find((each) => terms.has(each.term))?.start ?? 0;
  const from = first <= BEFORE_CHARACTERS
    ? 0
    : words.find((each) => each.start >= first - BEFORE_CHARACTERS)!.start;
  const limit = from + EXCERPT_CHARACTERS;
  const to = limit >= text.length
    ? text.length
    : words.findLast((each) => each.end <= limit)?.end ?? limit;
  const cut = highlight(text.slice(from, to), terms);
  if (from > 0) cut.unshift({ text: "… ", hit: false });
  if (to < text.length) cut.push({ text: " …", hit: false });
  return cut;
}
