// The one table of commands: dispatch, help, did-you-mean (and completion and the CLI reference)
// are made from it.

import type { Command, Option } from "./command.ts";
import { FOLLOW, JSON_OUTPUT, WATCH } from "./options.ts";
import { SEAL_COMMANDS } from "./table_seal.ts";
import { NODE_COMMANDS } from "./table_nodes.ts";
import { STREAM_COMMANDS } from "./table_streams.ts";
import { TELEMETRY_COMMANDS } from "./table_telemetry.ts";
import { TRUST_COMMANDS } from "./table_trust.ts";

/** Options that every command takes, before or after its name. */
export const GLOBAL_OPTIONS: readonly Option[] = [
  {
    name: "conductor",
    alias: "host",
    value: "HOST[:PORT],...",
    help: "the conductor, or all of several; also SKR8TR_CONDUCTOR",
    default: "127.0.0.1:7771",
  },
  {
    name: "tower",
    value: "HOST[:PORT]",
    help: "the tower; also SKR8TR_TOWER",
    default: "the conductor's host:7772",
  },
  {
    name: "context",
    value: "NAME",
    help: "the cluster, as skr8tr context add named it",
    default: "that of skr8tr context use",
  },
  { name: "port", value: "PORT", help: "the conductor's port, where its address names none" },
  {
    name: "key",
    value: "FILE",
    help: "the signing key; also SKR8TR_KEY",
    default: "~/.skr8tr/signing.sec",
  },
  { name: "timeout", value: "TIME", help: "how long to wait for an answer", default: "5s" },
  { name: "no-color", help: "plain text even on a terminal; also NO_COLOR" },
  { name: "help", short: "h", help: "explain the command" },
  { name: "version", short: "V", help: "print the version" },
];

