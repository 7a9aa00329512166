// The node daemon with another health worker, which misbehaves as a test wishes.

import { runDaemon } from "../../../core/live/daemon.ts";
import { NODE_FLAGS, readOptions } from "../../main.ts";
import { startNode } from "../node.ts";

await runDaemon({
  name: "node",
  purpose: "a node with another health worker",
  flags: [...NODE_FLAGS, { name: "health-worker", value: "FILE", help: "the worker's program" }],
  start: (flags) =>
    startNode({
      ...readOptions(flags),
      healthWorkerUrl: new URL(flags.text("health-worker"), import.meta.url),
    }),
});
