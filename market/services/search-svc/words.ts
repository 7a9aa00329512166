/** A word of a text: how it is looked up, and where it stands. */
export interface Word {
  /** Lower case, without accents. */
  readonly term: string;
  readonly start: number;
  readonly end: number;
}

const WORD = /[\p{L}\p{N}]+/gu;
const PLAIN = /^[a-zA-Z0-9]+$/;
const MARKS = /\p{M}/gu;

/** The words of a text, in order. */
export function wordsOf(text: string): Word[] {
  return Array.from(text.matchAll(WORD), (match) => ({
    term: normal(match[0]),
    start: match.index,
    end: match.index + match[0].length,
  }));
}

function normal(word: string): string {
  // Most words are plain, and taking accents apart is slow.
  if (PLAIN.test(word)) return word.toLowerCase();
  return word.toLowerCase().normalize("NFKD").replace(MARKS, "");
}

/**
 * Whether one edit at most (insert, delete, replace, swap of neighbours: Damerau's) leads from one
 * word to the other.
 */
export function isOneEdit(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1) return false;
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  if (at === a.length && at === b.length) return true;
  const restA = a.slice(at);
  const restB = b.slice(at);
  if (restA.length === restB.length) {
    if (restA.slice(1) === restB.slice(1)) return true;
    return restA[0] === restB[1] && restA[1] === restB[0] && restA.slice(2) === restB.slice(2);
  }
  return restA.length > restB.length ? restA.slice(1) === restB : restB.slice(1) === restA;
}

/** Whether one edit leads from `typed` to some beginning of `term`. */
export function isPrefixWithOneEdit(typed: string, term: string): boolean {
  for (let length = typed.length - 1; length <= typed.length + 1; length++) {
    if (length <= term.length && isOneEdit(typed, term.slice(0, length))) return true;
  }
  return false;
}