/** Every command, in the order of `help`. */
export const COMMANDS: readonly Command[] = [
  {
    name: "keygen",
    usage: "",
    summary: "make a signing key",
    details: [
      "Writes the secret key (--key, mode 0600, with its 32-byte seed beside it, which makes " +
      "signing faster) and the public key, which the conductor is given by --pubkey. " +
      "Existing files are never overwritten.",
    ],
    examples: ["skr8tr keygen", "skr8tr keygen --out ops.pub --key ~/.skr8tr/ops.sec"],
    arguments: [0, 0],
    options: [
      {
        name: "out",
        value: "FILE",
        help: "where the public key goes",
        default: "skrtrview.pub in the current folder",
      },
      JSON_OUTPUT,
    ],
    load: () => import("./commands/keygen.ts"),
  },
  {
    name: "up",
    usage: "FILE...",
    summary: "deploy the apps of manifests",
    details: [
      "Checks the manifests here, asks the conductor for the plan, signs one command for each " +
      "app that changes and sends it. Nothing is sent if any file has an error.",
      "With --wait the command ends when every app is ready (exit code 0) or has failed (1): then " +
      "it says which replica on which node, why, and the last lines it wrote. --timeout then " +
      "bounds the whole wait; by default each step of a rollout has its timeout. Without a " +
      "health check a replica counts as ready when it has stayed up for a while (rollout.settle; " +
      "a second where it replaces nothing).",
    ],
    examples: ["skr8tr up shop.skr8tr --wait", "skr8tr up shop.skr8tr --dry-run"],
    arguments: [1, 1_000],
    options: [
      { name: "wait", short: "w", help: "wait until all is ready, or has failed" },
      { name: "dry-run", help: "print what would be done, and do nothing" },
      JSON_OUTPUT,
    ],
    completes: "file",
    load: () => import("./commands/up.ts"),
  },
  {
    name: "rollout",
    usage: "FILE...|status APP|pause APP|resume APP|undo APP",
    summary: "deploy with the progress of every replica, or steer a rollout",
    details: [
      "With files: as up --wait. It ends as soon as the outcome is known: exit code 0 when all is " +
      "in place, 1 when it failed; then it says which replica on which node, why, and what was " +
      "gone back to.",
      "status says where an app's rollout is and how the new generation does against the old. pause " +
      "holds it as it is; resume lets it go on, also after a failure with on-failure pause, and " +
      "tries again what failed. undo deploys the last good manifest again, under your signature.",
    ],
    examples: ["skr8tr rollout shop.skr8tr", "skr8tr rollout undo product-svc"],
    arguments: [1, 1_000],
    options: [
      { name: "pubkey", value: "FILE", help: "undo: the key of whoever signed that manifest" },
      JSON_OUTPUT,
      ...WATCH,
    ],
    completes: "file",
    load: () => import("./commands/rollout.ts"),
  },
  {
    name: "history",
    usage: "APP",
    summary: "list an app's generations: who signed them, when, and what became of them",
    arguments: [1, 1],
    options: [JSON_OUTPUT, ...WATCH],
    completes: "app",
    load: () => import("./commands/history.ts"),
  },
  {
    name: "rollback",
    usage: "APP",
    summary: "deploy an earlier generation's manifest again",
    details: [
      "Signs a new command with the manifest of that generation, whose own signature is checked " +
      "first: by your key, or by the one that --pubkey gives.",
    ],
    examples: ["skr8tr rollback product-svc --to 7"],
    arguments: [1, 1],
    options: [
      { name: "to", value: "GENERATION", help: "which; skr8tr history lists them" },
      { name: "pubkey", value: "FILE", help: "the public key of whoever signed it" },
      JSON_OUTPUT,
    ],
    completes: "app",
    load: () => import("./commands/rollback.ts"),
  },
  {
    name: "restart",
    usage: "APP...",
    summary: "replace all replicas of apps, one after another as in a rollout",
    arguments: [1, 1_000],
    options: [{ name: "wait", short: "w", help: "wait until all are replaced" }, JSON_OUTPUT],
    completes: "app",
    load: () => import("./commands/restart.ts"),
  },
  {
    name: "stop",
    usage: "APP...",
    summary: "stop apps and keep them, with their routes",
    arguments: [1, 1_000],
    options: [JSON_OUTPUT],
    completes: "app",
    load: () => import("./commands/stop.ts"),
  },
  {
    name: "start",
    usage: "APP...",
    summary: "run stopped apps again",
    arguments: [1, 1_000],
    options: [JSON_OUTPUT],
    completes: "app",
    load: () => import("./commands/start.ts"),
  },
  {
    name: "scale",
    usage: "APP=N...",
    summary: "set the number of replicas",
    details: [
      "It holds until a manifest says another number itself; APP=- takes the manifest's again. An " +
      "app with scale stays within its bounds.",
    ],
    examples: ["skr8tr scale product-svc=4"],
    arguments: [1, 1_000],
    options: [JSON_OUTPUT],
    completes: "app",
    load: () => import("./commands/scale.ts"),
  },
  {
    name: "why",
    usage: "APP",
    summary: "say why an app is as it is: how its replicas ended, and what came before",
    arguments: [1, 1],
    options: [JSON_OUTPUT, ...WATCH],
    completes: "app",
    load: () => import("./commands/why.ts"),
  },
  {
    name: "down",
    usage: "APP...|FILE...",
    summary: "stop apps and forget them",
    details: ["A file (a path that ends in .skr8tr) stands for all the apps in it."],
    examples: ["skr8tr down product-svc", "skr8tr down shop.skr8tr"],
    arguments: [1, 1_000],
    options: [JSON_OUTPUT],
    completes: "app",
    load: () => import("./commands/down.ts"),
  },
  {
    name: "list",
    usage: "",
    summary: "list every replica",
    arguments: [0, 0],
    options: [JSON_OUTPUT, ...WATCH],
    load: () => import("./commands/list.ts"),
  },
  {
    name: "deck",
    usage: "",
    summary: "open the dashboard",
    details: [
      "Signs a challenge with your key and prints a link to the dashboard that the conductor " +
      "serves. The link is good for a minute and for one use; the session it opens ends after 12 " +
      "hours or with Sign out. On the conductor's own machine, and on networks given by --plain, " +
      "the dashboard is shown without signing in. It changes nothing: that still takes a key.",
    ],
    examples: ["skr8tr deck"],
    arguments: [0, 0],
    options: [JSON_OUTPUT],
    load: () => import("./commands/deck.ts"),
  },
  {
    name: "nodes",
    usage: "",
    summary: "list the nodes",
    arguments: [0, 0],
    options: [JSON_OUTPUT, ...WATCH],
    load: () => import("./commands/nodes.ts"),
  },
  {
    name: "status",
    usage: "[APP]",
    summary: "say how the cluster, or one app, is doing",
    arguments: [0, 1],
    options: [JSON_OUTPUT, ...WATCH],
    completes: "app",
    load: () => import("./commands/status.ts"),
  },
  ...STREAM_COMMANDS,
  ...TELEMETRY_COMMANDS,
  {
    name: "describe",
    usage: "APP|NODE|REPLICA",
    summary: "tell all that is known of one thing",
    examples: ["skr8tr describe product-svc", "skr8tr describe node-1"],
    arguments: [1, 1],
    options: [JSON_OUTPUT, ...WATCH],
    completes: "any",
    load: () => import("./commands/describe.ts"),
  },
  {
    name: "dev",
    usage: "FILE...",
    summary: "deploy, and again whenever something is saved",
    details: [
      "Watches the folders of the manifests. When a file in them changes, except what the build " +
      "makes and hidden ones, it builds, uploads and rolls out as up --wait does.",
    ],
    examples: ["skr8tr dev shop.skr8tr"],
    arguments: [1, 1_000],
    options: [],
    completes: "file",
    load: () => import("./commands/dev.ts"),
  },
  {
    name: "run",
    usage: "FILE|APP",
    summary: "run a job once, now",
    details: [
      "Deploys the job of a manifest if it changed, and starts a run of it; the name of a job " +
      "starts one of what is deployed.",
      "With --wait it prints what the run writes and ends with its exit code, or with 1 where it " +
      "has none: it was ended by a signal, took too long, or its node vanished. A conductor that " +
      "is away meanwhile is waited for; the run goes on without it. --timeout bounds the waiting: " +
      "then the exit code is 1, or 2 where no conductor answered, and the run still goes on. With " +
      "--json each line that it writes is one of JSON, and the last one is the run.",
      "Where the answer is lost that says whether the run has begun, the command is sent again " +
      "(for 5 s, or as long as is waited, half an hour at most) and still starts one run. Without " +
      "an answer by then the exit code is 2, nobody knows whether it has begun, and skr8tr runs " +
      "APP tells later.",
    ],
    examples: ["skr8tr run backup.skr8tr --wait", "skr8tr run backup"],
    arguments: [1, 1],
    options: [{ name: "wait", short: "w", help: "until it has ended" }, JSON_OUTPUT],
    completes: "app",
    load: () => import("./commands/run.ts"),
  },
  {
    name: "runs",
    usage: "APP",
    summary: "list the runs of a job, oldest first",
    arguments: [1, 1],
    options: [JSON_OUTPUT, ...WATCH],
    completes: "app",
    load: () => import("./commands/runs.ts"),
  },
  {
    name: "events",
    usage: "[APP]",
    summary: "print what happened, oldest first",
    arguments: [0, 1],
    options: [
      FOLLOW,
      { name: "lines", short: "n", value: "N", help: "how many events", default: "100" },
      { name: "since", value: "TIME", help: "only what is not older, such as 10m" },
      { name: "grep", value: "TEXT", help: "only those that contain this text, as it stands" },
      JSON_OUTPUT,
    ],
    completes: "app",
    load: () => import("./commands/events.ts"),
  },
  {
    name: "lookup",
    usage: "NAME",
    summary: "ask the tower for a ready replica of a service",
    arguments: [1, 1],
    options: [JSON_OUTPUT],
    completes: "app",
    load: () => import("./commands/lookup.ts"),
  },
  {
    name: "ping",
    usage: "",
    summary: "ask conductor and tower for a sign of life",
    arguments: [0, 0],
    options: [JSON_OUTPUT],
    load: () => import("./commands/ping.ts"),
  },
  {
    name: "check",
    usage: "FILE...",
    summary: "say whether manifests are right, without a cluster",
    arguments: [1, 1_000],
    options: [JSON_OUTPUT],
    completes: "file",
    load: () => import("./commands/check.ts"),
  },
  {
    name: "diff",
    usage: "FILE...",
    summary: "show how manifests differ from what runs",
    details: ["Lines with - run now, lines with + are in the file. Exits with 1 if any differ."],
    examples: ["skr8tr diff shop.skr8tr"],
    arguments: [1, 1_000],
    options: [JSON_OUTPUT],
    completes: "file",
    load: () => import("./commands/diff.ts"),
  },
  {
    name: "fmt",
    usage: "FILE...",
    summary: "print manifests in their one canonical form",
    arguments: [1, 1_000],
    options: [{ name: "write", help: "rewrite the files instead" }],
    completes: "file",
    load: () => import("./commands/fmt.ts"),
  },
  {
    name: "explain",
    usage: "[KEY]",
    summary: "explain a key of the manifest, or list them all",
    examples: ["skr8tr explain replicas", "skr8tr explain health.interval"],
    arguments: [0, 1],
    options: [JSON_OUTPUT],
    completes: "key",
    load: () => import("./commands/explain.ts"),
  },
  ...NODE_COMMANDS,
  ...TRUST_COMMANDS,
  ...SEAL_COMMANDS,
  {
    name: "completion",
    usage: "bash|zsh|fish",
    summary: "print what teaches a shell to complete skr8tr's words",
    details: [
      "For bash: source <(skr8tr completion bash), in ~/.bashrc to keep it. For zsh the same with " +
      "zsh, after compinit. For fish: skr8tr completion fish | source. Names of apps, nodes and " +
      "replicas are those of the cluster.",
    ],
    examples: ["skr8tr completion bash"],
    arguments: [1, 1],
    options: [],
    load: () => import("./commands/completion.ts"),
  },
  {
    name: "complete",
    usage: "WORD...",
    summary: "say what may follow, for shells",
    arguments: [0, 1_000],
    options: [],
    hidden: true,
    load: () => import("./commands/complete.ts"),
  },
  {
    name: "install",
    usage: "DAEMON...",
    summary: "set daemons up as services of systemd",
    details: [
      "Writes a unit, settings and an account for conductor, tower, node or ingress, as root, from " +
      "a bundle (deno task bundle). Settings that are there are kept.",
    ],
    examples: ["skr8tr install node", "skr8tr install conductor tower --dry-run"],
    arguments: [1, 4],
    options: [
      { name: "root", value: "DIR", help: "below this folder in place of /" },
      { name: "programs", value: "DIR", help: "the folder of skr8tr-node and its like" },
      { name: "dry-run", help: "print the files, and write nothing" },
    ],
    load: () => import("./commands/install.ts"),
  },
  {
    name: "help",
    usage: "[COMMAND]",
    summary: "explain the CLI, or one command",
    arguments: [0, 1],
    options: [],
    load: () => import("./commands/help.ts"),
  },
  {
    name: "version",
    usage: "",
    summary: "print the version",
    arguments: [0, 0],
    options: [JSON_OUTPUT],
    load: () => import("./commands/version.ts"),
  },
];

/** The commands that people are told of. */
export const LISTED_COMMANDS = COMMANDS.filter((command) => !command.hidden);

/** The command of this name. */
export function findCommand(name: string): Command | undefined {
  return COMMANDS.find((command) => command.name === name);
}
