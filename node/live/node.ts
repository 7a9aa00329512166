// The node daemon: the pure machine with everything it needs of the world around it.

import type { Address } from "../../core/address.ts";
import { Failure } from "../../core/errors.ts";
import { SAMPLE_MS } from "../../core/limits.ts";
import { now, randomHex } from "../../core/live/clock.ts";
import { createVerifier, type Verifier } from "../../core/live/crypto.ts";
import type { Running } from "../../core/live/daemon.ts";
import { logger } from "../../core/live/log.ts";
import { openUdp, type Udp } from "../../core/live/udp.ts";
import { fingerprint, PUBLIC_KEY_BYTES } from "../../core/sign.ts";
import type { Adopted, NodeEffect, NodeEvent } from "../effects.ts";
import { NodeMachine } from "../machine.ts";
import type { LogRecord } from "../records.ts";
import type { SavedReplica } from "../saved.ts";
import { NodeFiles } from "./files.ts";
import { Follower } from "./follow.ts";
import { Helper } from "./helper.ts";
import { serveHttp } from "./http.ts";
import { Logs } from "./logs.ts";
import { nodeMetrics } from "./metrics.ts";
import { PlainLive } from "./plain.ts";
import { Prober } from "./prober.ts";
import { Processes } from "./process.ts";

type Timer = ReturnType<typeof setTimeout>;

/** Everything a node daemon is told. */
export interface StartOptions {
  readonly bind: string;
  readonly host: string;
  readonly port: number;
  /** Default: the machine's name. */
  readonly name?: string;
  /** Absolute. */
  readonly state: string;
  readonly conductor: Address | null;
  /** Where its log is followed. */
  readonly follow: Address | null;
  readonly tower: Address | null;
  /** Raw public keys of the operators; none: nothing is verified. */
  readonly keys: readonly Uint8Array[];
  readonly path: string;
  readonly workdir: string;
  readonly denoDir?: string;
  readonly ports: { readonly first: number; readonly last: number };
  readonly cores?: number;
  readonly ramTotalBytes?: number;
  readonly gpu: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** Networks whose plain v1 reads are answered, beside loopback. */
  readonly plain: readonly string[];
  /** Plain v1 commands that act are taken. */
  readonly open: boolean;
  readonly stopReplicas: boolean;
  /** Where Prometheus scrapes; `null`: nowhere but on the node's own port. */
  readonly metricsPort: number | null;
  /** For tests: another program in place of the health worker's. */
  readonly healthWorkerUrl?: URL;
}

/** The exit code with which a node asks its supervisor to start it again. */
export const EXIT_AGAIN = 75;

export interface NodeDaemon extends Running {
  readonly ended: Promise<number>;
  readonly machine: NodeMachine;
  readonly udp: Udp;
  readonly logs: Logs;
  readonly processes: Processes;
  readonly helper: Helper;
  readonly prober: Prober;
}

/**
 * Starts a node.
 *
 * @throws {Failure} where a port, the state folder or a needed tool cannot be had.
 */
