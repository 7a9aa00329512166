// Row 16 of the reliability scoreboard: drains and rollouts under load, and grace.

import { startLoad } from "../load.ts";
import type { Recorder, Row } from "../row.ts";
import { findServer, makeSite, manifestOf } from "../server.ts";
import { World } from "../world.ts";

const APP = "drained";
const REPLICAS = 3;
const PER_SECOND = 1_000;
/** Requests that are sent while replicas come and go without a pause. */
const REQUESTS = 100_000;
const GRACE_MS = 2_000;

export const row: Row = {
  name: "drain",
  measures:
    `${REQUESTS} requests while ${REPLICAS} replicas on three nodes are replaced again and ` +
    "again, by rollouts and restarts in turn, and one is scaled away and back; then a program that " +
    `ignores SIGTERM is stopped: the time beyond its grace of ${GRACE_MS} ms`,
  runs: 5,
  figures: [
    { key: "failed", label: "failed", unit: "requests", mustReach: 0, every: true },
    { key: "sent", label: "sent", unit: "requests", better: "more", mustReach: REQUESTS },
    { key: "replaced", label: "replicas drained meanwhile", unit: "replicas", better: "more" },
    { key: "grace", label: "stop beyond grace", unit: "ms", mustReach: 1000, every: true },
  ],
  async run(recorder: Recorder) {
    const server = await findServer(recorder, "load");
    await using world = await World.start();
    const site = await makeSite(world.folder, [APP]);
    const manifest = (release: number) =>
      world.manifest(APP, manifestOf(server, APP, site, { release, replicas: REPLICAS }));
    await world.skr8tr("up", "--wait", await manifest(0)).ended;
    await world.served(`/${APP}`);
    const load = startLoad(world.layout.ingress, `/${APP}`, PER_SECOND);
    const endMs = performance.now() + REQUESTS * 1.02 * 1000 / PER_SECOND;
    try {
      for (let round = 1; performance.now() < endMs; round++) {
        await world.skr8tr("up", "--wait", await manifest(round)).ended;
        await world.skr8tr("restart", APP, "--wait").ended;
        for (const count of [REPLICAS - 1, REPLICAS]) {
          const scaled = world.seen(
            APP,
            ({ ready, replicas }) => ready === count && replicas.length === count,
          );
          await world.skr8tr("scale", `${APP}=${count}`).ended;
          await scaled;
        }
        recorder.progress(`${Math.max(0, (endMs - performance.now()) / 1000).toFixed(0)} s left`);
      }
    } finally {
      const { sent, failures } = await load.stop();
      recorder.sample("sent", sent);
      recorder.sample("failed", [...failures.values()].reduce((sum, count) => sum + count, 0));
      for (const [why, count] of failures) recorder.note(`${count} failed: ${why}`);
      const events = await world.events(APP);
      recorder.sample(
        "replaced",
        events.filter(({ exit, text }) => exit?.why === "stopped" || /stopped as told/.test(text))
          .length,
      );
    }
    for (let run = 0; run < recorder.runs; run++) recorder.sample("grace", await graceMs(world));
  },
};

/** How much longer than its grace a program lives that ignores SIGTERM. */
async function graceMs(world: World): Promise<number> {
  const path = await world.manifest(
    "stubborn",
    `app stubborn
  exec  /bin/sh
  args  -c 'trap "" TERM; while :; do sleep 0.1; done'
  grace ${GRACE_MS}ms
`,
  );
  await world.skr8tr("up", "--wait", path).ended;
  const stopping = world.seen(
    "stubborn",
    ({ replicas }) => replicas.length === 0 || replicas.some((each) => each.state === "stopping"),
  );
  const gone = world.seen("stubborn", ({ replicas }) => replicas.length === 0);
  const { pid } = (await world.view("stubborn")).replicas[0]!;
  await world.skr8tr("down", "stubborn").ended;
  const toldMs = await stopping;
  const goneMs = await gone;
  if (pid === undefined) throw new Error("the program has no pid");
  return goneMs - toldMs - GRACE_MS;
}
