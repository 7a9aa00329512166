// docs/growth.svg: how the costs of the row `growth` grow with the fleet, as that row was last kept.

import type { RowResult } from "./results.ts";

const WIDTH = 800;
const HEIGHT = 430;
const LEFT = 64;
const RIGHT = 212;
const TOP = 44;
const BOTTOM = 52;

interface Line {
  readonly label: string;
  readonly unit: string;
  readonly points: readonly { readonly nodes: number; readonly cost: number }[];
}

/** A colour for light and one for dark pages; told apart by their dashes and marks, too. */
const INK = [
  { light: "#0b5cad", dark: "#6cb6ff", dash: "" },
  { light: "#a8470b", dark: "#ffa657", dash: "7 4" },
  { light: "#1f7a36", dark: "#7ee787", dash: "2 4" },
  { light: "#7d2fa3", dark: "#d2a8ff", dash: "10 3 2 3" },
] as const;

/** The row's costs, one line each: its figures are called `<cost>-<nodes>`. */
export function linesOf({ figures }: Pick<RowResult, "figures">): Line[] {
  const lines = new Map<
    string,
    { label: string; unit: string; points: Line["points"][number][] }
  >();
  for (const { key, label, unit, median } of figures) {
    const [, cost, nodes] = /^([a-z]+)-(\d+)$/.exec(key) ?? [];
    // A few nodes need less heap than the noise of it: a logarithm has no place for that.
    if (cost === undefined || nodes === undefined || median <= 0) continue;
    const line = lines.get(cost) ??
      { label: label.replace(/, [\d,]+ nodes$/, ""), unit, points: [] };
    line.points.push({ nodes: Number(nodes), cost: median });
    lines.set(cost, line);
  }
  return [...lines.values()];
}

/**
 * The plot: both axes logarithmic, so that what grows as fast as the fleet climbs one decade a decade,
 * as the faint lines do. It reads on light and on dark pages.
 */
export function growthPlot(row: Pick<RowResult, "figures">): string {
  const lines = linesOf(row);
  const nodes = lines.flatMap(({ points }) => points.map((point) => point.nodes));
  const costs = lines.flatMap(({ points }) => points.map((point) => point.cost));
  const x = scale(Math.min(...nodes), Math.max(...nodes), LEFT, WIDTH - RIGHT);
  const y = scale(Math.min(...costs), Math.max(...costs), HEIGHT - BOTTOM, TOP);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" ` +
    'aria-labelledby="title">',
    '<title id="title">How cost grows from 10 to 10,000 nodes</title>',
    style(),
    ...grid(x, y),
    ...proportions(x, y),
    ...lines.flatMap((line, at) => drawn(line, at, x, y)),
    ...legend(lines),
    "</svg>",
    "",
  ].join("\n");
}

interface Scale {
  (value: number): number;
  readonly decades: readonly number[];
}

/** A logarithmic axis over whole decades. */
function scale(min: number, max: number, from: number, to: number): Scale {
  const low = Math.floor(Math.log10(min));
  const high = Math.max(low + 1, Math.ceil(Math.log10(max)));
  const place = (value: number) =>
    round(from + (Math.log10(value) - low) / (high - low) * (to - from));
  const decades = Array.from({ length: high - low + 1 }, (_, at) => 10 ** (low + at));
  return Object.assign(place, { decades });
}

function style(): string {
  const inks = (kind: "light" | "dark") =>
    INK.map((ink, at) => `.s${at}{stroke:${ink[kind]}}.f${at}{fill:${ink[kind]}}`).join("");
  return "<style>" +
    "text{font:13px system-ui,sans-serif;fill:#24292f}.grid{stroke:#d0d7de}.even{stroke:#afb8c1;" +
    "stroke-dasharray:2 4}.line{fill:none;stroke-width:2.2;stroke-linejoin:round}" + inks("light") +
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.grid{stroke:#3d444d}.even{stroke:#656c76}" +
    inks("dark") + "}</style>";
}

function grid(x: Scale, y: Scale): string[] {
  const [left, right] = [x(x.decades[0]!), x(x.decades.at(-1)!)];
  const [bottom, top] = [y(y.decades[0]!), y(y.decades.at(-1)!)];
  return [
    ...x.decades.map((nodes) =>
      `<path class="grid" d="M${x(nodes)} ${bottom}V${top}"/>` +
      `<text x="${x(nodes)}" y="${bottom + 20}" text-anchor="middle">${named(nodes)}</text>`
    ),
    ...y.decades.map((cost) =>
      `<path class="grid" d="M${left} ${y(cost)}H${right}"/>` +
      `<text x="${left - 8}" y="${y(cost) + 4}" text-anchor="end">${named(cost)}</text>`
    ),
    `<text x="${(left + right) / 2}" y="${HEIGHT - 10}" text-anchor="middle">nodes</text>`,
    `<text x="${left - 8}" y="22">ms, or MB</text>`,
  ];
}

/** What would cost ten times as much for ten times the nodes. */
function proportions(x: Scale, y: Scale): string[] {
  const [first, last] = [x.decades[0]!, x.decades.at(-1)!];
  const [low, high] = [y.decades[0]!, y.decades.at(-1)!];
  return y.decades.slice(0, -1).map((cost) => {
    const to = Math.min(last, first * high / cost);
    return `<path class="even" d="M${x(first)} ${y(Math.max(low, cost))}L${x(to)} ${
      y(cost * to / first)
    }"/>`;
  });
}

function drawn({ points }: Line, at: number, x: Scale, y: Scale): string[] {
  const path = points.map(({ nodes, cost }, step) => `${step ? "L" : "M"}${x(nodes)} ${y(cost)}`);
  return [
    `<path class="line s${at}" stroke-dasharray="${INK[at]!.dash}" d="${path.join("")}"/>`,
    ...points.map(({ nodes, cost }) =>
      `<circle class="f${at}" cx="${x(nodes)}" cy="${y(cost)}" r="3.4"/>`
    ),
  ];
}

/** Beside the lines' ends, kept apart from each other. */
function legend(lines: readonly Line[]): string[] {
  return lines.map(({ label, unit, points }, at) => {
    const top = TOP + 24 + at * 46;
    const left = WIDTH - RIGHT + 14;
    return `<path class="line s${at}" stroke-dasharray="${
      INK[at]!.dash
    }" d="M${left} ${top}h26"/>` +
      `<text x="${left + 34}" y="${top + 4}">${label}</text>` +
      `<text x="${left + 34}" y="${top + 20}">${named(points.at(-1)!.cost)} ${unit}</text>`;
  });
}

/** With no more than three digits that count. */
function named(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
