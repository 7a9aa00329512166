// For tests: the world around a node's machine, in virtual time. It starts and ends programs, probes
// them, verifies records, and hands every datagram to whoever wants to look at it.

import { formatOperatorCommand } from "../core/command.ts";
import { decodeMesh, encodeMesh, type MeshMessage, type ReplicaStatus } from "../core/mesh.ts";
import type { Ended, NodeEffect, NodeEvent } from "./effects.ts";
import { NodeMachine, type NodeOptions } from "./machine.ts";
import type { LogRecord } from "./records.ts";
import type { SavedReplica } from "./saved.ts";

export const NODE = "a".repeat(32);
export const CONDUCTOR = { hostname: "10.0.0.1", port: 7770 };
export const TOWER = { hostname: "10.0.0.1", port: 7772 };

export const OPTIONS: NodeOptions = {
  node: NODE,
  boot: "b".repeat(16),
  bootWallMs: 1_700_000_000_000,
  trustPaths: false,
  name: "node-1",
  host: "10.0.0.5",
  port: 7775,
  path: "/usr/bin:/bin",
  workdir: "/srv",
  conductor: CONDUCTOR,
  tower: TOWER,
  cores: 4,
  gpu: false,
  labels: {},
  ports: { first: 20_000, last: 20_199 },
};

/** A process of the world. */
interface Process {
  readonly replica: string;
  readonly instance: number;
  readonly pid: number;
}

export class FakeWorld {
  readonly machine: NodeMachine;
  monoMs = 1_000;
  readonly effects: NodeEffect[] = [];
  readonly sent: MeshMessage[] = [];
  readonly plain: string[] = [];
  readonly disk = new Map<string, SavedReplica>();
  readonly processes = new Map<string, Process>();
  readonly takenPorts = new Set<number>();
  /** What the next probes find. */
  health: "passed" | "failed" | "refused" = "passed";
  healthDetail = "GET /health answered 500, not 200";
  owner: "own" | "other" | "unknown" = "own";
  /** Programs that cannot be started, with the reason. */
  readonly broken = new Map<string, string>();
  /** Why artifacts cannot be had. */
  lacking: string | null = null;
  /** Why what is here of artifacts has to be fetched anew. */
  changed: string | null = null;
  /** Signals that programs shrug off. */
  readonly ignored = new Set<string>();
  /** True: launches, probes and owners are answered only by `answer`. */
  manual = false;
  readonly pending: NodeEffect[] = [];
  /** What is being launched has its launcher, and cannot be called off. */
  launchersAreThere = false;
  #pid = 100;

  readonly tombstones: [string, number][] = [];
  readonly records: LogRecord[] = [];

  constructor(options: Partial<NodeOptions> = {}) {
    this.machine = new NodeMachine({ ...OPTIONS, ...options });
  }

  /** The daemon dies at this moment; the next one starts over what is on disk and what runs. */
  reborn(boot: string): FakeWorld {
    const next = new FakeWorld({ boot, bootWallMs: 1_700_000_000_000 + this.monoMs });
    next.monoMs = this.monoMs;
    next.health = this.health;
    next.#pid = this.#pid;
    for (const port of this.takenPorts) next.takenPorts.add(port);
    for (const [id, process] of this.processes) next.processes.set(id, process);
    for (const [id, saved] of this.disk) next.disk.set(id, saved);
    next.tombstones.push(...this.tombstones);
    next.records.push(...this.records);
    const adopted = [...this.disk.values()].map((saved) => {
      const process = this.processes.get(saved.replica);
      const running = process?.instance === saved.instance;
      return { saved, running, ...(running ? { pid: process.pid } : {}) };
    });
    next.start({ adopted, tombstones: this.tombstones, records: this.records });
    for (const { saved, running } of adopted) {
      if (running || saved.stage === "pending" || saved.stage === "finished") continue;
      const { replica, instance } = saved;
      const ended = { code: 9, lost: false, notLaunched: false, tail: "" };
      next.event({ on: "exited", replica, instance, ended });
    }
    return next;
  }

