/**
 * The node, pure: orders, records, probe results and exits in; launches, signals, statuses and
 * registrations out. Nothing is known but what events say; after each step `dueMonoMs` is when the
 * next `tick` must come.
 */

import type { Address } from "../core/address.ts";
import type { Anchor } from "../core/chain.ts";
import type { Runs } from "../core/copy.ts";
import { specOfPart } from "../core/before.ts";
import type { Instant } from "../core/instant.ts";
import { NODE_LATE_MS } from "../core/limits.ts";
import {
  decodeMesh,
  encodeMesh,
  type Mesh,
  type MeshMessage,
  type ReplicaStatus,
} from "../core/mesh.ts";
import { maySay } from "../core/seal/permits.ts";
import { artifactFolder, artifactOf } from "./artifact.ts";
import { ConductorLink, type ConductorSelf, type Load } from "./conductor_link.ts";
import type { Adopted, NodeEffect, NodeEvent } from "./effects.ts";
import { Towers } from "./towers.ts";
import { describeExit, Life, type Stage } from "./life.ts";
import { PlainDesk } from "./plain.ts";
import { specOfLaunch, type Surroundings, unsupported } from "./plan.ts";
import { PortTable } from "./ports.ts";
import { Preparing, type Prospect } from "./preparing.ts";
import { type Read, Records, type Settled } from "./records.ts";
import type { Root, Roster } from "../core/roster.ts";
import { type Label, takeLabel } from "./relabel.ts";
import { dueOf, endpointOf, hasProcess, type Replica, savedOf, statusOf } from "./replica.ts";
import { NO_RESTARTS } from "./restart.ts";
import { type SavedReplica } from "./saved.ts";
import { Tombstones } from "./tombstones.ts";
import { Wishes } from "./wishes.ts";
import { Witness } from "./witness.ts";

export interface NodeOptions extends Surroundings, ConductorSelf {
  /** Run manifests of which an operator signed only the path (v1 SUBMIT). */
  readonly trustPaths: boolean;
  readonly conductor: Address | null;
  /** Further ones: any of them may lead. */
  readonly moreConductors?: readonly Address[];
  readonly tower: Address | null;
  /** Further ones, which are told everything, too. */
  readonly moreTowers?: readonly Address[];
  /** The operators' keys that this node was given; none: it runs what nobody signed. */
  readonly roots?: readonly Root[];
  /** How far the log went when this node was let in. */
  readonly anchor?: Anchor;
  /** The range from which ports are handed out. */
  readonly ports: { readonly first: number; readonly last: number };
}

/** What was last said of a replica, to tell what is news. */
interface Said {
  readonly status: string;
  readonly saved: string;
}

export class NodeMachine implements Stage {
  readonly around: Surroundings;
  readonly ports: PortTable;
  readonly tower: Towers;
  readonly hasTower: boolean;
  now: Instant = { monoMs: 0, wallMs: 0 };
  awakeMs = -Infinity;
  readonly replicas = new Map<string, Replica>();

  readonly #life: Life;
  readonly #records: Records;
  readonly #conductor: ConductorLink;
  readonly #plain: PlainDesk;
  readonly #preparing: Preparing;
  readonly #wishes = new Wishes();
  readonly #witness: Witness;
  readonly #tombstones = new Tombstones();
  /** Answers to orders, until what they answer is saved. */
  readonly #answers: { readonly to: Address | null; readonly message: MeshMessage }[] = [];
  #disobeyed = 0;
  readonly #touched = new Set<Replica>();
  readonly #said = new Map<string, Said>();
  #out: NodeEffect[] = [];
  #probes = 0;
  #dueMs = -Infinity;
  #started = false;
  #stopping = false;

