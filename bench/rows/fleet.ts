import { showAddress } from "../../core/address.ts";
import type { NodeView } from "../../core/view.ts";
import { memoryOf, readProc } from "../processes.ts";
import type { Recorder, Row } from "../row.ts";
import { ROOT, World } from "../world.ts";

const NODES = 5_000;
/** How long the conductor's CPU time is counted, s. */
const COUNTED_S = 20;
/** Clock ticks of /proc/PID/stat a second, on every Linux of today. */
const TICKS = 100;

export const row: Row = {
  name: "fleet",
  measures: `CPU of a conductor, over ${COUNTED_S} s, that ${NODES} nodes beat to in sealed ` +
    "datagrams, each with a session of its own (the nodes are simulated by another process); it " +
    "follows the logs of 500 of them, as many as it ever does, which have nothing to tell",
  runs: 5,
  figures: [
    { key: "cpu", label: "of one core", unit: "%", mustReach: 25, goal: 10 },
    { key: "beats", label: "beats answered a second", unit: "beats", better: "more" },
    { key: "rss", label: "conductor RSS", unit: "MB" },
  ],
  async run(recorder: Recorder) {
    await using world = await World.make();
    world.daemon("conductor");
    await until(async () => {
      await world.conductor.get("/api/nodes");
      return true;
    });
    await using fleet = new Fleet(world, recorder);
    await until(async () => {
      const { nodes } = await world.conductor.get<{ nodes: readonly NodeView[] }>("/api/nodes");
      const ready = nodes.filter(({ state }) => state === "ready").length;
      recorder.progress(`${ready} of ${NODES} nodes beat`);
      return ready === NODES;
    });
    // They began all at once; what follows is the ordinary.
    await sleep(10_000);
    for (let run = 0; run < recorder.runs; run++) {
      const pid = world.pidOf("conductor");
      const [beganMs, before] = [performance.now(), cpuSeconds(pid)];
      fleet.answered.length = 0;
      await sleep(COUNTED_S * 1_000);
      const seconds = (performance.now() - beganMs) / 1_000;
      recorder.sample("cpu", (cpuSeconds(pid) - before) / seconds * 100);
      recorder.sample("beats", fleet.answered.reduce((sum, each) => sum + each, 0) / seconds);
      recorder.sample("rss", memoryOf(pid).rssBytes / 1e6);
    }
    const { nodes } = await world.conductor.get<{ nodes: readonly NodeView[] }>("/api/nodes");
    const lost = nodes.filter(({ state }) => state !== "ready").length;
    if (lost > 0) recorder.note(`${lost} of ${NODES} nodes were taken for dead at the end`);
  },
};

/** The process that plays the nodes. */
class Fleet implements AsyncDisposable {
  readonly answered: number[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #read: Promise<void>;

  constructor(world: World, recorder: Recorder) {
    const { conductor, mesh } = world.layout;
    const command = [
      ...[Deno.execPath(), "run", "-A", "--quiet", `--config=${ROOT}/deno.json`],
      `${ROOT}/bench/rows/fleet_process.ts`,
      ...[showAddress(conductor), showAddress(mesh), String(NODES), world.keyPath],
    ];
    // A socket for each node.
    this.#child = new Deno.Command("sh", {
      args: ["-c", 'ulimit -n 20000 2>/dev/null; exec "$@"', "sh", ...command],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#read = this.#follow(recorder);
  }

  async #follow(recorder: Recorder): Promise<void> {
    let rest = "";
    for await (const part of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + part).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        const step = JSON.parse(line);
        if ("answered" in step) this.answered.push(step.answered);
        else recorder.progress(`${step.joined} of ${NODES} nodes have joined`);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#read;
  }
}

/** User and system time of a process so far, s. */
function cpuSeconds(pid: number): number {
  const stat = readProc(pid, "stat");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 300_000;
  for (;;) {
    try {
      if (await isSo()) return;
    } catch (error) {
      if (performance.now() > endMs) throw error;
    }
    if (performance.now() > endMs) throw new Error("waited 300 s for the fleet, in vain");
    await sleep(200);
  }
}
