// deno task test [NAME...]
//
// Runs all tests and the documents' examples, in groups: those that only compute first and side by
// side, then those with real processes and sockets, one after another, so that they do not disturb
// each other's clocks. The last line is the sum of the runners' own reports: `N passed, N failed`.

interface Group {
  readonly name: string;
  /** Which test files belong to it. */
  readonly has: (path: string) => boolean;
  /** Whether its files may run side by side. */
  readonly parallel?: boolean;
  readonly args?: readonly string[];
}

const LIVE = /\/live\/|^cli\/cluster\/|^market\/(services|testing)|^market\/[^/]*_test\.ts$/;

const GROUPS: readonly Group[] = [
  {
    name: "units",
    has: (path) => !/^tests\//.test(path) && !LIVE.test(path),
    parallel: true,
  },
  { name: "contract", has: (path) => path.startsWith("tests/contract/") },
  { name: "simulation", has: (path) => path.startsWith("tests/sim/") },
  { name: "live", has: (path) => LIVE.test(path) && !path.startsWith("market/") },
  { name: "market", has: (path) => LIVE.test(path) && path.startsWith("market/") },
  { name: "end-to-end", has: (path) => path.startsWith("tests/e2e/") },
  { name: "browser", has: (path) => path.startsWith("tests/browser/") },
];

const ROOT = new URL("../", import.meta.url);
Deno.chdir(ROOT);

async function* testFiles(folder = ""): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(`./${folder}`)) {
    if (/^(\.|node_modules$|dist$|output$)/.test(entry.name)) continue;
    const path = `${folder}${entry.name}`;
    if (entry.isDirectory) yield* testFiles(`${path}/`);
    else if (entry.name.endsWith("_test.ts")) yield path;
  }
}

interface Report {
  readonly passed: number;
  readonly failed: number;
  readonly ignored: number;
}

const SUMMARY = /(?:ok|FAILED) \| (\d+) passed(?: \([^)]*\))? \| (\d+) failed(.*)/;

/** Runs `deno test` and reads its report; a runner that gives none has failed. */
async function run(name: string, args: readonly string[]): Promise<Report> {
  console.log(`--- ${name}`);
  const began = performance.now();
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", ...args],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("\n");
  const summary = text.match(new RegExp(SUMMARY, "g"))?.at(-1)?.match(SUMMARY);
  const failed = Number(summary?.[2] ?? 0);
  const broken = code !== 0 && failed === 0 || !summary;
  // What passed is of no interest beside what failed.
  if (code !== 0 || broken) console.log(text.slice(Math.max(0, text.indexOf(" ERRORS "))));
  else for (const line of new Set(text.match(/^.*\bnot run: .*$/gm))) console.log(line.trim());
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const report = {
    passed: Number(summary?.[1] ?? 0),
    failed: failed + (broken ? 1 : 0),
    ignored: Number(summary?.[3]?.match(/(\d+) ignored/)?.[1] ?? 0),
  };
  console.log(`${name}: ${report.passed} passed, ${report.failed} failed, ${seconds} s`);
  return report;
}

const files = (await Array.fromAsync(testFiles())).sort();
const homeless = files.filter((path) => GROUPS.filter((group) => group.has(path)).length !== 1);
if (homeless.length > 0) throw new Error(`in no group or in several: ${homeless.join(" ")}`);

const wanted = Deno.args.length === 0 ? [...GROUPS.map(({ name }) => name), "docs"] : Deno.args;
const reports: Report[] = [];
for (const { name, has, parallel, args = [] } of GROUPS) {
  if (!wanted.includes(name)) continue;
  const mine = files.filter(has);
  reports.push(await run(name, [...(parallel ? ["--parallel"] : []), ...args, ...mine]));
}
if (wanted.includes("docs")) {
  reports.push(await run("docs", ["--doc", "--permit-no-files", "mod.ts", "README.md"]));
}
const sum = (of: (report: Report) => number) => reports.reduce((all, each) => all + of(each), 0);
const ignored = sum((report) => report.ignored);
const failed = sum((report) => report.failed);
console.log(
  `${sum((report) => report.passed)} passed, ${failed} failed` +
    (ignored > 0 ? `, ${ignored} skipped` : ""),
);
if (failed > 0 || reports.length === 0) Deno.exit(1);
