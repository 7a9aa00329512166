import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { LineCursor, type NodeLine } from "./telemetry.ts";

function lines(replica: string, from: number, ...texts: string[]): NodeLine[] {
  return texts.map((line, at) => ({ replica, number: from + at, at: 0, line, stream: "stdout" }));
}

const textsOf = (fresh: readonly NodeLine[]) => fresh.map((each) => each.line);

Deno.test("LineCursor takes each line of one start once, however often the past is told", () => {
  const cursor = new LineCursor();
  assertEquals(textsOf(cursor.fresh("a", lines("x.1", 0, "one", "two"))), ["one", "two"]);
  assertEquals(textsOf(cursor.fresh("a", lines("x.1", 1, "two", "three"))), ["three"]);
  assertEquals(textsOf(cursor.fresh("a", lines("x.1", 3, "three"))), ["three"]);
  assertEquals(textsOf(cursor.fresh("a", lines("x.2", 0, "one"))), ["one"]);
});

Deno.test("LineCursor finds the known lines again after another start of the daemon", () => {
  const cursor = new LineCursor();
  cursor.fresh("a", lines("x.1", 10, "one", "two", "three"));
  const again = lines("x.1", 0, "cut line", "one", "two", "three", "four");
  assertEquals(textsOf(cursor.fresh("b", again)), ["four"]);
  assertEquals(textsOf(cursor.fresh("c", lines("x.1", 0, "other"))), ["other"]);
});

Deno.test("LineCursor loses nothing and repeats nothing over any restarts and reconnects", () => {
  const steps = fc.array(
    fc.oneof(
      fc.record({ kind: fc.constant("write" as const), count: fc.integer({ min: 1, max: 20 }) }),
      fc.record({ kind: fc.constant("reconnect" as const) }),
      fc.record({ kind: fc.constant("restart" as const) }),
    ),
    { maxLength: 40 },
  );
  fc.assert(fc.property(steps, (steps) => {
    const cursor = new LineCursor();
    const written: string[] = [];
    const taken: string[] = [];
    let boot = 0;
    let base = 0;
    const numbered = (from: number) =>
      lines("x.1", from - base, ...written.slice(from)).filter((line) => line.number >= 0);
    for (const step of steps) {
      const before = written.length;
      if (step.kind === "write") {
        for (let at = 0; at < step.count; at++) written.push(`line ${written.length}`);
        taken.push(...textsOf(cursor.fresh(String(boot), numbered(before))));
        continue;
      }
      if (step.kind === "restart") {
        boot++;
        base = Math.max(0, written.length - 100);
      }
      taken.push(...textsOf(cursor.fresh(String(boot), numbered(base))));
    }
    assertEquals(taken, written);
  }));
});
