import { assertEquals, assertThrows } from "@std/assert";
import { play } from "./scenario.ts";
import { scenarioNames, SCENARIOS } from "./scenario_files.ts";

for (const name of scenarioNames()) {
  Deno.test(`the story of ${name} comes out as written (deno task scenarios --update)`, () => {
    const golden = Deno.readTextFileSync(new URL(name, SCENARIOS));
    assertEquals(play(golden), golden);
  });
}

Deno.test("a scenario says which line it does not understand", () => {
  assertThrows(
    () => play("# hm\n> explode node-1\n"),
    Error,
    "line 2: > explode node-1: there is no",
  );
  assertThrows(() => play("> advance soon\n"), Error, "soon is no duration");
  assertThrows(() => play("> kill node-9\n"), Error, "there is no node-9");
});
