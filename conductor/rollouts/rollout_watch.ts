// What a rollout looks at besides its replicas, kept from one look to the next. Nothing of it is
// durable: a conductor that starts again begins anew with it.

import type { Instant } from "../../core/instant.ts";
import { COMPARE_WARM_MS, LATENCY_BOUNDS_MS, ROLLOUT_BASELINE_MS } from "../../core/limits.ts";
import type { Comparison, Figures } from "./compare.ts";
import type { Around } from "./rollout.ts";
import type { Moment } from "./rollout_state.ts";
import { type App, generationOf } from "../state.ts";
import type { Between } from "../telemetry/traffic.ts";

/** What the ingresses count, as far as rollouts ask for it. */
export interface RolloutTraffic {
  /** Of one generation's replicas, from one moment of the monotonic clock to another. */
  between(app: string, generation: number, sinceMonoMs: number, untilMonoMs: number): Between;
  ratePerSecond(app: string, monoMs: number): number;
}

export class RolloutWatch {
  readonly #startedMonoMs: number;
  /** App -> the moments of its rollout, by sequence, on the monotonic clock. */
  readonly #moments = new Map<string, Map<number, number>>();

  constructor(now: Instant) {
    this.#startedMonoMs = now.monoMs;
  }

  /** What is known around the app now. */
  around(
    app: App,
    unplaced: readonly string[],
    traffic: RolloutTraffic,
    now: Instant,
  ): Omit<Around, "missingNeeds"> {
    const sinceMs = (moment: Moment) => now.monoMs - this.#monoOf(app, moment, now);
    return {
      unplaced,
      sinceMs,
      upMs: now.monoMs - this.#startedMonoMs,
      comparison: () => compare(app, traffic, sinceMs, now),
      busy: traffic.ratePerSecond(app.name, now.monoMs) > 0,
    };
  }

  /** Says whether figures of this app are news for a rollout. */
  static judges(app: App | undefined): boolean {
    if (!app?.rollout || app.down) return false;
    const { kind, phase, from } = app.rollout;
    return kind === "deploy" && phase === "rolling" && from !== undefined;
  }

  /**
   * When a durable moment was on the monotonic clock. It is asked for the first time just after it
   * was written, or after a restart: only then the wall clock counts, which may step later.
   */
  #monoOf(app: App, moment: Moment, now: Instant): number {
    const known = this.#moments.get(app.name) ?? new Map<number, number>();
    this.#moments.set(app.name, known);
    let monoMs = known.get(moment.sequence);
    if (monoMs === undefined) {
      monoMs = now.monoMs - Math.max(0, now.wallMs - moment.wallMs);
      known.set(moment.sequence, monoMs);
      if (known.size > 8) known.delete(Math.min(...known.keys()));
    }
    return monoMs;
  }
}

/** Both generations in the same time; without a canary, the old one also for a while before. */
function compare(
  app: App,
  traffic: RolloutTraffic,
  sinceMs: (moment: Moment) => number,
  now: Instant,
): Comparison | null {
  const { name, rollout } = app;
  if (rollout?.from === undefined) return null;
  const { generation, from, canarySince, promoted } = rollout;
  const figures = (which: number, since: number) =>
    figuresOf(traffic.between(name, which, since, now.monoMs));
  const since = now.monoMs - sinceMs(canarySince ?? rollout.begun);
  if (!canarySince) {
    return { fresh: figures(generation, since), old: figures(from, since - ROLLOUT_BASELINE_MS) };
  }
  const durationMs = generationOf(app, generation)?.spec.rollout.canary?.durationMs ?? 0;
  const warm = since + Math.min(COMPARE_WARM_MS, durationMs / 2);
  return {
    fresh: figures(generation, since),
    old: figures(from, since),
    // From the promotion on they do not answer the same requests.
    ...(now.monoMs > warm && !promoted
      ? { warm: { fresh: figures(generation, warm), old: figures(from, warm) } }
      : {}),
  };
}

/** Of a bucket that holds `ms` itself, nobody knows how many were slower: none are counted. */
function figuresOf({ latency, ...rest }: Between): Figures {
  return {
    ...rest,
    slower: (ms) =>
      latency.reduce(
        (sum, count, at) => (LATENCY_BOUNDS_MS[at - 1] ?? 0) >= ms ? sum + count : sum,
        0,
      ),
  };
}
