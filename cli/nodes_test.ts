// The commands about nodes, against a stand-in conductor.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { NodeDetailView, NodeView, VolumeView, WhatIfView } from "../core/view.ts";
import type { Conductor } from "./conductor.ts";
import { waitDrained } from "./draining.ts";
import { main } from "./main.ts";
import { fakeConductor } from "./testing/conductor.ts";
import { keptOutput } from "./testing/output.ts";

const node: NodeView = {
  id: "1".repeat(32),
  name: "node-1",
  host: "10.0.0.1",
  port: 7775,
  state: "ready",
  cpuPercent: 1,
  cores: 4,
  ramTotalBytes: 2 ** 30,
  ramFreeBytes: 2 ** 29,
  gpu: false,
  labels: {},
  replicas: 1,
  silentMs: 10,
  bar: "draining",
};

const moving = { replica: "web.1", app: "web", state: "ready", leaving: false } as const;
const home = {
  ...moving,
  replica: "db.1",
  app: "db",
  home: true,
  stays: "its volume is here; skr8tr volume rm db gives it up",
} as const;

const answer: WhatIfView = {
  operations: ["forget web.1: node-3 is dead", "place web.2 on node-1: most room (10 %)"],
  unplaced: ["cannot place big on node-1: needs 256 MiB, 181 MiB free"],
  waiting: ["db.1: its volume is on node-3, which is dead"],
  interrupted: ["db"],
  moves: [],
  nodes: [{
    name: "node-3",
    change: "lost",
    replicasBefore: 2,
    replicasAfter: 0,
    ramPercentBefore: 10,
    ramPercentAfter: 0,
    cpuPercentBefore: 0,
    cpuPercentAfter: 0,
  }],
};

const volumes: VolumeView[] = [
  { app: "db", path: "data", shared: false, home: "node-1", replicas: 1, state: "in use" },
];

async function run(line: string): Promise<{ code: number; out: string; err: string }> {
  const query = "?lose=node-3&add=2&ram=8589934592&cpu=4&labels=zone%3Db";
  await using fake = fakeConductor({
    pages: {
      [`/api/what-if${query}`]: JSON.stringify(answer),
      "/api/what-if?lose=node-3": JSON.stringify({ ...answer, unplaced: [] }),
      "/api/volumes": JSON.stringify({ volumes }),
      "/api/nodes/node-1": JSON.stringify({ node, placed: [moving, home] }),
    },
  });
  const output = keptOutput();
  const words = ["--conductor", `127.0.0.1:${fake.port}`, ...line.split(" ")];
  const code = await main(words, output);
  return { code, out: output.printed.join("\n"), err: output.noted.join("\n") };
}

Deno.test("what-if asks the conductor and fails where some replica finds no place", async () => {
  const { code, out } = await run(
    "what-if --lose node-3 --add 2 --ram 8gb --cpu 4 --label zone=b",
  );
  assertEquals(code, 1);
  for (const line of [...answer.operations, ...answer.unplaced]) assertStringIncludes(out, line);
  assertStringIncludes(out, "wait: db.1: its volume is on node-3");
  assertStringIncludes(out, "db has no ready replica until a replacement is ready");
  assertStringIncludes(out, "node-3 (lost)");
  assertStringIncludes(out, "2 -> 0");
  assertEquals((await run("what-if --lose node-3")).code, 0);
  const wrong = await run("what-if");
  assertEquals([wrong.code, wrong.err.includes("--lose NODES or --add N")], [2, true]);
  assertEquals((await run("what-if --add 1 --ram 8")).code, 2);
});

Deno.test("volume list and node show print tables", async () => {
  const { out } = await run("volume list");
  assertStringIncludes(out, "node-1");
  assertStringIncludes(out, "in use");
  const shown = await run("node show node-1");
  assertStringIncludes(shown.out, "ready, draining");
  assertStringIncludes(
    shown.out,
    "  db.1 ready: its volume is here; skr8tr volume rm db gives it up",
  );
  assertEquals((await run("volume rm")).code, 2);
  assertEquals((await run("node explode node-1")).code, 2);
});

/** A conductor whose node goes through these views. */
function storyOf(...views: NodeDetailView[]): Conductor {
  return {
    lines: async function* <T>(_path: string, signal?: AbortSignal) {
      for (const view of views) yield view as T;
      await new Promise((resolve) => signal?.addEventListener("abort", resolve));
    },
  } as unknown as Conductor;
}

Deno.test("waitDrained() tells what is left, and ends when nothing is", async () => {
  const output = keptOutput();
  const story = storyOf({ node, placed: [moving, { ...moving, replica: "web.2" }] }, {
    node,
    placed: [moving],
  }, { node, placed: [] });
  assertEquals(await waitDrained(story, "node-1", output), true);
  assertEquals(output.noted, [
    "node-1: 2 left: web.1 waits for its replacement, web.2 waits for its replacement",
    "node-1: 1 left: web.1 waits for its replacement",
  ]);
  assertEquals(output.printed, ["node-1 is drained: nothing runs there"]);
});

Deno.test("waitDrained() says what stays with its volume", async () => {
  const output = keptOutput();
  const done = await waitDrained(storyOf({ node, placed: [home] }), "node-1", output);
  assertEquals(done, false);
  assertEquals(output.noted, [`db.1 stays: ${home.stays}`]);
  assert(output.printed[0]!.includes("drained but for 1: db.1"));
});
