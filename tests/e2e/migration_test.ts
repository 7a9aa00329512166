// docs/MIGRATION.md: its manifests are right, and what its tables name exists.

import { assert, assertEquals } from "@std/assert";
import { COMMANDS } from "../../cli/table.ts";
import { allKeys } from "../../core/manifest/explain.ts";
import { parseManifest } from "../../core/manifest/parse.ts";
import { blocksOf, ROOT } from "./documents.ts";

const page = await Deno.readTextFile(`${ROOT}/docs/MIGRATION.md`);

Deno.test("the manifests of MIGRATION.md have no errors", () => {
  const manifests = blocksOf(page).filter(({ info }) => info.endsWith(".skr8tr"));
  assert(manifests.length >= 3);
  for (const { info, text } of manifests) {
    const parsed = parseManifest(text, info);
    assertEquals(parsed.ok ? [] : parsed.errors, []);
  }
});

Deno.test("MIGRATION.md names only commands and keys that exist", () => {
  const commands = new Set(COMMANDS.map(({ name }) => name));
  for (const [, name] of page.matchAll(/`skr8tr ([a-z]+)/g)) {
    assert(commands.has(name!), `there is no command ${name}`);
  }
  const keys = new Set(allKeys().flatMap(({ path, aliases }) => [path, ...aliases]));
  for (const [, block, inner] of page.matchAll(/`([a-z]+) \{ ([^}`]+?) \}`/g)) {
    for (const part of inner!.split(";")) {
      const name = part.trim().split(" ")[0]!;
      assert(keys.has(`${block}.${name}`), `there is no key ${block}.${name}`);
    }
  }
});
