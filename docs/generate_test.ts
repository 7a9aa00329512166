import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  figuresIn,
  generatedPages,
  readmeWithFigures,
  withFigures,
  withShapes,
} from "./generate.ts";
import { shapePlot } from "./shapes.ts";

const ROOT = decodeURIComponent(new URL("../", import.meta.url).pathname).replace(/\/$/, "");

Deno.test("the generated documents are up to date (deno task docs)", async () => {
  for (const { path, text } of await generatedPages()) {
    assertEquals(await Deno.readTextFile(`${ROOT}/${path}`), text, `${path}: run deno task docs`);
  }
});

Deno.test("README quotes the figures of bench/results.json (deno task docs --figures)", async () => {
  const readme = await Deno.readTextFile(`${ROOT}/README.md`);
  const quoted = figuresIn(readme);
  assert(quoted, "README.md has lost its marks for the figures");
  if (quoted.includes("Not filled yet.")) return assertEquals(/\d/.test(quoted), false);
  assertEquals(readme, await readmeWithFigures());
});

Deno.test("withFigures() puts the measured figures between the marks, and nothing else", () => {
  const readme = "# x\n\n<!-- figures -->\n\nold\n\n<!-- /figures -->\n\nrest\n";
  const figure = {
    ...{ key: "ms", label: "to ready", unit: "ms", mustReach: 150, goal: 50 },
    ...{ runs: 3, median: 41.26, min: 30, max: 1234.5, reached: true, samples: [] },
  };
  const machine = { processor: "Z80", cores: 2, ramBytes: 1, system: "linux", load: 0 };
  const row = {
    ...{ date: "", commit: "", deno: "2.9.6", machine, measures: "", seconds: 1, notes: [] },
    figures: [figure],
  };
  const filled = withFigures(readme, { rows: { crash: row } });
  assertStringIncludes(filled, "| crash | to ready | 41.3 ms (30.0 to 1,235) | 150 ms | yes |");
  assertStringIncludes(filled, "Measured on Z80, 2 cores, Deno 2.9.6.");
  assert(!filled.includes("old"));
  assert(filled.startsWith("# x\n\n<!-- figures -->\n"));
  assert(filled.endsWith("<!-- /figures -->\n\nrest\n"));
  assertEquals(figuresIn("no marks"), null);
});

Deno.test("withShapes() puts both shapes side by side; the plot has a bar for each", () => {
  const figure = (key: string, median: number) => ({
    ...{ key, label: key, unit: "ms", runs: 2, median, min: median - 1, max: median + 1 },
    samples: [],
  });
  const machine = { processor: "Z80", cores: 2, ramBytes: 1, system: "linux", load: 0.5 };
  const shapes = {
    ...{ date: "2026-01-17T", commit: "", deno: "2.9.6", machine, measures: "", seconds: 1 },
    notes: [],
    figures: [figure("nine-checkout-p50", 20), figure("five-checkout-p50", 10)],
  };
  const readme = "a\n<!-- shapes -->\nold\n<!-- /shapes -->\nb\n";
  const filled = withShapes(readme, { rows: { shapes } });
  assertStringIncludes(
    filled,
    "| a checkout, p50 | 20.0 ms (19.0 to 21.0) | 10.0 ms (9.00 to 11.0) | 0.50 x |",
  );
  assertStringIncludes(filled, "of 2 runs on Z80, 2 cores, Deno 2.9.6, 2026-01-17;");
  assertStringIncludes(withShapes(readme, { rows: {} }), "Not measured yet.");
  assertEquals(shapePlot({ rows: { shapes } }).match(/height="13"/g)?.length, 2);
});
