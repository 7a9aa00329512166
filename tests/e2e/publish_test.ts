// That the package could be published as it is: `deno task publishable`.

import { assert, assertEquals } from "@std/assert";
import { ROOT } from "./documents.ts";

Deno.test("the package can be published: documented, without slow types, without tests", async () => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "-q", "publishable"],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).output();
  const said = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("\n");
  assertEquals(code, 0, said);
  const files = [...said.matchAll(/^ +file:\/\/\S*?\/((?:[\w.-]+\/)*[\w.-]+) \(/gm)]
    .map((match) => match[0]);
  assert(files.length > 100, said);
  for (const file of ["/mod.ts", "/README.md", "/cli/testkit/main.ts"]) {
    assert(files.some((each) => each.includes(`${file} (`)), `${file} is not in the package`);
  }
  const strange = files.filter((each) => /_test\.ts|\/(tests|bench|market|\.git)\b/.test(each));
  assertEquals(strange, []);
});
