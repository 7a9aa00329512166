import { assertEquals, assertMatch } from "@std/assert";
import { growthOf, type Held, type Life } from "./growth.ts";

function life(values: (at: number) => Partial<Held>, count = 40): Life {
  const samples = Array.from({ length: count }, (_, at): Held => ({
    atMs: at,
    residentBytes: 60e6,
    heapBytes: 10e6,
    descriptors: 40,
    timers: 10,
    ...values(at),
  }));
  return { name: "tower", pid: 7, samples };
}

Deno.test("growthOf() says what grows, not what wavers or warms up", () => {
  assertEquals(growthOf(life(() => ({}))), []);
  assertEquals(growthOf(life((at) => ({ residentBytes: at < 8 ? 20e6 : 60e6 }))), []);
  assertEquals(growthOf(life((at) => ({ descriptors: 40 + at % 15 }))), []);
  assertEquals(growthOf(life((at) => ({ timers: at }), 6)), [], "too short to tell");
  assertMatch(growthOf(life((at) => ({ timers: 10 + at })))[0]!, /^tower \(7\): timers grew from /);
  assertMatch(growthOf(life((at) => ({ descriptors: 40 + 2 * at })))[0]!, /descriptors grew/);
  assertMatch(growthOf(life((at) => ({ residentBytes: 60e6 + 5e6 * at })))[0]!, /residentBytes/);
  assertMatch(growthOf(life((at) => ({ heapBytes: 10e6 + 0.5e6 * at })))[0]!, /heapBytes grew/);
});
