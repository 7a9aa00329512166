// The daemons' machines on their hosts in the virtual world: each host has a disk that survives its
// daemon, and the daemon can be killed and started again at any moment.

import type { Address } from "../../core/address.ts";
import { sha256Hex } from "../../core/bytes.ts";
import type { Instant } from "../../core/instant.ts";
import { checkEntry, EMPTY_HEAD, type Entry } from "../../core/log.ts";
import type { Endpoint, Route } from "../../core/mesh.ts";
import { parseShaped } from "../../core/shape.ts";
import { watchShape } from "../../core/mesh.ts";
import type { Prng } from "../../core/prng.ts";
import type { ConductorEffect, ConductorEvent } from "../../conductor/effects.ts";
import { ConductorMachine } from "../../conductor/machine.ts";
import { applyEntry, emptyState } from "../../conductor/state.ts";
import { type IngressEvent, IngressMachine } from "../../ingress/machine.ts";
import type { NodeEffect, NodeEvent } from "../../node/effects.ts";
import { NodeMachine } from "../../node/machine.ts";
import type { LogRecord } from "../../node/records.ts";
import type { SavedReplica } from "../../node/saved.ts";
import { type TowerEffect, type TowerEvent, TowerMachine } from "../../tower/machine.ts";
import type { Network, Stream } from "./network.ts";
import type { Timeline } from "./queue.ts";

/** What every host has. */
export interface Ground {
  readonly timeline: Timeline;
  readonly network: Network;
  readonly prng: Prng;
  /** The checkers' ears. */
  readonly witness: Witness;
  /** Wrong on purpose: what the canary plants. */
  readonly planted?: "double-run" | "no-drain";
}

export interface Witness {
  started(node: NodeHost, process: Process): void;
  ended(node: NodeHost, process: Process): void;
  /** An ordered stop has come to its signal. */
  signalled(node: NodeHost, process: Process, signal: string): void;
  tell(text: string): void;
}

export const CONDUCTOR: Address = { hostname: "10.0.0.1", port: 7770 };
export const COMMANDS: Address = { hostname: "10.0.0.1", port: 7771 };
export const TOWER: Address = { hostname: "10.0.0.2", port: 7772 };
export const INGRESS_HOST = "10.0.0.3";
export const OPERATOR: Address = { hostname: "10.0.0.4", port: 40_000 };

/** Unix time at which every simulation begins. */
const EPOCH_MS = 1_795_177_690_000;

export function instant(timeline: Timeline): Instant {
  return { monoMs: timeline.nowMs, wallMs: EPOCH_MS + Math.round(timeline.nowMs) };
}

/** A signature in this world: nobody without the secret makes one. */
export function fakeSignature(text: string): string {
  return sha256Hex(`the operator's secret|${text}`).repeat(104).slice(0, 6618);
}

const OPERATOR_KEY = "a".repeat(64);

/** A daemon on a host: runs, or is down between a kill and a start. */
abstract class Daemon {
  protected alive = 0;

  constructor(readonly ground: Ground, readonly name: string, readonly host: string) {}

  get up(): boolean {
    return this.alive > 0;
  }

  protected get now(): Instant {
    return instant(this.ground.timeline);
  }

  #pausedUntilMs = -Infinity;
  readonly #held: (() => void)[] = [];

  /** Stops the daemon for so long, as SIGSTOP does: what comes meanwhile waits for it. */
  pause(forMs: number): void {
    const { timeline } = this.ground;
    if (!this.up || this.paused) return;
    this.#pausedUntilMs = timeline.nowMs + forMs;
    timeline.at(this.#pausedUntilMs, () => {
      for (const run of this.#held.splice(0)) run();
    });
  }

  get paused(): boolean {
    return this.ground.timeline.nowMs < this.#pausedUntilMs;
  }

  /** Runs it now, or when the pause is over and the daemon has not been killed in it. */
  protected whenAwake(run: () => void): void {
    if (!this.paused) return run();
    const start = this.alive;
    this.#held.push(() => this.alive === start && start > 0 && run());
  }

