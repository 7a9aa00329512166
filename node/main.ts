// The node daemon: runs and watches programs in the conductor's name.

import {
  type Address,
  CONDUCTOR_PORT,
  isLoopback,
  isNetwork,
  MESH_PORT,
  readAddresses,
  TOWER_PORT,
} from "../core/address.ts";
import { Failure } from "../core/errors.ts";
import { type Flag, type FlagValues, JOIN_FLAGS, runDaemon } from "../core/live/daemon.ts";
import { logger } from "../core/live/log.ts";
import { startNode } from "./live/node.ts";
import { findRunners } from "./live/runners.ts";
import { readKey, type StartOptions } from "./live/start_options.ts";

/** The node's own flags. */
export const NODE_FLAGS: readonly Flag[] = [
  { name: "port", value: "PORT", default: "7775", help: "UDP and TCP port of the node itself" },
  { name: "host", value: "IP", help: "address at which others reach this node (default: --bind)" },
  { name: "name", value: "NAME", help: "the node's name (default: the machine's)" },
  {
    name: "conductor",
    value: "HOST[:PORT],...",
    help: "the mesh port (7770) of the conductor, or of each of several",
  },
  {
    name: "follow",
    value: "HOST[:PORT],...",
    help: "the conductors' TCP ports in the same order (7771 of --conductor)",
  },
  { name: "tower", value: "HOST[:PORT],...", help: "the tower (7772), or all of several" },
  { name: "pubkey", value: "FILE", repeat: true, help: "an operator's public key (repeatable)" },
  { name: "insecure", help: "run what nobody has signed; only on loopback" },
  { name: "path", value: "DIRS", help: "where programs are looked for, split by colons" },
  { name: "workdir", value: "DIR", help: "folder in which programs run (default: this one)" },
  { name: "ports", value: "A-B", default: "20000-29999", help: "range of ports to hand out" },
  { name: "artifacts", value: "MB", default: "10240", help: "bound of the cache of artifacts" },
  { name: "label", value: "K=V", repeat: true, help: "a label of this node (repeatable)" },
  { name: "cpus", value: "N", help: "cores to announce in place of the machine's" },
  { name: "ram", value: "MB", help: "RAM to announce in place of the machine's" },
  { name: "gpu", help: "announce a GPU" },
  { name: "metrics", value: "PORT|off", default: "9100", help: "TCP port for Prometheus" },
  { name: "plain", value: "CIDR", repeat: true, help: "network whose plain reads are answered" },
  { name: "trust-paths", help: "run manifests of which only the path is signed (v1 SUBMIT)" },
  ...JOIN_FLAGS,
  { name: "new-log", help: "give up the copy of a log that the conductor no longer shows" },
  { name: "stop-replicas", help: "at the end stop the replicas, too, instead of leaving them" },
];

function addressesIn(flags: FlagValues, name: string, port: number): Address[] {
  const text = flags.optional(name);
  return text === undefined ? [] : readAddresses(text, name, port);
}

function portRange(text: string) {
  const [first = 0, last = 0] = text.split("-").map(Number);
  if (/^[0-9]+-[0-9]+$/.test(text) && first >= 1 && last <= 65_535 && first <= last) {
    return { first, last };
  }
  throw new Failure("usage", `--ports needs a range such as 20000-29999, not ${text}`);
}

function labels(pairs: readonly string[]) {
  return Object.fromEntries(pairs.map((pair) => {
    const cut = pair.indexOf("=");
    if (cut < 1) throw new Failure("usage", `--label needs K=V, not ${pair}`);
    return [pair.slice(0, cut), pair.slice(cut + 1)];
  }));
}

