import { assert, assertEquals } from "@std/assert";
import type { Step } from "./steps.ts";
import { MILD, simulate } from "./world.ts";

/** Lines of a story with this in them: when, in virtual seconds. */
function timesOf(story: readonly string[], pattern: RegExp): number[] {
  return story.filter((line) => pattern.test(line)).map((line) =>
    Number(line.trim().split(" ")[0])
  );
}

for (const conductors of [1, 3]) {
  Deno.test(`with none of ${conductors} conductors a request wakes an app that sleeps: its node does it`, () => {
    const names = ["conductor", "conductor-2", "conductor-3"].slice(0, conductors);
    const plan: Step[] = [
      { atMs: 0, do: "up", app: "nap", replicas: 1, volume: false, behaviour: "good" },
      ...names.map((daemon): Step => ({ atMs: 9_000, do: "kill", daemon, forMs: 15_000 })),
      { atMs: 12_000, do: "ask", app: "nap", forMs: 8_000 },
      // What they ask for when one leads again stays awake, too.
      { atMs: 24_500, do: "ask", app: "nap", forMs: 3_000 },
    ];
    for (const seed of [1, 2, 3]) {
      const { violation, story } = simulate({ ...MILD, seed, conductors, faults: true, plan });
      const told = `seed ${seed}: ${violation}\n${story.join("\n")}`;
      assertEquals(violation, null, told);
      const [sleptS = NaN] = timesOf(story, /scale nap to none/);
      assert(sleptS < 9, `it sleeps before they go: ${told}`);
      const [wokenS = NaN, ...more] = timesOf(story, /starts nap\.w/);
      assert(wokenS > 12 && wokenS < 20, told);
      assertEquals(more, [], `one stands in: ${told}`);
      // Then a conductor places one of its own, and only then the other goes.
      const [placedS = NaN] = timesOf(story, /starts nap\.2 /);
      const [relievedS = NaN] = timesOf(story, /sends SIGTERM to nap\.w/);
      assert(placedS > 24 && placedS < relievedS, told);
    }
  });
}
