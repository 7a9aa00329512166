import { assertEquals } from "@std/assert";
import { cronFaults } from "./cron.ts";

for (
  const cron of [
    "* * * * *",
    "0 3 * * 1",
    "*/15 0-6,22 1,15 jan-MAR mon-fri",
    "0 0 29 2 *",
    "5/10 * * * 7",
    "0  3\t* * *",
    "0 0 31 2 mon",
  ]
) {
  Deno.test(`cronFaults() takes ${cron}`, () => assertEquals(cronFaults(cron), []));
}

for (
  const [cron, code, start, length] of [
    ["* * * *", "wrong-kind", 0, 7],
    ["* * * * * *", "wrong-kind", 0, 11],
    ["@daily", "wrong-kind", 0, 6],
    ["60 * * * *", "wrong-kind", 0, 2],
    ["* 24 * * *", "wrong-kind", 2, 2],
    ["* * 0 * *", "wrong-kind", 4, 1],
    ["* * * 13 *", "wrong-kind", 6, 2],
    ["* * * * 8", "wrong-kind", 8, 1],
    ["* * * foo *", "wrong-kind", 6, 3],
    ["5-3 * * * *", "wrong-kind", 0, 3],
    ["*/0 * * * *", "wrong-kind", 0, 3],
    ["1,,2 * * * *", "wrong-kind", 0, 4],
    ["-1 * * * *", "wrong-kind", 0, 2],
    ["0 0 31 2 *", "out-of-range", 4, 4],
    ["0 0 31 4,6,9,11 *", "out-of-range", 4, 11],
  ] as const
) {
  Deno.test(`cronFaults() refuses ${cron}`, () => {
    assertEquals(
      cronFaults(cron).map((fault) => [fault.code, fault.start, fault.length]),
      [[code, start, length]],
    );
  });
}

Deno.test("cronFaults() reports every wrong field", () => {
  assertEquals(cronFaults("61 25 * * 9").map((fault) => fault.start), [0, 3, 10]);
});
