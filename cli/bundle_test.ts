import { assertEquals, assertStringIncludes } from "@std/assert";
import { environmentOf } from "../core/permissions.ts";
import { wrapperOf } from "./bundle.ts";
import { BINARIES } from "./compile.ts";

Deno.test("wrapperOf() sets the environment that a program is to have, and no other's", () => {
  for (const binary of BINARIES) {
    const exported = wrapperOf(binary).split("\n").filter((line) => line.startsWith("export "));
    const wanted = Object.entries(environmentOf(binary));
    assertEquals(exported, wanted.map(([name, value]) => `export ${name}=${value}`), binary);
  }
  assertStringIncludes(wrapperOf("tower"), "\nexport MALLOC_ARENA_MAX=1\n");
});