  constructor(private readonly options: NodeOptions) {
    this.around = options;
    this.ports = new PortTable(options.ports.first, options.ports.last);
    this.hasTower = options.tower !== null;
    this.tower = new Towers(
      options,
      options.tower ? [options.tower, ...options.moreTowers ?? []] : [],
      Math.floor(options.bootWallMs * 256 / 1000),
    );
    this.#records = new Records(options);
    this.#conductor = new ConductorLink(options, options.conductor !== null);
    this.#witness = new Witness(options);
    this.#life = new Life(this);
    this.#preparing = new Preparing({
      around: options,
      now: () => this.now.monoMs,
      emit: (effect) => this.emit(effect),
      prospect: (order) => this.#prospect(order),
      answer: (order, state, reason) => this.#prepared(order, state, reason),
    });
    this.#plain = new PlainDesk(options.node, (effect) => this.emit(effect));
  }

  /** When the next `tick` must come, on the monotonic clock. */
  get dueMonoMs(): number {
    return this.#dueMs;
  }

  /** The last sequence of the log that the node knows: it follows from there. */
  get sequence(): number {
    return this.#records.sequence;
  }

  /** What runs here, or shall, by the records that describe it. */
  places(): Runs["runs"] {
    return [...this.replicas.values()]
      .filter((each) => isListed(each) && !each.stopOrdered && each.state.at !== "finished")
      .map(({ id: replica, app, generation, sequence, index }) => ({
        replica,
        app,
        generation,
        sequence,
        index,
      }));
  }

  /** The operators, as far as this node's copy of the log tells. */
  get roster(): Roster {
    return this.#records.roster;
  }

  /** Says whether the log has this request for a stream. */
  hasOpened(text: string): boolean {
    return this.#records.hasOpened(text);
  }

  /** Where its copy of the log ends, and why it is not followed, if it is not. */
  get copy(): Records["end"] & { readonly trouble: string | null } {
    return { ...this.#records.end, trouble: this.#records.trouble };
  }

  get node(): string {
    return this.options.node;
  }

  /** Names this start of the daemon. */
  get boot(): string {
    return this.options.boot;
  }

  /** Orders that were not obeyed, since who gave them did not lead any more. */
  get disobeyed(): number {
    return this.#disobeyed;
  }

  /** The machine's load as last heard. */
  get load(): Load {
    return this.#conductor.load;
  }

  /** The statuses of everything listed, as the conductor hears them. */
  statuses(): ReplicaStatus[] {
    return [...this.replicas.values()].filter(isListed).map(statusOf);
  }

  /** Folders of artifacts that replicas here run from, or are about to. */
  artifactFolders(): ReadonlySet<string> {
    const folders = new Set<string>();
    for (const { spec, state } of this.replicas.values()) {
      const artifact = spec && state.at !== "finished" ? artifactOf(spec) : null;
      if (artifact) folders.add(artifactFolder(this.around.artifacts ?? "", artifact));
    }
    for (const artifact of this.#preparing.artifacts()) {
      folders.add(artifactFolder(this.around.artifacts ?? "", artifact));
    }
    return folders;
  }

  step(event: NodeEvent, now: Instant): NodeEffect[] {
    if (this.#started && now.monoMs - this.#dueMs > NODE_LATE_MS) this.awakeMs = now.monoMs;
    this.now = now;
    this.#out = [];
    this.#take(event);
    this.#runDue();
    this.#settle();
    this.#speak();
    this.#dueMs = this.#nextDue();
    return this.#out;
  }

  // ---- Stage: what a replica's life needs ----------------------------------------------------------

  emit(effect: NodeEffect): void {
    if (effect.do === "launch") this.#noteSaved(effect.saved);
    this.#out.push(effect);
  }

  touch(replica: Replica): void {
    this.#touched.add(replica);
  }

  nextProbe(replica: Replica): string {
    return `${replica.id}#${++this.#probes}`;
  }

  // ---- Events -------------------------------------------------------------------------------------

  #take(event: NodeEvent): void {
    switch (event.on) {
      case "start":
        return this.#start(event);
      case "mesh":
        return this.#mesh(event.text, event.from);
      case "plain":
        return this.#takePlain(event);
      case "record":
        this.#heard(() => this.#settled(this.#records.receive(event.record)));
        return;
      case "head":
        this.#heard(() => this.#records.reachHead(event.sequence, event.chain));
        return this.#answerWaiting();
      case "log":
        this.#heard(() => {
          if (this.#records.hearLog(event.log)) this.emit({ do: "keep-log", log: event.log });
        });
        return;
      case "verified":
        return this.#settled(this.#records.settle(event.sequence, event.refusal));
      case "probes-lost":
        for (const replica of this.replicas.values()) this.#life.probesLost(replica);
        return;
      case "sample":
        this.#conductor.load = {
          cpuPercent: event.cpuPercent,
          ramTotalBytes: event.ramTotalBytes,
          ramFreeBytes: event.ramFreeBytes,
        };
        return;
      case "uses":
        for (const use of event.uses) {
          const replica = this.replicas.get(use.replica);
          if (replica) this.#life.used(replica, use);
        }
        return;
      case "wishes":
        return this.#wishes.take(event.wishes, this.now.monoMs);
      case "stop-all":
        return this.#stopAll();
      case "tick":
        return;
      case "checked":
        return this.#preparing.checked(event.app, event.fault);
      case "fetched":
        if (event.for === "prepare") {
          return this.#preparing.fetched(event.replica, event.fault);
        }
        /* falls through */
      case "port-tried":
      case "launched":
      case "launch-failed":
      case "exited":
      case "probed":
      case "owner": {
        const replica = this.replicas.get(event.replica);
        return replica && this.#ofReplica(replica, event);
      }
      default:
        return event satisfies never;
    }
  }

  #ofReplica(replica: Replica, event: Extract<NodeEvent, { replica: string }>): void {
    switch (event.on) {
      case "fetched":
        return this.#life.fetched(replica, event.fault);
      case "port-tried":
        this.#life.portTried(replica, event.port, event.free);
        return this.#plainBlocked(replica);
      case "launched":
        this.#life.launched(replica, event.instance, event.pid);
        return this.#plain.launched(replica);
      case "launch-failed":
        // Whoever launched it by hand has been told; it is not tried again behind their back.
        if (this.#plain.failed(replica, event.reason)) replica.stopOrdered = true;
        this.#life.launchFailed(replica, event.instance, event.reason);
        return replica.stopOrdered ? this.#life.stop(replica, false) : undefined;
      case "exited":
        this.#plain.failed(replica, event.ended.tail);
        return this.#life.exited(replica, event.instance, event.ended);
      case "probed":
        return this.#life.probed(replica, event.probe, event.result, event.detail);
      case "owner":
        return this.#life.ownerKnown(replica, event.instance, event.owner, event.detail);
      default:
        return event satisfies never;
    }
  }

  // ---- Start: adoption ----------------------------------------------------------------------------

  #start(event: Extract<NodeEvent, { on: "start" }>): void {
    this.#started = true;
    for (const [replica, wallMs] of event.tombstones) this.#tombstones.add(replica, wallMs);
    if (event.log !== undefined) this.#records.loadLog(event.log);
    for (const record of event.records) this.#records.load(record);
    this.#settled(this.#records.loaded());
    for (const adopted of event.adopted) this.#adopt(adopted);
    for (const replica of this.replicas.values()) this.#seekRecord(replica);
  }

  #adopt({ saved, pid, running }: Adopted): void {
    if (saved.dropped) {
      this.#tombstones.add(saved.replica, saved.sinceWallMs);
      return;
    }
    const hadProcess = saved.stage !== "pending" && saved.stage !== "finished";
    const replica = replicaOf(saved);
    this.replicas.set(replica.id, replica);
    this.#noteSaved(saved);
    this.touch(replica);
    if (saved.port !== undefined) this.ports.take(saved.port, replica.id);
    replica.pid = pid;
    if (saved.stage === "finished") replica.state = { at: "finished" };
    else if (!running && !hadProcess) replica.state = { at: "record" };
    // How a process ended that is gone comes as `exited`.
    else replica.state = { at: "adopted", running, wasReady: running && saved.stage === "ready" };
    const endpoint = hadProcess ? endpointOf(replica, this.around) : null;
    if (endpoint) {
      this.tower.adopt(endpoint);
      // The start before may have died before the tower heard that it is not ready any more.
      const isListed = running && (saved.stage === "ready" || saved.stage === "stopping");
      if (!isListed) this.tower.deregister(replica.id, false, Infinity, this.now.monoMs);
    }
    if (saved.stopOrdered || saved.stage === "stopping") this.#life.stop(replica, true);
  }

  /** A replica that waits for its record gets it, if it is there. */
  #seekRecord(replica: Replica): void {
    if (replica.next) this.#seekLabel(replica, replica.next);
    if (replica.state.at !== "record" && replica.state.at !== "adopted") return;
    if (replica.launch) return this.#life.recordHeld(replica, specOfLaunch(replica.launch));
    const { answer, started } = this.#records.need(replica.sequence);
    this.#settled(started);
    switch (answer.at) {
      case "held":
        return this.#recordHeld(replica, answer);
      case "refused":
        return this.#refuseLater(replica, answer.reason);
      case "absent":
      case "verifying":
        return;
      default:
        return answer satisfies never;
    }
  }

  #recordHeld(replica: Replica, held: Read): void {
    const mismatch = Records.mismatch(held, replica);
    if (mismatch !== null) return this.#refuseLater(replica, mismatch);
    const spec = specOfPart(held.spec, replica.part);
    if (!spec) return this.#refuseLater(replica, `record ${replica.sequence} has no before`);
    // What ran here once may go on; only what has never been started is held against newer records.
    if (replica.state.at === "record" && replica.instance === 0) {
      const permit = this.#permit(replica.app, replica.generation);
      if (permit.at === "verifying") return;
      // The START that the order follows may be on its way: then it is held and not given up.
      if (permit.mayChange) return this.#hold(replica, permit.reason);
      if (permit.at === "refused") return this.#refuseLater(replica, permit.reason);
    }
    this.#life.recordHeld(replica, spec);
    if (replica.next) this.#seekLabel(replica, replica.next);
  }

  /** Whether this generation may be started, as far as the records tell that are verified. */
  #permit(app: string, generation: number) {
    const permit = this.#records.permit(app, generation);
    this.#settled(permit.started);
    return permit;
  }

  /** A running replica is to go on by another record. */
  #seekLabel(replica: Replica, label: Label): void {
    this.#settled(this.#records.need(label.sequence).started);
    const permit = this.#permit(replica.app, label.generation);
    const answer = takeLabel(this.#records, permit, replica, label);
    if (answer.at === "taken") return this.#life.relabel(replica, label, answer.spec);
    if (answer.at === "wait") return;
    replica.next = undefined;
    this.#answer(null, "run-refused", replica.id, answer.reason);
  }

  /** It waits on, and says for what. */
  #hold(replica: Replica, reason: string): void {
    if (replica.reason === reason) return;
    replica.reason = reason;
    this.touch(replica);
  }

  /** Its order was accepted before its record was known to be no good. */
  #refuseLater(replica: Replica, reason: string): void {
    if (replica.state.at === "record") this.#answer(null, "run-refused", replica.id, reason);
    this.#life.refuse(replica, reason);
  }

  // ---- Records ------------------------------------------------------------------------------------

  /** Does what settling records leads to. */
  #settled({ keep, checks, settled }: Settled): void {
    for (const record of keep) this.emit({ do: "keep-record", record });
    for (const check of checks) this.emit({ do: "verify", ...check });
    for (const [sequence, refusal] of settled) {
      if (refusal !== null) {
        this.emit({ do: "log", level: "error", text: `record ${sequence} is refused: ${refusal}` });
      }
    }
    if (settled.length > 0) this.#answerWaiting();
  }

  /** Takes in something of the conductor's log; says so once where it is not followed any more. */
  #heard(take: () => void): void {
    const before = this.#records.trouble;
    take();
    const { trouble } = this.#records;
    if (trouble === null || trouble === before) return;
    this.emit({ do: "log", level: "error", text: trouble });
    this.#answerWaiting();
  }

  #answerWaiting(): void {
    for (const replica of this.replicas.values()) this.#seekRecord(replica);
    this.#preparing.look();
  }

  // ---- The conductor and the tower -----------------------------------------------------------------

  #mesh(text: string, from: Address): void {
    const message = decodeMesh(text);
    if (!message || !maySay(from.peer, message)) return;
    if (message.k === "probe-ok") this.#witness.alive(message);
    else if ("node" in message && message.node === this.options.node) this.#obey(message, from);
  }

  #obey(message: MeshMessage, from: Address): void {
    const nowMs = this.now.monoMs;
    switch (message.k) {
      case "beat-ok":
        if (this.#conductor.onBeatOk(message, nowMs)) this.emit({ do: "follow", at: from });
        if (message.reportPlease !== undefined) this.#report(message.reportPlease, from);
        return;
      case "status-ok":
        return this.#acknowledged(message);
      case "run":
        if (this.#obeys(message)) this.#run(message, from);
        return;
      case "prepare":
        return this.#preparing.take(message);
      case "stop":
        if (this.#obeys(message)) this.#stop(message.replica, from);
        return;
      case "probe":
        return this.#probed(message.request, from);
      case "probe-please":
        return this.#witness.please(message, nowMs);
      case "lease-ok":
        this.tower.onLeaseOk(message, from, nowMs);
        return this.#lookForListed();
      case "register-ok":
        this.tower.onRegisterOk(message, from, nowMs);
        return this.#lookForListed();
      case "deregister-ok":
        return this.tower.onDeregisterOk(message, from, nowMs);
      case "beat":
      case "status":
      case "report":
      case "run-ok":
      case "run-refused":
      case "stop-ok":
      case "prepared":
      case "wishes":
      case "probe-ok":
      case "probe-result":
      case "lease":
      case "register":
      case "deregister":
        // Not for a node.
        return;
      default:
        return message satisfies never;
    }
  }

  #lookForListed(): void {
    for (const replica of this.replicas.values()) this.#life.maybeListed(replica);
  }

  /** Somebody doubts that this node lives: they are answered, and the conductor hears it, too. */
  #probed(request: string, from: Address): void {
    const { node: by, boot } = this.options;
    const text = encodeMesh({ k: "probe-ok", by, boot, request });
    this.emit({ do: "send", to: from, text });
    this.#conductor.hurry(this.now.monoMs);
  }

  /** Says whether an order comes from who leads now. An old one is told of, and not answered. */
  #obeys({ k, replica, reign }: Mesh<"run"> | Mesh<"stop">): boolean {
    const why = this.#conductor.allegiance.whyNot(reign, this.now.monoMs);
    if (why === null) return true;
    this.#disobeyed++;
    const text = `the order to ${k} ${replica} is not obeyed: ${why}`;
    this.emit({ do: "log", level: "warning", text });
    // Was it one of who leads, counted from a beat too old, the next beat mends that.
    this.#conductor.hurry(this.now.monoMs);
    return false;
  }

  /** All of them hear everything, so that each may lead at any time. */
  #tellConductors(message: MeshMessage): void {
    const text = encodeMesh(message);
    const { conductor, moreConductors = [] } = this.options;
    for (const to of conductor ? [conductor, ...moreConductors] : []) {
      this.emit({ do: "send", to, text });
    }
  }

  /**
   * Answers an order, after what came of it is saved: an order that is answered is not sent again.
   *
   * @param to `null`: it was answered before, and is not obeyed after all, which all may hear
   */
  #answer(
    to: Address | null,
    k: "run-ok" | "run-refused" | "stop-ok",
    replica: string,
    reason = "",
  ): void {
    const { node, boot } = this.options;
    const message: MeshMessage = k === "run-refused"
      ? { k, node, boot, replica, reason: reason.slice(0, 300) }
      : { k, node, boot, replica };
    this.#answers.push({ to, message });
  }

  #run(order: Mesh<"run">, from: Address): void {
    const known = this.replicas.get(order.replica);
    const refusal = this.#refusalOf(order, known);
    if (refusal !== null) return this.#answer(from, "run-refused", order.replica, refusal);
    this.#answer(from, "run-ok", order.replica);
    if (known) {
      // Whoever still asks for what has finished has not heard that it has.
      if (known.state.at === "finished") this.#conductor.tell(known.id, this.now.monoMs);
      else if (known.sequence !== order.sequence) {
        known.next = { generation: order.generation, sequence: order.sequence };
        this.#seekRecord(known);
      }
      return;
    }
    const { replica: id, app, generation, sequence, index, part } = order;
    const more = part === undefined ? {} : { part };
    const replica = freshReplica(
      { id, app, generation, sequence, index, ...more },
      this.now.wallMs,
    );
    replica.sources = order.sources ?? [];
    this.replicas.set(id, replica);
    replica.reason = `waits for record ${sequence} of the conductor's log`;
    this.touch(replica);
    this.#seekRecord(replica);
  }

  /** Why an order to run cannot be taken; `null` where it can. */
  #refusalOf(order: Mesh<"run">, known: Replica | undefined): string | null {
    if (this.#stopping) return "this node is stopping";
    if (this.#tombstones.has(order.replica)) {
      return `${order.replica} has been stopped here for good`;
    }
    if (known) return known.stopOrdered ? `${order.replica} is being stopped here` : null;
    const { answer, started } = this.#records.need(order.sequence);
    this.#settled(started);
    if (answer.at === "refused") return answer.reason;
    if (answer.at !== "held") return null;
    const mismatch = Records.mismatch(answer, order);
    if (mismatch !== null) return mismatch;
    const permit = this.#permit(order.app, order.generation);
    if (permit.at === "refused") return permit.reason;
    const spec = specOfPart(answer.spec, order.part);
    return spec ? unsupported(spec, this.options) : `record ${order.sequence} has no before`;
  }

  /** What the records say of a generation that is to be looked into. */
  #prospect(order: Mesh<"prepare">): Prospect {
    const { answer, started } = this.#records.need(order.sequence);
    this.#settled(started);
    if (answer.at === "refused") return answer;
    if (answer.at !== "held") return { at: "wait" };
    const mismatch = Records.mismatch(answer, order);
    if (mismatch !== null) return { at: "refused", reason: mismatch };
    const permit = this.#permit(order.app, order.generation);
    if (permit.mayChange || permit.at === "verifying") return { at: "wait" };
    if (permit.at === "refused") return { at: "refused", reason: permit.reason };
    return { at: "held", spec: answer.spec };
  }

  #prepared(
    { app, sequence }: Mesh<"prepare">,
    state: Mesh<"prepared">["state"],
    reason?: string,
  ): void {
    const { node, boot } = this.options;
    const why = reason === undefined ? {} : { reason: reason.slice(0, 300) };
    const message = { k: "prepared", node, boot, app, sequence, state, ...why } as const;
    this.#answers.push({ to: null, message });
  }

  #stop(id: string, from: Address): void {
    const replica = this.replicas.get(id);
    this.#answer(from, "stop-ok", id);
    if (replica) {
      const hadFinished = replica.state.at === "finished";
      replica.stopOrdered = true;
      this.touch(replica);
      this.#life.stop(replica, true);
      // Its last word may have been acknowledged before this order: then it is dropped here.
      if (hadFinished && replica.acked >= replica.version) this.#drop(replica);
    } else if (!this.#tombstones.has(id)) {
      this.#tombstones.add(id, this.now.wallMs);
      this.emit({ do: "tombstone", replica: id, wallMs: this.now.wallMs });
    }
  }

  #acknowledged({ replica: id, version }: Mesh<"status-ok">): void {
    const replica = this.replicas.get(id);
    if (!replica || version < replica.version) return;
    replica.acked = version;
    this.#conductor.told(id);
    if (replica.state.at === "finished" && replica.stopOrdered) this.#drop(replica);
  }

  /** Nobody waits for it any more: only its id is remembered. */
  #drop(replica: Replica): void {
    replica.dropped = true;
    this.emit({ do: "save", saved: savedOf(replica) });
    this.replicas.delete(replica.id);
    this.#touched.delete(replica);
    this.#said.delete(replica.id);
    this.#conductor.told(replica.id);
    this.#tombstones.add(replica.id, this.now.wallMs);
  }

  /** To whoever asked, who waits for these pages. */
  #report(request: string, to: Address): void {
    this.#settle();
    for (const page of this.#conductor.report(request, this.statuses())) {
      this.emit({ do: "send", to, text: encodeMesh(page) });
    }
  }

  // ---- Plain commands -----------------------------------------------------------------------------

  #takePlain(event: Extract<NodeEvent, { on: "plain" }>): void {
    const wish = this.#plain.take(event, [...this.replicas.values()]);
    if (!wish) return;
    if (wish.kind === "kill") {
      for (const replica of wish.replicas) {
        replica.stopOrdered = true;
        this.#life.stop(replica, true);
      }
      return;
    }
    const { launch } = wish;
    let number = this.#tombstones.size + this.replicas.size;
    let id = "";
    do id = `v1-${launch.name}-${++number}`; while (
      this.replicas.has(id) || this.#tombstones.has(id)
    );
    const replica = freshReplica(
      { id, app: launch.name, generation: 0, sequence: 0, index: 0, launch },
      this.now.wallMs,
    );
    this.replicas.set(id, replica);
    this.touch(replica);
    this.#plain.expect(id, event.from);
    this.#seekRecord(replica);
  }

  /** A v1 LAUNCH whose port is taken fails; it does not wait for the port. */
  #plainBlocked(replica: Replica): void {
    if (replica.state.at !== "blocked") return;
    if (!this.#plain.failed(replica, replica.reason ?? "its port is taken")) return;
    replica.stopOrdered = true;
    this.#life.stop(replica, false);
  }

  // ---- The end of a step --------------------------------------------------------------------------

  #stopAll(): void {
    this.#stopping = true;
    for (const replica of this.replicas.values()) this.#life.stop(replica, false);
  }

  #runDue(): void {
    for (const id of this.tower.takeDrained(this.now.monoMs)) {
      const replica = this.replicas.get(id);
      if (replica) this.#life.drained(replica);
    }
    for (const replica of this.replicas.values()) {
      if (dueOf(replica.state) <= this.now.monoMs) this.#life.due(replica);
    }
  }

  /** Whatever changed in this step gets its version, is saved and put into the outbox. */
  #settle(): void {
    for (const replica of this.#touched) {
      // Between a port's trial and its answer lies no time that anybody could notice.
      if (replica.state.at === "port") continue;
      const said = this.#said.get(replica.id);
      const status = JSON.stringify({ ...statusOf(replica), version: 0, sinceWallMs: 0 });
      if (status !== said?.status) this.#noteStatus(replica, status, said);
      const saved = savedOf(replica);
      const text = JSON.stringify(saved);
      if (text !== this.#said.get(replica.id)?.saved) {
        this.#noteSaved(saved);
        this.emit({ do: "save", saved });
      }
    }
    for (const replica of this.#touched) {
      // The conductor does not know of a v1 launch, so nobody else will say that it may go.
      if (replica.launch && replica.state.at === "finished") this.#drop(replica);
    }
    this.#touched.clear();
    const alive = [...this.replicas.values()].some((replica) => hasProcess(replica.state));
    if (this.#stopping && !alive) this.emit({ do: "stopped" });
  }

  #noteStatus(replica: Replica, status: string, said: Said | undefined): void {
    const stateBefore = said && said.status !== "" ? JSON.parse(said.status).state : undefined;
    replica.version++;
    if (stateBefore !== statusOf(replica).state) {
      replica.sinceWallMs = this.now.wallMs;
      this.#logState(replica);
    }
    this.#said.set(replica.id, { status, saved: said?.saved ?? "" });
    if (isListed(replica)) this.#conductor.tell(replica.id, this.now.monoMs);
  }

  #logState(replica: Replica): void {
    const { state, port, reason, exit } = statusOf(replica);
    const where = state === "ready" && port !== undefined ? ` at port ${port}` : "";
    const why = reason ?? (state === "finished" && exit ? describeExit(exit) : undefined);
    const text = `${replica.id} is ${state}${where}${why === undefined ? "" : `: ${why}`}`;
    const bad = reason !== undefined && replica.exit !== undefined;
    this.emit({ do: "log", level: bad ? "warning" : "info", text });
  }

  #noteSaved(saved: SavedReplica): void {
    const said = this.#said.get(saved.replica);
    this.#said.set(saved.replica, { status: said?.status ?? "", saved: JSON.stringify(saved) });
  }

  /** Sends what is to be said by now. */
  #speak(): void {
    if (!this.#started) return;
    for (const { to, message } of this.#answers.splice(0)) {
      if (to) this.emit({ do: "send", to, text: encodeMesh(message) });
      else this.#tellConductors(message);
    }
    const nowMs = this.now.monoMs;
    const statuses = () => new Map(this.statuses().map((each) => [each.replica, each]));
    for (const message of this.#conductor.tick(nowMs, this.sequence, statuses)) {
      this.#tellConductors(message);
    }
    for (const message of this.#wishes.tick(nowMs, this.options, this.#conductor.beatMs)) {
      this.#tellConductors(message);
    }
    for (const { to, message } of this.#witness.tick(nowMs)) {
      if (to === "conductor") this.#tellConductors(message);
      else this.emit({ do: "send", to, text: encodeMesh(message) });
    }
    for (const { to, message } of this.tower.tick(nowMs)) {
      this.emit({ do: "send", to, text: encodeMesh(message) });
    }
  }

  #nextDue(): number {
    let due = Math.min(
      this.tower.dueMs,
      this.#conductor.dueMs,
      this.#witness.dueMs,
      this.#wishes.dueMs,
    );
    for (const replica of this.replicas.values()) due = Math.min(due, dueOf(replica.state));
    return due;
  }
}

