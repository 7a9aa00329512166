// Who still sends to, or works on, a replica that is leaving: what every ingress has acknowledged.

import { DRAINED_MEMORY_MS, INGRESS_LEASE_MS } from "../core/limits.ts";
import { Deadlines, type Timed } from "../core/deadlines.ts";

/** One ingress, from its hello until its lease has lapsed; it may outlive its connection. */
export interface Ingress extends Timed {
  readonly name: string;
  /** Its watch stream, or `null` while it is not connected. */
  watcher: number | null;
  /** Spoke within its lease; others are not waited for. */
  live: boolean;
  /** The revision it has applied last. */
  revision: number;
  /** Unlisted replicas on which it had requests in flight when it spoke last. */
  inFlight: ReadonlySet<string>;
  /** Drains whose revision it has not reached, in the order of their revisions. */
  readonly unreached: Drain[];
  /** Drains whose revision it has reached while requests were still in flight there, by replica. */
  readonly busy: Map<string, Drain>;
}

/** One replica that is leaving. */
export interface Drain {
  readonly replica: string;
  readonly node: string;
  /** Order of the `deregister` that asks for it, to be repeated in the answer. */
  order: number | undefined;
  /** The revision from which on it is not listed; `null` until `open`. */
  revision: number | null;
  readonly waitsFor: Set<Ingress>;
  /** When it was drained, ms; `null` while it is not. */
  drainedMs: number | null;
}

/**
 * The drains. A replica is drained once every live ingress has acknowledged the revision of its
 * removal without calling it busy, or is live no more.
 *
 * An ingress that comes later has a snapshot without the replica, and is waited for only if it says
 * that it has requests there: it was another tower's, or was taken for gone. What was called drained
 * is not any more then, and whoever asks is told so. One that comes back under its name goes on where
 * it was: it may still hold its older table.
 *
 * A fresh tower does not know the ingresses yet that hold a table of the time before. So nothing
 * counts as drained until they have had time to connect (`open`).
 *
 * Costs: beginning a drain is O(live ingresses), an acknowledgement O(what it settles + its busy
 * list).
 */
export class Drains {
  readonly #drains = new Map<string, Drain>();
  readonly #ingresses = new Set<Ingress>();
  readonly #byWatcher = new Map<number, Ingress>();
  readonly #leases = new Deadlines<Ingress>();
  /** Drained ones in the order of time, for forgetting. */
  readonly #memory: { readonly drain: Drain; readonly drainedMs: number }[] = [];
  #forgotten = 0;
  #waiting = 0;
  #isOpen = false;

  /** Ingresses that are waited for. */
  get liveIngresses(): number {
    return this.#leases.size;
  }

  /** Replicas that are leaving and not drained yet. */
  get waiting(): number {
    return this.#waiting;
  }

  get nextExpiryMs(): number {
    return this.#leases.nextMs;
  }

