import { benchSlow } from "../slow.ts";
import { NotMeasured, type Recorder, type Row } from "../row.ts";

export const row: Row = {
  name: "slow-clients",
  measures:
    "p99 of 32 healthy connections while 1,000 others send their heads byte by byte, over " +
    "p99 without those, in turn; and the memory that they take (bench/slow.ts)",
  runs: 10,
  figures: [
    { key: "p99", label: "p99 over p99 without", unit: "x", mustReach: 2 },
    { key: "calm", label: "p99 without", unit: "ms" },
    { key: "slow", label: "p99 with", unit: "ms" },
    { key: "memory", label: "1,000 slow connections", unit: "MB" },
    { key: "failed", label: "failed", unit: "requests", mustReach: 0, every: true },
  ],
  async run(recorder: Recorder) {
    const samples = await benchSlow(recorder.runs).catch((error) => {
      if (error instanceof Error && error.message.includes("needs nginx")) {
        throw new NotMeasured(error.message);
      }
      throw error;
    });
    for (const { calmMs, slowMs, bytes, failed } of samples) {
      recorder.sample("p99", slowMs / calmMs);
      recorder.sample("calm", calmMs);
      recorder.sample("slow", slowMs);
      recorder.sample("memory", bytes / 1_000_000);
      recorder.sample("failed", failed);
    }
  },
};
