import { assertEquals } from "@std/assert";
import type { WhyView } from "../../core/view.ts";
import { paint } from "../output.ts";
import { appView } from "../testing/conductor.ts";
import { whyLines } from "./rollout.ts";

Deno.test("whyLines() tells once of exits that are alike in a row", () => {
  const exit = (wallMs: number, code: number) => ({
    ...{ replica: "web.1", node: "node-1", generation: 1, wallMs },
    exit: { why: "exit", code, wallMs, tail: `no database at ${wallMs}` },
  });
  const view = {
    app: appView("web", { state: "failing" }),
    exits: [exit(5_000, 1), exit(4_000, 1), exit(3_000, 1), exit(2_000, 2)],
    story: [],
    digest: "d".repeat(64),
  } as unknown as WhyView;
  const lines = whyLines(view, { paint: paint(false) }, 6_000);
  const told = lines.slice(lines.indexOf("how replicas ended last:") + 1)
    .map((line) => line.replace(/^ +\d\d:\d\d:\d\d {2}/, ""));
  assertEquals(told, [
    "web.1 on node-1 (generation 1): exit code 1, 3 times in a row",
    "    | no database at 5000",
    "web.1 on node-1 (generation 1): exit code 2",
    "    | no database at 2000",
  ]);
});
