import type { Endpoint } from "../core/mesh.ts";
import { SLOW_START_MS } from "../core/limits.ts";
import { Circuit } from "./circuit.ts";
import { Counted } from "./figures.ts";

/** One replica that requests can be sent to. */
export class Replica {
  /** Requests that are on it now. */
  outstanding = 0;
  /** It has been taken from the table: no new request goes there. */
  gone = false;
  /** Its node is lost with it: nothing more comes from there. */
  lost = false;
  readonly circuit: Circuit;
  /** Share of requests saved up while it warms. */
  credit = 0;
  /** What a sticky cookie calls it: says nothing about the cluster. */
  readonly key: string;
  /** What the live side keeps about it (its connections). */
  attached: unknown = undefined;

  constructor(
    public endpoint: Endpoint,
    nowMs: number,
    warm: boolean,
    /** Where its requests are counted. */
    public counted: Counted = new Counted(endpoint.app, endpoint.generation),
  ) {
    this.circuit = new Circuit(warm ? -Infinity : nowMs);
    this.key = keyOf(endpoint.replica);
  }
}

/** Most replicas compared for one request; more are looked at in turn. */
const WINDOW = 16;

/** Some replicas among which requests are shared out. */
class Ring {
  readonly replicas: Replica[] = [];
  private turn = 0;
  private warmUntilMs = -Infinity;

  /**
   * Among the replicas that may take it, the one with the fewest outstanding requests, ties in
   * turn. A replica that warms up is passed over for the part of its turns that it has not earned
   * yet, unless the others are so much busier that even its share leaves room. `null` if none may.
   */
  pick(nowMs: number, except: readonly Replica[] | null): Replica | null {
    const { replicas } = this;
    const count = replicas.length;
    if (count === 0) return null;
    const warmest = nowMs < this.warmUntilMs ? this.warmest(nowMs) : 0;
    let best: Replica | null = null;
    let bestAt = 0;
    let spare: Replica | null = null;
    let spareAt = 0;
    let spareLoad = Infinity;
    const look = Math.min(count, WINDOW);
    for (let step = 0; step < look; step++) {
      let at = this.turn + step;
      if (at >= count) at -= count;
      const replica = replicas[at]!;
      if (!replica.circuit.allows(nowMs) || (except !== null && except.includes(replica))) {
        continue;
      }
      const share = warmest === 0 ? 1 : replica.circuit.warmth(nowMs) / warmest;
      if (share >= 1 || earn(replica, share)) {
        if (best !== null && replica.outstanding >= best.outstanding) continue;
        best = replica;
        bestAt = at;
      } else {
        const load = (replica.outstanding + 1) / share;
        if (load >= spareLoad) continue;
        spare = replica;
        spareAt = at;
        spareLoad = load;
      }
    }
    if (spare !== null && (best === null || spareLoad < best.outstanding + 1)) {
      best = spare;
      bestAt = spareAt;
    }
    if (best === null) return null;
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

  /** Nobody in the window may: looks at all, then takes an ejected one rather than none. */
  pickAnyway(nowMs: number, except: readonly Replica[] | null): Replica | null {
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
    this.turn = this.replicas.length === 0 ? 0 : (this.turn + 1) % this.replicas.length;
    return best;
  }

  add(replica: Replica): void {
    this.replicas.push(replica);
    this.warms(replica);
  }

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

/** A share of an app's requests that goes to one generation. */
export interface Canary {
  readonly generation: number;
  /** 0 to 100. */
  readonly percent: number;
}

/** The replicas of one app. */
export class AppPool {
  private readonly all = new Ring();
  private canary: Canary | null = null;
  /** While there is a canary: its replicas, and the others. */
  private chosen = new Ring();
  private others = new Ring();
  /** Percents saved up for the canary; a whole hundred is a request. */
  private due = 0;
  /** When one of its replicas answered last, monotonic ms. */
  answeredMs = -Infinity;

  constructor(readonly app: string) {}

  get replicas(): readonly Replica[] {
    return this.all.replicas;
  }

  /** Divides the requests between generations from now on; `null`: no longer. */
  split(canary: Canary | null): void {
    const before = this.canary;
    this.canary = canary;
    if (canary === null || before?.generation === canary.generation) return;
    this.due = 0;
    this.chosen = new Ring();
    this.others = new Ring();
    for (const replica of this.all.replicas) this.sideOf(replica, canary).add(replica);
  }

  private sideOf(replica: Replica, canary: Canary): Ring {
    return replica.endpoint.generation === canary.generation ? this.chosen : this.others;
  }

  /**
   * Chooses where the next request goes: the generation by the canary's share, evenly spread over
   * the requests; within it the least busy replica. Should no replica of that side be able to take
   * it, the other side does; so do the first attempts' failures, which go to what is known to work.
   *
   * @param except replicas already tried; chosen again only if there is no other
   */
  pick(nowMs: number, except: readonly Replica[] | null = null): Replica | null {
    const { canary } = this;
    if (canary !== null) {
      const [first, second] = this.wantsCanary(canary, except !== null)
        ? [this.chosen, this.others]
        : [this.others, this.chosen];
      const replica = first.pick(nowMs, except) ?? second.pick(nowMs, except);
      if (replica !== null) return replica;
    }
    return this.all.pick(nowMs, except) ?? this.all.pickAnyway(nowMs, except);
  }

  private wantsCanary({ percent }: Canary, again: boolean): boolean {
    if (again) return percent >= 100;
    this.due += percent;
    if (this.due < 100) return false;
    this.due -= 100;
    return true;
  }

  /** The replica with this key, if it may take a request. */
  find(key: string, nowMs: number): Replica | null {
    const replica = this.replicas.find((each) => each.key === key);
    return replica !== undefined && replica.circuit.allows(nowMs) ? replica : null;
  }

  add(replica: Replica): void {
    this.all.add(replica);
    if (this.canary !== null) this.sideOf(replica, this.canary).add(replica);
  }

  /** A replica has begun to warm up. */
  warms(replica: Replica): void {
    this.all.warms(replica);
    if (this.canary !== null) this.sideOf(replica, this.canary).warms(replica);
  }

  remove(replica: Replica): void {
    this.all.remove(replica);
    if (this.canary !== null) this.sideOf(replica, this.canary).remove(replica);
  }
}

// Its credit grows by its share each time somebody chooses; a whole one is a turn.
function earn(replica: Replica, share: number): boolean {
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
