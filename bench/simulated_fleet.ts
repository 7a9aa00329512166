// A conductor's machine with thousands of nodes that are only simulated: they beat, accept what
// they are told to run and report it ready. What the machine needs is measured, what they need is not.

import { cpuUsage } from "node:process";
import { formatOperatorCommand } from "../core/command.ts";
import { digestOf, encodeMesh, type Mesh, type ReplicaStatus } from "../core/mesh.ts";
import { createPrng } from "../core/prng.ts";
import type { ConductorEffect, ConductorEvent } from "../conductor/effects.ts";
import { beatEveryMs, deadAfterMs } from "../conductor/fleet/fleet.ts";
import { ConductorMachine } from "../conductor/machine.ts";
import { emptyState } from "../conductor/state.ts";

const SIGNATURE = "0".repeat(6618);
const OPERATOR = "0".repeat(64);
/** Virtual time begins here; any day will do. */
const START_WALL_MS = 1_760_000_000_000;
/** So many events under one reading of the clock. */
const READ_EVERY = 256;

/** Processor time of the whole process, the collector's threads included: others may be at work. */
export function cpuMs(): number {
  const { user, system } = cpuUsage();
  return (user + system) / 1_000;
}

class SimulatedNode {
  readonly id: string;
  readonly boot: string;
  readonly name: string;
  readonly address: { readonly hostname: string; readonly port: number };
  readonly statuses = new Map<string, ReplicaStatus>();
  digest = 0;
  beats = 0;
  beatenMs = -Infinity;
  alive = true;

  constructor(index: number) {
    this.id = index.toString(16).padStart(32, "0");
    this.boot = index.toString(16).padStart(16, "0");
    this.name = `node-${index}`;
    this.address = {
      hostname: `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`,
      port: 7775,
    };
  }

  beat(): string {
    return encodeMesh({
      k: "beat",
      node: this.id,
      boot: this.boot,
      bootWallMs: START_WALL_MS,
      beat: ++this.beats,
      name: this.name,
      host: this.address.hostname,
      port: this.address.port,
      cpuPercent: 10,
      cores: 64,
      ramTotalBytes: 64 * 2 ** 30,
      ramFreeBytes: 32 * 2 ** 30,
      gpu: false,
      labels: {},
      replicas: this.statuses.size,
      digest: this.digest,
      sequence: 0,
    });
  }

  /** Takes a replica on, ready at once; what it says to that. */
  run({ replica, app, generation }: Mesh<"run">): string[] {
    const { id: node, boot } = this;
    const answer = encodeMesh({ k: "run-ok", node, boot, replica });
    if (this.statuses.has(replica)) return [answer];
    const status: ReplicaStatus = {
      replica,
      app,
      generation,
      version: 1,
      state: "ready",
      pid: 4711,
      port: 20_000,
      restarts: 0,
      sinceWallMs: START_WALL_MS,
    };
    this.statuses.set(replica, status);
    this.digest = (this.digest + digestOf([[replica, 1]])) % 2 ** 48;
    return [answer, encodeMesh({ k: "status", node, boot, status })];
  }
}

export class SimulatedFleet {
  readonly machine: ConductorMachine;
  readonly nodes: readonly SimulatedNode[];
  /** What all steps of the machine have taken so far, ms of processor time. */
  spentMs = 0;
  steps = 0;
  readonly #byAddress: ReadonlyMap<string, SimulatedNode>;
  /** Runs that the nodes have not answered yet. */
  #inbox: { readonly node: SimulatedNode; readonly text: string }[] = [];
  #nowMs = 0;
  #reply = 0;

  constructor(nodes: number) {
    this.nodes = Array.from({ length: nodes }, (_, at) => new SimulatedNode(at + 1));
    this.#byAddress = new Map(this.nodes.map((node) => [node.address.hostname, node]));
    this.machine = new ConductorMachine({
      state: emptyState(),
      boot: "1".repeat(16),
      prng: createPrng(1),
      plain: [],
      manifests: false,
      now: this.now(),
    });
    this.#beat(this.nodes);
    // They were not all started at one moment: from the second beat on each has its own time.
    const everyMs = beatEveryMs(nodes);
    this.nodes.forEach((node, at) => node.beatenMs -= everyMs * at / nodes);
  }