export async function startNode(options: StartOptions): Promise<NodeDaemon> {
  const files = new NodeFiles(options.state);
  const log = logger("node");
  const helper = new Helper(options.path);
  const [tools, hostName, verifier] = await Promise.all([
    helper.tools(),
    options.name ?? helper.host(),
    createVerifier(),
  ]);
  if (tools.locker === "") {
    throw new Failure("no-locker", "neither flock nor perl is on this machine; install util-linux");
  }

  const queue: NodeEvent[] = [];
  let busy = false;
  let timer: Timer | undefined;
  let closed = false;
  const dispatch = (event: NodeEvent): void => {
    queue.push(event);
    if (busy || closed) return;
    busy = true;
    try {
      for (let next; (next = queue.shift());) {
        for (const effect of machine.step(next, now())) perform(effect);
      }
    } finally {
      busy = false;
    }
    const waitMs = Math.max(0, Math.min(machine.dueMonoMs - performance.now(), 2 ** 30));
    clearTimeout(timer);
    timer = setTimeout(() => dispatch({ on: "tick" }), Math.ceil(waitMs));
  };

  const udp = openUdp({
    hostname: options.bind,
    port: options.port,
    receive: (text, from) =>
      text.startsWith("{") ? dispatch({ on: "mesh", text, from }) : plain.receive(text, from),
  });
  const machine = new NodeMachine({
    node: files.node,
    boot: randomHex(16),
    name: meshName(hostName),
    host: options.host,
    port: udp.address.port,
    path: options.path,
    workdir: options.workdir,
    ...(options.denoDir === undefined ? {} : { denoDir: options.denoDir }),
    ...(options.tower === null ? {} : { towerUrl: urlOf(options.tower) }),
    conductor: options.conductor,
    tower: options.tower,
    cores: options.cores ?? navigator.hardwareConcurrency,
    ...(options.ramTotalBytes === undefined ? {} : { ramTotalBytes: options.ramTotalBytes }),
    gpu: options.gpu,
    labels: options.labels,
    ports: options.ports,
  });

  let end: (code: number) => void = () => {};
  const ended = new Promise<number>((resolve) => end = resolve);
  let stopped: () => void = () => {};
  const allStopped = new Promise<void>((resolve) => stopped = resolve);

  const logs = new Logs(`${options.state}/replicas`);
  const processes = new Processes({
    files,
    helper,
    tools,
    uid: tools.uid,
    dispatch,
    logged: (replica) => logs.touch(replica),
  });
  const prober = new Prober({
    host: options.host,
    workerUrl: options.healthWorkerUrl ?? new URL("./health.worker.ts", import.meta.url),
    environmentOf: (replica, plan) => processes.environmentOf(replica, plan),
    dispatch,
    hung: () => {
      log.error("ends to be started again; its replicas run on and will be adopted");
      // A worker that hangs blocks every gentler way out.
      Deno.exit(EXIT_AGAIN);
    },
  });
  const plain = new PlainLive({ options, machine, udp, logs, processes, dispatch });
  const view = {
    machine,
    logs,
    plain: options.plain,
    open: options.open,
    hasLog: (replica: string) => machine.replicas.has(replica) || files.hasLog(replica),
    metrics: () => nodeMetrics({ machine, udp, plain, prober }),
  };
  const servers = [serveHttp({ hostname: options.bind, port: udp.address.port }, view)];
  if (options.metricsPort !== null) {
    servers.push(serveHttp({ hostname: options.bind, port: options.metricsPort }, view));
  }
  const keys = new Map(options.keys.map((key) => [fingerprint(key), key]));

  function perform(effect: NodeEffect): void {
    switch (effect.do) {
      case "send":
        return udp.send(effect.text, effect.to);
      case "verify":
        verify(verifier, keys, effect.record).then((refusal) =>
          dispatch({ on: "verified", sequence: effect.record.sequence, refusal })
        );
        return;
      case "keep-record":
        return guard("keep a record", () => files.keepRecord(effect.record));
      case "try-port": {
        const { replica, port } = effect;
        return dispatch({ on: "port-tried", replica, port, free: isFree(port) });
      }
      case "launch":
        return processes.launch(effect.replica, effect.instance, effect.plan, effect.saved);
      case "signal":
        return processes.signal(effect.replica, effect.instance, effect.signal);
      case "probe":
        return prober.probe(effect);
      case "check-owner":
        checkOwner(effect);
        return;
      case "save":
        return guard("save a replica's state", () => files.save(effect.saved));
      case "tombstone":
        return guard(
          "keep a finished id",
          () => files.keepTombstone(effect.replica, effect.wallMs),
        );
      case "follow":
        return follower?.again();
      case "log":
        return log[effect.level === "warning" ? "warn" : effect.level](effect.text);
      case "stopped":
        return stopped();
      default:
        return effect satisfies never;
    }
  }

  async function checkOwner(
    { replica, instance, port }: Extract<NodeEffect, { do: "check-owner" }>,
  ): Promise<void> {
    const running = processes.groupOf(replica);
    const { owner, detail } = running
      ? await helper.owner(running, options.host, port)
      : { owner: "unknown" as const, detail: "" };
    dispatch({ on: "owner", replica, instance, owner, detail });
  }

  const adopted = await adopt(files, processes);
  const saved = adopted.map((each) => each.saved);
  files.prune(saved, now().wallMs);
  const present = { adopted, tombstones: files.loadTombstones(now().wallMs) };
  dispatch({ on: "start", ...present, records: files.loadRecords() });
  for (const { saved, running } of adopted) {
    if (!running && hadProcess(saved)) processes.past(saved.replica, saved.instance);
  }

  const follower = options.follow === null
    ? null
    : new Follower(options.follow, () => machine.sequence, dispatch);
  const sampler = new Sampler(helper, options.cores ?? navigator.hardwareConcurrency, dispatch);
  log.info("{name} listens at {host}:{port}, state in {state}, {count} replicas adopted", {
    name: machine.around.name,
    host: options.host,
    port: udp.address.port,
    state: options.state,
    count: adopted.filter((each) => each.running).length,
  });

  return {
    ended,
    machine,
    udp,
    logs,
    processes,
    helper,
    prober,
    async stop() {
      if (options.stopReplicas) {
        dispatch({ on: "stop-all" });
        await allStopped;
      }
      closed = true;
      clearTimeout(timer);
      sampler[Symbol.dispose]();
      follower?.[Symbol.dispose]();
      prober[Symbol.dispose]();
      logs[Symbol.dispose]();
      await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
      await udp[Symbol.asyncDispose]();
      await helper[Symbol.asyncDispose]();
      files.close();
      end(0);
    },
  };
}

