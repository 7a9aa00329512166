// deno task soak [--minutes N] [--several]
//
// A cluster under constant deploys, kills and reloads: 0 failed idempotent requests, no growth. With
// --several it has three conductors around three servers of NATS, and who leads changes all along.

import { parseArgs } from "@std/cli/parse-args";
import { soak } from "./soak.ts";

const args = parseArgs(Deno.args, { string: ["minutes"], boolean: ["several"] });
const minutes = Number(args.minutes ?? 10);
if (!(minutes > 0)) {
  console.error("soak: --minutes needs a number above 0");
  Deno.exit(2);
}
const { sent, failures, growth, done, lives } = await soak(
  minutes,
  console.error,
  args.several ? 3 : 1,
);
for (const [what, count] of done) console.log(`${count} x ${what}`);
for (const { name, pid, samples } of lives) {
  const [first, last] = [samples[samples.length >> 2]!, samples.at(-1)!];
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);
  console.log(
    `${name} (${pid}): ${samples.length} looks, resident ${megabytes(first.residentBytes)} -> ${
      megabytes(last.residentBytes)
    } MB, heap ${megabytes(first.heapBytes)} -> ${
      megabytes(last.heapBytes)
    } MB, descriptors ${first.descriptors} -> ${last.descriptors}, ` +
      `timers ${first.timers} -> ${last.timers}`,
  );
}
for (const line of [...failures, ...growth]) console.log(`WRONG: ${line}`);
console.log(`${sent} requests, ${failures.length === 0 ? "none" : "some"} failed`);
Deno.exit(failures.length + growth.length === 0 ? 0 : 1);
