/**
 * Which of the silent nodes are dead: suspicion before death, confirmed from a second place, as in
 * SWIM and Lifeguard (Dadgar, Phillips, Currey 2018). Two differences: there is one observer, the
 * conductor, to whom all nodes beat; and it knows when nobody at all is heard, which says more about
 * itself than about them.
 *
 * A node that has missed `SUSPECT_BEATS` beats becomes a suspect. From then on it is probed every
 * `PROBE_EVERY_MS`, and two other nodes are asked to probe it. Any sign of life ends the suspicion.
 * Each witness that found it silent shortens the time it has left, from `SUSPICION_MAX_MS` down to
 * `SUSPICION_MIN_MS`; a witness that was itself held up does not.
 *
 * Where many are silent at once, all of them share `PROBES_PER_SECOND`: each is probed less often,
 * and none is given up before it was probed `PROBES_BEFORE_DEATH` times.
 */

import type { Address } from "../../core/address.ts";
import {
  CONDUCTOR_TICK_MS,
  OBSERVER_LATE_MS,
  OBSERVER_PATIENCE,
  PROBE_EVERY_MS,
  PROBES_BEFORE_DEATH,
  PROBES_PER_SECOND,
  SUSPICION_MAX_MS,
  SUSPICION_MIN_MS,
  WITNESS_ASK_MS,
  WITNESS_ASKS,
  WITNESSED_MAX_MS,
  WITNESSES,
} from "../../core/limits.ts";
import type { Mesh } from "../../core/mesh.ts";
import type { Prng } from "../../core/prng.ts";
import { type Fleet, type FleetNode, suspectAfterMs } from "./fleet.ts";
import { Heard } from "./heard.ts";

/**
 * How long a suspicion lasts in all, in ms, floored: Lifeguard's formula. With no confirmation
 * `maxMs`, with `k` of them `minMs`, and each one more counts less.
 *
 * @param k how many confirmations are asked for; without any the suspicion cannot be shortened.
 */
export function suspicionMs(
  confirmations: number,
  k: number,
  minMs: number,
  maxMs: number,
): number {
  if (k < 1) return maxMs;
  const share = Math.log(confirmations + 1) / Math.log(k + 1);
  return Math.max(minMs, Math.floor(maxMs - (maxMs - minMs) * share));
}

/** How far an observer trusts itself: each time it is late all its suspects get more time. */
export class Awareness {
  score = 0;

  /** @param max scores are 0 to `max` - 1. */
  constructor(private readonly max: number) {}

  note(delta: number): void {
    this.score = Math.min(this.max - 1, Math.max(0, this.score + delta));
  }

  scale(ms: number): number {
    return ms * (this.score + 1);
  }
}

interface Suspect {
  readonly node: string;
  /** When the suspicion began, and since when the time that it has left runs. */
  beganMonoMs: number;
  sinceMonoMs: number;
  /** When it is over with it, as far as is known. */
  deadlineMonoMs: number;
  request: string;
  /** How often the conductor itself has probed it. */
  probes: number;
  nextProbeMonoMs: number;
  nextAskMonoMs: number;
  /** Witness -> how often it has been asked under this request. */
  readonly asked: Map<string, number>;
  /** Witnesses that were held up themselves, or did not answer. */
  readonly useless: Set<string>;
  /** Witnesses that found it silent. */
  readonly accusers: Set<string>;
  /** A witness has seen it alive. */
  seen: boolean;
}

/** What has been found out about nodes that were silent. */
export interface Findings {
  readonly sends: readonly {
    readonly to: Address;
    readonly message: Mesh<"probe"> | Mesh<"probe-please">;
  }[];
  /** Suspects from now on. */
  readonly suspected: readonly FleetNode[];
  /** Nobody has heard it. */
  readonly dead: readonly FleetNode[];
  /** Witnesses see it, but it has not been heard here for too long to be led any more. */
  readonly unreachable: readonly FleetNode[];
  /** It is not heard, and neither is anybody else. */
  readonly silent: readonly FleetNode[];
}

