// Lines to text, in the one form: braces, two blanks, values aligned, a blank line around blocks.

/** One line of a manifest with what belongs to it. */
export interface Line {
  readonly key: string;
  /** As it is to be written, quotes included. */
  readonly value?: string;
  readonly comment?: string;
  readonly lines?: readonly Item[];
  /** The block needs no braces: an app ends where the next begins. */
  readonly bare?: boolean;
  /** The comment beside the closing brace. */
  readonly closing?: string;
}

/** A line, a comment on a line of its own, or a blank line. */
export type Item = Line | { readonly only: string };

export const BLANK: Item = { only: "" };

/** Keys longer than this do not push the values of their neighbours to the right. */
const WIDEST_KEY = 32;

/** The whole text, with a line end at its end unless it is empty. */
export function render(items: readonly Item[]): string {
  const out: string[] = [];
  renderItems(items, "", out);
  return out.length === 0 ? "" : `${out.join("\n")}\n`;
}

function renderItems(given: readonly Item[], indent: string, out: string[]): void {
  const items = spaced(given);
  let width = 0;
  items.forEach((item, index) => {
    if (startsGroup(items[index - 1])) width = groupWidth(items, index);
    if ("only" in item) out.push(item.only === "" ? "" : indent + item.only);
    else renderLine(item, width, indent, out);
  });
}

function renderLine(line: Line, width: number, indent: string, out: string[]): void {
  const comment = line.comment === undefined ? "" : `  ${line.comment}`;
  if (line.lines === undefined) {
    const value = line.value === undefined ? "" : ` ${line.value}`;
    const key = line.value === undefined ? line.key : line.key.padEnd(width);
    out.push(`${indent}${key}${value}${comment}`);
    return;
  }
  const head = line.value === undefined ? line.key : `${line.key} ${line.value}`;
  out.push(`${indent}${head}${line.bare ? "" : " {"}${comment}`);
  renderItems(line.lines, `${indent}  `, out);
  if (!line.bare) out.push(`${indent}}${line.closing === undefined ? "" : `  ${line.closing}`}`);
}

/** Blank lines: none first or last, never two, and always one before and after a block. */
function spaced(items: readonly Item[]): readonly Item[] {
  const out: Item[] = [];
  /** Comments that belong to the next line, if no blank line parts them from it. */
  let comments: Item[] = [];
  let blank = false;
  const put = (group: readonly Item[]) => {
    if (group.length === 0) return;
    if (blank && out.length > 0) out.push(BLANK);
    for (const item of group) out.push(item);
    blank = false;
  };
  for (const item of items) {
    if ("only" in item) {
      if (item.only !== "") comments.push(item);
      else {
        put(comments);
        comments = [];
        blank = true;
      }
      continue;
    }
    const isBlock = item.lines !== undefined;
    blank ||= isBlock;
    comments.push(item);
    put(comments);
    comments = [];
    blank = isBlock;
  }
  put(comments);
  return out;
}

function startsGroup(before: Item | undefined): boolean {
  if (before === undefined) return true;
  return "only" in before ? before.only === "" : before.lines !== undefined;
}

/** The width of the keys from `start` to the next blank line or block. */
function groupWidth(items: readonly Item[], start: number): number {
  let width = 0;
  for (let index = start; index < items.length; index++) {
    const item = items[index]!;
    if ("only" in item ? item.only === "" : item.lines !== undefined) break;
    if ("only" in item || item.value === undefined || item.key.length > WIDEST_KEY) continue;
    width = Math.max(width, item.key.length);
  }
  return width;
}
