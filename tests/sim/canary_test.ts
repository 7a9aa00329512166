// Faults planted on purpose, one at a time: for each there is a checker that must cry. A checker
// that no fault here makes cry may be one that cannot.

import { assert } from "@std/assert";
import type { Planted } from "./daemon.ts";
import { MILD, simulate } from "./world.ts";

const CRIES: Readonly<Record<Planted, string>> = {
  "double-run": "runs twice",
  "surplus": "more may be",
  "no-drain": "into its drain",
  "replay": "a second time",
  "wrong-generation": "which does not say so",
  "unregistered": "the tower does not list it",
  "early": "which is not ready",
  "lost-entry": "does not follow in the log",
  "stale-table": "into its drain",
};

for (const [planted, cry] of Object.entries(CRIES)) {
  Deno.test(`a planted ${planted} is caught`, () => {
    for (const seed of [1, 2, 3]) {
      const { violation, story } = simulate({ ...MILD, seed, planted: planted as Planted });
      assert(
        violation?.includes(cry),
        `seed ${seed}: ${violation}\n${story.slice(-20).join("\n")}`,
      );
    }
  });
}
