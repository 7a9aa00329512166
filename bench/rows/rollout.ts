import { startLoad } from "../load.ts";
import type { Figure, Recorder, Row } from "../row.ts";
import { findServer, makeSite, manifestOf, ownStartMs } from "../server.ts";
import { quantile } from "../statistics.ts";
import { World } from "../world.ts";

const APP = "rolling";
const REPLICAS = 3;
const PER_SECOND = 500;
/** A request that takes longer than this is slow, ms. */
const SLOW_MS = 1_000;
/** Requests that must have been sent in all. */
const REQUESTS = 10_000;

/** Where it is measured; the first one's figures have no prefix, as they never had. */
const PLACES = [
  { prefix: "", label: "", nodes: ["node-1", "node-2", "node-3"] },
  { prefix: "one-", label: ", one node", nodes: ["node-1"] },
] as const;

export const row: Row = {
  name: "rollout",
  measures: `\`skr8tr up\` of a changed manifest, ${REPLICAS} replicas one after the other under ` +
    `${PER_SECOND} requests/s, on three nodes and on one: start of the process until the new are ` +
    "ready and the old gone, less the programs' own starts; requests that failed or took over 1 s",
  runs: 10,
  figures: PLACES.flatMap(({ prefix, label }): Figure[] => [
    {
      key: `${prefix}rollout`,
      label: `duration less own starts${label}`,
      unit: "ms",
      mustReach: 1000,
      goal: 500,
    },
    { key: `${prefix}whole`, label: `duration${label}`, unit: "ms" },
    { key: `${prefix}own`, label: `the server's own start${label}`, unit: "ms" },
    {
      key: `${prefix}failed`,
      label: `failed${label}`,
      unit: "requests",
      mustReach: 0,
      every: true,
    },
    {
      key: `${prefix}slow`,
      label: `over 1 s${label}`,
      unit: "requests",
      mustReach: 0,
      every: true,
    },
    {
      key: `${prefix}sent`,
      label: `sent${label}`,
      unit: "requests",
      better: "more",
      mustReach: REQUESTS,
    },
    { key: `${prefix}p99`, label: `p99 of all requests${label}`, unit: "ms" },
    { key: `${prefix}worst`, label: `slowest request${label}`, unit: "ms" },
  ]),
  async run(recorder: Recorder) {
    for (const { prefix, nodes } of PLACES) await measure(recorder, prefix, nodes);
  },
};

async function measure(
  recorder: Recorder,
  prefix: string,
  nodes: readonly string[],
): Promise<void> {
  const sample = (key: string, value: number) => recorder.sample(prefix + key, value);
  const server = await findServer(recorder, "load");
  await using world = await World.start(nodes);
  const site = await makeSite(world.folder, [APP]);
  const ownMs = await ownStartMs(server, site, APP);
  sample("own", ownMs);
  const manifest = (release: number) =>
    world.manifest(APP, manifestOf(server, APP, site, { release, replicas: REPLICAS }));
  await world.skr8tr("up", "--wait", await manifest(0)).ended;
  await world.served(`/${APP}`);
  const load = startLoad(world.layout.ingress, `/${APP}`, PER_SECOND);
  const begunMs = performance.now();
  try {
    for (let run = 0; run <= recorder.runs; run++) {
      const path = await manifest(run + 1);
      const { generation } = await world.view(APP);
      const replaced = world.seen(
        APP,
        ({ ready, replicas }) =>
          ready === REPLICAS && replicas.every((each) => each.generation === generation + 1),
      );
      const up = world.skr8tr("up", path);
      const [replacedMs] = await Promise.all([replaced, up.ended]);
      const wholeMs = replacedMs - up.startedMs;
      // Decided means: judged by the ingress's figures, too. The next one begins from a good one.
      await world.seen(APP, ({ newest }) => newest?.outcome !== undefined);
      const { newest } = await world.view(APP);
      if (newest?.outcome?.result !== "done") throw new Error(newest?.outcome?.reason);
      if (run === 0) {
        // A tower that has just started lets no replica go in its first 2 s: TOWER_WARMUP_MS.
        recorder.note(
          `a first rollout on the fresh cluster of ${nodes.length}, not counted: ` +
            `${wholeMs.toFixed(0)} ms`,
        );
        continue;
      }
      sample("whole", wholeMs);
      sample("rollout", wholeMs - REPLICAS * ownMs);
    }
    const restMs = REQUESTS * 1.05 * 1000 / PER_SECOND - (performance.now() - begunMs);
    if (restMs > 0) recorder.progress(`${(restMs / 1000).toFixed(0)} s more of requests`);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, restMs)));
  } finally {
    const { sent, failures, latenciesMs } = await load.stop();
    sample("sent", sent);
    sample("failed", [...failures.values()].reduce((sum, count) => sum + count, 0));
    sample("slow", latenciesMs.filter((ms) => ms > SLOW_MS).length);
    sample("p99", quantile(latenciesMs, 0.99));
    sample("worst", latenciesMs.reduce((most, ms) => Math.max(most, ms), 0));
    for (const [why, count] of failures) recorder.note(`${count} failed: ${why}`);
  }
}
