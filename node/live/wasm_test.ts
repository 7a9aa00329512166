// Modules of WASI preview 1, made here of C.

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { until } from "./fake_cluster.ts";
import { findRunners } from "./runners.ts";
import { bench, logOf, refusalOf } from "./testing.ts";

const SOURCE = String.raw`
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void attempt(const char *path, const char *mode) {
  FILE *file = fopen(path, mode);
  if (!file) { printf("%s %s no\n", mode, path); return; }
  if (*mode == 'r') { char line[64]; if (fgets(line, 64, file)) printf("read %s\n", line); }
  else fputs("written", file);
  printf("%s %s yes\n", mode, path);
  fclose(file);
}
int main(int count, char **words) {
  if (count > 1 && !strcmp(words[1], "trap")) __builtin_trap();
  if (count > 1 && !strcmp(words[1], "exit")) return atoi(words[2]);
  printf("hello %s\n", getenv("WHO") ? getenv("WHO") : "nobody");
  for (int at = 1; at + 1 < count; at += 2) attempt(words[at + 1], words[at]);
  return 0;
}
`;

/** Compiles the module, or says why it cannot. */
async function compile(folder: string): Promise<string | null> {
  await Deno.writeTextFile(`${folder}/module.c`, SOURCE);
  try {
    const { code, stderr } = await new Deno.Command("clang", {
      args: ["--target=wasm32-wasi", "--sysroot=/usr", "-O1", "-o", "module.wasm", "module.c"],
      cwd: folder,
      stdout: "null",
      stderr: "piped",
    }).output();
    return code === 0 ? null : new TextDecoder().decode(stderr).trim().split("\n")[0]!;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "clang is not installed";
    throw error;
  }
}

Deno.test("a module runs with its words and environment, and ends with its code", async () => {
  await using all = await bench({ runners: findRunners() });
  const fault = await compile(all.folder);
  if (fault !== null) return console.log(`not run: ${fault}`);
  const app = (words: string) =>
    `  type wasm\n  exec ${all.folder}/module.wasm\n  args ${words}\n  restart never\n` +
    "  env {\n    WHO you\n  }";
  all.run(app(`r ${all.folder}/module.c`));
  const good = await all.cluster.state("web-1", "finished");
  assertEquals([good.exit?.code, good.exit?.tail], [0, `hello you\nr ${all.folder}/module.c no`]);
  all.run(app("exit 7"), "web-2");
  assertEquals((await all.cluster.state("web-2", "finished")).exit?.code, 7);
  all.run(app("trap"), "web-3");
  const trapped = await all.cluster.state("web-3", "finished");
  assertEquals(
    [trapped.exit?.signal, trapped.exit?.tail],
    ["SIGABRT", "the module trapped: unreachable"],
  );
});

Deno.test("a module's folders are those of its sandbox, as they are granted", async () => {
  await using all = await bench({ runners: findRunners() });
  const fault = await compile(all.folder);
  if (fault !== null) return console.log(`not run: ${fault}`);
  for (const name of ["in", "out"]) {
    Deno.mkdirSync(`${all.folder}/${name}`);
    Deno.writeTextFileSync(`${all.folder}/${name}/file`, name);
  }
  Deno.symlinkSync(`${all.folder}/module.c`, `${all.folder}/in/link`);
  const tries = [
    ["r", "in/file"],
    ["w", "in/file"],
    ["w", "in/new"],
    ["r", "in/link"],
    ["r", "in/../module.c"],
    ["w", "out/new"],
    ["r", "module.c"],
  ].map(([mode, path]) => `${mode} ${all.folder}/${path}`);
  all.run(
    `  type wasm\n  exec ${all.folder}/module.wasm\n  args ${tries.join(" ")}\n  restart never\n` +
      `  sandbox {\n    read ${all.folder}/in\n    write ${all.folder}/out\n  }`,
  );
  await all.cluster.state("web-1", "finished");
  const lines = await logOf(all, "web-1", (each) => each.length >= tries.length + 2);
  assertEquals(lines.map((line) => line.replaceAll(`${all.folder}/`, "")), [
    "hello nobody",
    "read in",
    "r in/file yes",
    "w in/file no",
    "w in/new no",
    "r in/link no",
    "r in/../module.c no",
    "w out/new yes",
    "r module.c no",
  ]);
  assertEquals(Deno.readTextFileSync(`${all.folder}/in/file`), "in");
  assertEquals(Deno.readTextFileSync(`${all.folder}/out/new`), "written");
});

Deno.test("what is no module, and what a module cannot be, is told", async () => {
  await using all = await bench({ runners: findRunners() });
  Deno.writeTextFileSync(`${all.folder}/text.wasm`, "text");
  all.run("  type wasm\n  exec text.wasm\n  restart never");
  const text = await all.cluster.state("web-1", "finished");
  assertEquals(text.exit?.code, 126);
  assertStringIncludes(text.exit?.tail ?? "", "text.wasm is no WebAssembly module");
  all.run("  type wasm\n  exec none.wasm\n  restart never", "web-2");
  const none = await until("told", () => {
    const status = all.cluster.statuses.get("web-2");
    return status?.exit ? status : null;
  });
  assertMatch(none.exit?.tail ?? "", /its module .*\/none\.wasm does not exist on this node/);
  all.run("  type wasm\n  exec text.wasm\n  port 31540", "web-3");
  assertMatch(await refusalOf(all, "web-3"), /cannot listen/);
});
