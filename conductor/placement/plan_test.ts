import { assertEquals } from "@std/assert";
import { type Decision, mergeDecisions } from "./plan.ts";

Deno.test("mergeDecisions() keeps each operation's reason at its operation's place", () => {
  const decision = (app: string, places: number, leaves: number, gone: number): Decision => {
    const ids = (verb: string, count: number) =>
      Array.from({ length: count }, (_, at) => `${app}.${verb}${at}`);
    const place = ids("place", places).map((replica, index) => ({
      replica,
      app,
      generation: 1,
      sequence: 1,
      index,
      node: "n",
    }));
    const [leave, lost] = [ids("leave", leaves), ids("gone", gone)];
    const reasons = [...place.map(({ replica }) => replica), ...leave, ...lost];
    return { kind: "decision", place, leave, gone: lost, reasons };
  };
  const merged = mergeDecisions([
    decision("a", 2, 1, 2),
    decision("b", 1, 0, 1),
    decision("c", 0, 2, 0),
  ]);
  assertEquals(merged.reasons, [
    ...merged.place.map(({ replica }) => replica),
    ...merged.leave,
    ...merged.gone,
  ]);
  assertEquals(merged.reasons.length, 9);
});
