/**
 * How many replicas an app is given between `min` and `max`: what the nodes measure and the ingresses
 * count -> one decision, with its reason. Pure arithmetic first; then what is remembered for it.
 */

import type { Instant } from "../core/instant.ts";
import {
  AUTOSCALE_MS,
  AUTOSCALE_ROOM,
  WISHES_BEATS,
  WISHES_STALE,
  WISHES_STALE_MIN_MS,
} from "../core/limits.ts";
import { printDuration } from "../core/manifest/kinds.ts";
import type { ScaleSpec } from "../core/manifest/spec.ts";
import type { Wish } from "../core/mesh.ts";
import { cpuBelowOf, maySleep } from "../core/scale.ts";
import { wantedOf } from "./reconcile.ts";
import type { Decision } from "./placement/plan.ts";
import { type App, currentOf, type State } from "./state.ts";

/** What is known of one app when its number is judged. */
export interface ScaleSight {
  readonly scale: ScaleSpec;
  /** How many replicas it wants now. */
  readonly wanted: number;
  /** How many are ready. */
  readonly ready: number;
  /** Nothing is being replaced: only then do figures say anything of the number. */
  readonly steady: boolean;
  /** Since the number last changed, in ms. */
  readonly sinceStepMs: number;
  /** How long nobody has asked for it, in ms; 0 where that is not known. */
  readonly idleMs: number;
  /** What the nodes told lately, one line a node. */
  readonly wishes: readonly Omit<Wish, "app">[];
  /** Requests a second, all replicas together; `null` while no ingress tells. */
  readonly requestsPerSecond: number | null;
}

export interface ScaleStep {
  readonly count: number;
  readonly reason: string;
}

/**
 * One step, or `null`. At most one in a cooldown; up only once the replicas of the last step are
 * ready, if any trigger calls for it, down only if all that are given agree and the replicas that
 * stay would have room for the load of the one that goes.
 */
export function decideScale(sight: ScaleSight): ScaleStep | null {
  const { scale, wanted, ready, steady } = sight;
  if (wanted === 0 || !steady) return null;
  const { idleAfterMs } = scale;
  if (idleAfterMs !== undefined && sight.idleMs >= idleAfterMs) {
    return { count: 0, reason: `no request for ${printDuration(idleAfterMs)}` };
  }
  if (sight.sinceStepMs < scale.cooldownMs || ready === 0) return null;
  if (wanted < scale.max && ready >= wanted) {
    const reason = whyMore(sight);
    if (reason !== null) return { count: wanted + 1, reason };
  }
  if (wanted > Math.max(1, scale.min)) {
    const reason = whyLess(sight);
    if (reason !== null) return { count: wanted - 1, reason };
  }
  return null;
}

function whyMore(sight: ScaleSight): string | null {
  const { scale: { cpuAbove, rpsAbove }, ready } = sight;
  // A replica that nobody measured counts as idle here.
  const cpuPercent = loadOf(sight) / ready;
  if (cpuAbove !== undefined && cpuPercent > cpuAbove && wishFor(sight, "more")) {
    return `they use ${figure(cpuPercent)} % of their cpu, more than ${cpuAbove} %`;
  }
  const each = (sight.requestsPerSecond ?? 0) / ready;
  if (rpsAbove !== undefined && each > rpsAbove) {
    return `each answers ${figure(each)} requests/s, more than ${rpsAbove}`;
  }
  return null;
}

function whyLess(sight: ScaleSight): string | null {
  const { scale, ready, wanted, requestsPerSecond } = sight;
  const { cpuAbove, rpsAbove } = scale;
  const below = cpuBelowOf(scale);
  const reasons: string[] = [];
  if (below !== undefined) {
    // One that nobody measured may be at its limit.
    if (measured(sight) < ready || wishFor(sight, "more") || !wishFor(sight, "less")) return null;
    const load = loadOf(sight);
    const then = load / (wanted - 1);
    if (load / ready >= below || then > AUTOSCALE_ROOM * (cpuAbove ?? Infinity)) return null;
    reasons.push(`they use ${figure(load / ready)} % of their cpu, less than ${figure(below)} %`);
  }
  if (rpsAbove !== undefined) {
    if (requestsPerSecond === null) return null;
    const then = requestsPerSecond / (wanted - 1);
    if (then > AUTOSCALE_ROOM * rpsAbove) return null;
    reasons.push(`${figure(then)} requests/s each are left for one less`);
  }
  return reasons.length === 0 ? null : reasons.join(" and ");
}

