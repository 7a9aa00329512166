// The commands that show what apps told of themselves: their part of the table of commands.

import type { Command } from "./command.ts";
import { FOLLOW, JSON_OUTPUT, WATCH } from "./options.ts";

export const TELEMETRY_COMMANDS: readonly Command[] = [
  {
    name: "top",
    usage: "[APP]",
    summary: "show which nodes work hardest and which apps are asked most, or an app's own values",
    details: [
      "With APP: what its replicas told of themselves in lines of their logs, or to a telemetry sink, " +
      "over the last quarter of an hour.",
    ],
    examples: ["skr8tr top --watch", "skr8tr top product-svc --grep memory"],
    arguments: [0, 1],
    options: [
      {
        name: "grep",
        value: "TEXT",
        help: "of an app's values only those with this in their names",
      },
      JSON_OUTPUT,
      ...WATCH,
    ],
    completes: "app",
    load: () => import("./commands/top.ts"),
  },
  {
    name: "traces",
    usage: "[APP|TRACE]",
    summary: "show the slowest requests, or one of them call by call",
    details: [
      "Requests as the apps' log lines, or a telemetry sink, tell of them, over all apps that took " +
      "part. Of the newest all are kept, and of each minute the slowest. TRACE is the id that a list " +
      "shows, or that a traceparent carried.",
    ],
    examples: [
      "skr8tr traces product-svc --failed --since 10m",
      "skr8tr traces 0af7651916cd43dd8448eb211c80319c",
    ],
    arguments: [0, 1],
    options: [
      { name: "failed", help: "only those in which a call failed" },
      { name: "since", value: "TIME", help: "only what is not older, such as 10m" },
      { name: "lines", short: "n", value: "N", help: "how many, the slowest", default: "20" },
      JSON_OUTPUT,
      ...WATCH,
    ],
    completes: "app",
    load: () => import("./commands/traces.ts"),
  },
  {
    name: "logs",
    usage: "[APP]",
    summary: "print what an app's replicas wrote, or search what the whole cluster wrote",
    details: [
      "Without --all or --previous the lines come from the nodes that run the app now, and with -f " +
      "they go on to come: those that are there in the order of their times, then each as it is " +
      "written, from every replica, through restarts and rollouts. --previous adds what replicas " +
      "wrote that are gone. --all searches what all apps wrote. Both read what the " +
      "conductor gathers (its flag --telemetry says how much it keeps), and with -f they go on, " +
      "too.",
    ],
    examples: [
      "skr8tr logs product-svc --lines 20",
      "skr8tr logs -f product-svc --grep error",
      "skr8tr logs product-svc --previous --since 1h",
      "skr8tr logs --all --grep 'connection refused' --since 10m",
      "skr8tr logs --all -f --grep error",
    ],
    arguments: [0, 1],
    options: [
      FOLLOW,
      {
        name: "lines",
        short: "n",
        value: "N",
        help: "how many lines to begin with",
        default: "100",
      },
      { name: "since", value: "TIME", help: "only what is not older, such as 10m" },
      { name: "grep", value: "TEXT", help: "only lines that contain this text, as it stands" },
      { name: "previous", help: "also what replicas wrote that are gone" },
      { name: "all", help: "of all apps" },
      { name: "run", value: "N", help: "of a job: this run (default: the last one)" },
      JSON_OUTPUT,
    ],
    completes: "app",
    load: () => import("./commands/logs.ts"),
  },
];
