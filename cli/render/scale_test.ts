import { assertEquals } from "@std/assert";
import { scaleLines } from "./scale.ts";

Deno.test("scaleLines() tells bounds and load, or that the app sleeps", () => {
  const scale = { min: 2, max: 4, asleep: false };
  assertEquals(scaleLines(undefined), []);
  assertEquals(scaleLines(scale), ["scales from 2 to 4"]);
  assertEquals(scaleLines({ ...scale, cpuPercent: 35, requestsPerSecond: 12.5 }), [
    "scales from 2 to 4; 35 % of its cpu, 12.5 requests/s",
  ]);
  assertEquals(scaleLines({ ...scale, asleep: true, requestsPerSecond: 0 }), [
    "asleep: nobody asks for it; the next request wakes it",
  ]);
});