/** A v1 launch is between the node and whoever launched it. */
function isListed(replica: Replica): boolean {
  return replica.launch === undefined;
}

function freshReplica(
  who: Pick<Replica, "id" | "app" | "generation" | "sequence" | "index" | "part" | "launch">,
  wallMs: number,
): Replica {
  return {
    ...who,
    sources: [],
    spec: null,
    plan: null,
    state: { at: "record" },
    instance: 0,
    port: undefined,
    pid: undefined,
    restarts: NO_RESTARTS,
    exit: undefined,
    reason: undefined,
    overMemory: 0,
    stopOrdered: false,
    dropped: false,
    version: 0,
    sinceWallMs: wallMs,
    acked: 0,
  };
}

function replicaOf(saved: SavedReplica): Replica {
  const { replica: id, app, generation, sequence, index, part, launch } = saved;
  return {
    ...freshReplica(
      {
        ...{ id, app, generation, sequence, index },
        ...(part === undefined ? {} : { part }),
        ...(launch === undefined ? {} : { launch }),
      },
      saved.sinceWallMs,
    ),
    instance: saved.instance,
    port: saved.port,
    restarts: { count: saved.restarts, streak: 0 },
    exit: saved.exit,
    reason: saved.reason,
    stopOrdered: saved.stopOrdered,
  };
}