  /** Virtual time. */
  now() {
    return { monoMs: this.#nowMs, wallMs: START_WALL_MS + this.#nowMs };
  }

  /** Hands in events and what follows from them, one after another, some under one reading. */
  #hand(given: readonly ConductorEvent[]): void {
    for (let at = 0; at < given.length; at += READ_EVERY) {
      const beganMs = cpuMs();
      const events = given.slice(at, at + READ_EVERY);
      for (let next = 0; next < events.length; next++) {
        const effects = this.machine.step(events[next]!, this.now());
        for (const effect of effects) this.#perform(effect, events);
        this.steps++;
      }
      // Virtual time follows the machine's own: what takes long makes it late, as in the world.
      const tookMs = cpuMs() - beganMs;
      this.spentMs += tookMs;
      this.#nowMs += tookMs;
    }
  }

  #perform(effect: ConductorEffect, events: ConductorEvent[]): void {
    switch (effect.do) {
      case "verify":
        events.push({ on: "verified", id: effect.id, key: OPERATOR });
        return;
      case "append":
        events.push({ on: "appended", entry: effect.entry });
        return;
      case "send": {
        const node = this.#byAddress.get(effect.to.hostname)!;
        if (node.alive && effect.text.startsWith('{"k":"run"')) {
          this.#inbox.push({ node, text: effect.text });
        }
        return;
      }
      case "reply":
        if (!effect.text.startsWith("OK|")) throw new Error(effect.text);
        return;
      default:
        // The history and the watchers are not simulated.
    }
  }

  /** These nodes beat. */
  #beat(nodes: readonly SimulatedNode[]): void {
    this.#hand(nodes.map((node) => {
      node.beatenMs = this.#nowMs;
      return { on: "mesh", text: node.beat(), from: node.address };
    }));
  }

  /** Nodes whose beat is due beat. */
  #beats(): void {
    const everyMs = beatEveryMs(this.nodes.length);
    this.#beat(this.nodes.filter((each) => each.alive && this.#nowMs - each.beatenMs >= everyMs));
  }

  /** Applies an app of so many replicas. The nodes have not answered yet. */
  apply(app: string, replicas: number): void {
    const manifest =
      `app ${app}\n  exec /bin/server\n  replicas ${replicas}\n  ram 64mb\n  cpu 0.1\n`;
    const id = `bench-${String(++this.#reply).padStart(8, "0")}`;
    const command = formatOperatorCommand({ verb: "APPLY", id, app, generation: 1, manifest });
    this.#hand([{
      on: "command",
      text: `${command}|${Math.floor(this.now().wallMs / 1000)}|${SIGNATURE}`,
      source: { via: "tcp", address: "127.0.0.1", reply: this.#reply },
    }]);
  }

  /** The nodes answer all they were asked, until they are asked nothing more. */
  answer(): void {
    while (this.#inbox.length > 0) {
      const inbox = this.#inbox;
      this.#inbox = [];
      for (let at = 0; at < inbox.length; at += READ_EVERY) {
        this.#hand(
          inbox.slice(at, at + READ_EVERY).flatMap(({ node, text }) =>
            node.run(JSON.parse(text)).map((said) => ({
              on: "mesh" as const,
              text: said,
              from: node.address,
            }))
          ),
        );
      }
      this.#tick();
    }
  }

  #tick(): void {
    this.#beats();
    this.#hand([{ on: "tick" }]);
  }

  /** Waits in virtual time, with beats and ticks. */
  pass(ms: number): void {
    const untilMs = this.#nowMs + ms;
    while (this.#nowMs < untilMs) {
      this.#nowMs = Math.max(this.#nowMs + 1, Math.min(untilMs, this.machine.wakeMonoMs()));
      this.#tick();
    }
  }

  /** These first nodes fall silent for ever; returns when they are dead and replaced. */
  lose(count: number): void {
    for (const node of this.nodes.slice(0, count)) node.alive = false;
    const until = this.#nowMs + 4 * deadAfterMs(this.nodes.length);
    while (
      [...this.machine.fleet.values()].filter((each) => each.state === "dead").length < count
    ) {
      if (this.#nowMs > until) throw new Error("the lost nodes are not dead");
      this.pass(beatEveryMs(this.nodes.length) / 8);
    }
    this.answer();
  }

  /** What the machine's steps take while `act` goes on, ms of processor time. */
  spent(act: () => void): number {
    const beforeMs = this.spentMs;
    act();
    return this.spentMs - beforeMs;
  }

  /** Replicas on these first nodes. */
  replicasOn(count: number): number {
    return this.nodes.slice(0, count).reduce((sum, node) => sum + node.statuses.size, 0);
  }

  /** How many replicas the machine knows to be ready on live nodes. */
  ready(): number {
    let count = 0;
    for (const node of this.machine.fleet.values()) {
      if (node.state !== "ready") continue;
      for (const { state } of node.statuses.values()) if (state === "ready") count++;
    }
    return count;
  }
}