  /** Runs it later, unless this start of the daemon has ended by then. */
  protected later(delayMs: number, run: () => void): void {
    const start = this.alive;
    this.ground.timeline.after(delayMs, () => {
      if (this.alive === start && start > 0) run();
    });
  }

  abstract start(): void;
  abstract kill(): void;
}

let starts = 0;

/** Numbers of starts, so that each is told apart; the same in every repetition of a seed. */
export function resetStarts(): void {
  starts = 0;
}

// ---- Conductor ------------------------------------------------------------------------------------

export class ConductorHost extends Daemon {
  readonly entries: Entry[] = [];
  machine: ConductorMachine | null = null;
  /** Appends take this long; the disk can be slow. */
  diskMs = 0.3;
  diskFull = false;
  readonly #followers = new Map<Stream, number>();
  readonly #replies = new Map<number, (text: string) => void>();
  #nextReply = 1;
  #routes: readonly Route[] = [];
  #lost: readonly string[] = [];
  #tower: Stream | null = null;
  #wakeMs = Infinity;
  #close: (() => void)[] = [];

  constructor(ground: Ground, readonly towerHost: TowerHost) {
    super(ground, "conductor", CONDUCTOR.hostname);
  }

  start(): void {
    if (this.up) return;
    this.alive = ++starts;
    const state = emptyState();
    let head = EMPTY_HEAD;
    for (const entry of this.entries) {
      const wrong = checkEntry(head, entry);
      if (wrong) throw new Error(`the log is damaged: ${wrong}`);
      applyEntry(state, entry);
      head = entry;
    }
    this.machine = new ConductorMachine({
      state,
      boot: this.ground.prng.hex(16),
      prng: this.ground.prng,
      plain: ["10.0.0.0/8"],
      manifests: false,
      now: this.now,
    });
    const { network } = this.ground;
    this.#close = [
      network.open(CONDUCTOR, (text, from) => this.#step({ on: "mesh", text, from })),
      network.open(
        COMMANDS,
        (text, from) =>
          this.command(text, from.hostname, (reply) => network.send(reply, COMMANDS, from)),
      ),
    ];
    this.#wakeMs = Infinity;
    this.#connectTower();
    this.#step({ on: "tick" });
  }

