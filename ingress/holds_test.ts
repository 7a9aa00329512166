import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Holds } from "./holds.ts";

const BOUNDS = { requests: 5, appRequests: 3, bytes: 100 };

Deno.test("Holds.add() holds within its bounds: requests, those of one app, bytes", () => {
  const holds = new Holds<number>(BOUNDS);
  assertEquals([1, 2, 3, 4].map((each) => holds.add("a", each, 1)), [true, true, true, false]);
  assertEquals(holds.add("b", 5, 98), false);
  assertEquals(holds.add("b", 5, 97), true);
  holds.remove("b", 5);
  holds.remove("b", 5);
  holds.remove("c", 9);
  assertEquals([6, 7, 8].map((each) => holds.add("b", each, 1)), [true, true, false]);
  assertEquals([...holds.apps()], [["a", 3], ["b", 2]]);
});

Deno.test("Holds.take() gives back all of an app, in their order, and makes room", () => {
  const holds = new Holds<number>(BOUNDS);
  for (const each of [3, 1, 2]) holds.add("a", each, 33);
  holds.remove("a", 1);
  assertEquals(holds.take("a"), [3, 2]);
  assertEquals(holds.take("a"), []);
  assertEquals(holds.size, 0);
  assertEquals(holds.add("b", 1, 100), true);
});

Deno.test("Holds never holds more than it may, and forgets nothing", () => {
  const change = fc.record({ app: fc.constantFrom("a", "b", "c"), id: fc.nat(9), what: fc.nat(9) });
  fc.assert(fc.property(fc.array(change, { maxLength: 100 }), (changes) => {
    const holds = new Holds<number>(BOUNDS);
    const model = new Map<string, Map<number, number>>();
    const all = () => [...model.values()].flatMap((held) => [...held.values()]);
    for (const { app, id, what } of changes) {
      const own = model.get(app) ?? new Map<number, number>();
      model.set(app, own);
      if (what === 0) {
        assertEquals(holds.take(app), [...own.keys()]);
        own.clear();
      } else if (what < 3) {
        holds.remove(app, id);
        own.delete(id);
      } else if (!own.has(id)) {
        const bytes = what * 4;
        const room = all().length < 5 && own.size < 3 &&
          all().reduce((sum, each) => sum + each, 0) + bytes <= 100;
        assertEquals(holds.add(app, id, bytes), room);
        if (room) own.set(id, bytes);
      }
      assertEquals(holds.size, all().length);
    }
  }));
});
