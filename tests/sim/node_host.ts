import type { Address } from "../../core/address.ts";
import { sha256Hex } from "../../core/bytes.ts";
import type { NodeEffect, NodeEvent } from "../../node/effects.ts";
import { bootOf } from "../../node/boots.ts";
import { NodeMachine } from "../../node/machine.ts";
import type { LogRecord } from "../../node/records.ts";
import type { Wish } from "../../core/mesh.ts";
import type { SavedReplica } from "../../node/saved.ts";
import { CpuHistory } from "../../node/autoscale.ts";
import { type CpuUse, samplesOf } from "../../node/wishes.ts";
import { AUTOSCALE_SAMPLES, AUTOSCALE_WINDOW_MS, SAMPLE_MS } from "../../core/limits.ts";
import type { Supplier } from "./cargo.ts";
import type { ConductorHost } from "./conductor_host.ts";
import { Daemon, type Ground, meshOf, towerAt } from "./daemon.ts";
import type { Stream } from "./network.ts";
import { CACHE, NodeCargo } from "./node_cargo.ts";
import { ROOT, signerOf } from "./signers.ts";
import type { Behaviour, Process } from "./process.ts";

const SAMPLE = { cpuPercent: 5, ramTotalBytes: 8 * 2 ** 30, ramFreeBytes: 6 * 2 ** 30 };

export class NodeHost extends Daemon implements Supplier {
  machine: NodeMachine | null = null;
  readonly address: Address;
  readonly id: string;
  readonly processes: Process[] = [];
  readonly cargo = new NodeCargo(this);
  /** The machine has power; without it nobody even refuses a connection. */
  powered = true;
  diskFull = false;
  /** What a write to its disk takes. */
  diskMs = 0.1;
  // What its disk holds.
  readonly #saved = new Map<string, SavedReplica>();
  readonly #tombstones = new Map<string, number>();
  #bootMs: number | null = null;
  readonly #records = new Map<number, LogRecord>();
  /** The name of the log that the records are of. */
  #log: string | undefined;
  #unkept: LogRecord[] = [];
  /** Starts (`replica#instance`) that are not to begin any more. */
  readonly #calledOff = new Set<string>();
  #follow: Stream | null = null;
  /** Which of the conductors is followed. */
  #at = 0;
  #dueMs = Infinity;
  #close = () => {};
  #wished = false;
  #newest = 0;
  #nextPid = 1000;
  /** Replica -> when its artifact was found to be good, for its next start. */
  readonly #foundMs = new Map<string, number>();
  #cpu = new CpuHistory({ windowMs: AUTOSCALE_WINDOW_MS, samples: AUTOSCALE_SAMPLES });
  /** All programs of the world, on whatever node. */
  programs: () => Iterable<Process> = () => this.processes;

  constructor(
    ground: Ground,
    readonly conductors: readonly ConductorHost[],
    readonly index: number,
    /** How many towers it has. */
    readonly towers = 1,
  ) {
    super(ground, `node-${index}`, `10.0.1.${index}`);
    this.address = { hostname: this.host, port: 7775 };
    this.id = sha256Hex(this.name).slice(0, 32);
    ground.suppliers.set(this.host, this);
  }

  running(): Process[] {
    return this.processes.filter((process) => process.alive);
  }

  /** Who listens at this port. */
  listener(port: number): Process | undefined {
    const { nowMs } = this.ground.timeline;
    return this.processes.findLast((each) =>
      each.alive && each.port === port && nowMs >= each.answersMs
    );
  }

