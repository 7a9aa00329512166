import type { Recorder, Row } from "../row.ts";
import { findServer, makeSite, manifestOf } from "../server.ts";
import { monoOf } from "../wallclock.ts";
import { World } from "../world.ts";

const APP = "waiting";

export const row: Row = {
  name: "join",
  measures:
    "start of a new node's process to the conductor hearing that it has accepted a replica " +
    "that waited for a node",
  runs: 10,
  figures: [
    { key: "join", label: "start to accepted", unit: "ms", mustReach: 500, goal: 200 },
    { key: "joined", label: "1 start to joined", unit: "ms" },
    { key: "ready", label: "start to replica ready", unit: "ms" },
  ],
  async run(recorder: Recorder) {
    const server = await findServer(recorder);
    for (let run = 0; run < recorder.runs; run++) {
      await using world = await World.make();
      await world.startControl();
      const site = await makeSite(world.folder, [APP]);
      await world.skr8tr("up", await world.manifest(APP, manifestOf(server, APP, site))).ended;
      const accepted = world.seen(
        APP,
        ({ replicas }) => replicas.some(({ state }) => state !== "placed"),
      );
      const ready = world.seen(APP, (view) => view.ready === 1);
      const startedMs = performance.now();
      world.daemon("node-1");
      recorder.sample("join", await accepted - startedMs);
      recorder.sample("ready", await ready - startedMs);
      const decided = (await world.events(APP)).find(({ kind }) => kind === "decided");
      recorder.sample("joined", monoOf(decided!.wallMs) - startedMs);
    }
  },
};
