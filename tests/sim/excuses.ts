// What a fault excuses for how long: a request may be lost when the machine that has it loses power,
// but not because an operator deploys.

import { BEAT_MS, SUSPECT_BEATS } from "../../core/limits.ts";
import type { Daemon } from "./daemon.ts";
import type { Timeline } from "./queue.ts";

/** The tower gives up a silent node after 5 s; what follows from that takes a moment more. */
const AFTERMATH_MS = 7_000;
/** A program that died is out of every table by then, or its successor is in. */
const WOUND_MS = 2_000;

export class Excuses {
  /** App -> when one of its programs died last, until it is whole again. */
  readonly #wounded = new Map<string, number>();
  #disturbedUntilMs = 0;
  #towerMs = -Infinity;
  #towerBackMs = -Infinity;

  constructor(private readonly timeline: Timeline) {}

  /** Hosts, ways or whole daemons are out for so long. */
  disturbed(forMs: number): void {
    const untilMs = this.timeline.nowMs + forMs + AFTERMATH_MS;
    this.#disturbedUntilMs = Math.max(this.#disturbedUntilMs, untilMs);
  }

  /** A daemon is killed: only the tower's absence shows, and a node's once it is called dead. */
  killed(daemon: Daemon, forMs: number): void {
    if (daemon.name === "tower") this.#towerMs = this.timeline.nowMs;
    if (daemon.name.startsWith("node-") && forMs > SUSPECT_BEATS * BEAT_MS) this.disturbed(forMs);
  }

  died(app: string): void {
    this.#wounded.set(app, this.timeline.nowMs);
  }

  /** To be called now and then. `isWhole`: every ingress has a replica of it that answers. */
  look(tower: Daemon, isWhole: (app: string) => boolean): void {
    const { nowMs } = this.timeline;
    if (!tower.up) this.#towerBackMs = Infinity;
    else if (this.#towerBackMs === Infinity) this.#towerBackMs = nowMs;
    for (const [app, sinceMs] of this.#wounded) {
      if (nowMs - sinceMs > WOUND_MS && isWhole(app)) this.#wounded.delete(app);
    }
  }

  isWounded(app: string): boolean {
    return this.#wounded.has(app);
  }

  get isDisturbed(): boolean {
    return this.timeline.nowMs < this.#disturbedUntilMs;
  }

  /** The tower was down, or its nodes and ingresses are still finding it again. */
  get isTowerNew(): boolean {
    return this.#towerBackMs === Infinity ||
      this.timeline.nowMs - Math.max(this.#towerBackMs, this.#towerMs) < AFTERMATH_MS;
  }
}
