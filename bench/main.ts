// `deno task bench [NAME...] [--runs N]`: measures what NUMBERS.md promises, prints a table and
// keeps every sample in bench/results.json.

import { growthPlot } from "./growth_plot.ts";
import { circumstances, keepRow, resultOf, type RowResult } from "./results.ts";
import { NotMeasured, type Recorder, type Row } from "./row.ts";
import { loadRow, ROWS } from "./rows.ts";
import { show, table } from "./table.ts";

const ROOT = decodeURIComponent(new URL("../", import.meta.url).pathname).replace(/\/$/, "");
const RESULTS = `${ROOT}/bench/results.json`;

const HELP = `deno task bench [NAME...] [--runs N]: measures, without names everything

${ROWS.map(({ name, about }) => `  ${name.padEnd(16)}${about}`).join("\n")}

--runs N   so many runs of each row, for a quick look: the results are shown and not kept`;

/** Progress on one line where that is a terminal, else a line each. */
class Progress {
  readonly #terminal = Deno.stderr.isTerminal();
  readonly #begunMs = performance.now();

  constructor(private readonly name: string) {}

  say(line: string): void {
    const seconds = ((performance.now() - this.#begunMs) / 1000).toFixed(0);
    const text = `${this.name} ${seconds} s: ${line}`;
    this.#write(this.#terminal ? `\r\x1b[2K${text.slice(0, 110)}` : `${text}\n`);
  }

  end(): void {
    if (this.#terminal) this.#write("\r\x1b[2K");
  }

  #write(text: string): void {
    Deno.stderr.writeSync(new TextEncoder().encode(text));
  }
}

/** Measures one row. @throws {NotMeasured} */
async function measure(row: Row, runs: number | undefined): Promise<RowResult> {
  const where = await circumstances(ROOT);
  const samples = new Map<string, number[]>(row.figures.map(({ key }) => [key, []]));
  const notes: string[] = [];
  const progress = new Progress(row.name);
  const begunMs = performance.now();
  const recorder: Recorder = {
    runs: runs ?? row.runs,
    sample(key, value) {
      const known = samples.get(key);
      if (!known) throw new Error(`${row.name} has no figure ${key}`);
      if (!Number.isFinite(value)) throw new Error(`${row.name} ${key} came out as ${value}`);
      known.push(value);
      const figure = row.figures.find((each) => each.key === key)!;
      if (figure.mustReach !== undefined) {
        progress.say(`${figure.label} ${show(value)} ${figure.unit} (${known.length})`);
      }
    },
    progress: (line) => progress.say(line),
    note: (line) => void (notes.includes(line) || notes.push(line)),
  };
  try {
    await row.run(recorder);
  } finally {
    progress.end();
  }
  const measured = row.figures.filter(({ key }) => samples.get(key)!.length > 0);
  return {
    ...where,
    measures: row.measures,
    seconds: Math.round((performance.now() - begunMs) / 1000),
    notes,
    figures: measured.map((figure) => resultOf(figure, samples.get(figure.key)!)),
  };
}

async function main(args: readonly string[]): Promise<number> {
  const at = args.indexOf("--runs");
  const runs = at < 0 ? undefined : Number(args[at + 1]);
  const names = at < 0 ? args : args.filter((_, index) => index !== at && index !== at + 1);
  const unknown = names.filter((name) => !ROWS.some((row) => row.name === name));
  if (unknown.length > 0 || (runs !== undefined && !(Number.isInteger(runs) && runs > 0))) {
    console.error(args.includes("--help") ? HELP : `unknown: ${unknown.join(" ")}\n\n${HELP}`);
    return args.includes("--help") ? 0 : 2;
  }
  const done: [string, RowResult][] = [];
  const missed: string[] = [];
  for (const { name } of ROWS) {
    if (names.length > 0 && !names.includes(name)) continue;
    try {
      const result = await measure(await loadRow(name), runs);
      done.push([name, result]);
      if (runs === undefined) await keepRow(RESULTS, name, result);
      if (runs === undefined && name === "growth") {
        await Deno.writeTextFile(`${ROOT}/docs/growth.svg`, growthPlot(result));
      }
    } catch (error) {
      if (!(error instanceof NotMeasured)) {
        missed.push(`${name}: failed: ${error instanceof Error ? error.stack : error}`);
        continue;
      }
      missed.push(`${name}: not measured: ${error.message}`);
    }
  }
  if (done.length > 0) console.log(table(done));
  missed.forEach((line) => console.log(line));
  if (done.length > 0 && runs === undefined) console.log(`\nevery sample: bench/results.json`);
  return missed.some((line) => line.includes(": failed: ")) ? 1 : 0;
}

Deno.exit(await main(Deno.args));
