// deno task test [NAME...]
//
// Runs all tests and the documents' examples, in groups and two lanes: groups that only compute run
// beside those with real processes and sockets, which wait more than they compute; so do the market's,
// whose ports are free ones. The groups of a lane run one after another, and what takes the whole
// machine when both are done. The last lines name what failed and sum the runners' own reports:
// `N passed, N failed`.

interface Group {
  readonly name: string;
  /** Which test files belong to it. */
  readonly has: (path: string) => boolean;
  /** Which lane it is in: it mostly computes, it waits, or it would make the others late. */
  readonly lane: "computes" | "waits" | "alone";
  /** Whether it is run only where it is named. */
  readonly asked?: true;
}

const LIVE =
  /\/live\/|^cli\/(cluster|testkit)\/|^market\/(services|five|testing)|^market\/[^/]*_test\.ts$/;

const SHOP = "tests/guest/shop_test.ts";

const GROUPS: readonly Group[] = [
  {
    name: "units",
    has: (path) => !/^tests\/(?!soak\/)/.test(path) && !LIVE.test(path),
    lane: "computes",
  },
  { name: "contract", has: (path) => path.startsWith("tests/contract/"), lane: "computes" },
  { name: "fuzz", has: (path) => path.startsWith("tests/fuzz/"), lane: "computes" },
  { name: "simulation", has: (path) => path.startsWith("tests/sim/"), lane: "computes" },
  {
    name: "live",
    has: (path) => LIVE.test(path) && !path.startsWith("market/"),
    lane: "waits",
  },
  {
    name: "market",
    has: (path) => LIVE.test(path) && path.startsWith("market/"),
    lane: "computes",
  },
  { name: "end-to-end", has: (path) => path.startsWith("tests/e2e/"), lane: "waits" },
  { name: "browser", has: (path) => path.startsWith("tests/browser/"), lane: "waits" },
  // Whole machines are emulated for these two. The second is asked for by its name.
  { name: "guests", has: (path) => path === SHOP, lane: "alone" },
  {
    name: "guest",
    has: (path) => path.startsWith("tests/guest/") && path !== SHOP,
    lane: "alone",
    asked: true,
  },
];

/** Public files whose examples are tests. */
const DOCUMENTED = [
  "mod.ts",
  "tower/live/client.ts",
  "tower/live/service.ts",
  "tower/live/service_metrics.ts",
  "cli/testkit/cluster.ts",
  "docs/WORKLOADS.md",
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
  /** What failed: `name => ./file:line:column`. */
  readonly failures: readonly string[];
}

const SUMMARY = /(?:ok|FAILED) \| (\d+) passed(?: \([^)]*\))? \| (\d+) failed(.*)/;

/** Runs `deno test` and reads its report; a runner that gives none has failed. */
async function run(name: string, args: readonly string[]): Promise<Report> {
  console.log(`${name}: running`);
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
    failures: [
      ...new Set(text.match(/^.+ => \.\/\S+:\d+:\d+$|^\.\/\S+ \(uncaught error\)$/gm)),
      ...(broken ? [`${name}: the runner ended with ${code} and without a report`] : []),
    ],
  };
  console.log(`${name}: ${report.passed} passed, ${report.failed} failed, ${seconds} s`);
  return report;
}

const files = (await Array.fromAsync(testFiles())).sort();
const homeless = files.filter((path) => GROUPS.filter((group) => group.has(path)).length !== 1);
if (homeless.length > 0) throw new Error(`in no group or in several: ${homeless.join(" ")}`);

const standard = GROUPS.filter((group) => !group.asked).map(({ name }) => name);
const wanted = Deno.args.length === 0 ? [...standard, "docs"] : Deno.args;
for (const { name, asked } of GROUPS) {
  if (asked && !wanted.includes(name)) console.log(`not run: ${name}; deno task test ${name} does`);
}
const unknown = wanted.filter((name) => name !== "docs" && !GROUPS.some((g) => g.name === name));
if (unknown.length > 0) throw new Error(`no group is named ${unknown.join(" ")}`);

async function runLane(lane: Group["lane"]): Promise<Report[]> {
  const reports: Report[] = [];
  for (const group of GROUPS) {
    if (group.lane !== lane || !wanted.includes(group.name)) continue;
    reports.push(await run(group.name, files.filter(group.has)));
  }
  if (lane === "computes" && wanted.includes("docs")) {
    reports.push(await run("docs", ["--doc", ...DOCUMENTED]));
  }
  return reports;
}

const reports = (await Promise.all([runLane("computes"), runLane("waits")])).flat();
reports.push(...await runLane("alone"));
const sum = (of: (report: Report) => number) => reports.reduce((all, each) => all + of(each), 0);
const ignored = sum((report) => report.ignored);
const failed = sum((report) => report.failed);
// Named once more where one looks first: at the end.
for (const each of reports.flatMap(({ failures }) => failures)) console.log(`failed: ${each}`);
console.log(
  `${sum((report) => report.passed)} passed, ${failed} failed` +
    (ignored > 0 ? `, ${ignored} skipped` : ""),
);
if (failed > 0 || reports.length === 0) Deno.exit(1);
