import { assertEquals } from "@std/assert";
import { BACKOFF_MAX_MS, BACKOFF_RESET_MS } from "../core/limits.ts";
import { nextRestart, NO_RESTARTS, shouldRestart } from "./restart.ts";

Deno.test("nextRestart() starts again at once, then after 100 ms doubling to 30 s", () => {
  let restarts = NO_RESTARTS;
  const waits: number[] = [];
  for (let round = 0; round < 12; round++) {
    const next = nextRestart(restarts, 0);
    waits.push(next.waitMs);
    restarts = next.restarts;
  }
  assertEquals(waits.slice(0, 6), [0, 100, 200, 400, 800, 1_600]);
  assertEquals(waits.at(-1), BACKOFF_MAX_MS);
  assertEquals(restarts.count, 12);
});

Deno.test("nextRestart() forgets the backoff after a minute of health, and not before", () => {
  const tired = { count: 9, streak: 9 };
  assertEquals(nextRestart(tired, BACKOFF_RESET_MS - 1).waitMs > 0, true);
  assertEquals(nextRestart(tired, BACKOFF_RESET_MS), {
    waitMs: 0,
    restarts: { count: 10, streak: 1 },
  });
});

Deno.test("shouldRestart() knows the policies", () => {
  const ends = {
    clean: { code: 0, why: "exit" },
    failed: { code: 1, why: "exit" },
    signalled: { why: "exit" },
    lost: { why: "lost" },
    unhealthy: { code: 0, why: "unhealthy" },
    launch: { why: "launch" },
  };
  const table = Object.values(ends).map((end) =>
    (["always", "on-failure", "never"] as const).map((policy) => shouldRestart(policy, end))
  );
  assertEquals(table, [
    [true, false, false],
    [true, true, false],
    [true, true, false],
    [true, true, false],
    [true, true, false],
    [true, true, false],
  ]);
});
