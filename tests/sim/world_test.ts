import { assert, assertEquals } from "@std/assert";
import { MILD, simulate, WILD, type WorldOptions } from "./world.ts";

/** Simulates many seeds; a violation names the command that repeats it. */
function all(kind: "mild" | "wild", options: Omit<WorldOptions, "seed">, count: number): void {
  let checked = 0;
  for (let seed = 1; seed <= count; seed++) {
    const outcome = simulate({ ...options, seed });
    checked += outcome.checked;
    assert(
      outcome.violation === null,
      `seed ${seed}: ${outcome.violation}; repeat: deno task sim --${kind} --seed ${seed} --story`,
    );
  }
  assert(checked > 10 * count, `only ${checked} checks in ${count} worlds`);
}

Deno.test("three nodes converge under 10 % loss, repetition and reordering, 100 seeds", () => {
  all("mild", MILD, 100);
});

Deno.test("daemons, nodes and disks fail at any moment and all comes to rest, 100 seeds", () => {
  all("wild", WILD, 100);
});

Deno.test("a seed repeats exactly", () => {
  const [one, two] = [simulate({ ...WILD, seed: 42 }), simulate({ ...WILD, seed: 42 })];
  assertEquals(one, two);
  assert(one.story.length > 20);
});
