// The one key table: every key of the language with its kind, bounds, default and meaning. Parser,
// defaults, errors, canonical form, `explain`, documents and the notes about keys that are not
// acted on yet (`built: false`) all come from here. Order is the order of the canonical form.
//
// When a key gets its behaviour, set its `built` to true (or take the value out of the function).

import { APP_REPLICAS, ARTIFACT_BYTES } from "../limits.ts";
import {
  type AppRaw,
  checkApp,
  checkRate,
  checkScaleBounds,
  checkStrip,
  finishApp,
  finishRoute,
  type RouteRaw,
  type ScaleRaw,
  type ServeRaw,
  unfinishApp,
  unfinishRoute,
} from "./checks.ts";
import { choice, decimal, duration, flag, int, percent, rate, size, text, words } from "./kinds.ts";
import { block, list, many, map, one, value } from "./schema.ts";
import {
  APP_NAME,
  APP_NAMES,
  CANARY,
  CHECK,
  COMMAND,
  CRON,
  ENV_NAME,
  ENV_VALUE,
  FOLDER,
  HOST,
  HOSTS,
  INNER_PATH,
  LABELS,
  NODE_FOLDER,
  PATHS,
  PER,
  PORT,
  PORT_OF_SERVER,
  PROGRAM,
  ROUTE_PATH,
  SECRET_NAME,
  SHA256,
  SIGNAL,
  SPREAD,
  STRIP,
  TIMEZONE,
  TLS,
  USER,
  VOLUME_PATH,
} from "./special_kinds.ts";
import type * as Spec from "./spec.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const MEGABYTE = 1024 ** 2;
const TERABYTE = 1024 ** 4;

const SCHEDULE = block<Spec.ScheduleSpec>({
  cron: value(
    "cron",
    CRON,
    "When it runs: minute, hour, day of the month, month, day of the week.",
    { required: true },
  ),
  timezone: value("timezone", TIMEZONE, "Whose clock the fields mean.", { otherwise: "UTC" }),
  overlap: value(
    "overlap",
    choice(["allow", "skip", "replace"]),
    "What happens when a run is due and the last one still runs.",
    { default: "skip" },
  ),
  missed: value(
    "missed",
    choice(["once", "skip"]),
    "Whether one run makes up for all that were due while no conductor was there.",
    { default: "once" },
  ),
}, { head: "cron" });

const VOLUME = block<Spec.VolumeSpec>({
  path: value(
    "path",
    VOLUME_PATH,
    "The directory, made if missing; a relative one lies below the node's state folder.",
    { required: true },
  ),
  env: value("env", ENV_NAME, "The environment variable that holds its path."),
  shared: value("shared", flag, "The directory is storage that every node sees.", {
    default: false,
  }),
});

const BUILD = block<Spec.BuildSpec>({
  run: value("run", COMMAND, "What the CLI runs before submitting, in the manifest's folder.", {
    required: true,
  }),
  out: value("out", FOLDER, "What it makes."),
});

const ARTIFACT = block<Spec.ArtifactSpec>({
  from: value(
    "from",
    FOLDER,
    "The file or folder that the CLI uploads, from the manifest's folder.",
    { required: true },
  ),
  to: value("to", INNER_PATH, "Its place below ${ARTIFACT}."),
  sha256: value("sha256", SHA256, "Its digest; the CLI adds it before it signs."),
  bytes: value("bytes", int(0, ARTIFACT_BYTES), "Its length; the CLI adds it."),
  form: value("form", choice(["file", "folder"]), "What it is; the CLI adds it."),
});

const SERVE = block<ServeRaw>({
  static: value(
    "static",
    NODE_FOLDER,
    "The directory to serve: absolute, below the node's working directory, or ${ARTIFACT}.",
    { required: true },
  ),
  port: value("port", PORT_OF_SERVER, "The port to serve at.", {
    otherwise: "the port of the app",
  }),
  spa: value("spa", flag, "Unknown paths get the start page, as single-page apps want.", {
    default: false,
  }),
});

