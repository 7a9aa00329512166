// deno task sim [--seed N] [--seeds M] [--from N] [--wild|--mild] [--story]
//
// Runs simulated clusters. A seed that fails prints what broke, its story and the one command that
// repeats it; exit code 1. With --hour: see hour_main.ts.

import { parseArgs } from "@std/cli/parse-args";
import { MILD, type Outcome, simulate, WILD } from "./world.ts";

const args = parseArgs(Deno.args, {
  string: ["seed", "seeds", "from"],
  boolean: ["mild", "story", "hour"],
});
if (args.hour) {
  await import("./hour_main.ts");
  Deno.exit(0);
}
const kind = args.mild ? "mild" : "wild";
const options = args.mild ? MILD : WILD;
const from = Number(args.seed ?? args.from ?? 1);
const count = args.seed === undefined ? Number(args.seeds ?? 100) : 1;

const began = performance.now();
const outcomes: Outcome[] = [];
for (let seed = from; seed < from + count; seed++) {
  const outcome = simulate({ ...options, seed });
  outcomes.push(outcome);
  if (outcome.violation !== null || args.story) {
    for (const line of outcome.story.slice(args.story ? 0 : -60)) console.log(line);
  }
  if (outcome.violation !== null) {
    console.log(`\nseed ${seed}: ${outcome.violation}`);
    console.log(`repeat: deno task sim --${kind} --seed ${seed} --story`);
    Deno.exit(1);
  }
  if (Deno.stderr.isTerminal() && seed % 20 === 0) {
    Deno.stderr.writeSync(new TextEncoder().encode(`\r${seed - from + 1} of ${count} worlds`));
  }
}
const settled = outcomes.map((each) => each.settledMs).sort((a, b) => a - b);
const sum = (of: (each: Outcome) => number) =>
  outcomes.reduce((total, each) => total + of(each), 0);
console.log(
  `${count} ${kind} worlds from seed ${from}: 0 violations, ${
    sum((each) => each.checked)
  } checks, ` +
    `${sum((each) => each.datagrams)} datagrams; at rest ${
      settled[count >> 1]
    } ms after the last ` +
    `fault (median), ${settled.at(-1)} ms at most; ${Math.round(performance.now() - began)} ms`,
);
