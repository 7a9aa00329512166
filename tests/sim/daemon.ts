// What every host of the virtual world has: a daemon that runs, is paused, or is down between a kill
// and a start, and a clock of its own.

import type { Address } from "../../core/address.ts";
import type { Instant } from "../../core/instant.ts";
import type { Entry } from "../../core/log.ts";
import type { Prng } from "../../core/prng.ts";
import type { Supplier } from "./cargo.ts";
import type { ConductorHost } from "./conductor_host.ts";
import type { Loads } from "./loads.ts";
import type { Network } from "./network.ts";
import type { NodeHost } from "./node_host.ts";
import type { Process } from "./process.ts";
import type { Timeline } from "./queue.ts";

/** Faults that are wrong on purpose, one each: a checker must cry at every one of them. */
export const PLANTED = [
  /** An order to run goes to a second node, too. */
  "double-run",
  /** The conductor places a second replica with the index of one that runs. */
  "surplus",
  /** A node ends a replica without waiting for the ingresses. */
  "no-drain",
  /** The conductor executes a command again that it has executed before. */
  "replay",
  /** A node runs another generation than its order says. */
  "wrong-generation",
  /** What a node registers is acknowledged and never listed. */
  "unregistered",
  /** A node registers what has not passed a probe yet. */
  "early",
  /** A reply is sent and its entry is not kept. */
  "lost-entry",
  /** An ingress never takes a replica from its table. */
  "stale-table",
  /** The conductor places on a node that is barred. */
  "barred",
  /** The conductor scales an app beyond its bounds. */
  "overscale",
  /** Nobody hears that a request waits for an app that sleeps. */
  "asleep",
  /** The conductor takes a tick of a schedule twice. */
  "tick-twice",
  /** It passes a tick over. */
  "tick-lost",
  /** It starts a run a second time. */
  "run-twice",
  /** An ingress gives the canary all requests. */
  "no-share",
  /** The conductor takes everybody who signs for its own operator. */
  "no-roles",
  /** A node obeys whoever says that it leads. */
  "any-leader",
  /** What a node registers reaches one of several towers only. */
  "one-tower",
  /** A node takes the word of one of several towers that a replica is drained for that of all. */
  "drained-by-one",
  /** A node wishes for more replicas, and for less, in turn. */
  "fickle",
  /** The conductor scales an app that is being rolled out. */
  "unsteady",
  /** A node believes whatever bytes it is sent, or has. */
  "unverified",
  /** A node says at once that it could run whatever it is asked about. */
  "unprepared",
  /** The conductor takes a tower to be there for as long as its stream stands. */
  "trusting",
  /** A start of a node counts as begun when its clock says so. */
  "set-back",
] as const;
export type Planted = (typeof PLANTED)[number];

/** What every host has. */
export interface Ground {
  readonly timeline: Timeline;
  readonly network: Network;
  readonly prng: Prng;
  /** What programs have to work at. */
  readonly loads: Loads;
  /** Host -> the daemon there that sends artifacts. */
  readonly suppliers: Map<string, Supplier>;
  /** The checkers' ears. */
  readonly witness: Witness;
  /** Wrong on purpose: what the canary plants. */
  readonly planted?: Planted;
}

export interface Witness {
  /** A node's machine has done a step, and what followed from it. */
  stepped(node: NodeHost): void;
  started(node: NodeHost, process: Process): void;
  ended(node: NodeHost, process: Process): void;
  /** An ordered stop has come to its signal. */
  signalled(node: NodeHost, process: Process, signal: string): void;
  /** An entry is durable. */
  appended(entry: Entry): void;
  /** One of several conductors begins to lead. */
  led(conductor: ConductorHost, term: number): void;
  /** It gives its lease back, of this term. */
  gaveBack(term: number): void;
  /** A node does what an order of this term says. */
  obeyed(node: NodeHost, order: string, term: number): void;
  /** For the story. */
  tell(text: string): void;
}

/** Where the nodes reach the conductor of this number. */
export function meshOf(index: number): Address {
  return { hostname: index === 1 ? "10.0.0.1" : `10.0.0.${10 + index}`, port: 7770 };
}
/** Where its operators do. */
export function commandsOf(index: number): Address {
  return { ...meshOf(index), port: 7771 };
}
/** The store that several conductors share. */
export const STORE: Address = { hostname: "10.0.0.3", port: 4222 };
/** The tower of this number. */
export function towerAt(index: number): Address {
  return { hostname: index === 1 ? "10.0.0.2" : `10.0.0.${20 + index}`, port: 7772 };
}
export const OPERATOR: Address = { hostname: "10.0.0.4", port: 40_000 };
export const STRANGER: Address = { hostname: "10.0.9.9", port: 40_000 };

export function instant(timeline: Timeline, skewMs = 0): Instant {
  return { monoMs: timeline.nowMs, wallMs: timeline.epochMs + Math.round(timeline.nowMs + skewMs) };
}

let starts = 0;

/** Numbers of starts, so that each is told apart; the same in every repetition of a seed. */
export function resetStarts(): void {
  starts = 0;
}

/** A daemon on a host. */
export abstract class Daemon {
  /** How far the host's clock is off, in ms. */
  skewMs = 0;
  /** When it was started last, and when it went on after a pause. */
  startedMs = 0;
  wokenMs = 0;
  #start = 0;
  #paused = false;
  #backlog: (() => void)[] = [];

  constructor(readonly ground: Ground, readonly name: string, readonly host: string) {}

  get up(): boolean {
    return this.#start > 0;
  }

  /** Stopped by SIGSTOP, or starved: it is there and does nothing. */
  get paused(): boolean {
    return this.#paused;
  }

  get now(): Instant {
    return instant(this.ground.timeline, this.skewMs);
  }

  start(): void {
    if (this.up) return;
    this.#start = ++starts;
    this.startedMs = this.ground.timeline.nowMs;
    this.begin();
  }

  kill(): void {
    if (!this.up) return;
    this.#start = 0;
    this.#paused = false;
    this.#backlog = [];
    this.end();
  }

  pause(): void {
    if (this.up) this.#paused = true;
  }

  /** The same for so long; nothing while it is paused already. */
  pauseFor(forMs: number): void {
    if (!this.up || this.#paused) return;
    this.pause();
    this.ground.timeline.after(forMs, () => this.resume());
  }

  /** Goes on, with everything that has come meanwhile, in its order. */
  resume(): void {
    this.#paused = false;
    this.wokenMs = this.ground.timeline.nowMs;
    const backlog = this.#backlog;
    this.#backlog = [];
    const start = this.#start;
    for (const run of backlog) if (this.#start === start) run();
  }

  /** Runs it now, or when the pause is over. */
  enter(run: () => void): void {
    if (!this.up) return;
    if (this.#paused) this.#backlog.push(run);
    else run();
  }

  /** Runs it later, unless this start of the daemon has ended by then. */
  later(delayMs: number, run: () => void): void {
    const start = this.#start;
    if (start === 0) return;
    this.ground.timeline.after(delayMs, () => {
      if (this.#start === start) this.enter(run);
    });
  }

  protected abstract begin(): void;
  protected abstract end(): void;
}
