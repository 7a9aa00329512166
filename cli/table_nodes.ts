// The commands about nodes and where replicas live: a part of the table in table.ts.

import type { Command } from "./command.ts";
import { JSON_OUTPUT } from "./options.ts";

export const NODE_COMMANDS: readonly Command[] = [
  {
    name: "node",
    usage: "show|cordon|uncordon|drain|forget NODE",
    summary: "show a node; keep new replicas off it, or move all away",
    details: [
      "cordon: nothing more is placed there, what runs stays. uncordon takes that back.",
      "drain: also moves away what runs there, one app's batch at a time. A replacement is ready " +
      "elsewhere before the old replica leaves, so no request is lost; apps that are replaced " +
      "stop-first, and those of which only one may run, are stopped first, once a node has said " +
      "that it can run them; where none can they stay, and why tells. Replicas with a volume " +
      "stay with it: skr8tr volume rm gives it up. With --wait the command shows what is left and " +
      "ends when nothing is (exit code 0), or when nothing more can move (1); given again it goes on " +
      "waiting. A drained node stays empty until uncordon.",
      "forget: ends the membership of a node, or of a tower or an ingress: its key is no longer " +
      "admitted anywhere, and nothing that it says is heard. What runs there is not stopped by this, " +
      "but placed elsewhere. It needs a new token to come back.",
    ],
    examples: ["skr8tr node drain node-2 --wait", "skr8tr node uncordon node-2"],
    arguments: [2, 2],
    completes: "node",
    options: [
      { name: "wait", short: "w", help: "with drain: wait until the node is empty" },
      JSON_OUTPUT,
    ],
    load: () => import("./commands/node.ts"),
  },
  {
    name: "rebalance",
    usage: "[APP]",
    summary: "move replicas to where there is more room",
    details: [
      "Replicas stay where they are when a node comes. This moves those that would be clearly " +
      "better off elsewhere, a replacement first. The conductor's flag --rebalance does it by " +
      "itself, 10 s after a node came.",
    ],
    examples: ["skr8tr rebalance", "skr8tr rebalance product-svc"],
    arguments: [0, 1],
    completes: "app",
    options: [JSON_OUTPUT],
    load: () => import("./commands/rebalance.ts"),
  },
  {
    name: "volume",
    usage: "list|rm APP",
    summary: "list volumes and where they live, or give a home up",
    details: [
      "All replicas of an app with a volume run on its home node. rm gives that home up: what runs " +
      "there ends, and only then the app is placed anew, with an empty volume. The files stay " +
      "where they are.",
      "While the home is not heard nobody knows whether the app still runs there, so it waits. " +
      "--lost says that this machine is off for good: then it is placed anew at once.",
    ],
    examples: ["skr8tr volume list", "skr8tr volume rm store --lost"],
    arguments: [1, 2],
    completes: "app",
    options: [
      { name: "lost", help: "with rm: the home's machine is off for good" },
      JSON_OUTPUT,
    ],
    load: () => import("./commands/volume.ts"),
  },
  {
    name: "what-if",
    usage: "",
    summary: "say what would happen if nodes were lost or came",
    details: [
      "The conductor's own scheduler answers, on a copy: nothing is changed. Exit code 1 if some " +
      "replica would find no place.",
    ],
    examples: [
      "skr8tr what-if --lose node-3",
      "skr8tr what-if --add 2 --ram 8gb --cpu 4 --label zone=b",
    ],
    arguments: [0, 0],
    options: [
      { name: "lose", value: "NODES", help: "these nodes die (commas between them)" },
      { name: "add", value: "N", help: "so many nodes come" },
      { name: "ram", value: "SIZE", help: "their memory", default: "as the first node has" },
      { name: "cpu", value: "CORES", help: "their cores", default: "as the first node has" },
      { name: "label", value: "K=V,...", help: "their labels" },
      { name: "gpu", help: "they have a GPU" },
      JSON_OUTPUT,
    ],
    load: () => import("./commands/what_if.ts"),
  },
];
