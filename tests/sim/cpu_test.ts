import { assert, assertEquals } from "@std/assert";
import type { Step } from "./steps.ts";
import { MILD, simulate } from "./world.ts";

/** The numbers that an app was scaled to, and when in virtual seconds. */
function stepsOf(story: readonly string[]): { readonly count: number; readonly atS: number }[] {
  return story.flatMap((line) => {
    const parts = /^ *([0-9.]+) scale busy to (\d+): /.exec(line);
    return parts ? [{ atS: Number(parts[1]), count: Number(parts[2]) }] : [];
  });
}

const BUSY: Step = {
  atMs: 0,
  do: "up",
  app: "busy",
  replicas: 1,
  volume: false,
  behaviour: "good",
};

Deno.test("an app scales by its CPU step by step, and back, and rests under a load between", () => {
  const plan: Step[] = [
    BUSY,
    // More than 60 % of three, and less than that of four.
    { atMs: 1_000, do: "load", app: "busy", cores: 2.2 },
    // Neither too much for four, nor little enough for less.
    { atMs: 30_000, do: "load", app: "busy", cores: 2 },
    { atMs: 60_000, do: "load", app: "busy", cores: 0.1 },
    { atMs: 90_000, do: "load", app: "busy", cores: 0.1 },
  ];
  for (const seed of [1, 2, 3]) {
    const { violation, story } = simulate({ ...MILD, seed, plan });
    assertEquals(violation, null, `seed ${seed}`);
    const steps = stepsOf(story);
    const told = `seed ${seed}: ${JSON.stringify(steps)}`;
    assertEquals(steps.map(({ count }) => count), [2, 3, 4, 3, 2, 1], told);
    assert(steps[2]!.atS < 30 && steps[3]!.atS > 60, told);
  }
});

Deno.test("a conductor that dies in the middle of scaling loses no step and takes none twice", () => {
  const plan: Step[] = [
    BUSY,
    { atMs: 1_000, do: "load", app: "busy", cores: 2.2 },
    // By then it has been scaled once; the node that runs the first is gone for a while, too.
    { atMs: 6_500, do: "kill", daemon: "conductor", forMs: 4_000 },
    { atMs: 8_000, do: "kill", daemon: "node-1", forMs: 300 },
    { atMs: 45_000, do: "load", app: "busy", cores: 2.2 },
  ];
  for (const seed of [1, 2, 3]) {
    const { violation, story } = simulate({ ...MILD, seed, plan, faults: true });
    assertEquals(violation, null, `seed ${seed}`);
    const counts = stepsOf(story).map(({ count }) => count);
    assertEquals(counts, [2, 3, 4, 3, 2, 1], `seed ${seed}:\n${story.join("\n")}`);
  }
});
