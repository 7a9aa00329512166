import { assertEquals } from "@std/assert";
import { day } from "./day.ts";

Deno.test("day() shows the day in UTC", () => {
  assertEquals(day("2026-01-17T00:30:00Z"), "Jan 17, 2026");
  assertEquals(day("2026-01-16T23:59:59.999Z"), "Jan 16, 2026");
});
