// Faults planted on purpose, one at a time: for each there is a checker that must cry. A checker
// that no fault here makes cry may be one that cannot.

import { assert } from "@std/assert";
import type { Planted } from "./daemon.ts";
import type { Deed, Step } from "./steps.ts";
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
  "barred": "after its DRAIN",
  "overscale": "is the most",
  "tick-twice": "takes a tick of tick again",
  "tick-lost": "passes over 1 ticks of tick",
  "run-twice": "starts run 1 of once a second time",
  "no-roles": "executes ann's STOP, which she may not say",
  "no-share": "gave the canary of shy",
  "asleep": "it was not ready in 30000 ms",
  "any-leader": "has begun",
  "one-tower": "and the tower-2 does not list it",
  "drained-by-one": "into its drain",
  "fickle": ", and they used ",
  "unsteady": "while its rollout is",
  "unverified": "from bytes that nobody signed",
  "unprepared": "whose artifact no node has",
  "trusting": "does not notice the absence of tower",
  "set-back": "and the tower does not list it",
};

const up = (app: string, cargo?: number): Deed & { readonly do: "up" } => ({
  do: "up",
  app,
  replicas: 1,
  volume: false,
  behaviour: "good",
  ...(cargo === undefined ? {} : { cargo }),
});

/** What must happen for a fault to show, where not every world has it. */
const PLANS: Readonly<Partial<Record<Planted, readonly Step[]>>> = {
  "barred": [
    { atMs: 0, ...up("web") },
    { atMs: 1_000, do: "node", verb: "DRAIN", node: "node-1" },
    { atMs: 3_000, ...up("late") },
  ],
  "overscale": [
    { atMs: 0, ...up("nap") },
    { atMs: 100, do: "ask", app: "nap", forMs: 6_000 },
    { atMs: 9_000, ...up("late") },
  ],
  "fickle": [
    { atMs: 0, ...up("busy") },
    { atMs: 100, do: "load", app: "busy", cores: 0.4 },
    { atMs: 14_000, ...up("late") },
  ],
  "unsteady": [{ atMs: 0, ...up("busy") }, { atMs: 4_000, ...up("busy") }, {
    atMs: 9_000,
    ...up("late"),
  }],
  "trusting": [
    { atMs: 0, ...up("web") },
    { atMs: 3_000, do: "pause", daemon: "tower", forMs: 5_000 },
    { atMs: 9_000, ...up("late") },
  ],
  // The first that the tower hears of the new start is that a program has ended.
  "set-back": [
    { atMs: 0, ...up("web"), replicas: 3 },
    { atMs: 13_000, do: "clock", host: "node-1", skewMs: -288_000, forMs: 15_000 },
    { atMs: 13_100, do: "kill", daemon: "node-1", forMs: 300 },
    { atMs: 13_200, do: "crash", nth: 0 },
    { atMs: 20_000, ...up("late") },
  ],
  "tick-twice": [{ atMs: 0, ...up("tick") }, { atMs: 22_000, ...up("late") }],
  "tick-lost": [{ atMs: 0, ...up("tick") }, { atMs: 22_000, ...up("late") }],
  "run-twice": [{ atMs: 0, ...up("once") }],
  "no-share": [{ atMs: 0, ...up("shy") }, { atMs: 3_000, ...up("shy") }, {
    atMs: 9_000,
    ...up("late"),
  }],
  // Whoever leads is frozen in the middle of an order, and another leads when it wakes.
  "any-leader": [
    { atMs: 0, ...up("web") },
    ...["conductor", "conductor-2", "conductor-3"].map((daemon): Step => ({
      atMs: 3_000,
      do: "freeze-at-order",
      daemon,
      forMs: 6_000,
    })),
    { atMs: 3_100, ...up("late") },
    { atMs: 10_000, ...up("late") },
  ],
  "no-roles": [{ atMs: 0, ...up("web") }, { atMs: 2_000, do: "ann", verb: "STOP", app: "web" }, {
    atMs: 4_000,
    ...up("late"),
  }],
  // What lies in the caches is changed, and all programs die.
  "unverified": [
    { atMs: 0, ...up("crate", 1) },
    ...["node-1", "node-2", "node-3"].map((node): Step => ({
      atMs: 5_000,
      do: "spoil",
      node,
      nth: 2,
    })),
    ...[0, 0, 0, 0].map((nth): Step => ({ atMs: 6_000, do: "crash", nth })),
    { atMs: 9_000, ...up("late") },
  ],
  // No node has room for the second one.
  "unprepared": [
    { atMs: 0, ...up("barge", 1) },
    ...["node-1", "node-2", "node-3"].map((daemon): Step => ({
      atMs: 5_000,
      do: "disk-full",
      daemon,
      forMs: 6_000,
    })),
    { atMs: 5_500, ...up("barge", 2) },
    { atMs: 14_000, ...up("late") },
  ],
  "asleep": [
    { atMs: 0, ...up("nap") },
    { atMs: 8_000, do: "ask", app: "nap", forMs: 500 },
    { atMs: 10_000, ...up("late") },
  ],
};

Deno.test("the plan of trusting goes well where a tower is asked", () => {
  const plan = PLANS.trusting!;
  const { violation } = simulate({ ...MILD, seed: 1, faults: true, plan });
  assert(violation === null, `${violation}`);
});

/** Nothing is lost, so time is short for what a tower is to list; and nothing overtakes. */
const CALM = { ...MILD, weather: { loss: 0, repeat: 0, delayMs: 0 } };

Deno.test("the plan of set-back goes well where a start is later than the one before", () => {
  const plan = PLANS["set-back"]!;
  for (const seed of [1, 2, 3]) {
    const { violation } = simulate({ ...CALM, seed, faults: true, plan });
    assert(violation === null, `${violation}`);
  }
});

Deno.test("the plan of any-leader goes well where nodes judge their orders", () => {
  const plan = PLANS["any-leader"]!;
  const { violation, story } = simulate({ ...MILD, seed: 1, conductors: 3, faults: true, plan });
  assert(violation === null, `${violation}`);
  assert(story.some((line) => line.includes("is frozen in the middle of an order")));
});

for (const [planted, cry] of Object.entries(CRIES)) {
  Deno.test(`a planted ${planted} is caught`, () => {
    for (const seed of [1, 2, 3]) {
      const plan = PLANS[planted as Planted];
      const { violation, story } = simulate({
        ...(planted === "set-back" ? CALM : MILD),
        seed,
        ...(planted === "any-leader" ? { conductors: 3 } : {}),
        ...(planted === "one-tower" || planted === "drained-by-one" ? { towers: 2 } : {}),
        planted: planted as Planted,
        ...(plan ? { plan } : {}),
      });
      assert(
        violation?.includes(cry),
        `seed ${seed}: ${violation}\n${story.slice(-20).join("\n")}`,
      );
    }
  });
}
