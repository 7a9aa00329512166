import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Deadlines, type Timed } from "./deadlines.ts";

interface Item extends Timed {
  readonly id: number;
}

const item = (id: number, dueMs: number): Item => ({ id, dueMs, at: 0, slot: -1 });

Deno.test("Deadlines gives out exactly what is due, whatever was renewed and removed before", () => {
  const operation = fc.oneof(
    fc.record({ k: fc.constant("add" as const), ms: fc.integer({ min: 1, max: 50 }) }),
    fc.record({ k: fc.constant("renew" as const), pick: fc.nat(), ms: fc.nat(50) }),
    fc.record({ k: fc.constant("remove" as const), pick: fc.nat() }),
    fc.record({ k: fc.constant("pass" as const), ms: fc.nat(20) }),
  );
  fc.assert(fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
    const deadlines = new Deadlines<Item>();
    const model = new Map<number, Item>();
    let nowMs = 0;
    let ids = 0;
    for (const each of operations) {
      const picked = "pick" in each
        ? [...model.values()][each.pick % (model.size || 1)]
        : undefined;
      if (each.k === "add") {
        const added = item(++ids, nowMs + each.ms);
        model.set(added.id, added);
        deadlines.add(added);
      } else if (each.k === "renew" && picked) picked.dueMs += each.ms;
      else if (each.k === "remove" && picked) {
        model.delete(picked.id);
        deadlines.remove(picked);
      } else if (each.k === "pass") nowMs += each.ms;
      const taken: number[] = [];
      for (let due = deadlines.takeDue(nowMs); due !== null; due = deadlines.takeDue(nowMs)) {
        taken.push(due.id);
      }
      const expected = [...model.values()].filter((known) => known.dueMs <= nowMs);
      assertEquals(taken.sort(), expected.map((known) => known.id).sort());
      for (const { id } of expected) model.delete(id);
      assertEquals(deadlines.size, model.size);
      assert([...model.values()].every((known) => deadlines.nextMs <= known.dueMs));
    }
  }));
});

Deno.test("Deadlines.remove() twice changes nothing", () => {
  const deadlines = new Deadlines<Item>();
  const [one, two] = [item(1, 10), item(2, 20)];
  deadlines.add(one);
  deadlines.add(two);
  deadlines.remove(one);
  deadlines.remove(one);
  assertEquals([deadlines.size, deadlines.nextMs], [1, 20]);
});