/** An environment variable, where this process may read it. */
function environment(name: string): string | undefined {
  try {
    return Deno.env.get(name);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}

function denoDir(): string | undefined {
  const home = environment("HOME");
  const cache = environment("XDG_CACHE_HOME") ?? (home && `${home}/.cache`);
  const standard = Deno.build.os === "darwin" ? home && `${home}/Library/Caches` : cache;
  return environment("DENO_DIR") ?? (standard && `${standard}/deno`);
}

function absolute(path: string): string {
  return path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
}

function keysOf(flags: FlagValues, bind: string, sealed: boolean): Uint8Array[] {
  const keys = flags.all("pubkey").map(readKey);
  if (keys.length > 0 && flags.has("insecure")) {
    throw new Failure("usage", "--insecure and --pubkey exclude each other");
  }
  if (keys.length > 0) return keys;
  // A node of the sealed mesh is told of the operator by the token that it joins with.
  if (sealed && !flags.has("insecure")) return [];
  if (!flags.has("insecure")) {
    throw new Failure(
      "no-key",
      "no --pubkey: a node runs only what an operator signed; --insecure (on loopback) waives that",
    );
  }
  if (!isLoopback(bind)) {
    throw new Failure("insecure", `--insecure is for loopback only, not for ${bind}`);
  }
  logger("node").warn("--insecure: this node runs whatever reaches it, signed by nobody");
  return keys;
}

/** Reads what a node is told on its command line. @throws {Failure} for what it cannot be told. */
export function readOptions(flags: FlagValues): StartOptions {
  if (flags.has("trust-paths")) {
    logger("node").warn("--trust-paths: what stands at a signed path is run, signed by nobody");
  }
  const bind = flags.text("bind");
  const sealed = flags.optional("mesh") !== "open";
  const join = flags.optional("join");
  const host = flags.optional("host") ?? bind;
  const conductors = addressesIn(flags, "conductor", MESH_PORT);
  const told = addressesIn(flags, "follow", CONDUCTOR_PORT);
  const follows = told.length > 0
    ? told
    : conductors.map(({ hostname }) => ({ hostname, port: CONDUCTOR_PORT }));
  if (conductors.length > 1 && follows.length !== conductors.length) {
    throw new Failure("usage", "--follow needs an address for each of --conductor, in its order");
  }
  const towers = addressesIn(flags, "tower", TOWER_PORT);
  for (const network of flags.all("plain")) {
    if (!isNetwork(network)) throw new Failure("usage", `--plain needs a CIDR, not ${network}`);
  }
  const program = Deno.execPath();
  const standardPath = `/usr/local/bin:/usr/bin:/bin:${program.slice(0, program.lastIndexOf("/"))}`;
  const cache = denoDir();
  const name = flags.optional("name");
  const ram = flags.optional("ram");
  return {
    bind,
    host,
    port: flags.integer("port", 0, 65_535),
    ...(name === undefined ? {} : { name }),
    state: absolute(flags.text("state")),
    conductor: conductors[0] ?? null,
    follow: follows[0] ?? null,
    moreConductors: conductors.slice(1),
    moreFollow: follows.slice(1),
    tower: towers[0] ?? null,
    moreTowers: towers.slice(1),
    keys: keysOf(flags, bind, sealed),
    ...(sealed
      ? {
        seal: {
          ...(join === undefined ? {} : { join }),
          trustOperator: !flags.has("insecure"),
        },
      }
      : {}),
    path: flags.optional("path") ?? standardPath,
    workdir: absolute(flags.optional("workdir") ?? Deno.cwd()),
    ...(cache === undefined ? {} : { denoDir: cache }),
    runners: findRunners(),
    artifactBytes: flags.integer("artifacts", 0, 2 ** 30) * 1024 * 1024,
    ports: portRange(flags.text("ports")),
    ...(flags.optional("cpus") === undefined ? {} : { cores: flags.integer("cpus", 1, 4096) }),
    ...(ram === undefined ? {} : { ramTotalBytes: flags.integer("ram", 1, 2 ** 30) * 1024 * 1024 }),
    gpu: flags.has("gpu"),
    labels: labels(flags.all("label")),
    metricsPort: flags.text("metrics") === "off" ? null : flags.integer("metrics", 0, 65_535),
    plain: flags.all("plain"),
    open: flags.optional("mesh") === "open",
    trustPaths: flags.has("trust-paths"),
    newLog: flags.has("new-log"),
    stopReplicas: flags.has("stop-replicas"),
  };
}

if (import.meta.main) {
  await runDaemon({
    name: "node",
    purpose: "runs and watches programs",
    flags: NODE_FLAGS,
    start: (flags) => startNode(readOptions(flags)),
  });
}
