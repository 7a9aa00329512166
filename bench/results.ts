// bench/results.json: every sample with the machine, commit and Deno that it was made with. A row
// that is measured again replaces its older self; the others stay.

import type { Figure } from "./row.ts";
import { median } from "./statistics.ts";

/** Where and when a row was measured. */
export interface Circumstances {
  /** ISO 8601. */
  readonly date: string;
  readonly commit: string;
  readonly deno: string;
  readonly machine: Machine;
}

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly ramBytes: number;
  readonly system: string;
  /** Load average of the last minute when the row began: others were at work. */
  readonly load: number;
}

export interface FigureResult extends Figure {
  readonly runs: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Absent where there is no bound. */
  readonly reached?: boolean;
  readonly samples: readonly number[];
}

export interface RowResult extends Circumstances {
  readonly measures: string;
  readonly seconds: number;
  readonly notes: readonly string[];
  readonly figures: readonly FigureResult[];
}

export interface Results {
  readonly rows: { readonly [name: string]: RowResult };
}

/** Sums a figure's samples up and holds them against its bound. */
export function resultOf(figure: Figure, samples: readonly number[]): FigureResult {
  const result = {
    ...figure,
    runs: samples.length,
    median: median(samples),
    min: Math.min(...samples),
    max: Math.max(...samples),
  };
  return {
    ...result,
    ...(figure.mustReach === undefined ? {} : { reached: isReached(result, figure.mustReach) }),
    samples,
  };
}

/** Whether a figure is as good as `bound`. */
export function isReached(
  { better, every, median, min, max }: Figure & Pick<FigureResult, "median" | "min" | "max">,
  bound: number,
): boolean {
  return better === "more" ? (every ? min : median) >= bound : (every ? max : median) <= bound;
}

/** Reads a results file; one that is not there has no rows. */
export async function readResults(path: string): Promise<Results> {
  try {
    return JSON.parse(await Deno.readTextFile(path)) as Results;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { rows: {} };
    throw error;
  }
}

/** Puts one row into a results file, by way of a rename: a reader sees the old or the new. */
export async function keepRow(path: string, name: string, row: RowResult): Promise<void> {
  const { rows } = await readResults(path);
  const names = [...new Set([...Object.keys(rows), name])].sort();
  const merged = Object.fromEntries(names.map((each) => [each, each === name ? row : rows[each]]));
  await Deno.writeTextFile(`${path}.new`, `${JSON.stringify({ rows: merged }, rounded, 1)}\n`);
  await Deno.rename(`${path}.new`, path);
}

/** No clock here is good for more than a microsecond. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === "number" ? Math.round(value * 1000) / 1000 : value;
}

/** Says where and when this is. */
export async function circumstances(root: string): Promise<Circumstances> {
  const git = async (...args: string[]) => {
    const command = new Deno.Command("git", { args: ["-C", root, ...args], stderr: "null" });
    const { stdout } = await command.output();
    return new TextDecoder().decode(stdout).trim();
  };
  const changed = await git("status", "--porcelain", "--untracked-files=no");
  return {
    date: new Date().toISOString(),
    commit: `${await git("rev-parse", "HEAD")}${changed === "" ? "" : " with changes"}`,
    deno: Deno.version.deno,
    machine: {
      processor: await processor(),
      cores: navigator.hardwareConcurrency,
      ramBytes: Deno.systemMemoryInfo().total,
      system: `${Deno.build.os} ${Deno.osRelease()} ${Deno.build.arch}`,
      load: Deno.loadavg()[0]!,
    },
  };
}

async function processor(): Promise<string> {
  const text = await Deno.readTextFile("/proc/cpuinfo").catch(() => "");
  return /^model name\s*:\s*(.+)$/m.exec(text)?.[1] ?? "unknown";
}
