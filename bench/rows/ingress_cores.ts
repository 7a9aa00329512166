import { benchCores } from "../ingress.ts";
import { NotMeasured, type Recorder, type Row } from "../row.ts";

export const row: Row = {
  name: "ingress-cores",
  measures:
    "requests per CPU-second of an ingress with 2 workers over one with 1 (bench/ingress.ts)",
  runs: 10,
  figures: [
    {
      key: "ratio",
      label: "2 workers over 1",
      unit: "x",
      better: "more",
      mustReach: 0.9,
      goal: 0.97,
    },
    { key: "1", label: "1 worker", unit: "requests/CPU-s", better: "more" },
    { key: "2", label: "2 workers", unit: "requests/CPU-s", better: "more" },
  ],
  async run(recorder: Recorder) {
    const result = await benchCores().catch((error) => {
      if (error instanceof Error && error.message.includes("needs nginx")) {
        throw new NotMeasured(error.message);
      }
      throw error;
    });
    recorder.sample("ratio", result.ratio);
    for (const { workers, requestsPerCpuSecond } of result.samples) {
      recorder.sample(String(workers), requestsPerCpuSecond);
    }
  },
};
