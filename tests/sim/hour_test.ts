import { assert, assertEquals } from "@std/assert";
import { NODE_DEAD_MS } from "../../core/limits.ts";
import { simulateHour } from "./hour.ts";

// Row 9 of the scoreboard: 20 % of all datagrams lost for an hour. `deno task sim --hour --nodes 200`
// is the same with a fleet as large as beats every 250 ms are meant for.
Deno.test("an hour at 20 % loss and on busy machines: nobody is called dead who lives", () => {
  const seed = 9;
  const outcome = simulateHour({
    seed,
    nodes: 8,
    minutes: 60,
    loss: 0.2,
    stallMs: 800,
    stallEveryMs: 5_000,
    losses: 6,
  });
  assertEquals(outcome.falseDeaths, [], `seed ${seed}`);
  assert(outcome.stalls > 5_000, `${outcome.stalls} stalls`);
  assert(outcome.suspected > 500, `${outcome.suspected} suspicions`);
  assert(outcome.witnessed > 20, `${outcome.witnessed} words of witnesses`);
  for (const ms of outcome.deadMs) assert(ms <= NODE_DEAD_MS + 250, `dead after ${ms} ms`);
});

Deno.test("a node paused for 5 s may be dead, and on waking it accuses nobody", () => {
  const seed = 3;
  const outcome = simulateHour({
    seed,
    nodes: 5,
    minutes: 2,
    loss: 0.2,
    stallMs: 5_000,
    stallEveryMs: 20_000,
    losses: 0,
    // Only the first node and the conductor are ever held up.
    stalled: 1,
  });
  const wrong = outcome.falseDeaths.filter((text) => !text.startsWith("node-1 "));
  assertEquals(wrong, [], `seed ${seed}`);
  assert(outcome.falseDeaths.length > 0, "node-1 was held up for long enough to be called dead");
});