const HEALTH = block<Spec.HealthSpec>({
  check: value(
    "check",
    CHECK,
    "What is asked: an HTTP path and the status it answers, a connection, or a command.",
    { required: true },
  ),
  intervalMs: value(
    "interval",
    duration(100, HOUR),
    "From one check to the next; before the first pass from 20 ms on, doubling.",
    { default: 10 * SECOND },
  ),
  timeoutMs: value("timeout", duration(10, 10 * MINUTE), "How long an answer may take.", {
    default: 2 * SECOND,
  }),
  retries: value("retries", int(1, 100), "So many failures in a row restart the replica.", {
    default: 3,
  }),
  startPeriodMs: value(
    "start-period",
    duration(0, DAY),
    "Failures in this time after the start do not count.",
    { default: 0 },
  ),
});

const SCALE = block<ScaleRaw>({
  min: value("min", int(0, APP_REPLICAS), "Fewest replicas.", { default: 1 }),
  max: value("max", int(1, APP_REPLICAS), "Most replicas.", {
    otherwise: "replicas, and at least min",
  }),
  cpuAbove: value(
    "cpu-above",
    percent(1, 100),
    "One replica more when they use more of their cpu (without one: of a core) than this.",
  ),
  cpuBelow: value(
    "cpu-below",
    percent(0, 99),
    "One replica less when they use less of their cpu than this.",
    { otherwise: "half of cpu-above" },
  ),
  rpsAbove: value(
    "rps-above",
    decimal(0.001, 1_000_000),
    "One replica more when each answers more requests a second than this.",
  ),
  idleAfterMs: value(
    "idle-after",
    duration(SECOND, 30 * DAY),
    "No replica at all after so long without a request; the next request wakes the app.",
  ),
  cooldownMs: value("cooldown", duration(0, DAY), "At most one step in this time.", {
    default: 30 * SECOND,
  }),
}, { check: checkScaleBounds });

const ROLLOUT = block<Spec.RolloutSpec>({
  order: value(
    "order",
    choice(["start-first", "stop-first"]),
    "Whether a new replica starts before an old one stops.",
    { default: "start-first" },
  ),
  batch: value("batch", int(1, APP_REPLICAS), "How many replicas are replaced at a time.", {
    default: 1,
  }),
  settleMs: value(
    "settle",
    duration(0, HOUR),
    "Without a health check, running this long counts as ready.",
    { default: 8 * SECOND },
  ),
  timeoutMs: value(
    "timeout",
    duration(SECOND, DAY),
    "A replica that is not ready by then has failed.",
    { default: 120 * SECOND },
  ),
  onFailure: value(
    "on-failure",
    choice(["rollback", "pause"]),
    "What happens when the new generation is worse.",
    { default: "rollback" },
  ),
  canary: value(
    "canary",
    CANARY,
    "The share of requests that the new generation gets, and for how long, before it is judged.",
  ),
});

const ROUTE = block<Spec.RouteSpec, RouteRaw>({
  host: value("host", HOST, "Only requests to this host.", { otherwise: "any host" }),
  path: value("path", ROUTE_PATH, "Only requests whose path begins with these segments.", {
    default: "/",
  }),
  strip: value("strip", STRIP, "Takes the path, or this leading part of it, off the request.", {
    default: false,
  }),
  rate: value("rate", rate, "Most requests of one client; beyond it the answer is 429."),
  burst: value("burst", int(1, 1_000_000), "So many requests at once are within the rate.", {
    otherwise: "a second of the rate, at least 1",
  }),
  per: value("per", PER, "What tells clients apart.", { otherwise: "ip" }),
  sticky: value("sticky", choice(["cookie", "none"]), "Keeps a client at its replica.", {
    default: "none",
  }),
  timeoutMs: value("timeout", duration(10, DAY), "How long an answer may take.", {
    otherwise: "the ingress's own",
  }),
  retries: value(
    "retries",
    int(0, 10),
    "On how many other replicas a request that is safe to repeat is tried.",
    { otherwise: "the ingress's own" },
  ),
  weight: value(
    "weight",
    int(0, 10_000),
    "Share of the requests, against other apps with the same route.",
    { default: 1 },
  ),
  tlsRequired: value("tls", TLS, "Plain HTTP is redirected to HTTPS.", {
    default: false,
  }),
}, {
  check: (route) => {
    checkRate(route);
    checkStrip(route);
  },
  finish: finishRoute,
  unfinish: unfinishRoute,
});