  kill(): void {
    if (!this.up) return;
    this.alive = 0;
    this.machine = null;
    for (const close of this.#close) close();
    this.#tower?.break();
    this.#replies.clear();
    for (const stream of [...this.#followers.keys()]) stream.break();
    this.#followers.clear();
  }

  command(text: string, address: string, answer: (reply: string) => void): void {
    const reply = this.#nextReply++;
    this.#replies.set(reply, answer);
    this.#step({ on: "command", text, source: { via: "udp", address, reply } });
  }

  /** A node follows the log. */
  follow(stream: Stream, from: number): void {
    if (!this.up) return stream.break();
    stream.onServerLost = () => this.#followers.delete(stream);
    this.#followers.set(stream, from);
    this.#feed(stream, from);
  }

  #feed(stream: Stream, from: number): void {
    for (const { sequence, body } of this.entries.slice(from)) {
      if (body.kind !== "command") continue;
      stream.toClient(JSON.stringify({ k: "record", sequence, ...body.signed }));
    }
    stream.toClient(JSON.stringify({ k: "head", sequence: this.entries.length }));
    this.#followers.set(stream, this.entries.length);
  }

  #connectTower(): void {
    const retry = () => this.later(200, () => this.#connectTower());
    const stream = this.towerHost.up ? this.ground.network.stream(this.host, TOWER.hostname) : null;
    if (!stream) return retry();
    this.#tower = stream;
    stream.onClientLost = retry;
    this.towerHost.accept(stream);
    stream.toServer(JSON.stringify({ k: "hello", role: "conductor", name: "conductor" }));
    stream.toServer(JSON.stringify({ k: "publish", routes: this.#routes }));
    if (this.#lost.length > 0) stream.toServer(JSON.stringify({ k: "lost", nodes: this.#lost }));
    stream.onClient = (text) => {
      const message = parseShaped(watchShape, text);
      if (message?.k === "figures") {
        const { k: _k, ...figures } = message;
        this.#step({ on: "figures", figures });
      } else if (message?.k === "wake") this.#step({ on: "wake", app: message.app });
    };
  }

  #step(event: ConductorEvent): void {
    this.whenAwake(() => this.#stepNow(event));
  }

  #stepNow(event: ConductorEvent): void {
    if (!this.machine) return;
    for (const effect of this.machine.step(event, this.now)) this.#perform(effect);
    const wakeMs = this.machine.wakeMonoMs();
    if (wakeMs < this.#wakeMs) {
      this.#wakeMs = wakeMs;
      this.later(Math.max(1, wakeMs - this.now.monoMs), () => {
        this.#wakeMs = Infinity;
        this.#step({ on: "tick" });
      });
    }
  }

  #perform(effect: ConductorEffect): void {
    switch (effect.do) {
      case "reply":
        this.#replies.get(effect.to)?.(effect.text);
        this.#replies.delete(effect.to);
        return;
      case "ignore":
        this.#replies.delete(effect.to);
        return;
      case "send":
        this.ground.network.send(effect.text, CONDUCTOR, effect.to);
        return this.#misdirect(effect.text);
      case "verify": {
        const good = effect.signatureHex === fakeSignature(effect.text);
        const key = good ? OPERATOR_KEY : null;
        return this.later(0.2, () => this.#step({ on: "verified", id: effect.id, key }));
      }
      case "append":
        return this.#append(effect.entry);
      case "publish":
        this.#routes = effect.routes;
        this.#tower?.toServer(JSON.stringify({ k: "publish", routes: effect.routes }));
        return;
      case "lost":
        this.#lost = effect.nodes;
        this.#tower?.toServer(JSON.stringify({ k: "lost", nodes: effect.nodes }));
        return;
      case "event":
        return this.ground.witness.tell(effect.event.text);
      case "snapshot":
      case "changed":
      case "logs":
      case "exec":
      case "read-manifest":
        return;
      default:
        effect satisfies never;
    }
  }

  /** The planted fault: an order to run goes to a second node, too. */
  #misdirect(text: string): void {
    if (this.ground.planted !== "double-run" || !text.startsWith('{"k":"run"')) return;
    const order = JSON.parse(text);
    const other = [...this.machine!.fleet.values()].find((node) => node.id !== order.node);
    if (!other?.address) return;
    const again = JSON.stringify({ ...order, node: other.id });
    this.ground.network.send(again, CONDUCTOR, other.address);
  }

  #append(entry: Entry): void {
    // The disk has it or not at the moment of a crash: the write happens somewhere in between.
    const whenMs = this.ground.prng.next() * this.diskMs;
    this.later(whenMs, () => {
      if (this.diskFull) {
        this.later(this.diskMs, () => this.#step({ on: "append-failed", error: "disk full" }));
        return;
      }
      this.entries.push(entry);
      this.later(this.diskMs - whenMs, () => {
        this.#step({ on: "appended", entry });
        for (const [stream, from] of this.#followers) this.#feed(stream, from);
      });
    });
  }
}

// ---- Tower ----------------------------------------------------------------------------------------

export class TowerHost extends Daemon {
  machine: TowerMachine | null = null;
  readonly #streams = new Map<number, Stream>();
  #nextWatcher = 1;
  #close = () => {};

  constructor(ground: Ground) {
    super(ground, "tower", TOWER.hostname);
  }

  start(): void {
    if (this.up) return;
    this.alive = ++starts;
    this.machine = new TowerMachine({
      boot: this.ground.prng.hex(16),
      plain: ["10.0.0.0/8"],
      meshOpen: true,
    }, this.now);
    this.#close = this.ground.network.open(
      TOWER,
      (text, from) => this.#step({ k: "datagram", text, from }),
    );
    this.#step({ k: "start" });
  }

  kill(): void {
    if (!this.up) return;
    this.alive = 0;
    this.machine = null;
    this.#close();
    for (const stream of [...this.#streams.values()]) stream.break();
    this.#streams.clear();
  }

  accept(stream: Stream): void {
    const watcher = this.#nextWatcher++;
    this.#streams.set(watcher, stream);
    stream.onServer = (text) => this.#step({ k: "watcher-message", watcher, text });
    stream.onServerLost = () => {
      this.#streams.delete(watcher);
      this.#step({ k: "watcher-closed", watcher });
    };
    this.#step({ k: "watcher-connected", watcher, host: stream.client, app: null });
  }

  #step(event: TowerEvent): void {
    if (!this.machine) return;
    for (const effect of this.machine.step(event, this.now)) this.#perform(effect);
  }

  #perform(effect: TowerEffect): void {
    switch (effect.k) {
      case "datagram":
        return this.ground.network.send(effect.text, TOWER, effect.to);
      case "send":
        return this.#streams.get(effect.watcher)?.toClient(effect.text);
      case "close":
        return this.#streams.get(effect.watcher)?.break();
      case "wake":
        return this.later(
          Math.max(0.1, effect.atMonoMs - this.now.monoMs),
          () => this.#step({ k: "tick" }),
        );
      case "log":
        return;
      default:
        effect satisfies never;
    }
  }
}

// ---- Ingress --------------------------------------------------------------------------------------

export class IngressHost extends Daemon {
  machine: IngressMachine | null = null;
  /** When the tower last heard it, at the earliest. */
  lastSaidMs = -Infinity;
  #stream: Stream | null = null;

  constructor(ground: Ground, readonly towerHost: TowerHost) {
    super(ground, "ingress", INGRESS_HOST);
  }

  get connected(): boolean {
    return this.#stream !== null;
  }

  /** Ids of the replicas that a request may be sent to now. */
  targets(): Endpoint[] {
    const replicas = [...this.machine?.allReplicas() ?? []];
    return replicas.filter((each) => !each.gone).map((each) => each.endpoint);
  }

  start(): void {
    if (this.up) return;
    this.alive = ++starts;
    this.machine = new IngressMachine({ name: "ingress-1" }, this.now);
    this.#connect();
    this.#tick();
  }

  kill(): void {
    if (!this.up) return;
    this.alive = 0;
    this.machine = null;
    this.#stream?.break();
    this.#stream = null;
  }

  #tick(): void {
    this.#step({ k: "tick" });
    this.later(250, () => this.#tick());
  }

  #connect(): void {
    const retry = () => this.later(100, () => this.#connect());
    const stream = this.towerHost.up ? this.ground.network.stream(this.host, TOWER.hostname) : null;
    if (!stream) return retry();
    this.#stream = stream;
    stream.onClientLost = () => {
      this.#stream = null;
      if (!this.up) return;
      this.#step({ k: "lost" });
      retry();
    };
    stream.onClient = (text) => {
      const message = parseShaped(watchShape, text);
      if (!message) throw new Error(`the tower sent what no watcher reads: ${text.slice(0, 200)}`);
      this.#step({ k: "message", message });
    };
    this.towerHost.accept(stream);
    this.#step({ k: "connected" });
  }

  #step(event: IngressEvent): void {
    if (!this.machine) return;
    for (const effect of this.machine.step(event, this.now)) {
      if (effect.k !== "send") continue;
      const { k } = effect.message;
      if (k === "ack" || k === "hello") this.lastSaidMs = this.now.monoMs;
      this.#stream?.toServer(JSON.stringify(effect.message));
    }
  }
}

// ---- Node -----------------------------------------------------------------------------------------

/** A program that runs on a node, whether the daemon does or not. */
export interface Process {
  readonly replica: string;
  readonly instance: number;
  readonly app: string;
  readonly generation: number;
  readonly sequence: number;
  readonly pid: number;
  readonly port?: number;
  readonly answersMs: number;
  stopOrderedMs: number | null;
  alive: boolean;
  code?: number;
  signal?: string;
}

export class NodeHost extends Daemon {
  machine: NodeMachine | null = null;
  readonly address: Address;
  readonly id: string;
  readonly processes: Process[] = [];
  readonly #saved = new Map<string, SavedReplica>();
  readonly #tombstones = new Map<string, number>();
  readonly #records = new Map<number, LogRecord>();
  #follow: Stream | null = null;
  #dueMs = Infinity;
  #close = () => {};
  nextPid = 1000;

  constructor(ground: Ground, readonly conductor: ConductorHost, readonly index: number) {
    super(ground, `node-${index}`, `10.0.1.${index}`);
    this.address = { hostname: this.host, port: 7775 };
    this.id = sha256Hex(this.name).slice(0, 32);
  }

  running(): Process[] {
    return this.processes.filter((process) => process.alive);
  }

  start(): void {
    if (this.up) return;
    this.alive = ++starts;
    this.machine = new NodeMachine({
      node: this.id,
      boot: this.ground.prng.hex(16),
      bootWallMs: this.now.wallMs,
      trustPaths: false,
      name: this.name,
      host: this.host,
      port: this.address.port,
      conductor: CONDUCTOR,
      tower: TOWER,
      towerUrl: "http://10.0.0.2:7772",
      path: "/bin",
      workdir: "/",
      cores: 4,
      gpu: false,
      labels: {},
      ports: { first: 20_000, last: 20_100 },
    });
    this.#close = this.ground.network.open(
      this.address,
      (text, from) => this.#step({ on: "mesh", text, from }),
    );
    this.#dueMs = Infinity;
    const adopted = [...this.#saved.values()].map((saved) => {
      const process = this.#find(saved.replica, saved.instance);
      const running = process?.alive ?? false;
      return { saved, running, ...(running ? { pid: process!.pid } : {}) };
    });
    this.#step({
      on: "start",
      adopted,
      tombstones: [...this.#tombstones],
      records: [...this.#records.values()],
    });
    for (const { saved, running } of adopted) {
      const process = this.#find(saved.replica, saved.instance);
      if (!running && saved.stage !== "pending" && saved.stage !== "finished") {
        this.#tellEnd(saved.replica, saved.instance, process);
      }
    }
    const sample = { cpuPercent: 5, ramTotalBytes: 8 * 2 ** 30, ramFreeBytes: 6 * 2 ** 30 };
    this.#step({ on: "sample", ...sample });
    this.#connect();
  }

  kill(): void {
    if (!this.up) return;
    this.alive = 0;
    this.machine = null;
    this.#close();
    this.#follow?.break();
    this.#follow = null;
  }

  /** The whole machine loses power: its programs, too. */
  powerOff(): void {
    this.kill();
    for (const process of this.running()) this.end(process, { signal: "SIGKILL" });
  }

  end(process: Process, how: { code?: number; signal?: string }): void {
    if (!process.alive) return;
    process.alive = false;
    Object.assign(process, how);
    this.ground.witness.ended(this, process);
    this.#tellEnd(process.replica, process.instance, process);
  }

  #tellEnd(replica: string, instance: number, process: Process | undefined): void {
    this.later(1, () =>
      this.#step({
        on: "exited",
        replica,
        instance,
        ended: {
          ...(process?.code === undefined ? {} : { code: process.code }),
          ...(process?.signal === undefined ? {} : { signal: process.signal }),
          lost: process === undefined,
          notLaunched: false,
          tail: "",
        },
      }));
  }

  #find(replica: string, instance: number): Process | undefined {
    return this.processes.findLast((each) =>
      each.replica === replica && each.instance === instance
    );
  }

  #connect(): void {
    const retry = () => this.later(150, () => this.#connect());
    const stream = this.conductor.up
      ? this.ground.network.stream(this.host, CONDUCTOR.hostname)
      : null;
    if (!stream) return retry();
    this.#follow = stream;
    stream.onClientLost = () => {
      this.#follow = null;
      if (this.up) retry();
    };
    stream.onClient = (text) => {
      const { k, ...rest } = JSON.parse(text);
      if (k === "record") this.#step({ on: "record", record: rest });
      else this.#step({ on: "head", sequence: rest.sequence });
    };
    this.conductor.follow(stream, this.machine!.sequence);
  }

  #step(event: NodeEvent): void {
    this.whenAwake(() => this.#stepNow(event));
  }

  #stepNow(event: NodeEvent): void {
    if (!this.machine) return;
    for (const effect of this.machine.step(event, this.now)) this.#perform(effect);
    const dueMs = this.machine?.dueMonoMs ?? Infinity;
    if (dueMs < this.#dueMs) {
      this.#dueMs = dueMs;
      this.later(Math.max(0.1, dueMs - this.now.monoMs), () => {
        this.#dueMs = Infinity;
        this.#step({ on: "tick" });
      });
    }
  }

  #perform(effect: NodeEffect): void {
    const { network, prng } = this.ground;
    switch (effect.do) {
      case "send":
        return network.send(effect.text, this.address, effect.to);
      case "verify": {
        const { sequence, text, signatureHex } = effect.record;
        const refusal = signatureHex === fakeSignature(text) ? null : "its signature is not valid";
        return this.later(0.2, () => this.#step({ on: "verified", sequence, refusal }));
      }
      case "keep-record":
        this.#records.set(effect.record.sequence, effect.record);
        return;
      case "fetch": {
        const { replica } = effect;
        return this.later(1, () => this.#step({ on: "fetched", replica, fault: null }));
      }
      case "try-port": {
        const { replica, port } = effect;
        const free = !this.running().some((process) => process.port === port);
        return this.later(0.1, () => this.#step({ on: "port-tried", replica, port, free }));
      }
      case "launch":
        this.#saved.set(effect.replica, effect.saved);
        return this.#launch(effect);
      case "signal": {
        const process = this.#find(effect.replica, effect.instance);
        if (!process?.alive) return;
        this.ground.witness.signalled(this, process, effect.signal);
        if (effect.signal === "SIGKILL") this.end(process, { signal: "SIGKILL" });
        else {
          this.ground.timeline.after(
            5 + prng.next() * 300,
            () => this.end(process, { code: 0 }),
          );
        }
        return;
      }
      case "probe": {
        const process = this.processes.findLast((each) => each.replica === effect.replica);
        return this.later(1 + prng.next() * 3, () => {
          const answers = process?.alive && this.now.monoMs >= process.answersMs;
          this.#step({
            on: "probed",
            replica: effect.replica,
            probe: effect.probe,
            result: answers ? "passed" : "refused",
            detail: answers ? "" : "refused",
          });
        });
      }
      case "check-owner": {
        const { replica, instance } = effect;
        return this.later(
          1,
          () => this.#step({ on: "owner", replica, instance, owner: "own", detail: "" }),
        );
      }
      case "save":
        this.#saved.set(effect.saved.replica, effect.saved);
        if (this.ground.planted === "no-drain") this.#forgetDrain(effect.saved);
        return;
      case "tombstone":
        this.#tombstones.set(effect.replica, effect.wallMs);
        return;
      case "follow":
        // The conductor is another one than before: its log is followed anew.
        return this.#follow?.break();
      case "log":
      case "stopped":
        return;
      default:
        effect satisfies never;
    }
  }

  #launch(effect: Extract<NodeEffect, { do: "launch" }>): void {
    const { replica, instance, saved, plan } = effect;
    const { prng } = this.ground;
    const port = plan.env.PORT === undefined ? undefined : Number(plan.env.PORT);
    const process: Process = {
      replica,
      instance,
      app: saved.app,
      generation: saved.generation,
      sequence: saved.sequence,
      pid: this.nextPid++,
      ...(port === undefined ? {} : { port }),
      answersMs: this.now.monoMs + 10 + prng.next() * 200,
      stopOrderedMs: null,
      alive: true,
    };
    this.processes.push(process);
    this.ground.witness.started(this, process);
    this.later(2, () => this.#step({ on: "launched", replica, instance, pid: process.pid }));
  }

  /** The planted fault: a stop that does not wait for the ingresses. */
  #forgetDrain(saved: SavedReplica): void {
    if (!saved.stopOrdered) return;
    const process = this.#find(saved.replica, saved.instance);
    if (!process?.alive) return;
    this.ground.witness.signalled(this, process, "SIGTERM");
    this.end(process, { code: 0 });
  }
}
