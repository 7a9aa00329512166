// deno task sim --hour [--nodes N] [--minutes M] [--loss PERCENT] [--stall MS] [--seed N]
//
// An hour of beats on a bad network and on busy machines: nobody dies in it, and nobody may be called
// dead. Then some nodes lose power, which must be noticed within NODE_DEAD_MS.

import { parseArgs } from "@std/cli/parse-args";
import { simulateHour } from "./hour.ts";

const args = parseArgs(Deno.args, { string: ["nodes", "minutes", "loss", "stall", "seed"] });
const options = {
  seed: Number(args.seed ?? 1),
  nodes: Number(args.nodes ?? 50),
  minutes: Number(args.minutes ?? 60),
  loss: Number(args.loss ?? 20) / 100,
  stallMs: Number(args.stall ?? 800),
  stallEveryMs: 5_000,
};
const began = performance.now();
const outcome = simulateHour({ ...options, losses: Math.min(10, options.nodes - 2) });
const { falseDeaths, deadMs, sent, lost, suspected, refuted, witnessed, stalls } = outcome;
const sorted = deadMs.map(Math.round).sort((a, b) => a - b);
for (const text of falseDeaths) console.log(`false death: ${text}`);
console.log(
  `${options.minutes} virtual minutes, ${options.nodes} nodes, ${args.loss ?? 20} % lost, ` +
    `stalls up to ${options.stallMs} ms: ${falseDeaths.length} false deaths; ${sent} datagrams, ` +
    `${lost} lost, ${stalls} stalls, ${suspected} suspicions, ${refuted} refuted, ${witnessed} ` +
    `words of witnesses; dead ${sorted[sorted.length >> 1]} ms after a power loss (median), ` +
    `${sorted.at(-1)} ms at most; ${Math.round(performance.now() - began)} ms`,
);
if (falseDeaths.length > 0) Deno.exit(1);
