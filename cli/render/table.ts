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
}

const GAP = "  ";

/**
 * Lines of a table with a heading. Where it is wider than `columns`, columns with a `least` width
 * are cut, the widest first; what still does not fit is cut at the edge.
 */
export function table<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  paint: Paint,
  width: number,
): string[] {
  const cells = rows.map((row) => columns.map((column) => harmless(column.cell(row))));
  const widths = columns.map((column, at) =>
    Math.max(textWidth(column.title), ...cells.map((row) => textWidth(row[at]!)))
  );
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
