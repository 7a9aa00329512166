// Documents that are made from what the programs themselves are made of: the key table, the command
// table, the daemons' flags; and the figures in README.md, from bench/results.json.

import type { Option } from "../cli/command.ts";
import { GLOBAL_OPTIONS, LISTED_COMMANDS } from "../cli/table.ts";
import { allKeys, type KeyDocument } from "../core/manifest/explain.ts";
import { VARIABLES } from "../core/manifest/variables.ts";
import { environmentOf, permissionFlags, TASK_PARAMETERS } from "../core/permissions.ts";
import { GRAMMAR_PATH, grammarText } from "./grammar.ts";
import type { FigureResult, Results } from "../bench/results.ts";
import { show } from "../bench/table.ts";
import { SHAPE_HEAD, shapeCircumstances, shapePlot, shapeRows } from "./shapes.ts";

const ROOT = decodeURIComponent(new URL("../", import.meta.url).pathname).replace(/\/$/, "");

/** One generated document: its file, from the project's folder, and its whole text. */
export interface Page {
  readonly path: string;
  readonly text: string;
}

/** Every generated page, formatted. Needs to read the project and to run `deno`. */
export async function generatedPages(): Promise<readonly Page[]> {
  const pages = [
    { path: "docs/MANIFEST.md", text: await manifestPage() },
    { path: "docs/CLI.md", text: await cliPage() },
    { path: "docs/DAEMONS.md", text: await daemonsPage() },
    { path: "docs/SHAPES.md", text: await shapesPage() },
  ];
  return [
    ...await Promise.all(
      pages.map(async ({ path, text }) => ({ path, text: await formatted(text) })),
    ),
    { path: "docs/shapes.svg", text: shapePlot(await results()) },
  ];
}

/** A hand-written beginning, `docs/parts/NAME.md`. */
async function part(name: string): Promise<string> {
  return (await Deno.readTextFile(`${ROOT}/docs/parts/${name}.md`)).trimEnd();
}

