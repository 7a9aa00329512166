// The results as a table for people.

import { type FigureResult, isReached, type RowResult } from "./results.ts";

const HEADINGS = ["row", "figure", "median", "min", "max", "runs", "bound", "goal", "reached"];
/** Columns of words; the others are numbers and stand right. */
const WORDS: readonly number[] = [0, 1, 8];

/** One table of these rows, with each row's notes below it. */
export function table(rows: readonly (readonly [name: string, result: RowResult])[]): string {
  const lines = [
    HEADINGS,
    ...rows.flatMap(([name, { figures }]) =>
      figures.map((figure, at) => [at === 0 ? name : "", ...cells(figure)])
    ),
  ];
  const widths = HEADINGS.map((_, at) => Math.max(...lines.map((line) => line[at]!.length)));
  const text = lines.map((line) =>
    line.map((cell, at) =>
      WORDS.includes(at) ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!)
    ).join("  ").trimEnd()
  );
  text.splice(1, 0, widths.map((width) => "-".repeat(width)).join("  "));
  const notes = rows.flatMap(([name, row]) => row.notes.map((note) => `${name}: ${note}`));
  return [...text, ...(notes.length > 0 ? ["", ...notes] : [])].join("\n");
}

function cells(figure: FigureResult): string[] {
  const { label, unit, median, min, max, runs, mustReach, goal, reached } = figure;
  const bound = (value: number | undefined) => value === undefined ? "" : show(value);
  const reachesGoal = goal !== undefined && isReached(figure, goal);
  return [
    `${label} (${unit})`,
    show(median),
    show(min),
    show(max),
    String(runs),
    bound(mustReach),
    bound(goal),
    reached === undefined ? "" : reached ? (reachesGoal ? "goal" : "yes") : "NO",
  ];
}

/** Four digits, more for larger whole numbers. */
export function show(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en-US");
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}
