import type { Recorder, Row } from "../row.ts";
import { skr8trCommand } from "../world.ts";

/** How long a process takes from its start to its end, ms. */
async function wholeMs(command: Deno.Command): Promise<number> {
  const startedMs = performance.now();
  const { success, stderr } = await command.output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return performance.now() - startedMs;
}

const floor = () =>
  new Deno.Command(Deno.execPath(), {
    args: ["eval", "1"],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });

export const row: Row = {
  name: "cli",
  measures: "whole process `skr8tr version` over whole process `deno eval 1`, one after the other",
  runs: 30,
  figures: [
    { key: "ratio", label: "version over deno eval", unit: "x", mustReach: 1.5, goal: 1.2 },
    { key: "version", label: "skr8tr version", unit: "ms" },
    { key: "eval", label: "deno eval 1", unit: "ms" },
  ],
  async run(recorder: Recorder) {
    for (let warm = 0; warm < 3; warm++) {
      await wholeMs(skr8trCommand(["version"]));
      await wholeMs(floor());
    }
    for (let run = 0; run < recorder.runs; run++) {
      // In turn, and the turn turned round, so that none always follows the same.
      const version = run % 2 === 0 ? await wholeMs(skr8trCommand(["version"])) : null;
      const evaluated = await wholeMs(floor());
      const versionMs = version ?? await wholeMs(skr8trCommand(["version"]));
      recorder.sample("version", versionMs);
      recorder.sample("eval", evaluated);
      recorder.sample("ratio", versionMs / evaluated);
    }
  },
};
