// The node daemon: the pure machine with everything it needs of the world around it.

import { type Address, showAddress } from "../../core/address.ts";
import { formatCopy } from "../../core/copy.ts";
import { Failure } from "../../core/errors.ts";
import { ARTIFACT_CACHE_BYTES } from "../../core/limits.ts";
import { now } from "../../core/live/clock.ts";
import { createVerifier, type Verifier } from "../../core/live/crypto.ts";
import type { Running } from "../../core/live/daemon.ts";
import { logger } from "../../core/live/log.ts";
import type { MemberSeal } from "../../core/live/member_seal.ts";
import type { MeshUdp } from "../../core/live/mesh_udp.ts";
import type { Udp } from "../../core/live/udp.ts";
import { parseManifest } from "../../core/manifest/parse.ts";
import { fingerprintOf } from "../../core/roster.ts";
import { SIGNATURE_BYTES } from "../../core/signed.ts";
import type { NodeEvent } from "../effects.ts";
import { NodeMachine } from "../machine.ts";
import type { FenceTools } from "../sandbox.ts";
import { adopt, hadProcess } from "./adopt.ts";
import { Artifacts } from "./artifacts.ts";
import { Autoscaler } from "./autoscaler.ts";
import { Cgroups } from "./cgroups.ts";
import { CheckpointKeeper } from "./checkpoints.ts";
import { DoneMarks } from "./done_marks.ts";
import { runSigned } from "./exec.ts";
import { NodeFiles } from "./files.ts";
import { Follower } from "./follow.ts";
import { Helper } from "./helper.ts";
import { handleHttp, type NodeView, serveHttp } from "./http.ts";
import { Logs } from "./logs.ts";
import { nodeMetrics, type ReplicaUse } from "./metrics.ts";
import { guard, Performer } from "./perform.ts";
import { PlainLive } from "./plain.ts";
import { Prober } from "./prober.ts";
import { Processes } from "./process.ts";
import { type Answer, type OpenedStream, SignedRequests } from "./requests.ts";
import { Sampler } from "./sampler.ts";
import { askSealed, openSeal } from "./sealed.ts";
import { NodeSecrets } from "./secrets.ts";
import { openConductorSockets, openPorts } from "./sockets.ts";
import { machineOptions, type StartOptions } from "./start_options.ts";
import { NodeStreams } from "./streams.ts";
import { Usage } from "./usage.ts";

type Timer = ReturnType<typeof setTimeout>;

/** The exit code with which a node asks its supervisor to start it again. */
export const EXIT_AGAIN = 75;

/**
 * Starts a node.
 *
 * @throws {Failure} where a port, the state folder or a needed tool cannot be had.
 */
export async function startNode(options: StartOptions): Promise<NodeDaemon> {
  const files = new NodeFiles(options.state);
  if (options.newLog) files.forgetLog();
  const helper = new Helper(options.path);
  try {
    const [tools, hostName, verifier, cgroups] = await Promise.all([
      helper.tools(),
      options.name ?? helper.host(),
      createVerifier(),
      Cgroups.open(helper, files.node, options.cgroupTree),
    ]);
    // The first beat must not announce a machine without memory.
    const load = await helper.sample(options.cores ?? navigator.hardwareConcurrency);
    if (tools.locker === "") {
      throw new Failure("no-locker", "neither flock nor perl is on this machine; install one");
    }
    const fence = options.fence ?? await helper.fence(tools);
    const seal = await openSeal(options, files.node, hostName);
    const trusted = options.seal?.trustOperator ? seal?.operators ?? [] : [];
    const told = { ...options, keys: [...options.keys, ...trusted] };
    const parts = { seal, files, helper, tools, fence, cgroups, verifier, hostName };
    const daemon = new NodeDaemon(told, parts);
    if (load) daemon.dispatch({ on: "sample", ...load });
    await daemon.begin();
    return daemon;
  } catch (error) {
    await helper[Symbol.asyncDispose]();
    files.close();
    throw error;
  }
}

/** What a daemon needs before it can begin. */
interface Parts {
  readonly seal: MemberSeal | undefined;
  readonly files: NodeFiles;
  readonly helper: Helper;
  readonly tools: Awaited<ReturnType<Helper["tools"]>>;
  readonly cgroups: Cgroups;
  readonly verifier: Verifier;
  readonly hostName: string;
  readonly fence: FenceTools;
}