const PLACE = block<Spec.PlaceSpec>({
  require: list("require", LABELS, "Only nodes with these labels."),
  prefer: list("prefer", LABELS, "Rather nodes with these labels."),
  spread: value(
    "spread",
    SPREAD,
    "What replicas are spread over: nodes, or the values of a label.",
    { default: "node" },
  ),
  avoid: list("avoid", APP_NAMES, "Not on a node with a replica of these apps."),
  near: list("near", APP_NAMES, "Rather on a node with a replica of these apps."),
});

const SANDBOX = block<Spec.SandboxSpec>({
  user: value("user", USER, "The account it runs under; auto makes one.", {
    otherwise: "the account of the app",
  }),
  read: list("read", PATHS, "What it may read."),
  write: list("write", PATHS, "What it may write."),
  net: list("net", HOSTS, "Whom it may talk to."),
  optional: value("optional", flag, "Runs without the sandbox on a node that cannot enforce it.", {
    default: false,
  }),
});

const BEFORE = block<Spec.BeforeSpec>({
  exec: value("exec", PROGRAM, "The program, such as a migration.", { required: true }),
  args: value("args", words, "Its arguments.", { default: [] }),
  timeoutMs: value("timeout", duration(SECOND, DAY), "How long it may take.", {
    default: 5 * MINUTE,
  }),
});

const VM = block<Spec.VmSpec>({
  hypervisor: value("hypervisor", choice(["qemu", "firecracker"]), "What runs the machine.", {
    default: "qemu",
  }),
  kernel: value("kernel", NODE_FOLDER, "The kernel to boot."),
  initrd: value("initrd", NODE_FOLDER, "The initial RAM disk."),
  rootfs: value("rootfs", NODE_FOLDER, "The root file system."),
  vcpus: value("vcpus", int(1, 1_024), "Virtual processors.", { default: 1 }),
  memoryBytes: value("memory", size(MEGABYTE, 64 * TERABYTE), "Memory.", {
    default: 512 * MEGABYTE,
  }),
  net: value(
    "net",
    text({ form: "user, none, bridge:NAME or tap:NAME", oneWord: true }),
    "Its network: user has the app's port forwarded to it, none, or a device of the node.",
    { otherwise: "user; none for firecracker" },
  ),
  args: value("args", words, "Further arguments of the kernel.", { default: [] }),
});

