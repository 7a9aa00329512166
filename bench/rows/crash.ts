import { kill } from "../processes.ts";
import type { Recorder, Row } from "../row.ts";
import { findServer, makeSite, manifestOf, ownStartMs } from "../server.ts";
import { World } from "../world.ts";

const APP = "mortal";

export const row: Row = {
  name: "crash",
  measures:
    "SIGKILL of a replica to the conductor hearing that its replacement is ready, less the " +
    "program's own start; the first restart of a replica",
  runs: 15,
  figures: [
    { key: "crash", label: "kill to ready, less own start", unit: "ms", mustReach: 150, goal: 50 },
    { key: "whole", label: "kill to ready", unit: "ms" },
    { key: "own", label: "the server's own start", unit: "ms" },
  ],
  async run(recorder: Recorder) {
    const server = await findServer(recorder);
    await using world = await World.start(["node-1"]);
    const site = await makeSite(world.folder, [APP]);
    const ownMs = await ownStartMs(server, site, APP);
    recorder.sample("own", ownMs);
    for (let run = 0; run < recorder.runs; run++) {
      // A new replica each time: only the first restart has no backoff.
      const path = await world.manifest(APP, manifestOf(server, APP, site, { release: run }));
      await world.skr8tr("up", "--wait", path).ended;
      const [replica] = (await world.view(APP)).replicas;
      const pid = replica!.pid!;
      const again = world.seen(
        APP,
        ({ replicas }) =>
          replicas.some((each) =>
            each.state === "ready" && each.pid !== pid && each.restarts === 1
          ),
      );
      const killedMs = performance.now();
      kill(pid, "SIGKILL");
      const wholeMs = await again - killedMs;
      recorder.sample("whole", wholeMs);
      recorder.sample("crash", wholeMs - ownMs);
      await world.down(APP);
    }
  },
};
