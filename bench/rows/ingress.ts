import { bench, table } from "../ingress.ts";
import { NotMeasured, type Recorder, type Row } from "../row.ts";

export const row: Row = {
  name: "ingress",
  measures: "one ingress worker with all features on, two backends, 32 kept-alive connections, " +
    "against nginx with one worker and HAProxy, in turn (bench/ingress.ts)",
  runs: 10,
  figures: [
    {
      key: "ratio",
      label: "requests/s over nginx's",
      unit: "x",
      better: "more",
      mustReach: 0.7,
      goal: 1,
    },
    { key: "p99", label: "p99 over nginx's", unit: "x", mustReach: 1.5 },
    { key: "idle", label: "5,000 idle connections", unit: "MB", mustReach: 64 },
    { key: "ingress", label: "ingress", unit: "requests/s", better: "more" },
    { key: "nginx", label: "nginx", unit: "requests/s", better: "more" },
    { key: "haproxy", label: "HAProxy", unit: "requests/s", better: "more" },
    { key: "ingress-p99", label: "ingress p99", unit: "ms" },
    { key: "nginx-p99", label: "nginx p99", unit: "ms" },
    { key: "failed", label: "failed", unit: "requests", mustReach: 0, every: true },
  ],
  async run(recorder: Recorder) {
    const result = await bench().catch((error) => {
      if (error instanceof Error && error.message.includes("needs nginx")) {
        throw new NotMeasured(error.message);
      }
      throw error;
    });
    for (const line of table(result).split("\n")) recorder.progress(line);
    recorder.sample("ratio", result.ratio);
    recorder.sample("p99", result.p99Ratio);
    recorder.sample("idle", result.idleBytes / 1_000_000);
    for (const sample of result.samples) {
      recorder.sample(sample.subject, sample.requestsPerSecond);
      if (sample.subject === "haproxy") continue;
      recorder.sample(`${sample.subject}-p99`, sample.p99Ms);
      if (sample.subject === "ingress") recorder.sample("failed", sample.failed);
    }
    if (!result.samples.some(({ subject }) => subject === "haproxy")) {
      recorder.note("HAProxy is not installed");
    }
  },
};
