// The market's two shapes side by side, as the benchmark measured them: a table and a plot.

import type { FigureResult, Results } from "../bench/results.ts";
import { show } from "../bench/table.ts";

/** What is compared: the figure's key without its shape, its name, which way is better. */
const COMPARED = [
  ["page-p50", "a product's page, p50"],
  ["page-p99", "a product's page, p99"],
  ["checkout-p50", "a checkout, p50"],
  ["checkout-p99", "a checkout, p99"],
  ["rate", "requests a second"],
  ["memory", "memory of all programs (PSS)"],
  ["deploy", "deploy"],
  ["rollout", "rollout of every program"],
] as const;

interface Pair {
  readonly label: string;
  readonly nine: FigureResult;
  readonly five: FigureResult;
}

function pairsOf({ rows }: Results): Pair[] {
  const figures = rows.shapes?.figures ?? [];
  const of = (key: string) => figures.find((figure) => figure.key === key);
  return COMPARED.flatMap(([key, label]) => {
    const nine = of(`nine-${key}`);
    const five = of(`five-${key}`);
    return nine && five ? [{ label, nine, five }] : [];
  });
}

/** Rows of a table: what, nine, five, five over nine; none before it was measured. */
export function shapeRows(results: Results): string[][] {
  return pairsOf(results).map(({ label, nine, five }) => [
    label,
    spread(nine),
    spread(five),
    `${(five.median / nine.median).toFixed(2)} x`,
  ]);
}

export const SHAPE_HEAD: readonly string[] = ["what", "nine", "five", "five over nine"];

function spread({ median, min, max, unit }: FigureResult): string {
  return `${show(median)} ${unit} (${show(min)} to ${show(max)})`;
}

/** Where the figures were made, in a sentence; empty before that. */
export function shapeCircumstances({ rows }: Results): string {
  const row = rows.shapes;
  if (!row) return "";
  const { machine, deno, date, figures } = row;
  return `Median (least to most) of ${figures[0]!.runs} runs on ${machine.processor}, ` +
    `${machine.cores} cores, Deno ${deno}, ${date.slice(0, 10)}; the machine's load was ` +
    `${machine.load.toFixed(1)} when it began.`;
}

const WIDTH = 720;
const LEFT = 230;
const RIGHT = 90;
const BAR = 13;
const GAP = 20;
const TOP = 34;
const COLOURS = { nine: "#3b6ea8", five: "#c2703d" } as const;

/** Bars of both shapes for each figure, each pair to its own scale; whiskers from least to most. */
export function shapePlot(results: Results): string {
  const pairs = pairsOf(results);
  const step = 2 * BAR + GAP;
  const height = TOP + pairs.length * step;
  const room = WIDTH - LEFT - RIGHT;
  const text = (x: number, y: number, words: string, more = "") =>
    `<text x="${x}" y="${y}"${more}>${words.replaceAll("&", "&amp;")}</text>`;
  const bars = pairs.flatMap(({ label, nine, five }, at) => {
    const most = Math.max(nine.max, five.max);
    const y = TOP + at * step;
    const x = (value: number) => Math.round((LEFT + value / most * room) * 10) / 10;
    return [
      text(LEFT - 10, y + BAR + 4, label, ' text-anchor="end"'),
      ...([["nine", nine, y], ["five", five, y + BAR + 1]] as const).flatMap(
        ([shape, { median, min, max, unit }, top]) => {
          const middle = top + BAR / 2;
          const width = Math.round((x(median) - LEFT) * 10) / 10;
          return [
            `<rect x="${LEFT}" y="${top}" width="${width}" height="${BAR}" fill="${
              COLOURS[shape]
            }"/>`,
            `<path d="M${x(min)} ${middle}H${x(max)}" stroke="#222" stroke-width="1.5"/>`,
            text(x(max) + 6, top + BAR - 2, `${show(median)} ${unit}`),
          ];
        },
      ),
    ];
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" ` +
    `viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12" fill="#222">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<rect x="${LEFT}" y="10" width="12" height="12" fill="${COLOURS.nine}"/>`,
    text(LEFT + 18, 20, "nine services"),
    `<rect x="${LEFT + 120}" y="10" width="12" height="12" fill="${COLOURS.five}"/>`,
    text(LEFT + 138, 20, "five programs"),
    ...bars,
    "</svg>",
    "",
  ].join("\n");
}
