import { assertEquals } from "@std/assert";
import { Recent } from "./recent.ts";

const look = (...all: [string, number][]) =>
  all.map(([key, load]) => [key, { load }] as [string, { load: number }]);

Deno.test("Recent tells the past of each thing, with gaps where nothing was known", () => {
  const recent = new Recent(["load"], 4, 10);
  recent.add(10, look(["a", 1]));
  recent.add(20, look(["b", 1 / 3]));
  recent.add(30, look(["a", 3]));
  assertEquals(recent.times(), [10, 20, 30]);
  assertEquals(recent.of("a").load, [1, null, 3]);
  assertEquals(recent.of("b").load, [null, 0.3333, null]);
  assertEquals(recent.of("never").load, [null, null, null]);
});

Deno.test("Recent tells the last looks, or every so-manyth of them with the newest", () => {
  const recent = new Recent(["load"], 8, 10);
  assertEquals([recent.times(4, 2), recent.of("a").load], [[], []]);
  for (let at = 0; at < 21; at++) recent.add(at, look(["a", at]));
  assertEquals(recent.times(3), [18, 19, 20]);
  assertEquals(recent.times(6, 2), [16, 18, 20]);
  assertEquals(recent.of("a", 6, 2).load, [16, 18, 20]);
  assertEquals(recent.times(5, 2), [16, 18, 20]);
  assertEquals(recent.times(100, 3), [14, 17, 20]);
});

Deno.test("Recent forgets what is over, and of too much what was told of least lately", () => {
  const recent = new Recent(["load"], 3, 2);
  recent.add(0, look(["gone", 1], ["a", 1]));
  recent.add(1, look(["a", 2]));
  recent.add(2, look(["a", 3]));
  assertEquals([...recent.keys()], ["gone", "a"]);
  recent.add(3, look(["a", 4]));
  assertEquals([...recent.keys()], ["a"]);
  recent.add(4, look(["b", 1]));
  recent.add(5, look(["c", 1]));
  assertEquals([...recent.keys()], ["b", "c"]);
});
