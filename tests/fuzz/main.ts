// deno task fuzz [--minutes N] [--inputs N] [--seed N] [TARGET...]: feeds every parser with inputs that
// are nearly right. A finding is printed with what repeats it; it belongs into findings.ts then.

import { parseArgs } from "@std/cli/parse-args";
import { randomSeed } from "../../core/live/clock.ts";
import { fuzz } from "./run.ts";
import { TARGETS } from "./targets.ts";

const SLOW_MS = 1_000;

const args = parseArgs(Deno.args, { string: ["minutes", "inputs", "seed"] });
const wanted = args._.map(String);
const targets = TARGETS.filter((each) => wanted.length === 0 || wanted.includes(each.name));
const seed = args.seed === undefined ? randomSeed() : Number(args.seed);
const inputs = Number(args.inputs ?? (args.minutes === undefined ? 1_000_000 : Infinity));
const shareMs = Number(args.minutes ?? Infinity) * 60_000 / targets.length;
let failed = false;
console.log(`seed ${seed}`);
for (const target of targets) {
  const begunMs = performance.now();
  const { taken, finding } = fuzz(target, seed, inputs, begunMs + shareMs, SLOW_MS);
  const seconds = ((performance.now() - begunMs) / 1_000).toFixed(1);
  console.log(`${target.name.padEnd(16)} ${taken} inputs in ${seconds} s`);
  if (!finding) continue;
  failed = true;
  console.log(`  ${finding.what}\n  input (base64): ${finding.input.toBase64()}`);
}
if (failed) Deno.exit(1);
