import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { nextTick, ticksBetween } from "./schedule.ts";

const at = (text: string) => new Date(text).getTime();
const iso = (ms: number | null) => ms === null ? null : new Date(ms).toISOString();

function days(cron: string, timezone: string, from: string, count: number): (string | null)[] {
  return ticksBetween({ cron, timezone }, at(from), Infinity, count).map(iso);
}

Deno.test("nextTick() is after the moment, never at it, and in the zone's hours", () => {
  const daily = { cron: "30 3 * * *", timezone: "Europe/Berlin" };
  assertEquals(iso(nextTick(daily, at("2025-01-10T02:29:59Z"))), "2025-01-10T02:30:00.000Z");
  assertEquals(iso(nextTick(daily, at("2025-01-10T02:30:00Z"))), "2025-01-11T02:30:00.000Z");
  assertEquals(
    iso(nextTick({ cron: "0 0 29 2 *" }, at("2025-01-01Z"))),
    "2028-02-29T00:00:00.000Z",
  );
  assertEquals(
    iso(nextTick({ cron: "*/5 * * * *" }, at("2025-01-01T00:04:59.999Z"))),
    [
      "2025-01-01T00:05:00.000Z",
    ][0],
  );
});

Deno.test("an hour that the clock leaves out is not lost, one that comes twice fires once", () => {
  assertEquals(days("30 2 * * *", "Europe/Berlin", "2025-03-28T12:00:00Z", 3), [
    "2025-03-29T01:30:00.000Z",
    "2025-03-30T01:30:00.000Z",
    "2025-03-31T00:30:00.000Z",
  ]);
  assertEquals(days("30 2 * * *", "Europe/Berlin", "2025-10-25T12:00:00Z", 2), [
    "2025-10-26T00:30:00.000Z",
    "2025-10-27T01:30:00.000Z",
  ]);
  assertEquals(days("0 2 * * *", "America/New_York", "2025-03-08T12:00:00Z", 2), [
    "2025-03-09T07:00:00.000Z",
    "2025-03-10T06:00:00.000Z",
  ]);
});

Deno.test("a schedule for any hour follows the time that passes", () => {
  const ticks = ticksBetween(
    { cron: "0 * * * *", timezone: "Europe/Berlin" },
    at("2025-10-25T20:30:00Z"),
    at("2025-10-26T04:30:00Z"),
    100,
  );
  assertEquals(ticks.length, 8);
  assert(ticks.every((tick, index) => index === 0 || tick - ticks[index - 1]! === 3_600_000));
});

Deno.test("ticks only grow, whatever the schedule, the zone and the moment", () => {
  const field = (min: number, max: number) =>
    fc.oneof(
      fc.constant("*"),
      fc.integer({ min, max }).map(String),
      fc.integer({ min: 1, max: 20 }).map((step) => `*/${step}`),
    );
  const schedule = fc.record({
    cron: fc.tuple(field(0, 59), field(0, 23), fc.constant("*"), field(1, 12), field(0, 7))
      .map((fields) => fields.join(" ")),
    timezone: fc.constantFrom("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"),
  });
  const moment = fc.integer({ min: at("2024-01-01Z"), max: at("2027-01-01Z") });
  fc.assert(fc.property(schedule, moment, (each, from) => {
    const ticks = ticksBetween(each, from, Infinity, 5);
    assertEquals(ticks.length, 5);
    for (const [index, tick] of ticks.entries()) assert(tick > (ticks[index - 1] ?? from));
  }));
});
