// deno task sim [--seed N | --seeds M [--from N]] [--steps S] [--towers T]
//               [--wild|--mild|--several] [--story]
//
// Runs simulated clusters. A seed that fails prints what broke, a plan made as small as it still
// fails, the end of its story, and the one command that repeats it; exit code 1. With --hour: see
// hour_main.ts.

import { parseArgs } from "@std/cli/parse-args";
import { simulateMany } from "./crowd.ts";
import { type Choice, type Kind, repetition, worldOf } from "./kinds.ts";
import { shrink } from "./shrink.ts";
import { formatStep } from "./steps.ts";
import { type Outcome, simulate, type WorldOptions } from "./world.ts";

const args = parseArgs(Deno.args, {
  string: ["seed", "seeds", "from", "steps", "towers", "workers"],
  boolean: ["mild", "wild", "several", "story", "hour"],
});
if (args.hour) {
  await import("./hour_main.ts");
  Deno.exit(0);
}
const kind: Kind = args.mild ? "mild" : args.several ? "several" : "wild";
const numberOf = (text: unknown) => text === undefined ? undefined : Number(text);
const choice: Choice = { steps: numberOf(args.steps), towers: numberOf(args.towers) };

/** How much of a story is shown. */
const STORY_LINES = 60;

function tell(options: WorldOptions, outcome: Outcome): void {
  console.log(`\nseed ${options.seed}: ${outcome.violation}\n`);
  console.log("making it smaller ...");
  const small = shrink(options, outcome);
  console.log(`\n${small.plan.length} of its ${outcome.plan.length} steps are enough:`);
  for (const step of small.plan) console.log(formatStep(step));
  console.log("\nand then:");
  for (const line of small.story.slice(-STORY_LINES)) console.log(line);
  if (!small.story.at(-1)?.includes("VIOLATION")) console.log(`in the end: ${small.violation}`);
  console.log(`\nrepeat: ${repetition(kind, options)}`);
}

if (args.seed !== undefined) {
  const options = worldOf(kind, Number(args.seed), choice);
  const outcome = simulate(options);
  if (args.story) { for (const line of outcome.story) console.log(line); }
  if (outcome.violation !== null) {
    tell(options, outcome);
    Deno.exit(1);
  }
  const { story: _, plan: __, ...brief } = outcome;
  console.log(JSON.stringify(brief));
  Deno.exit(0);
}

const began = performance.now();
const from = Number(args.from ?? 1);
const count = Number(args.seeds ?? 100);
const briefs = await simulateMany({
  kind,
  from,
  count,
  choice,
  ...(args.workers === undefined ? {} : { workers: Number(args.workers) }),
  onProgress: (done) => {
    if (!Deno.stderr.isTerminal()) return;
    Deno.stderr.writeSync(new TextEncoder().encode(`\r${done} of ${count} worlds`));
  },
});
const failed = briefs.find(({ violation }) => violation !== null);
if (failed) {
  const options = worldOf(kind, failed.seed, choice);
  tell(options, simulate(options));
  Deno.exit(1);
}
const settled = briefs.map((each) => each.settledMs).sort((a, b) => a - b);
const sum = (of: (each: typeof briefs[number]) => number) =>
  briefs.reduce((total, each) => total + of(each), 0);
console.log(
  `${count} ${kind} worlds from seed ${from}: 0 violations, ${
    sum((each) => each.checked)
  } checks, ` +
    `${sum((each) => each.datagrams)} datagrams, ${sum((each) => each.requests.asked)} requests ` +
    `(${sum((each) => each.requests.excused)} lost to what broke) in ` +
    `${Math.round(sum((each) => each.virtualMs) / 60_000)} virtual minutes; at rest ` +
    `${settled[count >> 1]} ms after the last fault (median), ${settled.at(-1)} ms at most; ` +
    `${Math.round(performance.now() - began)} ms`,
);