/** What an earlier daemon left in the state folder, and which of it runs. */
async function adopt(files: NodeFiles, processes: Processes): Promise<Adopted[]> {
  const { replicas, damaged } = files.load();
  for (const replica of damaged) {
    logger("node").error(
      "the state of {replica} in {folder} is damaged: what it ran is ended, and the conductor will say what is to run",
      { replica, folder: files.folderOf(replica) },
    );
    await processes.abandon(replica);
  }
  return await Promise.all(replicas.map(async (saved) => {
    const alive = hadProcess(saved)
      ? await processes.adopt(saved.replica, saved.instance)
      : { running: false };
    return { saved, ...alive };
  }));
}

function hadProcess(saved: SavedReplica): boolean {
  return saved.stage !== "pending" && saved.stage !== "finished";
}

/** Why a record does not count; `null` where it does. */
async function verify(
  verifier: Verifier,
  keys: ReadonlyMap<string, Uint8Array>,
  record: LogRecord,
): Promise<string | null> {
  if (keys.size === 0) return null;
  const key = keys.get(record.key);
  if (!key) {
    return `record ${record.sequence} is signed by a key (${record.key.slice(0, 16)}) ` +
      `that this node was not given`;
  }
  const good = await verifier.verify(key, record.text, record.signatureHex);
  return good ? null : `record ${record.sequence} has a signature that does not verify`;
}

/** Says whether nobody listens on this port at any of the machine's addresses. */
function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "0.0.0.0", port }).close();
    return true;
  } catch {
    return false;
  }
}

function guard(what: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    logger("node").error("cannot {what}: {error}", { what, error });
  }
}

/** Asks the helper for the machine's load at intervals. */
class Sampler implements Disposable {
  readonly #timer: Timer;
  #asking = false;

  constructor(helper: Helper, cores: number, dispatch: (event: NodeEvent) => void) {
    const ask = async () => {
      if (this.#asking) return;
      this.#asking = true;
      const sample = await helper.sample(cores);
      this.#asking = false;
      if (sample) dispatch({ on: "sample", ...sample });
    };
    ask();
    this.#timer = setInterval(ask, SAMPLE_MS);
    Deno.unrefTimer(this.#timer);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** Reads an operator's public key. @throws {Failure} `bad-key` where the file holds none. */
export function readKey(path: string): Uint8Array {
  let key: Uint8Array;
  try {
    key = Deno.readFileSync(path);
  } catch (error) {
    throw new Failure("bad-key", `cannot read the public key ${path}: ${(error as Error).message}`);
  }
  if (key.length === PUBLIC_KEY_BYTES) return key;
  throw new Failure(
    "bad-key",
    `${path} holds ${key.length} bytes, not the ${PUBLIC_KEY_BYTES} of an ML-DSA-65 public key`,
  );
}

/** A machine's name as the mesh allows it. */
function meshName(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9._-]/g, "-").replace(/^[^A-Za-z0-9]+/, "").slice(0, 63);
  return plain === "" ? "node" : plain;
}

function urlOf({ hostname, port }: Address): string {
  return `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}
