import { assert, assertEquals } from "@std/assert";
import { CONDUCTOR_DIAL, Dial, type DialEffect, ingressDial, programDial } from "./dial.ts";
import {
  WATCH_ASK_MS,
  WATCH_ASK_PROGRAM_MS,
  WATCH_CALL_MS,
  WATCH_FIRST_MS,
  WATCH_RETRY_MAX_MS,
  WATCH_RETRY_MIN_MS,
  WATCH_SILENT_ALONE_MS,
  WATCH_SILENT_ASKED_MS,
  WATCH_SILENT_MS,
  WATCH_SILENT_PROGRAM_MS,
} from "./limits.ts";
import { createPrng } from "./prng.ts";

Deno.test("an ingress dials the next tower when a stream breaks, and none twice in a row", () => {
  const dial = new Dial(ingressDial(3), createPrng(1));
  assertEquals(dial.step({ on: "start" }, 0), [{ do: "dial", tower: 0, call: 1 }]);
  assertEquals(dial.step({ on: "opened", call: 1 }, 5), [{ do: "connected", tower: 0 }]);
  assertEquals(dial.step({ on: "closed", call: 1 }, 10), [
    { do: "lost", tower: 0, stood: true, sinceMs: 10 },
  ]);
  assertEquals(dial.step({ on: "tick" }, 10), [], "it waits first");
  assert(dial.dueMs >= 10 + WATCH_RETRY_MIN_MS / 2 && dial.dueMs <= 10 + WATCH_RETRY_MIN_MS);
  const { dueMs } = dial;
  assertEquals(dial.step({ on: "tick" }, dueMs), [{ do: "dial", tower: 1, call: 2 }]);
  // The tower before says something late, and its stream is told to be gone a second time.
  assertEquals(dial.step({ on: "closed", call: 1 }, dueMs), []);
  assert(dial.isCurrent(2) && !dial.isCurrent(1));
});

/** Lets time pass, in which the dial is woken when it asks for it; what it wants done, and when. */
function pass(dial: Dial, fromMs: number, untilMs: number): [number, DialEffect["do"]][] {
  const done: [number, DialEffect["do"]][] = [];
  for (let nowMs = Math.max(fromMs, dial.dueMs); nowMs <= untilMs;) {
    done.push(
      ...dial.step({ on: "tick" }, nowMs).map((each): [number, DialEffect["do"]] => [
        nowMs,
        each.do,
      ]),
    );
    nowMs = Math.max(nowMs + 1, dial.dueMs);
  }
  return done;
}

Deno.test("a stream that is silent, or does not come about, is left for the next tower's", () => {
  const dial = new Dial(ingressDial(2), createPrng(1));
  dial.step({ on: "start" }, 0);
  dial.step({ on: "opened", call: 1 }, 100);
  assertEquals(pass(dial, 100, 900), []);
  dial.step({ on: "heard", call: 1, alive: true }, 900);
  assertEquals(pass(dial, 900, 900 + WATCH_SILENT_MS - 1), []);
  const atMs = dial.dueMs;
  assertEquals(atMs, 900 + WATCH_SILENT_MS);
  assertEquals(dial.step({ on: "tick" }, atMs), [
    { do: "lost", tower: 0, stood: true, sinceMs: 900 },
    { do: "close", call: 1 },
  ]);
  const dialledMs = dial.dueMs;
  assertEquals(dial.step({ on: "tick" }, dialledMs), [{ do: "dial", tower: 1, call: 2 }]);
  assertEquals(pass(dial, dialledMs, dialledMs + WATCH_SILENT_MS), [
    [dialledMs + WATCH_SILENT_MS, "lost"],
    [dialledMs + WATCH_SILENT_MS, "close"],
  ]);
});

Deno.test("a single tower that stands still is dialled anew until it answers", () => {
  const dial = new Dial(ingressDial(1), createPrng(1));
  dial.step({ on: "start" }, 0);
  dial.step({ on: "opened", call: 1 }, 0);
  // Its list may be long.
  assertEquals(pass(dial, 0, WATCH_FIRST_MS - 1), []);
  dial.step({ on: "heard", call: 1, alive: false }, WATCH_FIRST_MS - 1);
  const silentMs = WATCH_FIRST_MS - 1 + WATCH_SILENT_ALONE_MS;
  const [lost, close, again] = pass(dial, WATCH_FIRST_MS, silentMs + WATCH_RETRY_MIN_MS);
  assertEquals([lost, close], [[silentMs, "lost"], [silentMs, "close"]]);
  assertEquals(again![1], "dial");
  assert(dial.isCurrent(2));
  // Nobody answers; the next call is answered, and all is as before.
  const third = pass(dial, again![0], again![0] + WATCH_CALL_MS + 2 * WATCH_RETRY_MIN_MS);
  assertEquals(third.map((each) => each[1]), ["lost", "close", "dial"]);
  const nowMs = third[2]![0] + 1;
  assertEquals(dial.step({ on: "opened", call: 3 }, nowMs), [{ do: "connected", tower: 0 }]);
});