export class NodeDaemon implements Running {
  readonly ended: Promise<number>;
  readonly machine: NodeMachine;
  readonly udp: MeshUdp;
  /** Address of a further conductor -> the socket that speaks with it alone. */
  readonly #conductorSockets: ReadonlyMap<string, Udp>;
  readonly logs: Logs;
  readonly processes: Processes;
  readonly helper: Helper;
  readonly prober: Prober;
  readonly autoscaler: Autoscaler;
  readonly artifacts: Artifacts;

  readonly #files: NodeFiles;
  readonly #cgroups: Cgroups;
  readonly #verifier: Verifier;
  readonly #plain: PlainLive;
  readonly #secrets: NodeSecrets;
  readonly #requests: SignedRequests;
  readonly #performer: Performer;
  readonly #streams: NodeStreams;
  readonly #servers: AsyncDisposable[] = [];
  readonly #log = logger("node");
  readonly #queue: NodeEvent[] = [];
  readonly #allStopped = Promise.withResolvers<void>();
  readonly #end = Promise.withResolvers<number>();
  readonly #seal: MemberSeal | undefined;
  #follower: Follower | null = null;
  #sampler: Sampler | null = null;
  #usage: Usage | null = null;
  #timer: Timer | undefined;
  #busy = false;
  #closed = false;

