// deno task scenarios [--update] [NAME...]
//
// Plays the stories of tests/scenarios and shows where they come out otherwise; with --update it
// writes what came of them into the files.

import { parseArgs } from "@std/cli/parse-args";
import { play } from "./scenario.ts";
import { scenarioNames, SCENARIOS } from "./scenario_files.ts";

const args = parseArgs(Deno.args, { boolean: ["update"] });
const wanted = args._.map(String);
let different = 0;
for (const name of scenarioNames()) {
  if (wanted.length > 0 && !wanted.includes(name.replace(/\.txt$/, ""))) continue;
  const url = new URL(name, SCENARIOS);
  const golden = Deno.readTextFileSync(url);
  const played = play(golden);
  if (played === golden) continue;
  different++;
  if (args.update) Deno.writeTextFileSync(url, played);
  console.log(`${name} ${args.update ? "was written anew" : "comes out otherwise:\n" + played}`);
}
if (different > 0 && !args.update) Deno.exit(1);
