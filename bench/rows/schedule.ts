import type { Figure, Recorder, Row } from "../row.ts";
import { ROOT } from "../world.ts";

const NODES = 6_100;
const LOST = 100;
/** Runs of the full size take a minute each. */
const SIZES = [
  { replicas: 200_000, runs: 10, counts: false },
  { replicas: 2_000_000, runs: 5, counts: true },
] as const;

/** What a run prints last. */
interface Outcome {
  readonly placeMs: number;
  readonly answerMs: number;
  readonly loseMs: number;
  readonly moved: number;
  readonly rssBytes: number;
}

function figuresOf({ replicas, counts }: typeof SIZES[number]): Figure[] {
  const size = `${replicas / 1_000}k`;
  const figure = (key: string, label: string, unit: string, bound: Partial<Figure> = {}) => ({
    key: `${size}-${key}`,
    label: `${size}: ${label}`,
    unit,
    ...bound,
  });
  return [
    figure("whole", "placed and known ready", "s", counts ? { mustReach: 60 } : {}),
    figure("rate", "a second", "replicas", {
      better: "more",
      ...(counts ? { mustReach: 33_000, goal: 100_000 } : {}),
    }),
    figure("decided", "of it decided and ordered", "s"),
    figure("lose", `${LOST} nodes lost to all ready`, "s"),
    figure("moved", "replicas that were on them", "replicas"),
    figure("rss", "memory with all simulated nodes", "MB"),
  ];
}

/** One run in a process of its own: its heap would weigh on the next. */
async function runOnce(replicas: number, recorder: Recorder): Promise<Outcome> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--quiet", `--config=${ROOT}/deno.json`],
      "--v8-flags=--max-old-space-size=16000",
      ...[`${ROOT}/bench/rows/schedule_process.ts`, NODES, replicas, LOST].map(String),
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let last = "";
  let rest = "";
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + part).split("\n");
    rest = lines.pop()!;
    last = lines.at(-1) ?? last;
    if (lines.length > 0) recorder.progress(last);
  }
  const { success } = await child.status;
  if (!success) throw new Error(`the run with ${replicas} replicas failed`);
  return JSON.parse(last);
}

export const row: Row = {
  name: "schedule",
  measures:
    `the conductor's pure machine with ${NODES} simulated nodes: signed commands for apps ` +
    "of 10,000 replicas until it knows every replica to be ready (decided, hashed into the log, " +
    `ordered, every node's answers read), then ${LOST} nodes silent until all of theirs are ready ` +
    "elsewhere; processor time within the machine, its collector's threads included",
  runs: 5,
  figures: SIZES.flatMap(figuresOf),
  async run(recorder: Recorder) {
    recorder.note("not in it: the store's writes, the network, the signatures' verification");
    for (const { replicas, runs } of SIZES) {
      const size = `${replicas / 1_000}k`;
      const asked = Math.min(recorder.runs, runs);
      for (let run = 0; run < (recorder.runs === row.runs ? runs : asked); run++) {
        const { placeMs, answerMs, loseMs, moved, rssBytes } = await runOnce(replicas, recorder);
        recorder.sample(`${size}-whole`, (placeMs + answerMs) / 1_000);
        recorder.sample(`${size}-rate`, replicas / (placeMs + answerMs) * 1_000);
        recorder.sample(`${size}-decided`, placeMs / 1_000);
        recorder.sample(`${size}-lose`, loseMs / 1_000);
        recorder.sample(`${size}-moved`, moved);
        recorder.sample(`${size}-rss`, rssBytes / 1_000_000);
      }
    }
  },
};