export class Suspicion {
  readonly awareness = new Awareness(OBSERVER_PATIENCE);
  /** Since the start: suspicions, and those that ended by a sign of life. */
  readonly counters = { suspected: 0, refuted: 0, witnessed: 0 };
  readonly #suspects = new Map<string, Suspect>();
  readonly #prng: Prng;
  /** What may be sent to find out about suspects, in all. */
  readonly #allowance: Allowance;
  /** No suspect wants anything before this. */
  #nextDueMonoMs = Infinity;
  /** Until then nodes of the log that have not been heard are waited for. */
  readonly #warmMonoMs: number;

  constructor(prng: Prng, warmMonoMs: number) {
    this.#prng = prng;
    this.#warmMonoMs = warmMonoMs;
    this.#allowance = new Allowance(PROBES_PER_SECOND, CONDUCTOR_TICK_MS);
  }

  has(node: string): boolean {
    return this.#suspects.has(node);
  }

  /** When `look` is wanted again because of a suspect; `Infinity` without any. */
  nextDueMonoMs(): number {
    return this.#suspects.size === 0 ? Infinity : this.#nextDueMonoMs;
  }

  /** The node has given a sign of life; says whether it was a suspect. */
  heard(node: string): boolean {
    const was = this.#suspects.delete(node);
    if (was) this.counters.refuted++;
    return was;
  }

  /** A witness has answered. */
  answered(result: Mesh<"probe-result">, monoMs: number): void {
    const suspect = this.#suspects.get(result.suspect);
    if (suspect?.request !== result.request || !suspect.asked.has(result.node)) return;
    switch (result.verdict) {
      case "alive":
        this.counters.witnessed++;
        suspect.seen = true;
        suspect.sinceMonoMs = monoMs;
        return this.#askAnew(suspect, monoMs + SUSPICION_MIN_MS / 2);
      case "silent":
        suspect.accusers.add(result.node);
        return;
      case "late":
        suspect.useless.add(result.node);
        return;
      default:
        return result.verdict satisfies never;
    }
  }