  constructor(private readonly options: StartOptions, parts: Parts) {
    const { files, helper, tools, fence, cgroups, verifier, hostName } = parts;
    const dispatch = (event: NodeEvent) => this.dispatch(event);
    this.ended = this.#end.promise;
    this.#files = files;
    this.#cgroups = cgroups;
    this.#verifier = verifier;
    this.helper = helper;
    this.#seal = parts.seal;
    const ports = openPorts(
      options,
      parts.seal,
      (text, from) => this.#receive(text, from),
      (request, from) => handleHttp(request, from, this.#view()),
    );
    this.udp = ports.udp;
    this.#conductorSockets = openConductorSockets(
      options,
      parts.seal,
      (text, from) => this.#receive(text, from),
    );
    this.#servers.push(ports.server);
    if (options.metricsPort !== null) {
      const where = { hostname: options.bind, port: options.metricsPort };
      this.#servers.push(
        serveHttp(where, (request, from) => handleHttp(request, from, this.#view())),
      );
    }
    const anchor = options.newLog ? undefined : parts.seal?.anchor;
    this.machine = new NodeMachine({
      ...machineOptions(
        { ...options, fence },
        files.node,
        hostName,
        this.udp,
        files.beginBoot(now().wallMs),
      ),
      ...(anchor ? { anchor } : {}),
    });
    if (parts.seal && !this.machine.roster.isOpen) {
      parts.seal.trusts = (publicKey) => this.#isAdmin(publicKey);
    }
    this.artifacts = new Artifacts({
      folder: `${options.state}/artifacts`,
      maxBytes: options.artifactBytes ?? ARTIFACT_CACHE_BYTES,
      helper,
      conductors: () => this.#follows().map(showAddress),
      ...(parts.seal ? { ask: askSealed(parts.seal, followsOf(options)) } : {}),
      inUse: () => this.machine.artifactFolders(),
    });
    this.#secrets = new NodeSecrets({
      node: files.node,
      folder: options.state,
      ask: (message) => this.#follower?.ask(message) ?? false,
    });
    this.logs = new Logs(`${options.state}/replicas`, {
      punch: (path, bytes) => helper.punch(path, bytes),
    });
    this.processes = new Processes({
      secrets: this.#secrets,
      files,
      helper,
      tools,
      uid: tools.uid,
      fence,
      cgroups,
      dispatch,
      logged: (replica) => this.logs.touch(replica),
    });
    this.prober = new Prober({
      host: options.host,
      workerUrl: options.healthWorkerUrl ?? new URL("./health.worker.ts", import.meta.url),
      environmentOf: (replica, plan) => this.processes.environmentOf(replica, plan),
      dispatch,
      hung: () => this.#again(),
    });
    this.autoscaler = new Autoscaler({
      workerUrl: options.autoscaleWorkerUrl ?? new URL("./autoscale.worker.ts", import.meta.url),
      dispatch,
      hung: () => this.#again(),
    });
    const done = new DoneMarks(options.state, files.isFresh);
    this.#requests = new SignedRequests({ machine: this.machine, verifier, done });
    this.#streams = new NodeStreams({
      name: this.machine.around.name,
      host: options.host,
      path: options.path,
      requests: this.#requests,
      processes: this.processes,
      helper,
      portsOf: (id) => {
        const replica = this.machine.replicas.get(id);
        const [own, named] = [replica?.port, replica?.spec?.port?.number];
        return { ...(own ? { own } : {}), ...(named ? { named } : {}) };
      },
    });
    this.#performer = new Performer({
      host: options.host,
      files,
      artifacts: this.artifacts,
      processes: this.processes,
      prober: this.prober,
      helper,
      verifier,
      logs: this.logs,
      socketFor: (to) => this.#socketFor(to),
      dispatch,
      follow: (at) => this.#follower?.again(this.#numberOf(at)),
      stopped: () => this.#allStopped.resolve(),
    });
    this.#plain = new PlainLive({
      options,
      machine: this.machine,
      udp: this.udp,
      logs: this.logs,
      processes: this.processes,
      dispatch,
    });
  }

  /** Adopts what an earlier daemon left, and begins to speak. */
  async begin(): Promise<void> {
    const { options } = this;
    const cores = options.cores ?? navigator.hardwareConcurrency;
    const [adopted, sample] = await Promise.all([
      adopt(this.#files, this.processes),
      this.helper.sample(cores),
    ]);
    await this.#cgroups.tidy(
      adopted.map(({ saved: { replica, instance } }) => ({ replica, instance })),
    );
    // Known before the first beat: a node that announced no memory would be given no replica.
    if (sample) this.dispatch({ on: "sample", ...sample });
    const { wallMs } = now();
    this.#files.prune(adopted.map((each) => each.saved), wallMs);
    const tombstones = this.#files.loadTombstones(wallMs);
    const log = this.#files.loadLog();
    const copy = { records: this.#files.loadRecords(), ...(log === undefined ? {} : { log }) };
    this.dispatch({ on: "start", adopted, tombstones, ...copy });
    for (const { saved, running } of adopted) {
      if (!running && hadProcess(saved)) this.processes.past(saved.replica, saved.instance);
    }
    await this.processes.beside.endLeft();
    this.#follow();
    this.#sampler = new Sampler(this.helper, cores, (event) => this.dispatch(event));
    this.#usage = new Usage({
      helper: this.helper,
      processes: this.processes,
      autoscaler: this.autoscaler,
      replicas: () => this.machine.replicas.values(),
      dispatch: (event) => this.dispatch(event),
    });
    this.#warmUp();
    this.#log.info("{name} listens at {host}:{port}, state in {state}, {count} replicas adopted", {
      name: this.machine.around.name,
      host: options.host,
      port: this.udp.address.port,
      state: options.state,
      count: adopted.filter((each) => each.running).length,
    });
  }

  /** The first deploy shall not pay for what is loaded and compiled once. */
  #warmUp(): void {
    const { port } = this.udp.address;
    parseManifest("app warm-up\n  exec /bin/true\n  health {\n    check TCP\n  }\n");
    for (const key of this.options.keys) {
      this.#verifier.verify(key, "", "00".repeat(SIGNATURE_BYTES));
    }
    this.prober.warmUp(port);
    this.helper.owner({ pid: Deno.pid, group: 0 }, this.options.host, port);
  }

  #follow(): void {
    const follows = followsOf(this.options);
    if (follows.length === 0) return;
    const checkpoints = new CheckpointKeeper({
      verifier: this.#verifier,
      conductor: () => this.#seal?.conductor ?? null,
      keep: (checkpoint) =>
        guard("keep a checkpoint", () => this.#files.keepCheckpoint(checkpoint)),
    });
    this.#follower = new Follower(
      follows,
      () => ({ from: this.machine.sequence, last: this.machine.copy.sequence }),
      (event) => this.dispatch(event),
      (answer) => this.#secrets.hear(answer),
      (checkpoint) => void checkpoints.take(checkpoint),
      this.#seal,
    );
  }

  /** Says whether this key is an admin's, as far as this node's own copy of the log tells. */
  #isAdmin(publicKey: string): boolean {
    const { roster, sequence } = this.machine;
    const key = fingerprintOf(publicKey);
    return key !== null &&
      roster.whyNot(sequence + 1, key, "admin", {}, now().wallMs / 1_000) === null;
  }

  /** Where the log is followed, and artifacts come from: who leads first. */
  #follows(): Address[] {
    const follows = followsOf(this.options);
    const leading = this.#follower?.conductor;
    return leading ? [leading, ...follows.filter((each) => each !== leading)] : follows;
  }

  /** Which of the conductors speaks from this address of the mesh. */
  #numberOf(at: Address): number {
    const { conductor, moreConductors = [] } = this.options;
    const all = conductor ? [conductor, ...moreConductors] : [];
    const found = all.findIndex((each) => showAddress(each) === showAddress(at));
    return Math.max(0, found);
  }

  #socketFor(to: Address): Udp {
    return this.#conductorSockets.get(showAddress(to)) ?? this.udp;
  }

  #receive(text: string, from: Address): void {
    if (text.startsWith("{")) this.dispatch({ on: "mesh", text, from });
    else this.#plain.receive(text, from);
  }

  #view(): NodeView {
    const { machine, logs } = this;
    return {
      machine,
      logs,
      plain: this.options.plain,
      open: this.options.open,
      ...(this.#seal ? { seal: this.#seal } : {}),
      hasLog: (replica) => machine.replicas.has(replica) || this.#files.hasLog(replica),
      metrics: () => this.#metrics(),
      copy: () => this.#copy(),
      exec: async (replica, body) => {
        const { status, text } = await runSigned(this.#requests, this.processes, replica, body);
        return { status, text: this.#secrets.redact(replica, text) };
      },
      stream: (request) => this.#streams.accept(request),
      artifact: (request, sha256) => this.artifacts.send(request, sha256),
    };
  }

  /** Says whether a stream to a replica may begin; see `SignedRequests.open`. */
  openStream(body: string): Promise<OpenedStream | Answer> {
    return this.#requests.open(body);
  }

  #copy(): string {
    const { machine } = this;
    const { log } = machine.copy;
    if (log === null) return "";
    const runs = { node: machine.node, name: machine.around.name, runs: machine.places() };
    const checkpoints = this.#files.loadCheckpoints();
    return formatCopy({ log, records: this.#files.loadRecords(), runs, checkpoints });
  }

  async #metrics(): Promise<string> {
    const { machine, udp, prober, autoscaler } = this;
    const uses = async () => {
      const groups = await this.helper.groups();
      return [...machine.replicas.values()].flatMap(({ id: replica, app }): ReplicaUse[] => {
        const use = groups.get(this.processes.groupOf(replica)?.group ?? 0);
        return use ? [{ app, replica, ...use }] : [];
      });
    };
    return await nodeMetrics({
      machine,
      udp,
      plain: this.#plain,
      prober,
      autoscaler,
      streams: this.#streams,
      uses,
    });
  }

  // ---- The machine --------------------------------------------------------------------------------

  /** Hands an event to the machine and does what it wants; then sees when it is due again. */
  dispatch(event: NodeEvent): void {
    this.#queue.push(event);
    if (this.#busy || this.#closed) return;
    this.#busy = true;
    try {
      for (let next; (next = this.#queue.shift());) {
        for (const effect of this.machine.step(next, now())) this.#performer.perform(effect);
      }
    } finally {
      this.#busy = false;
    }
    const waitMs = Math.max(0, Math.min(this.machine.dueMonoMs - performance.now(), 2 ** 30));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.dispatch({ on: "tick" }), Math.ceil(waitMs));
  }

  // ---- The end ------------------------------------------------------------------------------------

  /** A worker hangs. */
  #again(): void {
    this.#log.error("ends to be started again; its replicas run on and will be adopted");
    // A worker that hangs blocks every gentler way out.
    Deno.exit(EXIT_AGAIN);
  }

  async stop(): Promise<void> {
    if (this.options.stopReplicas) {
      this.dispatch({ on: "stop-all" });
      await this.#allStopped.promise;
    }
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#sampler?.[Symbol.dispose]();
    this.#usage?.[Symbol.dispose]();
    this.#follower?.[Symbol.dispose]();
    this.#seal?.[Symbol.dispose]();
    this.prober[Symbol.dispose]();
    this.autoscaler[Symbol.dispose]();
    this.logs[Symbol.dispose]();
    await Promise.all(this.#servers.map((server) => server[Symbol.asyncDispose]()));
    await this.udp[Symbol.asyncDispose]();
    for (const each of this.#conductorSockets.values()) await each[Symbol.asyncDispose]();
    await this.artifacts[Symbol.asyncDispose]();
    await this.helper[Symbol.asyncDispose]();
    this.#files.close();
    this.#end.resolve(0);
  }
}

function followsOf({ follow, moreFollow = [] }: StartOptions): Address[] {
  return follow === null ? [] : [follow, ...moreFollow];
}
