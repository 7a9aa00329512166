// What a fault excuses for how long: a request may be lost when the machine that has it loses power,
// but not because an operator deploys, nor because one of several towers is away.

import { BEAT_MS, SUSPECT_BEATS } from "../../core/limits.ts";
import type { Cast } from "./cast.ts";
import type { Daemon } from "./daemon.ts";
import type { Timeline } from "./queue.ts";

/** The tower gives up a silent node after 5 s; what follows from that takes a moment more. */
const AFTERMATH_MS = 7_000;
/** A program that died is out of every table by then, or its successor is in. */
const WOUND_MS = 2_000;

function isTower(name: string): boolean {
  return name.startsWith("tower");
}

export class Excuses {
  /** App -> when one of its programs died last, until it is whole again. */
  readonly #wounded = new Map<string, number>();
  #disturbedUntilMs = 0;
  /** Tower -> when it was away last, to anybody's knowledge. */
  readonly #awayMs = new Map<string, number>();
  #towers: readonly Daemon[] = [];
  /** Towers that were away, and to which no conductor has spoken since. */
  readonly #untold = new Set<string>();
  /** Ingress -> until when it had no tower, or one of these, virtual ms. */
  readonly #blindMs = new Map<string, number>();

  constructor(private readonly timeline: Timeline) {}

  /** Hosts, ways or whole daemons are out for so long. */
  disturbed(forMs: number): void {
    const untilMs = this.timeline.nowMs + forMs + AFTERMATH_MS;
    this.#disturbedUntilMs = Math.max(this.#disturbedUntilMs, untilMs);
  }

  /** A daemon is killed: only a tower's absence shows, and a node's once it is called dead. */
  killed(daemon: Daemon, forMs: number): void {
    if (isTower(daemon.name)) this.#awayMs.set(daemon.name, this.timeline.nowMs);
    if (daemon.name.startsWith("node-") && forMs > SUSPECT_BEATS * BEAT_MS) this.disturbed(forMs);
  }

  /** A daemon stands still. Of several towers one is done without. */
  paused(daemon: Daemon, forMs: number): void {
    if (!this.#hasOthers(daemon.name)) return this.disturbed(forMs);
    this.#awayMs.set(daemon.name, this.timeline.nowMs);
  }

  /**
   * A way is cut. A tower that an ingress does not reach, or nobody, is done without, too. One that only
   * a node or the conductor does not reach is watched all the same, and does not hear of what is new.
   */
  cut(one: string, other: string, forMs: number): void {
    const [tower, ...rest] = [one, other].filter((name) => this.#hasOthers(name));
    const peer = one === tower ? other : one;
    const isLeft = peer === "all" || peer.startsWith("ingress-");
    if (tower === undefined || !isLeft || rest.length > 0) return this.disturbed(forMs);
    if (peer === "all") this.#awayMs.set(tower, this.timeline.nowMs + forMs);
  }

  /** Says whether it is a tower, and there are others. */
  #hasOthers(name: string): boolean {
    return isTower(name) && this.#towers.length > 1;
  }

  died(app: string): void {
    this.#wounded.set(app, this.timeline.nowMs);
  }

  /** Of whom it is. */
  begin(towers: readonly Daemon[]): void {
    this.#towers = towers;
  }

  /** To be called now and then. `isWhole`: every ingress has a replica of it that answers. */
  look(isWhole: (app: string) => boolean): void {
    const { nowMs } = this.timeline;
    for (const { name, up, paused } of this.#towers) {
      if (!up || paused) {
        this.#awayMs.set(name, Math.max(nowMs, this.#awayMs.get(name) ?? -Infinity));
      }
    }
    for (const [app, sinceMs] of this.#wounded) {
      if (nowMs - sinceMs > WOUND_MS && isWhole(app)) this.#wounded.delete(app);
    }
  }

  /** To be called now and then: which ingresses hear of nothing new, of however many towers. */
  lookAtTowers({ conductor, ingresses, network, towers }: Cast): void {
    const tells = conductor.leads && !conductor.paused;
    for (const { name, up, paused, host } of towers) {
      const isThere = up && !paused;
      const isTold = isThere && tells && !network.isCut(conductor.host, host);
      if (isTold) this.#untold.delete(name);
      else if (!isThere) this.#untold.add(name);
    }
    for (const ingress of ingresses) {
      const reached = towers.filter(({ up, paused, host }) =>
        up && !paused && !network.isCut(ingress.host, host)
      );
      const watched = reached.find((each) => each === ingress.lastTower);
      const isBlind = reached.length === 0 || watched && this.#untold.has(watched.name);
      if (isBlind) this.#blindMs.set(ingress.name, this.timeline.nowMs);
    }
  }

  isBlind({ name }: Daemon, cast: Cast): boolean {
    this.lookAtTowers(cast);
    return this.timeline.nowMs - (this.#blindMs.get(name) ?? -Infinity) < AFTERMATH_MS;
  }

  isWounded(app: string): boolean {
    return this.#wounded.has(app);
  }

  get isDisturbed(): boolean {
    return this.timeline.nowMs < this.#disturbedUntilMs;
  }

  /** It has been there for long enough for its nodes and ingresses to have found it. */
  isSteady({ name, up, paused }: Daemon): boolean {
    const awayMs = this.#awayMs.get(name) ?? -Infinity;
    return up && !paused && this.timeline.nowMs - awayMs >= AFTERMATH_MS;
  }

  /** No tower is one that nodes and ingresses can rely on. */
  get isTowerNew(): boolean {
    return !this.#towers.some((each) => this.isSteady(each));
  }
}
