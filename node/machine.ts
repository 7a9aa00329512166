/**
 * The node, pure: orders, records, probe results and exits in; launches, signals, statuses and
 * registrations out. Nothing is known but what events say; after each step `dueMonoMs` is when the
 * next `tick` must come.
 */

import type { Address } from "../core/address.ts";
import type { Anchor } from "../core/chain.ts";
import type { Runs } from "../core/copy.ts";
import type { Instant } from "../core/instant.ts";
import { NODE_LATE_MS } from "../core/limits.ts";
import type { ReplicaStatus } from "../core/mesh.ts";
import type { Root, Roster } from "../core/roster.ts";
import { artifactFolder, artifactOf } from "./artifact.ts";
import { ConductorLink, type ConductorSelf, type Load } from "./conductor_link.ts";
import type { Adopted, NodeEffect, NodeEvent } from "./effects.ts";
import { Life, type Stage } from "./life.ts";
import { MeshDesk } from "./mesh_desk.ts";
import { News } from "./news.ts";
import { Orders } from "./orders.ts";
import { Outbox } from "./outbox.ts";
import { PlainDesk } from "./plain.ts";
import type { Surroundings } from "./plan.ts";
import { PortTable } from "./ports.ts";
import { Preparing } from "./preparing.ts";
import { RecordDesk } from "./record_desk.ts";
import type { Records } from "./records.ts";
import {
  dueOf,
  endpointOf,
  freshReplica,
  hasProcess,
  isListed,
  type Replica,
  replicaOf,
  statusesOf,
} from "./replica.ts";
import { Sleepers } from "./sleepers.ts";
import { Tombstones } from "./tombstones.ts";
import { Towers } from "./towers.ts";
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
  readonly #recordDesk: RecordDesk;
  readonly #conductor: ConductorLink;
  readonly #mesh: MeshDesk;
  readonly #orders: Orders;
  readonly #outbox: Outbox;
  readonly #news: News;
  readonly #plain: PlainDesk;
  readonly #preparing: Preparing;
  readonly #wishes = new Wishes();
  readonly #tombstones = new Tombstones();
  readonly #sleepers = new Sleepers();
  #out: NodeEffect[] = [];
  #probes = 0;
  #dueMs = -Infinity;
  #started = false;

  constructor(private readonly options: NodeOptions) {
    this.around = options;
    this.ports = new PortTable(options.ports.first, options.ports.last);
    this.hasTower = options.tower !== null;
    const tower = new Towers(
      options,
      options.tower ? [options.tower, ...options.moreTowers ?? []] : [],
      Math.floor(options.bootWallMs * 256 / 1000),
      () => this.#sleepers.apps,
    );
    const conductor = new ConductorLink(options, options.conductor !== null);
    const witness = new Witness(options);
    const life = new Life(this);
    const { replicas } = this;
    const outbox = new Outbox({
      options,
      conductor,
      tower,
      wishes: this.#wishes,
      witness,
      replicas,
      sequence: () => this.sequence,
      emit: (effect) => this.emit(effect),
    });
    const look = () => this.#preparing.look();
    const records = new RecordDesk(options, { stage: this, life, outbox, replicas, look });
    const news = new News(this, conductor);
    const preparing = new Preparing({
      around: options,
      now: () => this.now.monoMs,
      emit: (effect) => this.emit(effect),
      prospect: (order) => records.prospect(order),
      holderOf: (port) => replicas.get(this.ports.holder(port) ?? ""),
      answer: (order, state, reason) => outbox.prepared(order, state, reason),
    });
    const shared = { stage: this, life, conductor, replicas };
    const [tombstones, sleepers] = [this.#tombstones, this.#sleepers];
    const orders = new Orders({ ...shared, records, outbox, news, tombstones, sleepers });
    const around = { options, orders, preparing, records, witness, settle: () => this.#settle() };
    this.#mesh = new MeshDesk({ ...shared, ...around });
    this.#plain = new PlainDesk(options.node, (effect) => this.emit(effect));
    this.tower = tower;
    this.#conductor = conductor;
    this.#life = life;
    this.#news = news;
    this.#orders = orders;
    this.#outbox = outbox;
    this.#preparing = preparing;
    this.#recordDesk = records;
    this.#records = records.records;
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
    const { end, trouble } = this.#records;
    return { ...end, trouble };
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
    return this.#orders.disobeyed;
  }

  /** The machine's load as last heard. */
  get load(): Load {
    return this.#conductor.load;
  }

  /** The statuses of everything listed, as the conductor hears them. */
  statuses(): ReplicaStatus[] {
    return statusesOf(this.replicas.values());
  }

  /** Folders of artifacts that replicas here run from, are about to, or may when they are woken. */
  artifactFolders(): ReadonlySet<string> {
    const folders = new Set<string>();
    for (const { spec, state } of this.replicas.values()) {
      const artifact = spec && state.at !== "finished" ? artifactOf(spec) : null;
      if (artifact) folders.add(artifactFolder(this.around.artifacts ?? "", artifact));
    }
    const woken = [...this.#sleepers.values()].flatMap(({ spec }) => artifactOf(spec) ?? []);
    for (const artifact of [...this.#preparing.artifacts(), ...woken]) {
      folders.add(artifactFolder(this.around.artifacts ?? "", artifact));
    }
    return folders;
  }

  step(event: NodeEvent, now: Instant): NodeEffect[] {
    if (this.#started && now.monoMs - this.#dueMs > NODE_LATE_MS) {
      this.awakeMs = now.monoMs;
      this.tower.listen(now.monoMs);
    }
    this.now = now;
    this.#out = [];
    this.#take(event);
    this.#runDue();
    this.#settle();
    if (this.#started) this.#outbox.speak(now);
    this.#dueMs = this.#nextDue();
    return this.#out;
  }

  // ---- Stage: what a replica's life needs ----------------------------------------------------------

  emit(effect: NodeEffect): void {
    if (effect.do === "launch") this.#news.noteSaved(effect.saved);
    this.#out.push(effect);
  }

  touch(replica: Replica): void {
    this.#news.touch(replica);
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
        return this.#mesh.take(event.text, event.from);
      case "plain":
        return this.#takePlain(event);
      case "record":
      case "head":
      case "log":
      case "verified":
        return this.#recordDesk.take(event);
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
        return this.#orders.stopAll();
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
        return this.#life.fetched(replica, event.fault, event.changed);
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
    this.tower.listen(this.now.monoMs);
    for (const [replica, wallMs] of event.tombstones) this.#tombstones.add(replica, wallMs);
    this.#recordDesk.load(event);
    for (const adopted of event.adopted) this.#adopt(adopted);
    for (const replica of this.replicas.values()) this.#recordDesk.seek(replica);
  }

  #adopt({ saved, pid, running }: Adopted): void {
    if (saved.dropped) {
      this.#tombstones.add(saved.replica, saved.sinceWallMs);
      return;
    }
    const hadProcess = saved.stage !== "pending" && saved.stage !== "finished";
    const replica = replicaOf(saved);
    this.replicas.set(replica.id, replica);
    this.#news.noteSaved(saved);
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
    this.#recordDesk.seek(replica);
  }

  /** A v1 LAUNCH whose port is taken fails; it does not wait for the port. */
  #plainBlocked(replica: Replica): void {
    if (replica.state.at !== "blocked") return;
    if (!this.#plain.failed(replica, replica.reason ?? "its port is taken")) return;
    replica.stopOrdered = true;
    this.#life.stop(replica, false);
  }

  // ---- The end of a step --------------------------------------------------------------------------

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
    for (const replica of this.#news.settle()) {
      // The conductor does not know of a v1 launch, so nobody else will say that it may go.
      if (replica.launch && replica.state.at === "finished") this.#orders.drop(replica);
    }
    const alive = [...this.replicas.values()].some((replica) => hasProcess(replica.state));
    if (this.#orders.stopping && !alive) this.emit({ do: "stopped" });
  }

  #nextDue(): number {
    let due = this.#outbox.dueMs;
    for (const replica of this.replicas.values()) due = Math.min(due, dueOf(replica.state));
    return due;
  }
}
