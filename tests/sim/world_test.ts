import { assert, assertEquals } from "@std/assert";
import { simulateMany } from "./crowd.ts";
import { type Kind, repetition, worldOf } from "./kinds.ts";
import { shrink } from "./shrink.ts";
import { MILD, SEVERAL, simulate, WILD } from "./world.ts";

/** Simulates many seeds; a violation names the command that repeats it. */
async function all(kind: Kind, count: number): Promise<void> {
  // One worker: other tests run beside these, and wait for real processes.
  const briefs = await simulateMany({ kind, from: 1, count, workers: 1 });
  const failed = briefs.find(({ violation }) => violation !== null);
  assert(
    failed === undefined,
    `seed ${failed?.seed}: ${failed?.violation}; repeat: ` +
      repetition(kind, worldOf(kind, failed?.seed ?? 0)),
  );
  assertEquals(briefs.length, count);
  const checked = briefs.reduce((sum, each) => sum + each.checked, 0);
  assert(checked > 50 * count, `only ${checked} checks in ${count} worlds`);
}

Deno.test("operators work under 10 % loss, repetition and reordering: no request is lost, 500 seeds", async () => {
  await all("mild", 500);
});

Deno.test("everything fails at any moment and all comes to rest within 60 s, 1,500 seeds", async () => {
  await all("wild", 1_500);
});

Deno.test("one of three conductors leads at a time, whatever fails of them and their store, 100 seeds", async () => {
  await all("several", 100);
});

Deno.test("a seed repeats exactly", () => {
  const [one, two] = [simulate({ ...WILD, seed: 42 }), simulate({ ...WILD, seed: 42 })];
  const towers = { ...WILD, towers: 3, seed: 42 };
  assertEquals(simulate(towers), simulate(towers));
  assertEquals(one, two);
  assert(one.story.length > 20);
  const several = [simulate({ ...SEVERAL, seed: 42 }), simulate({ ...SEVERAL, seed: 42 })] as const;
  assertEquals(several[0], several[1]);
});

Deno.test("a failing world is made smaller until little is left of it", () => {
  const options = { ...MILD, seed: 5, planted: "stale-table" } as const;
  const failed = simulate(options);
  const small = shrink(options, failed);
  assert(small.violation !== null);
  assert(small.plan.length <= 3 && small.plan.length < failed.plan.length, `${small.plan.length}`);
});
