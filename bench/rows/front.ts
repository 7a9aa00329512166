import { buildFront } from "../../market/web/build.ts";
import type { Recorder, Row } from "../row.ts";

export const row: Row = {
  name: "front",
  measures: "gzipped bytes of all scripts and styles of a fresh build, and of those that showing " +
    "the home page fetches",
  runs: 1,
  figures: [
    { key: "all", label: "all JS and CSS", unit: "KB", mustReach: 60, goal: 40 },
    { key: "first-view", label: "first view", unit: "KB", mustReach: 30, goal: 20 },
    { key: "build", label: "build", unit: "ms", mustReach: 5_000 },
  ],
  async run(recorder: Recorder) {
    recorder.note("the build is deterministic: one run says it all");
    for (let run = 0; run < recorder.runs; run++) {
      const folder = await Deno.makeTempDir({ prefix: "bench-front-" });
      try {
        const { gzipBytes, firstViewBytes, ms } = await buildFront({
          outDir: new URL(`file://${folder}/`),
        });
        recorder.sample("all", gzipBytes / 1024);
        recorder.sample("first-view", firstViewBytes / 1024);
        recorder.sample("build", ms);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    }
  },
};
