import { assert, assertEquals } from "@std/assert";
import { growthPlot, linesOf } from "./growth_plot.ts";
import { readResults } from "./results.ts";

const ROOT = new URL("../", import.meta.url);
const { rows } = await readResults(new URL("bench/results.json", ROOT).pathname);

Deno.test("docs/growth.svg is the plot of the figures that were last kept (deno task bench growth)", async () => {
  const drawn = await Deno.readTextFile(new URL("docs/growth.svg", ROOT));
  assert(rows.growth, "bench/results.json has no row growth");
  assertEquals(drawn, growthPlot(rows.growth));
});

Deno.test("growthPlot() has a line for each cost, with a point for each size", () => {
  const figure = { unit: "ms", runs: 1, min: 1, max: 1, samples: [1] };
  const figures = [10, 100, 1_000].flatMap((nodes) => [
    { ...figure, key: `list-${nodes}`, label: `list, ${nodes} nodes`, median: nodes / 5 },
    { ...figure, key: `memory-${nodes}`, label: `heap, ${nodes} nodes`, unit: "MB", median: 7 },
  ]);
  const lines = linesOf({
    figures: [...figures, { ...figure, key: "list-growth", label: "", median: 1 }],
  });
  assertEquals(lines.map(({ label, unit }) => [label, unit]), [["list", "ms"], ["heap", "MB"]]);
  assertEquals(lines[0]!.points.map(({ cost }) => cost), [2, 20, 200]);
  const svg = growthPlot({ figures });
  assertEquals(svg.match(/<circle/g)?.length, 6);
  assert(!/NaN|Infinity|undefined/.test(svg));
  assert(svg.includes("prefers-color-scheme:dark"));
});