Deno.test("a conductor asks its tower, and knows within 2 s that it stands still", () => {
  const dial = new Dial(CONDUCTOR_DIAL, createPrng(1));
  dial.step({ on: "start" }, 0);
  dial.step({ on: "opened", call: 1 }, 0);
  dial.step({ on: "heard", call: 1, alive: false }, 10);
  dial.step({ on: "heard", call: 1, alive: true }, 10);
  // For ten seconds each question is answered.
  let heardMs = 10;
  for (let asked = 0; asked < 20; asked++) {
    const nowMs = dial.dueMs;
    assertEquals(dial.step({ on: "tick" }, nowMs), [{ do: "ask" }]);
    assert(nowMs - heardMs <= WATCH_ASK_MS);
    heardMs = nowMs + 1;
    dial.step({ on: "heard", call: 1, alive: true }, heardMs);
  }
  const left = pass(dial, heardMs, heardMs + WATCH_SILENT_ASKED_MS);
  assertEquals(left.filter(([, what]) => what !== "ask"), [
    [heardMs + WATCH_SILENT_ASKED_MS, "lost"],
    [heardMs + WATCH_SILENT_ASKED_MS, "close"],
  ]);
});

Deno.test("a program asks seldom, and leaves a tower that does not answer for the next", () => {
  const dial = new Dial(programDial(2), createPrng(1));
  dial.step({ on: "start" }, 0);
  dial.step({ on: "opened", call: 1 }, 0);
  dial.step({ on: "heard", call: 1, alive: true }, 0);
  const done = pass(dial, 0, WATCH_SILENT_PROGRAM_MS + WATCH_RETRY_MIN_MS);
  assertEquals(done.filter(([, what]) => what === "ask").map(([ms]) => ms), [
    WATCH_ASK_PROGRAM_MS,
    2 * WATCH_ASK_PROGRAM_MS,
  ]);
  assertEquals(done.find(([, what]) => what === "lost")?.[0], WATCH_SILENT_PROGRAM_MS);
  assert(dial.isCurrent(2));
  assertEquals(dial.step({ on: "opened", call: 2 }, 20_000), [{ do: "connected", tower: 1 }]);
});

Deno.test("a tower of a version that never says that it is there is not asked, nor left for silence", () => {
  const dial = new Dial(CONDUCTOR_DIAL, createPrng(1));
  dial.step({ on: "start" }, 0);
  dial.step({ on: "opened", call: 1 }, 0);
  dial.step({ on: "heard", call: 1, alive: false }, 10);
  assertEquals(pass(dial, 10, 100_000), []);
  // What it says on another stream is another matter.
  dial.step({ on: "closed", call: 1 }, 100_000);
  const [dialled] = pass(dial, 100_000, 100_000 + WATCH_RETRY_MIN_MS);
  dial.step({ on: "opened", call: 2 }, dialled![0]);
  dial.step({ on: "heard", call: 2, alive: true }, dialled![0]);
  assertEquals(pass(dial, dialled![0], dialled![0] + WATCH_ASK_MS).map((each) => each[1]), ["ask"]);
});

for (
  const [who, options] of [["an ingress", ingressDial(2)], ["a conductor", CONDUCTOR_DIAL]] as const
) {
  Deno.test(`${who} that stood still itself leaves no tower for that`, () => {
    const dial = new Dial(options, createPrng(1));
    dial.step({ on: "start" }, 0);
    dial.step({ on: "opened", call: 1 }, 0);
    dial.step({ on: "heard", call: 1, alive: true }, 1);
    const isLeft = (done: readonly (readonly [number, string])[]) =>
      done.some(([, what]) => what === "lost");
    const woken = dial.step({ on: "tick" }, 5_000).map(({ do: what }) => [5_000, what] as const);
    assert(!isLeft(woken));
    // What had come meanwhile is read.
    dial.step({ on: "heard", call: 1, alive: true }, 5_001);
    assert(!isLeft(pass(dial, 5_001, 5_900)));
    // It stands still for less than a tower may be silent, with the rest of that time before and after.
    dial.step({ on: "heard", call: 1, alive: true }, 6_000);
    assert(!isLeft(pass(dial, 6_000, 6_400)));
    assert(!isLeft(pass(dial, 7_900, 8_000)));
    dial.step({ on: "heard", call: 1, alive: true }, 8_001);
    // One that does not answer now is left in time.
    const left = pass(dial, 8_001, 12_000).find(([, what]) => what === "lost");
    assertEquals(left?.[0], 8_001 + options.silentMs);
  });
}

Deno.test("waits grow to a second while nobody answers, and begin anew once somebody has", () => {
  const dial = new Dial(ingressDial(2), createPrng(7));
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
