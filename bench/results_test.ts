import { assert, assertEquals } from "@std/assert";
import { keepRow, readResults, resultOf, type RowResult } from "./results.ts";
import { median, quantile } from "./statistics.ts";
import { table } from "./table.ts";

const rowOf = (samples: readonly number[], mustReach: number): RowResult => ({
  date: "2026-01-01T00:00:00.000Z",
  commit: "0",
  deno: "2",
  machine: { processor: "p", cores: 1, ramBytes: 1, system: "s", load: 0 },
  measures: "m",
  seconds: 1,
  notes: ["a note"],
  figures: [resultOf({ key: "a", label: "a", unit: "ms", mustReach }, samples)],
});

Deno.test("median() is the middle, or the mean of the two in the middle", () => {
  assertEquals([median([3, 1, 2]), median([4, 1, 3, 2]), median([7])], [2, 2.5, 7]);
  assertEquals(quantile([5, 1, 4, 2, 3], 0.99), 5);
});

Deno.test("resultOf() holds the median against the bound, or every sample where that is promised", () => {
  const figure = { key: "a", label: "a", unit: "ms", mustReach: 2 };
  assertEquals(resultOf(figure, [1, 2, 9]).reached, true);
  assertEquals(resultOf({ ...figure, every: true }, [1, 2, 9]).reached, false);
  assertEquals(resultOf({ ...figure, better: "more" }, [1, 1, 9]).reached, false);
  assertEquals(resultOf({ ...figure, better: "more", every: true }, [2, 3]).reached, true);
});

Deno.test("keepRow() replaces its own row and keeps the others", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/results.json`;
    await keepRow(path, "b", rowOf([1], 2));
    await keepRow(path, "a", rowOf([5], 2));
    await keepRow(path, "b", rowOf([3], 2));
    const { rows } = await readResults(path);
    assertEquals(Object.keys(rows), ["a", "b"]);
    assertEquals(Object.values(rows).map(({ figures }) => figures[0]!.samples), [[5], [3]]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("table() says NO where a bound is missed and shows the notes", () => {
  const text = table([["late", rowOf([3], 2)], ["good", rowOf([1], 2)]]);
  const lines = text.split("\n");
  assert(lines.some((line) => line.startsWith("late") && line.endsWith("NO")), text);
  assert(lines.some((line) => line.startsWith("good") && line.endsWith("yes")), text);
  assert(text.endsWith("late: a note\ngood: a note"), text);
});