  /** The drain of a replica, also shortly after it has ended. */
  of(replica: string): Drain | undefined {
    return this.#drains.get(replica);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Every living ingress has had time to connect: what waited for that waits for this revision. */
  open(revision: number, nowMs: number): Drain[] {
    this.#isOpen = true;
    const settled: Drain[] = [];
    for (const drain of this.#drains.values()) {
      if (drain.revision === null) this.#start(drain, revision, nowMs, settled);
    }
    return settled;
  }

  /**
   * Begins to drain a replica that is not listed from `revision` on. If it is being drained or was
   * drained just now, that drain.
   */
  begin(replica: string, node: string, revision: number, nowMs: number): Drain {
    const known = this.#drains.get(replica);
    if (known !== undefined) return known;
    const drain: Drain = {
      replica,
      node,
      order: undefined,
      revision: null,
      waitsFor: new Set(),
      drainedMs: null,
    };
    this.#drains.set(replica, drain);
    this.#waiting++;
    if (this.#isOpen) this.#start(drain, revision, nowMs, []);
    return drain;
  }

  /** The replica is listed again: whatever was said of its leaving is void. */
  forget(replica: string): void {
    const drain = this.#drains.get(replica);
    if (drain === undefined) return;
    this.#drains.delete(replica);
    if (drain.drainedMs !== null) return;
    this.#waiting--;
    for (const ingress of drain.waitsFor) this.#release(ingress, drain);
  }

  /** An ingress said hello and is sent a snapshot of `revision`. */
  connected(watcher: number, name: string, revision: number, nowMs: number): void {
    let ingress = this.#returning(name);
    if (ingress === undefined) {
      ingress = {
        name,
        watcher,
        live: false,
        revision,
        inFlight: new Set(),
        unreached: [],
        busy: new Map(),
        dueMs: 0,
        at: 0,
        slot: -1,
      };
      this.#ingresses.add(ingress);
    }
    ingress.watcher = watcher;
    this.#byWatcher.set(watcher, ingress);
    this.#spoke(ingress, nowMs);
  }

  /** An ingress acknowledged. Returns what is drained by that. */
  acked(watcher: number, revision: number, busy: readonly string[], nowMs: number): Drain[] {
    const ingress = this.#byWatcher.get(watcher);
    if (ingress === undefined) return [];
    this.#spoke(ingress, nowMs);
    ingress.revision = Math.max(ingress.revision, revision);
    const settled: Drain[] = [];
    const still = new Set(busy);
    ingress.inFlight = still;
    for (const drain of ingress.busy.values()) {
      if (!still.has(drain.replica)) this.#settle(ingress, drain, nowMs, settled);
    }
    let reached = 0;
    for (const drain of ingress.unreached) {
      if (drain.revision! > ingress.revision) break;
      reached++;
      if (still.has(drain.replica)) ingress.busy.set(drain.replica, drain);
      else this.#settle(ingress, drain, nowMs, settled);
    }
    ingress.unreached.splice(0, reached);
    for (const replica of busy) this.#waitAlso(ingress, replica);
    return settled;
  }

  /** An ingress has requests on a replica for which nobody has waited for it. */
  #waitAlso(ingress: Ingress, replica: string): void {
    const drain = this.#drains.get(replica);
    if (drain === undefined || drain.revision === null || drain.waitsFor.has(ingress)) return;
    if (drain.drainedMs !== null) {
      drain.drainedMs = null;
      this.#waiting++;
    }
    drain.waitsFor.add(ingress);
    if (drain.revision <= ingress.revision) {
      ingress.busy.set(replica, drain);
      return;
    }
    // It was silent for so long that it was not waited for, and still has the older table.
    const { unreached } = ingress;
    const at = unreached.findIndex((each) => each.revision! > drain.revision!);
    unreached.splice(at < 0 ? unreached.length : at, 0, drain);
  }

  /** The stream of an ingress is gone; the ingress is waited for until its lease lapses. */
  closed(watcher: number): void {
    const ingress = this.#byWatcher.get(watcher);
    if (ingress === undefined) return;
    this.#byWatcher.delete(watcher);
    ingress.watcher = null;
    if (!ingress.live) this.#ingresses.delete(ingress);
  }

  /** Ingresses whose lease has lapsed are waited for no more. Returns what is drained by that. */
  expire(nowMs: number): { readonly settled: Drain[]; readonly lapsed: readonly string[] } {
    const settled: Drain[] = [];
    const lapsed: string[] = [];
    for (;;) {
      const ingress = this.#leases.takeDue(nowMs);
      if (ingress === null) break;
      lapsed.push(ingress.name);
      ingress.live = false;
      if (ingress.watcher === null) this.#ingresses.delete(ingress);
      for (const drain of ingress.unreached) this.#settle(ingress, drain, nowMs, settled);
      for (const drain of ingress.busy.values()) this.#settle(ingress, drain, nowMs, settled);
      ingress.unreached.length = 0;
      ingress.busy.clear();
    }
    this.#forgetOld(nowMs);
    return { settled, lapsed };
  }

  #start(drain: Drain, revision: number, nowMs: number, settled: Drain[]): void {
    drain.revision = revision;
    for (const ingress of this.#ingresses) {
      if (!ingress.live) continue;
      const reached = ingress.revision >= revision;
      if (reached && !ingress.inFlight.has(drain.replica)) continue;
      drain.waitsFor.add(ingress);
      if (reached) ingress.busy.set(drain.replica, drain);
      else ingress.unreached.push(drain);
    }
    if (drain.waitsFor.size === 0) this.#drained(drain, nowMs, settled);
  }

  #settle(ingress: Ingress, drain: Drain, nowMs: number, settled: Drain[]): void {
    ingress.busy.delete(drain.replica);
    if (!drain.waitsFor.delete(ingress) || drain.waitsFor.size > 0) return;
    this.#drained(drain, nowMs, settled);
  }

  #drained(drain: Drain, nowMs: number, settled: Drain[]): void {
    if (drain.drainedMs !== null || this.#drains.get(drain.replica) !== drain) return;
    drain.drainedMs = nowMs;
    this.#waiting--;
    this.#memory.push({ drain, drainedMs: nowMs });
    settled.push(drain);
  }

  #release(ingress: Ingress, drain: Drain): void {
    drain.waitsFor.delete(ingress);
    ingress.busy.delete(drain.replica);
    const at = ingress.unreached.indexOf(drain);
    if (at >= 0) ingress.unreached.splice(at, 1);
  }

  #spoke(ingress: Ingress, nowMs: number): void {
    ingress.dueMs = nowMs + INGRESS_LEASE_MS;
    if (ingress.live) return;
    ingress.live = true;
    this.#leases.add(ingress);
  }

  #returning(name: string): Ingress | undefined {
    for (const ingress of this.#ingresses) {
      if (ingress.name === name && ingress.watcher === null) return ingress;
    }
    return undefined;
  }

  #forgetOld(nowMs: number): void {
    const old = nowMs - DRAINED_MEMORY_MS;
    while (this.#forgotten < this.#memory.length) {
      const { drain, drainedMs } = this.#memory[this.#forgotten]!;
      if (drainedMs > old) break;
      // One that was waited for again since then is forgotten in its own time.
      const isOver = drain.drainedMs === drainedMs;
      if (isOver && this.#drains.get(drain.replica) === drain) this.#drains.delete(drain.replica);
      this.#forgotten++;
    }
    if (this.#forgotten > 1_024 && this.#forgotten * 2 > this.#memory.length) {
      this.#memory.splice(0, this.#forgotten);
      this.#forgotten = 0;
    }
  }
}
