import type { Recorder, Row } from "../row.ts";
import { World } from "../world.ts";

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

/** Three plain copies, as a script would make them: curl from a server, one after another. */
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
  measures: "`skr8tr up` of an app with a binary of 50 MB, from the start of its process to the " +
    "binary verified on three nodes, against three copies of it by curl from a Deno server; and the " +
    "second deploy of the same binary",
  runs: 5,
  figures: [
    { key: "ratio", label: "over three plain copies", unit: "x", mustReach: 1.5, goal: 1 },
    { key: "ship", label: "up to three nodes", unit: "ms" },
    { key: "copies", label: "three plain copies", unit: "ms" },
    { key: "again", label: "moved by the second deploy", unit: "bytes", mustReach: 0 },
  ],
  async run(recorder: Recorder) {
    await using world = await World.start(NODES);
    const binary = `${world.folder}/binary`;
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      async () => new Response((await Deno.open(binary)).readable),
    );
    try {
      for (let run = 0; run <= recorder.runs; run++) {
        await writeBinary(binary);
        const copiesMs = await plainCopies(world.folder, server.addr.port);
        const app = `shipped-${run}`;
        const text = (release: number) =>
          `app ${app}\n  exec /bin/sh\n  args \${ARTIFACT}/binary\n  replicas 3\n` +
          `  env {\n    RELEASE "${release}"\n  }\n  artifact {\n    from binary\n  }\n`;
        const manifest = await world.manifest(app, text(1));
        const up = world.skr8tr("up", manifest);
        await up.ended;
        const shippedMs = await world.seen(
          app,
          (view) => view.replicas.filter((each) => each.state === "ready").length === 3,
        );
        const shipMs = shippedMs - up.startedMs;
        const store = `${world.folder}/state/conductor/artifacts`;
        const before = await stored(store);
        await world.manifest(app, text(2));
        await world.skr8tr("up", manifest).ended;
        // The first finds everything cold; it is not counted.
        if (run > 0) {
          recorder.sample("ship", shipMs);
          recorder.sample("copies", copiesMs);
          recorder.sample("ratio", shipMs / copiesMs);
          recorder.sample("again", await stored(store) - before);
        }
        await world.down(app);
      }
    } finally {
      await server.shutdown();
    }
  },
};

/** Bytes in the conductor's store. */
async function stored(folder: string): Promise<number> {
  let bytes = 0;
  for await (const { name } of Deno.readDir(folder)) {
    bytes += (await Deno.stat(`${folder}/${name}`)).size;
  }
  return bytes;
}