/** As `deno fmt` writes Markdown, so that the pages pass its check. */
async function formatted(text: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["fmt", `--config=${ROOT}/deno.json`, "--ext=md", "-"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  if (!success) throw new Error(`deno fmt: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

// ---- tables ---------------------------------------------------------------------------------------

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

const code = (text: string) => `\`${text}\``;

// ---- the manifest ---------------------------------------------------------------------------------

async function manifestPage(): Promise<string> {
  const keys = allKeys();
  const variables = Object.entries(VARIABLES).map(([name, meaning]) => [
    code(`\${${name}}`),
    meaning,
  ]);
  const blocks = keys.filter((key) => keys.some((other) => isIn(other, key.path)));
  return [
    await part("manifest"),
    tableOf(["written", "stands for"], [...variables, [code("$$"), "a dollar"]]),
    "## Keys of an app",
    keyTable(keys.filter((key) => !key.path.includes("."))),
    ...blocks.flatMap((block) => [
      `## ${code(block.path)}`,
      block.meaning + (block.repeatable ? " May stand several times." : "") +
      (block.built ? "" : " **Not yet.**"),
      keyTable(keys.filter((key) => isIn(key, block.path))),
    ]),
  ].join("\n\n");
}

function isIn(key: KeyDocument, block: string): boolean {
  return key.path.startsWith(`${block}.`) && !key.path.slice(block.length + 1).includes(".");
}

function keyTable(keys: readonly KeyDocument[]): string {
  return tableOf(
    ["key", "value", "default", "meaning"],
    keys.map((key) => [
      [key.path.split(".").at(-1)!, ...key.aliases].map(code).join(", "),
      key.form.replace(/^(.*, or )?a block of the keys .*$/, "$1a block"),
      key.required ? "must be given" : key.default ?? "",
      key.meaning + (key.repeatable ? " Repeatable." : "") + notYet(key),
    ]),
  );
}

function notYet(key: KeyDocument): string {
  if (key.built) return "";
  return key.path === "type"
    ? " Only `service` is acted on: the others **not yet**."
    : " **Not yet.**";
}

// ---- the CLI --------------------------------------------------------------------------------------

async function cliPage(): Promise<string> {
  return [
    await part("cli"),
    "## Commands",
    tableOf(
      ["command", "does"],
      LISTED_COMMANDS.map((
        { name, usage, summary },
      ) => [code(`${name} ${usage}`.trimEnd()), summary]),
    ),
    "## Options of every command",
    optionTable(GLOBAL_OPTIONS),
    "## Exit codes",
    tableOf(["code", "means"], [
      ["0", "done"],
      ["1", "refused or failed: the cluster said no, a deploy failed, a manifest has errors"],
      ["2", "nobody answered, or the command line is wrong"],
    ]),
    "A command that changes something is signed with an id, and sent again under it while no answer " +
    "comes, for as long as --timeout says: the conductor executes it once, and says to a repeat what " +
    "it said before, also after it was started again or another one leads. Without an answer by then " +
    "nobody knows whether it was executed. That is what the error says, with the command that tells " +
    "later, and whether the same one may be given again.",
    ...LISTED_COMMANDS.flatMap((command) => {
      const options = command.options.length > 0 ? [optionTable(command.options)] : [];
      const examples = (command.examples ?? []).map((example) => `    ${example}`);
      const more = [
        ...(command.details ?? []),
        ...options,
        ...(examples.length > 0 ? [examples.join("\n")] : []),
      ];
      if (more.length === 0) return [];
      return [`## ${code(`skr8tr ${command.name} ${command.usage}`.trimEnd())}`, ...more];
    }),
  ].join("\n\n");
}

function optionTable(options: readonly Option[]): string {
  return tableOf(
    ["option", "meaning", "default"],
    options.map(({ name, short, alias, value, help, default: standard }) => [
      [...(short ? [`-${short}`] : []), `--${name}`, ...(alias ? [`--${alias}`] : [])]
        .map((each) => code(value ? `${each} ${value}` : each)).join(", "),
      help,
      standard ?? "",
    ]),
  );
}

// ---- the daemons ----------------------------------------------------------------------------------

const DAEMONS = ["conductor", "tower", "node", "ingress"] as const;

async function daemonsPage(): Promise<string> {
  const helps = await Promise.all(DAEMONS.map(helpOf));
  return [
    await part("daemons"),
    ...DAEMONS.flatMap((daemon, at) => [
      `## ${daemon}`,
      ["```text", helps[at]!.trimEnd(), "```"].join("\n"),
      "Its flags and permissions as `deno task " + daemon + "` starts it" +
      Object.entries(environmentOf(daemon))
        .map(([name, value]) => `, with ${code(`${name}=${value}`)} in its environment`).join("") +
      ":",
      ["```text", ...permissionFlags(daemon, TASK_PARAMETERS[daemon] as never), "```"].join("\n"),
    ]),
  ].join("\n\n");
}

async function helpOf(daemon: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-prompt", `--config=${ROOT}/deno.json`],
      ...[`${ROOT}/${daemon}/main.ts`, "--help"],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`${daemon} --help: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

// ---- the figures ----------------------------------------------------------------------------------

const FIGURES = /(<!-- figures -->\n)[^]*?(<!-- \/figures -->)/;

/** What stands between the marks in README.md; `null` without marks. */
export function figuresIn(readme: string): string | null {
  return FIGURES.exec(readme)?.[0] ?? null;
}

/** README.md with the figures of bench/results.json, formatted. */
export async function readmeWithFigures(): Promise<string> {
  const readme = await Deno.readTextFile(`${ROOT}/README.md`);
  const measured = await results();
  return await formatted(withShapes(withFigures(readme, measured), measured));
}

async function results(): Promise<Results> {
  return JSON.parse(await Deno.readTextFile(`${ROOT}/bench/results.json`));
}

const SHAPES = /(<!-- shapes -->\n)[^]*?(<!-- \/shapes -->)/;

/** A README with the market's two shapes side by side. */
export function withShapes(readme: string, results: Results): string {
  return readme.replace(SHAPES, (_, begin, end) => `${begin}\n${shapesText(results)}\n\n${end}`);
}

function shapesText(results: Results): string {
  const rows = shapeRows(results);
  if (rows.length === 0) return "Not measured yet.";
  return [tableOf(SHAPE_HEAD, rows), shapeCircumstances(results)].join("\n\n");
}

async function shapesPage(): Promise<string> {
  const figures = shapesText(await results());
  return [await part("shapes"), figures, await part("shapes_meaning")].join("\n\n");
}

/** A README with the figures of these results, each as median (min to max). */
export function withFigures(readme: string, results: Results): string {
  const rows = Object.entries(results.rows).flatMap(([name, { figures }]) =>
    figures.filter((figure) => figure.mustReach !== undefined).map((figure) => [
      name,
      figure.label,
      measured(figure),
      `${show(figure.mustReach!)} ${figure.unit}`,
      figure.reached ? "yes" : "no",
    ])
  );
  const where = Object.values(results.rows)[0];
  const note = where === undefined
    ? []
    : [`Measured on ${where.machine.processor}, ${where.machine.cores} cores, Deno ${where.deno}.`];
  const head = ["row", "figure", "median (least to most)", "bound", "reached"];
  const text = [tableOf(head, rows), ...note].join("\n\n");
  return readme.replace(FIGURES, (_, begin, end) => `${begin}\n${text}\n\n${end}`);
}

function measured({ median, min, max, unit }: FigureResult): string {
  return `${show(median)} ${unit} (${show(min)} to ${show(max)})`;
}

if (import.meta.main) {
  for (const { path, text } of await generatedPages()) {
    await Deno.writeTextFile(`${ROOT}/${path}`, text);
    console.log(path);
  }
  await Deno.writeTextFile(`${ROOT}/${GRAMMAR_PATH}`, grammarText());
  if (Deno.args.includes("--figures")) {
    await Deno.writeTextFile(`${ROOT}/README.md`, await readmeWithFigures());
    console.log("README.md");
  }
}
