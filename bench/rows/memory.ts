import { childrenOf, memoryOf } from "../processes.ts";
import type { Figure, Recorder, Row } from "../row.ts";
import { prepareMarket, startMarket } from "./market.ts";

const WAIT_S = 60;
const MB = 1_000_000;

const DAEMONS = ["conductor", "tower", "node", "ingress"] as const;
const KINDS = ["rss", "pss"] as const;

function figuresOf(daemon: string): Figure[] {
  return KINDS.map((kind) => ({
    key: `${daemon}-${kind}`,
    label: `${daemon} ${kind.toUpperCase()}`,
    unit: "MB",
  }));
}

export const row: Row = {
  name: "memory",
  measures:
    `/proc/PID/smaps_rollup of the daemons ${WAIT_S} s after the market (18 replicas on 3 ` +
    "nodes) is ready; node is the mean of the three with its helper",
  runs: 5,
  figures: [
    { key: "rss", label: "conductor + tower RSS", unit: "MB", mustReach: 110, goal: 90 },
    { key: "pss", label: "conductor + tower PSS", unit: "MB", mustReach: 65, goal: 50 },
    ...DAEMONS.flatMap(figuresOf),
  ],
  async run(recorder: Recorder) {
    const manifests = await prepareMarket(recorder);
    for (let run = 0; run < recorder.runs; run++) {
      await using market = await startMarket(manifests);
      const { world } = market;
      for (let second = 0; second < WAIT_S; second++) {
        if (second % 10 === 0) {
          recorder.progress(`run ${run + 1} of ${recorder.runs}: ${WAIT_S - second} s to wait`);
        }
        await new Promise((resolve) => setTimeout(resolve, 1_000));
      }
      const of = async (name: string, kind: "rss" | "pss") => {
        const pids = [world.pidOf(name), ...await childrenOf(world.pidOf(name))];
        const bytes = pids.map((pid) => memoryOf(pid)[`${kind}Bytes`] || 0);
        return bytes.reduce((sum, each) => sum + each, 0) / MB;
      };
      for (const name of run + 1 === recorder.runs ? ["conductor", "tower"] : []) {
        const { rssBytes, ownBytes } = memoryOf(world.pidOf(name));
        const [all, shared] = [rssBytes, rssBytes - ownBytes].map((each) => Math.round(each / MB));
        recorder.note(
          `${name}: ${shared} of its ${all} MB RSS are pages of the deno binary, which all daemons ` +
            "share; the limit of RSS is Deno's own floor, PSS counts what is shared once",
        );
      }
      for (const kind of KINDS) {
        const nodes = await Promise.all(
          world.layout.nodes.map(({ name }) => of(name, kind)),
        );
        const [conductor, tower, ingress] = [
          await of("conductor", kind),
          await of("tower", kind),
          await of("ingress", kind),
        ];
        recorder.sample(`conductor-${kind}`, conductor);
        recorder.sample(`tower-${kind}`, tower);
        recorder.sample(`ingress-${kind}`, ingress);
        recorder.sample(`node-${kind}`, nodes.reduce((sum, each) => sum + each, 0) / nodes.length);
        recorder.sample(kind, conductor + tower);
      }
    }
  },
};
