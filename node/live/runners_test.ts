import { assertEquals } from "@std/assert";
import { findRunners, runnersOf } from "./runners.ts";

Deno.test("runners stand beside the node's file; those of a compiled node beside its program", () => {
  const here = findRunners();
  assertEquals([here.deno, here.ending, here.apart], [Deno.execPath(), "ts", undefined]);
  assertEquals(Deno.statSync(`${here.folder}/static.ts`).isFile, true);
  const compiled = runnersOf({
    standalone: true,
    arch: "x86_64",
    program: "/opt/skr8tr/skr8tr-node",
    url: "file:///tmp/deno-compile-skr8tr-node/node/live/runners.ts",
    here: new URL("file:///tmp/deno-compile-skr8tr-node/node/live/"),
  });
  assertEquals(compiled, {
    deno: "deno",
    folder: "/opt/skr8tr/runners",
    ending: "js",
    arch: "x86_64",
    apart: true,
  });
});
