import { whyNoNetworks } from "../../tests/e2e/netns.ts";
import { NotMeasured, type Recorder, type Row } from "../row.ts";
import { World } from "../world.ts";
import { LinkedHosts } from "./artifact_network.ts";

const BYTES = 50 * 1024 * 1024;
const NODES = ["node-1", "node-2", "node-3"];

/** 50 MB that no file system and no network makes smaller. */
async function writeBinary(path: string): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true, truncate: true, mode: 0o755 });
  await file.write(new TextEncoder().encode("#!/bin/sh\nexec sleep 1000000\n# "));
  const chunk = new Uint8Array(65_536);
  for (let written = 0; written < BYTES; written += chunk.length) {
    crypto.getRandomValues(chunk);
    await file.write(chunk);
  }
}

/** Three plain copies, as a script would make them, on this host: curl from a server, one after another. */
async function plainCopies(folder: string, port: number): Promise<number> {
  const startedMs = performance.now();
  for (const node of NODES) {
    const { success } = await new Deno.Command("curl", {
      args: ["-sS", "-o", `${folder}/copy-${node}`, `http://127.0.0.1:${port}/binary`],
    }).output();
    if (!success) throw new Error("curl failed");
  }
  return performance.now() - startedMs;
}

export const row: Row = {
  name: "artifact",
  measures:
    "`skr8tr up --wait` of an app with a binary of 50 MB, from the start of its process to " +
    "the binary verified and running on three nodes, against three copies of it by curl from a Deno " +
    "server, the one first and the other in turn: between hosts in network namespaces with links " +
    "of 1 Gbit/s, and on one host without any link; and the second deploy of the same binary: what " +
    "the conductor's store grew by, and what nodes fetched",
  runs: 10,
  figures: [
    { key: "ratio", label: "over three copies, 1 Gbit/s", unit: "x", mustReach: 1.5, goal: 1 },
    { key: "ship", label: "up to three nodes, 1 Gbit/s", unit: "ms" },
    { key: "copies", label: "three plain copies, 1 Gbit/s", unit: "ms" },
    { key: "host-ratio", label: "over three copies, one host", unit: "x" },
    { key: "host-ship", label: "up to three nodes, one host", unit: "ms" },
    { key: "host-copies", label: "three plain copies, one host", unit: "ms" },
    { key: "again", label: "moved by the second deploy", unit: "bytes", mustReach: 0, every: true },
  ],
  async run(recorder: Recorder) {
    recorder.note(
      "on one host all daemons share its cores, and a plain copy costs next to nothing: there the " +
        "ratio tells what sealing, hashing and keeping 50 MB cost a processor",
    );
    await onOneHost(recorder);
    const why = await whyNoNetworks();
    if (why !== null) throw new NotMeasured(why);
    await overLinks(recorder);
  },
};

async function overLinks(recorder: Recorder): Promise<void> {
  await using hosts = await LinkedHosts.start();
  for (let run = 0; run <= recorder.runs; run++) {
    await writeBinary(hosts.binary);
    const app = `shipped-${run}`;
    const before = run % 2 === 0 ? await hosts.copy() : undefined;
    const shipMs = await hosts.ship(app, manifestOf(app, 1));
    const copiesMs = before ?? await hosts.copy();
    if (run > 0) {
      recorder.sample("ship", shipMs);
      recorder.sample("copies", copiesMs);
      recorder.sample("ratio", shipMs / copiesMs);
    }
    await hosts.down(app);
  }
}

async function onOneHost(recorder: Recorder): Promise<void> {
  await using world = await World.start(NODES);
  const binary = `${world.folder}/binary`;
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async () => new Response((await Deno.open(binary)).readable),
  );
  const copy = () => plainCopies(world.folder, server.addr.port);
  try {
    for (let run = 0; run <= recorder.runs; run++) {
      await writeBinary(binary);
      const app = `shipped-${run}`;
      // What comes first finds the machine at rest, and leaves its bytes to be written to the disk.
      const before = run % 2 === 0 ? await copy() : undefined;
      const shipMs = await ship(world, app, 1);
      const copiesMs = before ?? await copy();
      const held = await moved(world);
      await ship(world, app, 2);
      // The first finds everything cold; it is not counted.
      if (run > 0) {
        recorder.sample("host-ship", shipMs);
        recorder.sample("host-copies", copiesMs);
        recorder.sample("host-ratio", shipMs / copiesMs);
        recorder.sample("again", await moved(world) - held);
      }
      await world.down(app);
    }
  } finally {
    await server.shutdown();
  }
}

function manifestOf(app: string, generation: number): string {
  return `app ${app}\n  exec /bin/sh\n  args \${ARTIFACT}/binary\n  replicas 3\n` +
    `  rollout {\n    batch 3\n    settle 100ms\n  }\n` +
    `  env {\n    RELEASE "${generation}"\n  }\n  artifact {\n    from binary\n  }\n`;
}

/** Deploys a generation of the app; resolves to how long it took until it is ready on every node, ms. */
async function ship(world: World, app: string, generation: number): Promise<number> {
  const manifest = await world.manifest(app, manifestOf(app, generation));
  const up = world.skr8tr("up", manifest);
  await up.ended;
  const readyMs = await world.seen(app, (view) => {
    const ready = view.replicas.filter((each) =>
      each.state === "ready" && each.generation === generation
    );
    return new Set(ready.map((each) => each.node)).size === NODES.length;
  });
  return readyMs - up.startedMs;
}

/** Bytes of artifacts that came to the conductor and to the nodes so far. */
async function moved(world: World): Promise<number> {
  let bytes = 0;
  const store = `${world.folder}/state/conductor/artifacts`;
  for await (const { name } of Deno.readDir(store)) {
    bytes += (await Deno.stat(`${store}/${name}`)).size;
  }
  for (const node of NODES) {
    const log = await Deno.readTextFile(world.logOf(node));
    for (const [, count] of log.matchAll(/has artifact .*, ([0-9]+) bytes/g)) {
      bytes += Number(count);
    }
  }
  return bytes;
}