/** CPU of all measured replicas together, in percent of one's `cpu`. */
function loadOf({ wishes }: ScaleSight): number {
  return wishes.reduce((sum, wish) => sum + wish.replicas * wish.cpuPercent, 0);
}

/** Says whether some node has seen long enough what calls for it. */
function wishFor({ wishes }: ScaleSight, wanted: Wish["wish"]): boolean {
  return wishes.some(({ wish }) => wish === wanted);
}

function measured({ wishes }: ScaleSight): number {
  return wishes.reduce((sum, wish) => sum + wish.replicas, 0);
}

function figure(value: number): string {
  return value >= 10 ? String(Math.round(value)) : String(Math.round(value * 10) / 10);
}

// ---- What is remembered ---------------------------------------------------------------------------

/** Says whether a rollout of the app is under way. */
export function isRolling({ rollout }: Pick<App, "rollout">): boolean {
  return rollout !== undefined && rollout.phase !== "done";
}

/** What the conductor knows of the apps' requests (traffic.ts). */
export interface Requests {
  ratePerSecond(app: string, nowMs: number): number;
  /** Infinity: nobody knows, or some are under way. */
  idleSinceMs(app: string, nowMs: number): number;
  isHeard(nowMs: number): boolean;
}

/** What the conductor sees of the apps. */
export interface ScaleWorld {
  readonly apps: Iterable<App>;
  readonly requests: Requests;
  /** How often nodes beat, in ms. */
  readonly beatMs: number;
  /** How many of the app's replicas are ready. */
  readyOf(app: App): number;
  /** Whether some replica of the app is being replaced. */
  isSteady(app: App): boolean;
}

/** A number that is to be set, for the log. */
interface ScaleDecision extends ScaleStep {
  readonly app: string;
  /** Of which figures called for it; absent where a request waits, whatever runs. */
  readonly generation?: number;
}

interface Memory {
  /** The number when it was last looked at, and since when it is that. */
  wanted: number;
  sinceMs: number;
  /** The generation that it was then, and since when: by this clock, since walls' are set. */
  generation: number;
  generationMs: number;
  /** Node -> its last word. */
  readonly wishes: Map<string, { readonly wish: Wish; readonly atMs: number }>;
}

/**
 * Collects wishes and decides at intervals. None of this is durable: after a restart every app rests
 * for one cooldown, by when the nodes have told again. The numbers themselves are in the log.
 */
export class Autoscale {
  readonly #apps = new Map<string, Memory>();
  readonly #due = new Map<string, ScaleDecision>();
  #lookMs: number;

  constructor(private readonly startedMs: number) {
    this.#lookMs = startedMs + AUTOSCALE_MS;
  }

  /** When `look` wants to be called. */
  get dueMs(): number {
    return this.#lookMs;
  }

  /** A node tells how loaded its replicas are. */
  take(node: string, wishes: readonly Wish[], nowMs: number): void {
    for (const wish of wishes) this.#apps.get(wish.app)?.wishes.set(node, { wish, atMs: nowMs });
  }

  /** Whether a request waits for an app that has no replica: then it gets one at once. */
  wake(app: App | undefined): void {
    if (!app || app.down || app.stopped || app.count !== 0) return;
    const { scale } = currentOf(app).spec;
    if (!scale || !maySleep({ scale })) return;
    const count = Math.max(1, scale.min);
    this.#due.set(app.name, { app: app.name, count, reason: "a request waits for it" });
  }