/** The keys of an app. */
export const APP = block<Spec.AppSpec, AppRaw>({
  name: value("app", APP_NAME, "The name of the app; opens it, up to the next app or the end."),
  exec: value("exec", PROGRAM, "Program to run: absolute, or found on the node's --path.", {
    aliases: ["bin"],
    foreign: ["command", "cmd", "program", "run", "binary", "image", "entrypoint"],
  }),
  args: value("args", words, "Arguments, split as a shell splits words; no shell is run.", {
    default: [],
    foreign: ["arguments", "argv"],
  }),
  type: value(
    "type",
    choice(["service", "job", "wasm", "vm", "system"], { process: "service" }),
    "What it is: service (also process), job, wasm, vm, or system: one replica on every node.",
    {
      default: "service",
      foreign: ["kind"],
    },
  ),
  port: value(
    "port",
    PORT,
    "The port the service is known by; fixed means a replica listens at no other.",
    { foreign: ["ports", "listen", "expose"] },
  ),
  replicas: value("replicas", int(0, APP_REPLICAS), "How many run.", {
    default: 1,
    foreign: ["count", "instances", "copies"],
  }),
  ramBytes: value(
    "ram",
    size(1024, 64 * TERABYTE),
    "What a replica needs of memory, for placement, and its limit.",
    { foreign: ["memory", "mem"] },
  ),
  cpu: value(
    "cpu",
    decimal(0.001, 4_096),
    "What a replica needs of processors, for placement, and its limit by cgroup v2; 0.5 is half of one.",
    { foreign: ["cpus", "cores", "vcpus"] },
  ),
  gpu: value("gpu", flag, "Only on nodes that announce one.", {
    default: false,
    foreign: ["gpus"],
  }),
  restart: value(
    "restart",
    choice(["always", "on-failure", "never"]),
    "When a replica that ended is started again.",
    { otherwise: "always; on-failure for jobs" },
  ),
  drainMs: value(
    "drain",
    duration(0, HOUR),
    "Longest wait for requests in flight before it is told to stop.",
    { default: 5 * SECOND },
  ),
  graceMs: value("grace", duration(0, HOUR), "From the stop signal to SIGKILL.", {
    default: 2 * SECOND,
  }),
  user: value("user", USER, "The account it runs under.", { otherwise: "the node's" }),
  cwd: value("cwd", NODE_FOLDER, "Its working directory.", {
    otherwise: "the node's",
    foreign: ["dir", "directory", "workdir", "working-directory"],
  }),
  stopSignal: value("stop-signal", SIGNAL, "What tells it to stop.", {
    default: "SIGTERM",
    foreign: ["signal"],
  }),
  namespace: value(
    "namespace",
    APP_NAME,
    "The tenant it belongs to: operators' rights and quotas.",
    {
      default: "default",
      foreign: ["tenant"],
    },
  ),
  needs: list("needs", APP_NAMES, "Apps that must have a healthy replica before this one starts.", {
    foreign: ["depends-on", "depends", "after", "requires"],
  }),
  schedule: one("schedule", SCHEDULE, "When a job runs: five-field cron.", {
    foreign: ["cron"],
  }),
  timezone: value("timezone", TIMEZONE, "Whose clock the schedule means.", {
    otherwise: "UTC",
  }),
  overlap: value(
    "overlap",
    choice(["allow", "skip", "replace"]),
    "What happens when a run is due and the last one still runs.",
    { otherwise: "skip" },
  ),
  retries: value(
    "retries",
    int(0, 1_000),
    "For jobs: how often one that failed is started again.",
    {
      otherwise: "3",
    },
  ),
  timeoutMs: value(
    "timeout",
    duration(SECOND, 30 * DAY),
    "For jobs: how long a run may take, its retries included.",
  ),
  env: map("env", { names: ENV_NAME, kind: ENV_VALUE, bare: false }, "Environment.", {
    foreign: ["environment", "vars"],
  }),
  secrets: map(
    "secret",
    { names: ENV_NAME, kind: SECRET_NAME, bare: true },
    "Environment from the secret store: a variable and the name of the secret (or `file NAME`: the path of a private file), or one for both.",
    { foreign: ["secrets"] },
  ),
  volumes: many("volume", VOLUME, "A directory that lasts; binds the app to its home node.", {
    foreign: ["volumes", "mount", "storage"],
  }),
  build: one("build", BUILD, "Run by the CLI before submitting."),
  artifact: one(
    "artifact",
    ARTIFACT,
    "What the CLI uploads; nodes fetch it and verify it before every launch.",
  ),
  serve: one("serve", SERVE, "The built-in static server instead of exec.", {
    foreign: ["static"],
  }),
  health: one("health", HEALTH, "How a replica is seen to be well.", {
    foreign: ["healthcheck", "health-check", "probe", "readiness", "liveness"],
  }),
  scale: one("scale", SCALE, "Bounds and triggers of the number of replicas.", {
    foreign: ["autoscale", "autoscaling", "scaling"],
  }),
  rollout: one("rollout", ROLLOUT, "How replicas are replaced.", {
    always: true,
    foreign: ["update", "deploy", "strategy"],
  }),
  routes: many("route", ROUTE, "What the ingress serves this app under.", {
    foreign: ["routes", "ingress", "http"],
  }),
  place: one("place", PLACE, "On which nodes replicas run.", {
    always: true,
    foreign: ["placement", "constraints", "affinity", "nodes"],
  }),
  sandbox: one("sandbox", SANDBOX, "Least privilege: what it may read, write and talk to.", {
    foreign: ["security", "permissions"],
  }),
  before: one("before", BEFORE, "Run before a generation's first replica, on one node.", {
    foreign: ["migrate", "init", "pre"],
  }),
  vm: one("vm", VM, "The virtual machine of type vm."),
}, {
  head: "name",
  check: checkApp,
  finish: finishApp,
  unfinish: unfinishApp,
});