  protected begin(): void {
    this.powered = true;
    this.#unkept = [];
    this.cargo.begin();
    this.#foundMs.clear();
    this.#calledOff.clear();
    this.machine = new NodeMachine({
      node: this.id,
      boot: this.ground.prng.hex(16),
      bootWallMs: this.#beginBoot(),
      trustPaths: false,
      name: this.name,
      host: this.host,
      port: this.address.port,
      roots: [ROOT],
      conductor: meshOf(1),
      moreConductors: this.conductors.slice(1).map(({ index }) => meshOf(index)),
      tower: towerAt(1),
      moreTowers: Array.from({ length: this.towers - 1 }, (_, at) => towerAt(at + 2)),
      towerUrl: "http://10.0.0.2:7772",
      path: "/bin",
      workdir: "/",
      artifacts: CACHE,
      cores: 4,
      gpu: false,
      labels: {},
      ports: { first: 20_000, last: 20_100 },
    });
    this.#close = this.ground.network.open(
      this.address,
      (text, from) => this.enter(() => this.#hear(text, from)),
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
      ...(this.#log === undefined ? {} : { log: this.#log }),
    });
    for (const { saved, running } of adopted) {
      const process = this.#find(saved.replica, saved.instance);
      if (!running && saved.stage !== "pending" && saved.stage !== "finished") {
        this.#tellEnd(saved.replica, saved.instance, process);
      }
    }
    this.#step({ on: "sample", ...SAMPLE });
    this.#cpu = new CpuHistory({ windowMs: AUTOSCALE_WINDOW_MS, samples: AUTOSCALE_SAMPLES });
    this.later(SAMPLE_MS, () => this.#measure());
    this.#connect();
  }

  #beginBoot(): number {
    if (this.ground.planted === "set-back") return this.now.wallMs;
    const bootMs = bootOf(this.now.wallMs, this.#bootMs);
    if (!this.diskFull) this.#bootMs = bootMs;
    return bootMs;
  }

  protected end(): void {
    this.machine = null;
    this.#close();
    this.#follow?.break();
    this.#follow = null;
    this.ground.network.hangUp(this.host);
  }

  supply(stream: Stream, sha256: string, offset: number): void {
    this.cargo.supply(stream, sha256, offset);
  }

  /** Hosts of the conductors, the one whose log is followed first. */
  conductorHosts(): string[] {
    const { host: first } = this.conductors[this.#at]!;
    return [first, ...this.conductors.map(({ host }) => host).filter((host) => host !== first)];
  }

  /** The whole machine loses power: its programs, too. */
  powerOff(): void {
    this.kill();
    this.powered = false;
    this.cargo.powerOff();
    for (const process of this.running()) this.endProcess(process, { lost: true });
  }

  endProcess(process: Process, how: { code?: number; signal?: string; lost?: true }): void {
    if (!process.alive) return;
    process.alive = false;
    process.endedMs = this.ground.timeline.nowMs;
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
          lost: process === undefined || process.lost === true,
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
    const conductor = this.conductors[this.#at]!;
    const retry = () => {
      // Another has the same log.
      this.#at = (this.#at + 1) % this.conductors.length;
      this.later(150, () => this.#connect());
    };
    const stream = conductor.up ? this.ground.network.stream(this.host, conductor.host) : null;
    if (!stream) return retry();
    this.#follow = stream;
    stream.onClientLost = () => {
      if (this.#follow !== stream) return;
      this.#follow = null;
      this.enter(retry);
    };
    stream.onClient = (text) =>
      this.enter(() => {
        const { k, ...rest } = JSON.parse(text);
        if (k === "record") this.#step({ on: "record", record: rest });
        else if (k === "log") this.#step({ on: "log", log: rest.log });
        else this.#step({ on: "head", sequence: rest.sequence, chain: rest.chain });
      });
    conductor.follow(stream, this.machine!.sequence);
  }

  #followAnew(host: string): void {
    const at = this.conductors.findIndex((each) => each.host === host);
    if (this.conductors.length === 1 || at < 0) return this.#follow?.break();
    this.#at = at;
    const before = this.#follow;
    this.#follow = null;
    before?.break();
    // One that looks for a conductor already does so once.
    if (before) this.#connect();
  }

  #hear(text: string, from: Address): void {
    if (this.ground.planted === "drained-by-one" && text.startsWith('{"k":"deregister-ok"')) {
      const { order: _, ...word } = JSON.parse(text);
      for (let at = 1; at <= this.towers; at++) {
        this.#step({ on: "mesh", text: JSON.stringify(word), from: towerAt(at) });
      }
    }
    const isOrder = this.conductors.length > 1 && /^\{"k":"(?:run|stop)"/.test(text);
    if (!isOrder || !this.machine) return this.#step({ on: "mesh", text, from });
    const order = JSON.parse(text);
    const { disobeyed } = this.machine;
    if (this.ground.planted === "any-leader") text = this.#asIfOfNow(order);
    this.#step({ on: "mesh", text, from });
    if (this.machine?.disobeyed !== disobeyed) return;
    this.ground.witness.obeyed(this, `${order.k} ${order.replica}`, order.reign?.term ?? 0);
  }

  #step(event: NodeEvent): void {
    if (!this.machine) return;
    for (const effect of this.machine.step(event, this.now)) this.#perform(effect);
    this.ground.witness.stepped(this);
    const dueMs = this.machine?.dueMonoMs ?? Infinity;
    if (dueMs < this.#dueMs) {
      this.#dueMs = dueMs;
      this.later(Math.max(0.1, dueMs - this.now.monoMs), () => {
        // An earlier one was asked for meanwhile.
        if (this.#dueMs !== dueMs) return;
        this.#dueMs = Infinity;
        this.#step({ on: "tick" });
      });
    }
  }

  #perform(effect: NodeEffect): void {
    const { network, prng } = this.ground;
    switch (effect.do) {
      case "send":
        if (this.#isWithheld(effect.text, effect.to)) return;
        return network.send(this.#boast(effect.text), this.address, effect.to);
      case "verify": {
        const { sequence, text, signatureHex } = effect.record;
        const signer = signerOf(text, signatureHex);
        const isGood = signer !== null && signer.publicText === effect.publicKey;
        const refusal = isGood ? null : "its signature is not valid";
        return this.later(0.2, () => this.#step({ on: "verified", sequence, refusal }));
      }
      case "keep-record":
        this.#unkept.push(effect.record);
        if (this.diskFull) return;
        for (const record of this.#unkept.splice(0)) this.#records.set(record.sequence, record);
        return;
      case "fetch": {
        const { replica } = effect;
        const which = { replica, ...(effect.for === undefined ? {} : { for: effect.for }) };
        const { artifact, sources } = effect;
        return this.cargo.get(
          artifact,
          sources,
          (fetched) => {
            if (!effect.for) this.#foundMs.set(replica, this.now.monoMs);
            this.#step({ on: "fetched", ...which, ...fetched });
          },
        );
      }
      case "check-program":
        return this.later(0.5, () => {
          const fault = this.#programAt(effect.plan.exec) === null
            ? "its program is not there"
            : null;
          this.#step({ on: "checked", app: effect.app, fault });
        });
      case "try-port": {
        const { replica, port } = effect;
        const free = !this.running().some((process) => process.port === port);
        return this.later(0.1, () => this.#step({ on: "port-tried", replica, port, free }));
      }
      case "launch":
        return this.#launch(effect);
      case "call-off":
        this.#calledOff.add(`${effect.replica}#${effect.instance}`);
        return;
      case "signal":
        return this.#signal(effect);
      case "probe": {
        const process = this.processes.findLast((each) => each.replica === effect.replica);
        return this.later(1 + prng.next() * 3, () => {
          const early = this.ground.planted === "early";
          const answers = process?.alive && (early || this.now.monoMs >= process.answersMs);
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
        if (!this.diskFull) this.#saved.set(effect.saved.replica, effect.saved);
        if (this.ground.planted === "no-drain") this.#forgetDrain(effect.saved);
        return;
      case "tombstone":
        if (!this.diskFull) this.#tombstones.set(effect.replica, effect.wallMs);
        return;
      case "follow":
        // The conductor is another one than before: its log is followed anew.
        return this.#followAnew(effect.at.hostname);
      case "keep-log":
        if (!this.diskFull) this.#log = effect.log;
        return;
      case "log":
      case "stopped":
        return;
      default:
        effect satisfies never;
    }
  }

  /**
   * What a program is executed from; `null` where there is none.
   *
   * @param foundMs when that was found to be good: what is changed from then on nobody can see
   */
  #programAt(path: string, foundMs?: number): Pick<Process, "digest" | "isRaced"> | null {
    if (!path.startsWith(`${CACHE}/`)) return {};
    const lying = this.cargo.at(path);
    if (!lying) return null;
    const isRaced = foundMs !== undefined && lying.writtenMs > foundMs;
    return { digest: lying.digest, ...(isRaced ? { isRaced } : {}) };
  }

  #signal(effect: Extract<NodeEffect, { do: "signal" }>): void {
    const process = this.#find(effect.replica, effect.instance);
    if (!process?.alive) return;
    this.ground.witness.signalled(this, process, effect.signal);
    process.signalledMs ??= this.ground.timeline.nowMs;
    if (effect.signal === "SIGKILL") return this.endProcess(process, { signal: "SIGKILL" });
    this.ground.timeline.after(
      5 + this.ground.prng.next() * 300,
      () => this.endProcess(process, { code: 0 }),
    );
  }

  #launch(effect: Extract<NodeEffect, { do: "launch" }>): void {
    const { replica, instance, saved, plan } = effect;
    if (this.diskFull) {
      const reason = "its state cannot be written: No space left on device";
      return this.later(
        this.diskMs,
        () => this.#step({ on: "launch-failed", replica, instance, reason }),
      );
    }
    this.#saved.set(replica, saved);
    const { prng } = this.ground;
    const port = plan.env.PORT === undefined ? undefined : Number(plan.env.PORT);
    const behaviour = (plan.env.BEHAVIOUR ?? "good") as Behaviour;
    const startMs = this.ground.planted === "early" ? 2_000 : 10 + prng.next() * 200;
    this.later(this.diskMs, () => {
      if (this.#calledOff.delete(`${replica}#${instance}`)) {
        const reason = "its start was called off";
        return this.#step({ on: "launch-failed", replica, instance, reason });
      }
      const program = this.#programAt(plan.exec, this.#foundMs.get(replica));
      this.#foundMs.delete(replica);
      if (program === null) {
        const reason = `${plan.exec} is not there`;
        return this.#step({ on: "launch-failed", replica, instance, reason });
      }
      const process: Process = {
        replica,
        instance,
        app: saved.app,
        generation: saved.generation + (this.ground.planted === "wrong-generation" ? 1 : 0),
        sequence: saved.sequence,
        pid: this.#nextPid++,
        ...(port === undefined ? {} : { port }),
        behaviour,
        ...program,
        answersMs: behaviour === "unready" ? Infinity : this.now.monoMs + startMs,
        alive: true,
      };
      this.processes.push(process);
      this.ground.witness.started(this, process);
      if (plan.env.WORK) {
        const workMs = 50 + prng.next() * 2_000;
        const code = behaviour === "good" ? 0 : 1;
        this.ground.timeline.after(workMs, () => this.endProcess(process, { code }));
      } else if (behaviour === "crash") {
        this.ground.timeline.after(startMs, () => this.endProcess(process, { code: 1 }));
      }
      this.later(2, () => this.#step({ on: "launched", replica, instance, pid: process.pid }));
    });
  }

  /** CPU of what is ready and scales by it, once a second. */
  #measure(): void {
    this.later(SAMPLE_MS, () => this.#measure());
    const uses: CpuUse[] = [];
    for (const { id, instance, state, spec } of this.machine?.replicas.values() ?? []) {
      const process = this.#find(id, instance);
      if (spec?.scale?.cpuAbove === undefined || !process?.alive) continue;
      const cpuS = this.ground.loads.work(process, this.#workers(process.app), this.now.monoMs);
      if (state.at === "ready") uses.push({ spec, replica: id, instance, cpuS });
    }
    if (uses.length === 0 && !this.#wished) return;
    this.#wished = uses.length > 0;
    const wishes = this.#cpu.take(this.now.monoMs, samplesOf(uses));
    this.#step({ on: "wishes", wishes: wishes.map((wish) => this.#plantWish(wish)) });
  }

  /** How many programs share an app's load. */
  #workers(app: string): number {
    let count = 0;
    for (const each of this.programs()) {
      if (each.app === app && each.alive && this.now.monoMs >= each.answersMs) count++;
    }
    return count;
  }

  // ---- Planted faults -----------------------------------------------------------------------------

  #plantWish(wish: Wish): Wish {
    if (this.ground.planted !== "fickle") return wish;
    const isMore = Math.floor(this.now.monoMs / 5_000) % 2 === 0;
    return isMore
      ? { ...wish, wish: "more", cpuPercent: 100 }
      : { ...wish, wish: "less", cpuPercent: 0 };
  }

  /** What is registered never reaches the tower, and yet is acknowledged. */
  #isWithheld(text: string, to: Address): boolean {
    const { planted } = this.ground;
    const isFirst = to.hostname === towerAt(1).hostname;
    if (planted !== "unregistered" && (planted !== "one-tower" || isFirst)) return false;
    if (text.startsWith('{"k":"register"')) {
      const { node, request } = JSON.parse(text);
      const answer = JSON.stringify({ k: "register-ok", tower: "d".repeat(16), node, request });
      this.later(1, () => this.#step({ on: "mesh", text: answer, from: to }));
      return true;
    }
    return text.startsWith('{"k":"lease"');
  }

  /** What was only begun is done. */
  #boast(text: string): string {
    if (this.ground.planted !== "unprepared" || !text.startsWith('{"k":"prepared"')) return text;
    return JSON.stringify({ ...JSON.parse(text), state: "ok" });
  }

  /** An order as if its sender led in the newest term, for ever. */
  #asIfOfNow(order: { readonly reign?: { readonly term: number } }): string {
    this.#newest = Math.max(this.#newest, order.reign?.term ?? 0);
    return JSON.stringify({ ...order, reign: { term: this.#newest } });
  }

  /** A stop that does not wait for the ingresses. */
  #forgetDrain(saved: SavedReplica): void {
    if (!saved.stopOrdered) return;
    const process = this.#find(saved.replica, saved.instance);
    if (!process?.alive) return;
    this.ground.witness.signalled(this, process, "SIGTERM");
    this.endProcess(process, { code: 0 });
  }
}
