// The commands that reach a replica through a stream: their part of the table of commands.

import type { Command } from "./command.ts";
import { JSON_OUTPUT } from "./options.ts";

export const STREAM_COMMANDS: readonly Command[] = [
  {
    name: "exec",
    usage: "APP[/REPLICA] COMMAND...",
    summary: "run a command beside a replica",
    details: [
      "Runs in the replica's folder, with its environment, its account, its sandbox and its limits. " +
      "Its output comes as it is written, on both channels; standard input goes to it unless that is " +
      "a terminal; skr8tr exits with its exit code, 128 and the number of a signal that ended it. " +
      "Ctrl-C goes to the command, a second one ends the stream; a command whose stream ends gets " +
      "SIGHUP, then SIGKILL. The signature goes to the node, which checks it itself.",
      "One word is a line for the shell, several are a program and its arguments; options of the " +
      "command come after --. REPLICA is a replica's number or id; without it one that is ready is " +
      "taken.",
    ],
    examples: [
      "skr8tr exec product-svc 'env | sort'",
      "skr8tr exec product-svc/1 -- ls -l",
      "skr8tr exec -t product-svc bash",
      "skr8tr exec product-svc 'cat >seed.json' <seed.json",
    ],
    arguments: [2, 1_000],
    options: [
      { name: "tty", short: "t", help: "on a terminal of its own, for shells and editors" },
      { name: "stdin", short: "i", help: "send standard input, even where it is a terminal" },
    ],
    completes: "replica",
    load: () => import("./commands/exec.ts"),
  },
  {
    name: "cp",
    usage: "FROM TO",
    summary: "copy a file or folder to a replica, or from one",
    details: [
      "One of the two is APP[/REPLICA]:PATH. A relative PATH begins where the replica runs; the path " +
      "must lie in that folder, in the replica's own or in a volume of its, unless an admin asks. The " +
      "work is done by tar under the replica's account. Where TO is a folder, the copy goes into it; " +
      "a file that is there is replaced, a folder is not. Modes are kept, and links that stay within " +
      "what is copied; others are left out. Nothing is under the final name before all is there.",
    ],
    examples: [
      "skr8tr cp seed.json product-svc:data/seed.json",
      "skr8tr cp product-svc/1:data ./data-of-1",
    ],
    arguments: [2, 2],
    options: [JSON_OUTPUT],
    completes: "file",
    load: () => import("./commands/cp.ts"),
  },
  {
    name: "port-forward",
    usage: "APP[/REPLICA] LOCAL[:REMOTE]",
    summary: "let programs of this machine connect to a replica's port",
    details: [
      "Listens at LOCAL on 127.0.0.1 (0: any free port) until interrupted, for up to 64 connections " +
      "at once. REMOTE is a port of that very replica: the one of its manifest, or any other at which " +
      "a process of its listens; without it, the port that it is asked at. Nothing else on its node or " +
      "in its network can be reached.",
    ],
    examples: ["skr8tr port-forward product-svc 8080", "skr8tr port-forward db/0 5432:5432"],
    arguments: [2, 2],
    options: [JSON_OUTPUT],
    completes: "replica",
    load: () => import("./commands/port_forward.ts"),
  },
];