  get statuses(): Map<string, ReplicaStatus> {
    return new Map(this.machine.statuses().map((each) => [each.replica, each]));
  }

  start(more: Partial<Extract<NodeEvent, { on: "start" }>> = {}): this {
    this.event({ on: "start", adopted: [], tombstones: [], records: [], ...more });
    return this;
  }

  /** Whether a tower acknowledges what is registered. */
  towerAnswers = true;

  event(event: NodeEvent): void {
    const queue = [event];
    for (let next; (next = queue.shift());) {
      const now = { monoMs: this.monoMs, wallMs: 1_700_000_000_000 + this.monoMs };
      for (const effect of this.machine.step(next, now)) {
        this.effects.push(effect);
        queue.push(...this.#perform(effect));
      }
    }
  }

  mesh(message: MeshMessage): void {
    this.event({ on: "mesh", text: encodeMesh(message), from: CONDUCTOR });
  }

  /** Lets time pass, waking the machine as it asks. */
  advance(ms: number): void {
    const end = this.monoMs + ms;
    for (let steps = 0; this.machine.dueMonoMs <= end; steps++) {
      if (steps > 100_000) throw new Error("the machine never comes to rest");
      this.monoMs = Math.max(this.monoMs, this.machine.dueMonoMs);
      this.event({ on: "tick" });
    }
    this.monoMs = end;
  }

  #perform(effect: NodeEffect): NodeEvent[] {
    switch (effect.do) {
      case "send": {
        const message = decodeMesh(effect.text);
        if (message) this.sent.push(message);
        else this.plain.push(effect.text);
        if (message?.k !== "register" || !this.towerAnswers) return [];
        const { request } = message;
        const answer = encodeMesh({ k: "register-ok", tower: "d".repeat(16), node: NODE, request });
        return [{ on: "mesh", text: answer, from: TOWER }];
      }
      case "tombstone":
        this.tombstones.push([effect.replica, effect.wallMs]);
        return [];
      case "keep-record":
        this.records.push(effect.record);
        return [];
      case "save":
        this.disk.set(effect.saved.replica, effect.saved);
        return [];
      case "launch":
        this.disk.set(effect.saved.replica, effect.saved);
        return this.#defer(effect);
      case "probe":
      case "check-owner":
      case "verify":
      case "fetch":
      case "check-program":
      case "try-port":
        return this.#defer(effect);
      case "call-off": {
        const { replica, instance } = effect;
        const at = this.pending.findIndex((each) =>
          each.do === "launch" && each.replica === replica
        );
        if (at < 0 || this.launchersAreThere) return [];
        this.pending.splice(at, 1);
        return [{ on: "launch-failed", replica, instance, reason: "its start was called off" }];
      }
      case "signal": {
        const process = this.processes.get(effect.replica);
        if (process?.instance !== effect.instance || this.ignored.has(effect.signal)) return [];
        return [this.#end(process, { signal: effect.signal })];
      }
      default:
        return [];
    }
  }

  #defer(effect: NodeEffect): NodeEvent[] {
    if (!this.manual || effect.do === "try-port") return this.#answer(effect);
    this.pending.push(effect);
    return [];
  }

