import { assertEquals } from "@std/assert";
import { shownUnit } from "./metric_unit.ts";

Deno.test("shownUnit() shows memory in MiB, times in ms and counts bare, a second as well", () => {
  const shown = (unit?: string) => {
    const { unit: after, factor } = shownUnit(unit);
    return [after, factor];
  };
  assertEquals(shown("By"), ["MiB", 1 / 1_048_576]);
  assertEquals(shown("By/s"), ["MiB/s", 1 / 1_048_576]);
  assertEquals(shown("s"), ["ms", 1_000]);
  assertEquals(shown("{job}"), ["", 1]);
  assertEquals(shown("{request}/s"), ["/s", 1]);
  assertEquals(shown("1"), ["", 1]);
  assertEquals(shown("/s"), ["/s", 1]);
  assertEquals(shown(undefined), ["", 1]);
  assertEquals(shown("Cel"), ["Cel", 1]);
});
