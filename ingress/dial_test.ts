import { assert, assertEquals } from "@std/assert";
import { WATCH_RETRY_MAX_MS, WATCH_RETRY_MIN_MS, WATCH_SILENT_MS } from "../core/limits.ts";
import { createPrng } from "../core/prng.ts";
import { Dial } from "./dial.ts";

Deno.test("an ingress dials the next tower when a stream breaks, and none twice in a row", () => {
  const dial = new Dial(3, createPrng(1));
  assertEquals(dial.step({ on: "start" }, 0), [{ do: "dial", tower: 0, call: 1 }]);
  assertEquals(dial.step({ on: "opened", call: 1 }, 5), [{ do: "connected", tower: 0 }]);
  assertEquals(dial.step({ on: "closed", call: 1 }, 10), [{ do: "lost", tower: 0, stood: true }]);
  assertEquals(dial.step({ on: "tick" }, 10), [], "it waits first");
  assert(dial.dueMs >= 10 + WATCH_RETRY_MIN_MS / 2 && dial.dueMs <= 10 + WATCH_RETRY_MIN_MS);
  const { dueMs } = dial;
  assertEquals(dial.step({ on: "tick" }, dueMs), [{ do: "dial", tower: 1, call: 2 }]);
  // The tower before says something late, and its stream is told to be gone a second time.
  assertEquals(dial.step({ on: "closed", call: 1 }, dueMs), []);
  assert(dial.isCurrent(2) && !dial.isCurrent(1));
});

Deno.test("a stream that is silent, or does not come about, is left; a single tower's is not", () => {
  const dial = new Dial(2, createPrng(1));
  dial.step({ on: "start" }, 0);
  dial.step({ on: "opened", call: 1 }, 100);
  dial.step({ on: "heard", call: 1 }, 900);
  assertEquals(dial.dueMs, 900 + WATCH_SILENT_MS);
  assertEquals(dial.step({ on: "tick" }, dial.dueMs - 1), []);
  const atMs = dial.dueMs;
  assertEquals(dial.step({ on: "tick" }, atMs), [
    { do: "lost", tower: 0, stood: true },
    { do: "close", call: 1 },
  ]);
  const [dialled] = dial.step({ on: "tick" }, dial.dueMs);
  assertEquals(dialled, { do: "dial", tower: 1, call: 2 });
  assertEquals(dial.step({ on: "tick" }, dial.dueMs), [
    { do: "lost", tower: 1, stood: false },
    { do: "close", call: 2 },
  ]);
  const alone = new Dial(1, createPrng(1));
  alone.step({ on: "start" }, 0);
  alone.step({ on: "opened", call: 1 }, 1);
  assertEquals(alone.dueMs, Infinity);
});

Deno.test("an ingress that stood still itself leaves no tower for that", () => {
  const dial = new Dial(2, createPrng(1));
  dial.step({ on: "start" }, 0);
  dial.step({ on: "opened", call: 1 }, 0);
  assertEquals(dial.step({ on: "tick" }, 5_000), []);
  dial.step({ on: "heard", call: 1 }, 5_001);
  assertEquals(dial.step({ on: "tick" }, 5_100), []);
  // One that does not answer now is left in time.
  assertEquals(dial.step({ on: "tick" }, 12_000), []);
  assert(dial.dueMs <= 13_000, `${dial.dueMs}`);
  assertEquals(dial.step({ on: "tick" }, dial.dueMs).map((each) => each.do), ["lost", "close"]);
});

Deno.test("waits grow to a second while nobody answers, and begin anew once somebody has", () => {
  const dial = new Dial(2, createPrng(7));
  let nowMs = 0;
  dial.step({ on: "start" }, nowMs);
  const waits: number[] = [];
  for (let call = 1; call <= 12; call++) {
    dial.step({ on: "closed", call }, nowMs);
    waits.push(dial.dueMs - nowMs);
    nowMs = dial.dueMs;
    dial.step({ on: "tick" }, nowMs);
  }
  for (const [at, ms] of waits.entries()) {
    const fullMs = Math.min(WATCH_RETRY_MAX_MS, WATCH_RETRY_MIN_MS * 2 ** at);
    assert(ms >= fullMs / 2 && ms <= fullMs, `wait ${at} takes ${ms} ms`);
  }
  dial.step({ on: "opened", call: 13 }, nowMs);
  dial.step({ on: "closed", call: 13 }, nowMs);
  assert(dial.dueMs - nowMs <= WATCH_RETRY_MIN_MS);
});
