// Type-checks every pure file with `lib: ["esnext"]`, where Deno, fetch, timers, crypto and the
// console do not exist: a pure file that reaches for the world does not compile.
// Run by `deno task check`.

import { moduleFaults } from "./modules.ts";
import { isPure, PURE_FOLDERS } from "./pure_files.ts";

async function* files(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* files(path);
    else if (isPure(path)) yield path;
  }
}

const root = new URL("../../", import.meta.url);
Deno.chdir(root);
const config = JSON.parse(await Deno.readTextFile("deno.json"));
const pure: string[] = [];
for (const folder of PURE_FOLDERS) pure.push(...await Array.fromAsync(files(folder)));

const file = await Deno.makeTempFile({ dir: "tests/purity", prefix: ".pure-", suffix: ".json" });
try {
  const imports = Object.fromEntries(
    Object.entries(config.imports as Record<string, string>).map(([name, target]) => [
      name,
      target.startsWith("./") ? `../../${target.slice(2)}` : target,
    ]),
  );
  const compilerOptions = { ...config.compilerOptions, lib: ["esnext"] };
  delete compilerOptions.types;
  await Deno.writeTextFile(file, JSON.stringify({ imports, compilerOptions, lock: false }));
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["check", "--quiet", "--config", file, ...pure.sort()],
  }).spawn().status;
  if (code !== 0) {
    console.error(
      "\nA pure file reached for the outside world (see docs/ARCHITECTURE.md, the one rule).",
    );
    Deno.exit(1);
  }
  console.log(`purity: ${pure.length} pure files see nothing of the outside world`);
} finally {
  await Deno.remove(file);
}

const faults = await moduleFaults();
if (faults.length > 0) {
  console.error(`${faults.join("\n")}\n\nThe market's modules are not kept apart.`);
  Deno.exit(1);
}
console.log("purity: the market's modules know each other by their interfaces only");