  /** Answers what was held back. */
  answer(effect: NodeEffect): void {
    this.pending.splice(this.pending.indexOf(effect), 1);
    for (const event of this.#answer(effect)) this.event(event);
  }

  #answer(effect: NodeEffect): NodeEvent[] {
    switch (effect.do) {
      case "verify":
        return [{
          on: "verified",
          sequence: effect.record.sequence,
          refusal: effect.record.key.startsWith("f") ? "signed by a stranger" : null,
        }];
      case "fetch":
        return [{
          on: "fetched",
          ...(effect.for === undefined ? {} : { for: effect.for }),
          replica: effect.replica,
          fault: this.lacking,
          ...(this.changed === null ? {} : { changed: this.changed }),
        }];
      case "check-program": {
        const { app, plan, freePort } = effect;
        const isTaken = freePort !== undefined && this.takenPorts.has(freePort);
        const fault = this.broken.get(plan.exec) ?? (isTaken ? `port ${freePort} is taken` : null);
        return [{ on: "checked", app, fault }];
      }
      case "try-port":
        return [{
          on: "port-tried",
          replica: effect.replica,
          port: effect.port,
          free: !this.takenPorts.has(effect.port),
        }];
      case "launch": {
        const { replica, instance, plan } = effect;
        const reason = this.broken.get(plan.exec);
        if (reason !== undefined) return [{ on: "launch-failed", replica, instance, reason }];
        if (this.processes.has(replica)) throw new Error(`${replica} would run twice`);
        const pid = ++this.#pid;
        this.processes.set(replica, { replica, instance, pid });
        return [{ on: "launched", replica, instance, pid }];
      }
      case "probe":
        return [{
          on: "probed",
          replica: effect.replica,
          probe: effect.probe,
          result: this.health,
          detail: this.health === "passed" ? "" : this.healthDetail,
        }];
      case "check-owner":
        return [{
          on: "owner",
          replica: effect.replica,
          instance: effect.instance,
          owner: this.owner,
          detail: "pid 77 (nginx)",
        }];
      default:
        return [];
    }
  }

  #end(process: Process, how: Partial<Ended>): NodeEvent {
    this.processes.delete(process.replica);
    const { replica, instance } = process;
    return {
      on: "exited",
      replica,
      instance,
      ended: { lost: false, notLaunched: false, tail: "", ...how },
    };
  }

  /** The replica's program ends by itself. */
  die(replica: string, how: Partial<Ended> = { code: 1 }): void {
    const process = this.processes.get(replica);
    if (!process) throw new Error(`${replica} does not run`);
    this.event(this.#end(process, how));
  }

  // ---- What a conductor and a tower say -----------------------------------------------------------

  record(sequence: number, app: string, lines = "", key = "0".repeat(64)): void {
    this.event({ on: "record", record: makeRecord(sequence, app, lines, key) });
  }

  run(replica: string, app: string, sequence: number, index = 0, part?: "before"): void {
    this.mesh({
      k: "run",
      node: NODE,
      replica,
      app,
      generation: sequence,
      sequence,
      index,
      ...(part === undefined ? {} : { part }),
    });
  }

  stop(replica: string): void {
    this.mesh({ k: "stop", node: NODE, replica });
  }

  /** Acknowledges every status that was sent. */
  acknowledge(): void {
    for (const { replica, version } of this.machine.statuses()) {
      this.mesh({ k: "status-ok", node: NODE, replica, version });
    }
  }

  /** What was sent of one kind since the last call. */
  take<K extends MeshMessage["k"]>(k: K): Extract<MeshMessage, { k: K }>[] {
    const taken = this.sent.filter((each) => each.k === k);
    for (const each of taken) this.sent.splice(this.sent.indexOf(each), 1);
    return taken as Extract<MeshMessage, { k: K }>[];
  }
}

/** A record of the log that applies `exec /bin/<app>` with more lines; its signature is none. */
/** Lines that say themselves what is started. */
const OWN_PROGRAM = /^ {2}(exec|serve|vm)\b/m;

export function makeRecord(
  sequence: number,
  app: string,
  lines = "",
  key = "0".repeat(64),
  fallback?: number,
): LogRecord {
  const command = formatOperatorCommand({
    verb: "APPLY",
    id: `id-${sequence}-${app}-x`,
    app,
    generation: sequence,
    ...(fallback === undefined ? {} : { fallback }),
    manifest: `app ${app}\n${OWN_PROGRAM.test(lines) ? "" : `  exec /bin/${app}\n`}${lines}\n`,
  });
  return { sequence, text: `${command}|1700000000`, signatureHex: "0".repeat(6618), key };
}
