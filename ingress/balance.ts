import type { Endpoint } from "../core/mesh.ts";
import { SLOW_START_MS } from "../core/limits.ts";
import { Circuit } from "./circuit.ts";

/** One replica that requests can be sent to. */
export class Replica {
  /** Requests that are on it now. */
  outstanding = 0;
  /** It has been taken from the table: no new request goes there. */
  gone = false;
  readonly circuit: Circuit;
  /** Share of requests saved up while it warms. */
  credit = 0;
  /** What a sticky cookie calls it: says nothing about the cluster. */
  readonly key: string;
  /** What the live side keeps about it (its connections). */
  attached: unknown = undefined;

  constructor(readonly endpoint: Endpoint, nowMs: number, warm: boolean) {
    this.circuit = new Circuit(warm ? -Infinity : nowMs);
    this.key = keyOf(endpoint.replica);
  }
}

/** Most replicas compared for one request; more are looked at in turn. */
const WINDOW = 16;

/** The replicas of one app. */
export class AppPool {
  readonly replicas: Replica[] = [];
  private turn = 0;
  private warmUntilMs = -Infinity;

  constructor(readonly app: string) {}

  /**
   * Chooses where the next request goes: among the replicas that may take it, the one with the
   * fewest outstanding requests, ties in turn. A replica that warms up is passed over for the part
   * of its turns that it has not earned yet, if there is another.
   *
   * @param except replicas already tried; chosen again only if there is no other
   */
  pick(nowMs: number, except: readonly Replica[] | null = null): Replica | null {
    const { replicas } = this;
    const count = replicas.length;
    if (count === 0) return null;
    const warmest = nowMs < this.warmUntilMs ? this.warmest(nowMs) : 0;
    let best: Replica | null = null;
    let bestAt = 0;
    let spare: Replica | null = null;
    let spareAt = 0;
    const look = Math.min(count, WINDOW);
    for (let step = 0; step < look; step++) {
      let at = this.turn + step;
      if (at >= count) at -= count;
      const replica = replicas[at]!;
      if (!replica.circuit.allows(nowMs) || (except !== null && except.includes(replica))) {
        continue;
      }
      const earned = warmest === 0 || earn(replica, replica.circuit.warmth(nowMs) / warmest);
      if (earned && (best === null || replica.outstanding < best.outstanding)) {
        best = replica;
        bestAt = at;
      } else if (spare === null || replica.outstanding < spare.outstanding) {
        spare = replica;
        spareAt = at;
      }
    }
    if (best === null && spare !== null) {
      best = spare;
      bestAt = spareAt;
    }
    if (best === null) return this.pickAnyway(nowMs, except);
    this.turn = bestAt + 1 >= count ? 0 : bestAt + 1;
    if (best.credit >= 1) best.credit -= 1;
    return best;
  }

  /** The warmth of the warmest: replicas that all begin together share evenly. */
  private warmest(nowMs: number): number {
    let most = 0;
    for (const replica of this.replicas) {
      most = Math.max(most, replica.circuit.warmth(nowMs));
      if (most === 1) break;
    }
    return most;
  }

  // Nobody in the window may: look at all, then take an ejected one rather than none.
  private pickAnyway(nowMs: number, except: readonly Replica[] | null): Replica | null {
    let best: Replica | null = null;
    let bestRank = Infinity;
    for (let step = 0; step < this.replicas.length; step++) {
      const replica = this.replicas[(this.turn + step) % this.replicas.length]!;
      const rank = (except?.includes(replica) ? 1e15 : 0) +
        (replica.circuit.allows(nowMs) ? 0 : 1e9 + replica.circuit.openUntilMs);
      if (rank < bestRank) {
        best = replica;
        bestRank = rank;
      }
    }
    this.turn = (this.turn + 1) % this.replicas.length;
    return best;
  }

  /** The replica with this key, if it may take a request. */
  find(key: string, nowMs: number): Replica | null {
    const replica = this.replicas.find((each) => each.key === key);
    return replica !== undefined && replica.circuit.allows(nowMs) ? replica : null;
  }

  add(replica: Replica): void {
    this.replicas.push(replica);
    this.warms(replica);
  }

  /** A replica has begun to warm up. */
  warms(replica: Replica): void {
    this.warmUntilMs = Math.max(this.warmUntilMs, replica.circuit.warmFromMs + SLOW_START_MS);
  }

  remove(replica: Replica): void {
    const at = this.replicas.indexOf(replica);
    if (at < 0) return;
    this.replicas.splice(at, 1);
    if (this.turn > at) this.turn--;
    if (this.turn >= this.replicas.length) this.turn = 0;
  }
}

// Its credit grows by its share each time somebody chooses; a whole one is a turn.
function earn(replica: Replica, share: number): boolean {
  if (share >= 1) return true;
  replica.credit = Math.min(1.5, replica.credit + share);
  return replica.credit >= 1;
}

/** 16 hexadecimal characters that stand for a replica id. */
function keyOf(id: string): string {
  let low = 0x811c9dc5;
  let high = 0x9e3779b9;
  for (let at = 0; at < id.length; at++) {
    low = Math.imul(low ^ id.charCodeAt(at), 0x01000193);
    high = Math.imul(high ^ low, 0x85ebca6b);
  }
  const hex = (word: number) => (word >>> 0).toString(16).padStart(8, "0");
  return hex(low) + hex(high);
}
