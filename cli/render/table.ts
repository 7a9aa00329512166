// Tables that fit the terminal.

import { harmless, type Paint } from "../output.ts";
import { textWidth } from "./width.ts";

/** One column of a table. */
export interface Column<Row> {
  readonly title: string;
  cell(row: Row): string;
  /** Paints the finished, padded cell. */
  color?(row: Row, paint: Paint): (text: string) => string;
  readonly right?: boolean;
  /** Narrowest width it may be cut to; columns without are never cut. */
  readonly least?: number;
  /** It may be left out where there is no room, those with the lowest number first. */
  readonly spare?: number;
}

const GAP = "  ";
/** The last column, which mostly says why, makes others be left out up to this width only. */
const LAST_WIDTH = 24;

/**
 * Lines of a table with a heading. Where it is wider than `width`, spare columns are left out, then
 * columns with a `least` width are cut, the widest first; what still does not fit is cut at the edge.
 */
export function table<Row>(
  rows: readonly Row[],
  all: readonly Column<Row>[],
  paint: Paint,
  width: number,
): string[] {
  const columns = kept(rows, all, width);
  const cells = rows.map((row) => columns.map((column) => harmless(column.cell(row))));
  const widths = columns.map((column) => widthOf(rows, column));
  shrink(widths, columns.map((column) => column.least), width);
  const line = (texts: readonly string[], color: (at: number) => (text: string) => string) => {
    let left = width;
    return texts.map((text, at) => {
      const last = at === texts.length - 1;
      const cut = cutTo(text, Math.min(widths[at]!, left));
      const padded = pad(cut, last ? 0 : Math.min(widths[at]!, left), columns[at]!.right === true);
      left = Math.max(0, left - widths[at]! - GAP.length);
      return color(at)(last && !columns[at]!.right ? cut : padded);
    }).join(GAP).trimEnd();
  };
  return [
    line(columns.map((column) => column.title), () => paint.faint),
    ...rows.map((row, index) =>
      line(cells[index]!, (at) => columns[at]!.color?.(row, paint) ?? ((text) => text))
    ),
  ];
}

function widthOf<Row>(rows: readonly Row[], { title, cell }: Column<Row>): number {
  return rows.reduce((most, row) => Math.max(most, textWidth(harmless(cell(row)))), title.length);
}

/** The columns without the spare ones that there is no room for. */
function kept<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  width: number,
): readonly Column<Row>[] {
  const wanted = new Map(columns.map((column, at) => {
    const most = at === columns.length - 1 && column.least !== undefined ? LAST_WIDTH : Infinity;
    return [column, Math.min(widthOf(rows, column), most)] as const;
  }));
  const total = () =>
    wanted.values().reduce((sum, each) => sum + each, 0) + GAP.length * (wanted.size - 1);
  const spare = columns.filter((column) => column.spare !== undefined)
    .toSorted((a, b) => a.spare! - b.spare!);
  for (const column of spare) {
    if (total() <= width) break;
    wanted.delete(column);
  }
  return columns.filter((column) => wanted.has(column));
}

function shrink(widths: number[], least: readonly (number | undefined)[], width: number): void {
  const total = () =>
    widths.reduce((sum, each) => sum + each, 0) + GAP.length * (widths.length - 1);
  while (total() > width) {
    let widest = -1;
    widths.forEach((each, at) => {
      const room = each - (least[at] ?? Infinity);
      if (room > 0 && (widest < 0 || each >= widths[widest]!)) widest = at;
    });
    if (widest < 0) return;
    widths[widest]!--;
  }
}

function pad(text: string, width: number, right: boolean): string {
  const blanks = " ".repeat(Math.max(0, width - textWidth(text)));
  return right ? blanks + text : text + blanks;
}

/** The text, cut to a width; `…` marks the cut. */
export function cutTo(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  if (width <= 0) return "";
  let kept = "";
  let used = 1;
  for (const character of text) {
    used += textWidth(character);
    if (used > width) break;
    kept += character;
  }
  return `${kept}…`;
}