  #askAnew(suspect: Suspect, monoMs: number): void {
    suspect.request = this.#prng.hex(12);
    suspect.nextAskMonoMs = monoMs;
    this.#nextDueMonoMs = Math.min(this.#nextDueMonoMs, monoMs);
    suspect.asked.clear();
    suspect.useless.clear();
    suspect.accusers.clear();
  }

  /**
   * Looks at all nodes.
   *
   * @param lateMs how much later than asked for the observer was woken
   */
  look(fleet: Fleet, lateMs: number, monoMs: number): Findings {
    this.#noteLateness(fleet, lateMs, monoMs);
    const suspectMs = suspectAfterMs(fleet.size);
    const heard = new Heard(fleet);
    const suspected: FleetNode[] = [];
    const overdue: FleetNode[] = [];
    let ready = 0;
    for (const node of fleet.values()) {
      if (node.state === "dead") continue;
      if (node.state === "ready") ready++;
      if (node.state === "unknown") {
        if (monoMs >= this.#warmMonoMs) overdue.push(node);
        continue;
      }
      if (node.state === "silent" && !heard.othersThan(node, node.countedMonoMs)) continue;
      if (monoMs - node.countedMonoMs < suspectMs || this.#suspects.has(node.id)) continue;
      this.#suspect(node, monoMs, node.countedMonoMs + suspectMs);
      suspected.push(node);
    }
    const sends: Findings["sends"][number][] = [];
    const others = Math.max(0, ready - this.#suspects.size);
    let witnesses: FleetNode[] | null = null;
    this.#allowance.fill(monoMs);
    for (const suspect of this.#suspects.values()) {
      const node = fleet.get(suspect.node)!;
      suspect.deadlineMonoMs = this.#deadlineOf(suspect, others);
      if (monoMs >= suspect.deadlineMonoMs && mayJudge(suspect, node)) {
        overdue.push(node);
        continue;
      }
      if (monoMs >= suspect.nextProbeMonoMs && this.#allowance.take(1)) {
        sends.push(...this.#probe(suspect, node, monoMs));
      }
      if (monoMs < suspect.nextAskMonoMs) continue;
      witnesses ??= this.#witnesses(fleet);
      if (witnesses.length > 0 && !this.#allowance.take(WITNESSES)) continue;
      sends.push(...this.#ask(suspect, node, fleet, witnesses, monoMs));
    }
    const judged = this.#judge(fleet, heard, overdue, monoMs);
    this.#nextDueMonoMs = this.#firstDueMonoMs(monoMs);
    return { sends, suspected, ...judged };
  }

  /** When some suspect wants something, and something may be sent for it. */
  #firstDueMonoMs(monoMs: number): number {
    let first = Infinity;
    for (const each of this.#suspects.values()) {
      const sendMonoMs = Math.min(each.nextProbeMonoMs, each.nextAskMonoMs);
      // What is due already has found no allowance, or waits for its probes to be judged.
      first = Math.min(
        first,
        Math.max(sendMonoMs, this.#allowance.againMonoMs),
        each.deadlineMonoMs > monoMs ? each.deadlineMonoMs : Infinity,
      );
    }
    return first;
  }

  #noteLateness(fleet: Fleet, lateMs: number, monoMs: number): void {
    if (lateMs <= OBSERVER_LATE_MS) return this.awareness.note(-1);
    this.awareness.note(1);
    const shift = (ms: number) => Math.min(monoMs, ms + lateMs);
    for (const node of fleet.values()) node.countedMonoMs = shift(node.countedMonoMs);
    for (const suspect of this.#suspects.values()) {
      suspect.beganMonoMs = shift(suspect.beganMonoMs);
      suspect.sinceMonoMs = shift(suspect.sinceMonoMs);
    }
  }

  /** @param sinceMonoMs when it should have been noticed, had somebody looked just then */
  #suspect(node: FleetNode, monoMs: number, sinceMonoMs: number): void {
    this.counters.suspected++;
    this.#suspects.set(node.id, {
      node: node.id,
      beganMonoMs: monoMs,
      sinceMonoMs: Math.max(sinceMonoMs, monoMs - CONDUCTOR_TICK_MS),
      deadlineMonoMs: Infinity,
      request: this.#prng.hex(12),
      probes: 0,
      nextProbeMonoMs: monoMs,
      nextAskMonoMs: monoMs,
      asked: new Map(),
      useless: new Set(),
      accusers: new Set(),
      seen: false,
    });
  }

  #witnesses(fleet: Fleet): FleetNode[] {
    return [...fleet.values()].filter((node) =>
      node.state === "ready" && node.address !== null && !this.#suspects.has(node.id)
    );
  }

  #deadlineOf(suspect: Suspect, witnesses: number): number {
    const { accusers, sinceMonoMs } = suspect;
    const k = Math.min(WITNESSES, Math.max(witnesses, accusers.size));
    const lastsMs = suspicionMs(accusers.size, k, SUSPICION_MIN_MS, SUSPICION_MAX_MS);
    return sinceMonoMs + this.awareness.scale(lastsMs);
  }

  /** In a crowd whoever was served lets the others have their turn first. */
  #everyMs(ms: number): number {
    return Math.max(ms, this.#suspects.size * 2 * 1_000 / PROBES_PER_SECOND);
  }

  #probe(
    suspect: Suspect,
    { address, id: node }: FleetNode,
    monoMs: number,
  ): Findings["sends"][number][] {
    suspect.nextProbeMonoMs = address ? monoMs + this.#everyMs(PROBE_EVERY_MS) : Infinity;
    if (!address) return [];
    suspect.probes++;
    return [{ to: address, message: { k: "probe", node, request: suspect.request } }];
  }

  #ask(
    suspect: Suspect,
    { address, id: node }: FleetNode,
    fleet: Fleet,
    witnesses: readonly FleetNode[],
    monoMs: number,
  ): Findings["sends"][number][] {
    suspect.nextAskMonoMs = address ? monoMs + this.#everyMs(WITNESS_ASK_MS) : Infinity;
    if (!address) return [];
    const { hostname: host, port } = address;
    const { request } = suspect;
    return this.#choose(suspect, fleet, witnesses).map((witness) => {
      suspect.asked.set(witness.id, (suspect.asked.get(witness.id) ?? 0) + 1);
      return {
        to: witness.address!,
        message: { k: "probe-please", node: witness.id, request, suspect: node, host, port },
      };
    });
  }

  /**
   * Those of whom an answer is still wanted: the ones asked before, and others in place of the
   * useless. In a large fleet nobody looks through all of it for two.
   */
  #choose(suspect: Suspect, fleet: Fleet, witnesses: readonly FleetNode[]): FleetNode[] {
    const { asked, useless, accusers } = suspect;
    const chosen: FleetNode[] = [];
    const wanted = WITNESSES - accusers.size;
    for (const [id, times] of asked) {
      if (accusers.has(id)) continue;
      const node = fleet.get(id);
      if (times >= WITNESS_ASKS || node?.state !== "ready" || this.#suspects.has(id)) {
        useless.add(id);
      }
      if (!useless.has(id) && chosen.length < wanted) chosen.push(node!);
    }
    const from = witnesses.length === 0 ? 0 : this.#prng.below(witnesses.length);
    for (let at = 0; at < witnesses.length && chosen.length < wanted; at++) {
      const witness = witnesses[(from + at) % witnesses.length]!;
      if (!asked.has(witness.id) && !chosen.includes(witness)) chosen.push(witness);
    }
    return chosen;
  }

  /** Their time is over. Whom nobody at all can be heard beside is not called dead. */
  #judge(
    fleet: Fleet,
    heard: Heard,
    overdue: readonly FleetNode[],
    monoMs: number,
  ): Pick<Findings, "dead" | "unreachable" | "silent"> {
    const dead: FleetNode[] = [];
    const unreachable: FleetNode[] = [];
    const silent: FleetNode[] = [];
    for (const node of overdue) {
      const suspect = this.#suspects.get(node.id);
      if (!heard.othersThan(node, suspect?.beganMonoMs ?? -Infinity)) silent.push(node);
      else if (suspect?.seen && !suspect.accusers.size) unreachable.push(node);
      else dead.push(node);
    }
    for (const node of overdue) this.#suspects.delete(node.id);
    for (const suspect of this.#suspects.values()) {
      if (!suspect.seen || monoMs - suspect.beganMonoMs < WITNESSED_MAX_MS) continue;
      unreachable.push(fleet.get(suspect.node)!);
      this.#suspects.delete(suspect.node);
    }
    for (const node of dead) node.state = "dead";
    for (const node of unreachable) node.state = "dead";
    for (const node of silent) {
      node.state = "silent";
      node.countedMonoMs = monoMs;
    }
    return { dead, unreachable, silent };
  }
}

/** Says whether enough was done to hear of it. Who has no address cannot be asked. */
function mayJudge(suspect: Suspect, node: FleetNode): boolean {
  return node.address === null || suspect.probes >= PROBES_BEFORE_DEATH;
}

/** So many datagrams a second, and at once no more than `burstMs` of them. */
class Allowance {
  #left = 0;
  #filledMonoMs = -Infinity;
  /** Something may be taken again from then on. */
  againMonoMs = -Infinity;

  constructor(private readonly perSecond: number, private readonly burstMs: number) {}

  fill(monoMs: number): void {
    const most = this.perSecond * this.burstMs / 1_000;
    const more = (monoMs - this.#filledMonoMs) * this.perSecond / 1_000;
    this.#left = Math.min(most, this.#left + more);
    this.#filledMonoMs = monoMs;
    this.againMonoMs = monoMs;
  }

  take(count: number): boolean {
    if (this.#left < count) {
      this.againMonoMs = this.#filledMonoMs + this.burstMs / 4;
      return false;
    }
    this.#left -= count;
    return true;
  }
}