  /** Looks at every app that has a `scale`, if it is time. */
  look(world: ScaleWorld, now: Instant): void {
    if (now.monoMs < this.#lookMs) return;
    this.#lookMs = now.monoMs + AUTOSCALE_MS;
    const seen = new Set<string>();
    for (const app of world.apps) {
      const scale = app.down ? undefined : currentOf(app).spec.scale;
      if (!scale) continue;
      seen.add(app.name);
      const step = decideScale(this.#sightOf(app, scale, world, now));
      const { generation } = currentOf(app);
      if (step) this.#due.set(app.name, { app: app.name, generation, ...step });
    }
    for (const name of this.#apps.keys()) if (!seen.has(name)) this.#apps.delete(name);
  }

  /** What is to be written into the log now, each once; what has come about otherwise is not. */
  takeDue({ apps }: Pick<State, "apps">, nowMs: number): Decision | null {
    if (this.#due.size === 0) return null;
    const due = [...this.#due.values()].filter(({ app: name, count, generation }) => {
      const app = apps.get(name);
      if (app === undefined || app.down || wantedOf(app) === count) return false;
      // What an operator has signed since then makes it another app.
      return generation === undefined ||
        (generation === currentOf(app).generation && !isRolling(app));
    });
    this.#due.clear();
    if (due.length === 0) return null;
    for (const { app, count } of due) {
      const memory = this.#apps.get(app);
      // Asleep and awake again between two looks is a change as well.
      if (memory && (count === 0 || memory.wanted === 0)) {
        memory.wanted = count;
        memory.sinceMs = nowMs;
      }
    }
    return {
      kind: "decision",
      place: [],
      leave: [],
      gone: [],
      scale: due.map(({ app, count }) => ({ app, count })),
      reasons: due.map(({ app, count, reason }) => `scale ${app} to ${count || "none"}: ${reason}`),
    };
  }

  /** The app's load as it was last told, for people: percent of its `cpu`. */
  cpuPercentOf(app: string): number | undefined {
    const wishes = [...this.#apps.get(app)?.wishes.values() ?? []].map((each) => each.wish);
    const replicas = wishes.reduce((sum, wish) => sum + wish.replicas, 0);
    if (replicas === 0) return undefined;
    return wishes.reduce((sum, wish) => sum + wish.replicas * wish.cpuPercent, 0) / replicas;
  }

  #memoryOf(app: App, wanted: number, nowMs: number): Memory {
    const { generation } = currentOf(app);
    let memory = this.#apps.get(app.name);
    if (!memory) {
      memory = { wanted, sinceMs: nowMs, generation, generationMs: nowMs, wishes: new Map() };
      this.#apps.set(app.name, memory);
    }
    if (memory.generation !== generation) {
      memory.generation = generation;
      memory.generationMs = nowMs;
    }
    // Whoever changed it: the load of the number before says nothing of this one.
    if (memory.wanted !== wanted) {
      memory.wanted = wanted;
      memory.sinceMs = nowMs;
    }
    return memory;
  }

  #sightOf(app: App, scale: ScaleSpec, world: ScaleWorld, now: Instant): ScaleSight {
    const wanted = wantedOf(app);
    const memory = this.#memoryOf(app, wanted, now.monoMs);
    const staleMs = Math.max(WISHES_STALE_MIN_MS, WISHES_STALE * WISHES_BEATS * world.beatMs);
    for (const [node, { atMs }] of memory.wishes) {
      if (now.monoMs - atMs > staleMs) memory.wishes.delete(node);
    }
    const { requests } = world;
    const idleSinceMs = requests.idleSinceMs(app.name, now.monoMs);
    // A new generation has not been asked for since it came, whatever was before.
    const ageMs = now.monoMs - memory.generationMs;
    const idleMs = Math.min(
      now.monoMs - Math.max(idleSinceMs, memory.sinceMs, this.startedMs),
      ageMs,
    );
    return {
      scale,
      wanted,
      ready: world.readyOf(app),
      steady: world.isSteady(app),
      sinceStepMs: Math.min(now.monoMs - memory.sinceMs, ageMs),
      idleMs: Math.max(0, idleMs),
      wishes: [...memory.wishes.values()].map((each) => each.wish),
      requestsPerSecond: requests.isHeard(now.monoMs)
        ? requests.ratePerSecond(app.name, now.monoMs)
        : null,
    };
  }
}
