import { assert, assertEquals } from "@std/assert";
import { REPLAY_WINDOW } from "../limits.ts";
import { createPrng } from "../prng.ts";
import { ReplayWindow } from "./window.ts";

Deno.test("ReplayWindow takes each counter once, in any order within the window", () => {
  const window = new ReplayWindow();
  for (const counter of [0, 5, 3, 4, 1, 2]) {
    assert(window.isFresh(counter));
    window.mark(counter);
    assert(!window.isFresh(counter));
  }
});

Deno.test("ReplayWindow: what falls out of the window is never taken again", () => {
  const window = new ReplayWindow();
  window.mark(REPLAY_WINDOW);
  assert(window.isFresh(1));
  assert(!window.isFresh(REPLAY_WINDOW));
  window.mark(REPLAY_WINDOW + 10);
  assert(!window.isFresh(1) && !window.isFresh(10));
  assert(window.isFresh(11));
  window.mark(2 ** 45);
  assert(!window.isFresh(REPLAY_WINDOW + 11));
  assert(window.isFresh(2 ** 45 - REPLAY_WINDOW + 1));
});

Deno.test("ReplayWindow agrees with a set of all counters seen", () => {
  const prng = createPrng(31);
  const window = new ReplayWindow();
  const seen = new Set<number>();
  let highest = 0;
  let taken = 0;
  for (let step = 0; step < 100_000; step++) {
    const jump = prng.below(50) === 0 ? prng.below(5_000) : prng.below(20);
    const counter = Math.max(0, highest + jump - prng.below(3) * prng.below(REPLAY_WINDOW));
    const fresh = !seen.has(counter) && counter > highest - REPLAY_WINDOW;
    assertEquals(window.isFresh(counter), fresh, `step ${step}: ${counter} after ${highest}`);
    if (!fresh) continue;
    taken++;
    assertEquals(window.mark(counter), taken === 1 || counter > highest);
    seen.add(counter);
    highest = Math.max(highest, counter);
  }
  assert(taken > 10_000);
});
