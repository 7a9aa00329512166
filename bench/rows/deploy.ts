import type { Recorder, Row } from "../row.ts";
import { findServer, makeSite, manifestOf, ownStartMs, type StaticServer } from "../server.ts";
import { monoOf } from "../wallclock.ts";
import { World } from "../world.ts";

/** Events of a deploy, by what they begin with, in their order. */
const STEPS = ["command", "decided", "replica-ready"] as const;

async function deployOnce(
  world: World,
  server: StaticServer,
  site: string,
  app: string,
  recorder: Recorder,
): Promise<void> {
  const manifest = await world.manifest(app, manifestOf(server, app, site));
  const up = world.skr8tr("up", manifest);
  const [servedMs, endedMs] = await Promise.all([world.served(`/${app}`), up.ended]);
  recorder.sample("deploy", servedMs - up.startedMs);
  recorder.sample("cli", endedMs - up.startedMs);
  const events = await world.events(app);
  const at = (kind: string) => {
    const event = events.find((each) => each.kind === kind);
    if (!event) throw new Error(`no ${kind} in ${JSON.stringify(events)}`);
    return monoOf(event.wallMs);
  };
  let beforeMs = up.startedMs;
  for (const step of STEPS) {
    recorder.sample(step, at(step) - beforeMs);
    beforeMs = at(step);
  }
  recorder.sample("routed", servedMs - beforeMs);
  await world.down(app);
}

export const row: Row = {
  name: "deploy",
  measures: "`skr8tr up`, from the start of its process to the first 200 through the ingress; " +
    "one replica of a small native static server, one node",
  runs: 15,
  figures: [
    { key: "deploy", label: "up to first 200", unit: "ms", mustReach: 200, goal: 100 },
    { key: "cli", label: "of it: skr8tr up until it exits", unit: "ms" },
    { key: "command", label: "1 start, sign, send, append", unit: "ms" },
    { key: "decided", label: "2 plan, append", unit: "ms" },
    { key: "replica-ready", label: "3 run, spawn, own start, probe", unit: "ms" },
    { key: "routed", label: "4 register, watch, route, ask", unit: "ms" },
    { key: "own", label: "the server's own start", unit: "ms" },
  ],
  async run(recorder: Recorder) {
    const server = await findServer(recorder);
    await using world = await World.start(["node-1"]);
    const apps = Array.from({ length: recorder.runs + 2 }, (_, at) => `still-${at}`);
    const site = await makeSite(world.folder, apps);
    recorder.sample("own", await ownStartMs(server, site, apps[0]!));
    // The first two find everything cold; they are not counted, as a cluster is started only once.
    const ignored: Recorder = { ...recorder, sample: () => {} };
    for (const [at, app] of apps.entries()) {
      await deployOnce(world, server, site, app, at < 2 ? ignored : recorder);
    }
  },
};
