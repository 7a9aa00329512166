import { assertEquals } from "@std/assert";
import { Again } from "./again.ts";

Deno.test("Again waits twice as long after each failure in a row, up to its most, and not after a success", () => {
  const again = new Again(1_000, 8_000);
  assertEquals(again.may("node", 0), true);
  const waits: number[] = [];
  let nowMs = 0;
  for (let failure = 0; failure < 5; failure++) {
    again.failed("node", nowMs);
    const beganMs = nowMs;
    while (!again.may("node", nowMs)) nowMs += 500;
    waits.push(nowMs - beganMs);
  }
  assertEquals(waits, [1_000, 2_000, 4_000, 8_000, 8_000]);
  assertEquals(again.may("other", nowMs), true);
  again.worked("node");
  again.failed("node", nowMs);
  assertEquals([again.may("node", nowMs + 999), again.may("node", nowMs + 1_000)], [false, true]);
});
