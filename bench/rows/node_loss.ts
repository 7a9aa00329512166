import type { Recorder, Row } from "../row.ts";
import { findServer, makeSite, manifestOf } from "../server.ts";
import { monoOf } from "../wallclock.ts";
import { World } from "../world.ts";

const APP = "spread";
const REPLICAS = 6;

export const row: Row = {
  name: "node-loss",
  measures:
    "SIGKILL of a node's daemon, helper and replicas at once, to all its replicas ready on " +
    `the other two of three nodes; ${REPLICAS} replicas`,
  runs: 10,
  figures: [
    { key: "node-loss", label: "kill to all ready", unit: "ms", mustReach: 3000, goal: 2000 },
    { key: "dead", label: "1 until it is called dead", unit: "ms" },
    { key: "moved", label: "2 until all are ready", unit: "ms" },
  ],
  async run(recorder: Recorder) {
    recorder.note("the hour without a false alarm is virtual time: deno task sim --hour");
    const server = await findServer(recorder);
    await using world = await World.start();
    const site = await makeSite(world.folder, [APP]);
    const options = { replicas: REPLICAS };
    const path = await world.manifest(APP, manifestOf(server, APP, site, options));
    await world.skr8tr("up", "--wait", path).ended;
    for (let run = 0; run < recorder.runs; run++) {
      const { replicas } = await world.view(APP);
      const counts = Map.groupBy(replicas, ({ node }) => node);
      const [lost] = [...counts].sort(([, a], [, b]) => b.length - a.length)[0]!;
      const moved = world.seen(APP, (view) =>
        view.replicas.length === REPLICAS &&
        view.replicas.every(({ node, state }) => node !== lost && state === "ready"));
      const killedMs = await world.killNode(lost);
      const movedMs = await moved;
      recorder.sample("node-loss", movedMs - killedMs);
      const all = await world.events();
      const dead = all.findLast(({ kind, node }) => kind === "node-dead" && node === lost);
      recorder.sample("dead", monoOf(dead!.wallMs) - killedMs);
      recorder.sample("moved", movedMs - monoOf(dead!.wallMs));
      world.daemon(lost);
      await world.nodesReady(3);
    }
  },
};
