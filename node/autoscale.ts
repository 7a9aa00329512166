/**
 * CPU of an app's replicas on this node: samples -> wish. It runs in a Web Worker
 * (live/autoscale.worker.ts) and imports no code, so that its file is all that must be readable.
 *
 * A wish is advice: the conductor, which sees all nodes, decides (conductor/autoscale.ts).
 */

import type { Wish } from "../core/mesh.ts";

/** What one app's replicas have used so far. */
export interface AppSample {
  readonly app: string;
  /** Cores that a replica's percentage is of. */
  readonly cpu: number;
  /** Percent above which one more is wished for, and below which one less. */
  readonly above?: number;
  readonly below?: number;
  readonly replicas: readonly {
    /** Names one start of one replica. */
    readonly id: string;
    /** CPU that its process group has used since that start, in s. */
    readonly cpuS: number;
  }[];
}

/** How samples are judged; the bounds are in core/limits.ts. */
export interface AutoscaleRules {
  /** A replica's use is that of the last so many ms. */
  readonly windowMs: number;
  /** So many judgements in a row make a wish. */
  readonly samples: number;
}

interface Point {
  readonly atMs: number;
  readonly cpuS: number;
}

interface AppHistory {
  readonly replicas: Map<string, Point[]>;
  over: number;
  under: number;
}

/** Remembers what was used and judges it. */
export class CpuHistory {
  readonly #apps = new Map<string, AppHistory>();

  constructor(private readonly rules: AutoscaleRules) {}

  /**
   * Takes in one sample of all apps that are watched; those that are not in it are forgotten.
   *
   * @returns a wish for each app of which some replica was seen twice
   */
  take(atMs: number, samples: readonly AppSample[]): Wish[] {
    const names = new Set(samples.map((each) => each.app));
    for (const app of this.#apps.keys()) if (!names.has(app)) this.#apps.delete(app);
    return samples.flatMap((sample) => this.#judge(atMs, sample) ?? []);
  }

  #judge(atMs: number, sample: AppSample): Wish | null {
    const { app, cpu, above = Infinity, below = -Infinity } = sample;
    const history = this.#apps.get(app) ?? { replicas: new Map(), over: 0, under: 0 };
    this.#apps.set(app, history);
    const percents = this.#percents(history, atMs, sample).map((cores) => 100 * cores / cpu);
    if (percents.length === 0) return null;
    const mean = percents.reduce((sum, each) => sum + each, 0) / percents.length;
    // Only what lasts counts: one garbage collection, or one quiet moment, is no cause.
    history.over = mean > above ? history.over + 1 : 0;
    history.under = mean < below ? history.under + 1 : 0;
    const wish = history.over >= this.rules.samples
      ? "more"
      : history.under >= this.rules.samples
      ? "less"
      : "stay";
    return { app, replicas: percents.length, cpuPercent: Math.round(mean * 10) / 10, wish };
  }

  /** Cores in use by each replica that was seen before, over the window. */
  #percents(history: AppHistory, atMs: number, { replicas }: AppSample): number[] {
    const ids = new Set(replicas.map((each) => each.id));
    for (const id of history.replicas.keys()) if (!ids.has(id)) history.replicas.delete(id);
    return replicas.flatMap(({ id, cpuS }) => {
      const points = history.replicas.get(id) ?? [];
      history.replicas.set(id, points);
      points.push({ atMs, cpuS });
      // The first that stays is the youngest that is as old as the window.
      while (points.length > 2 && points[1]!.atMs <= atMs - this.rules.windowMs) points.shift();
      const first = points[0]!;
      if (first.atMs >= atMs) return [];
      return [1000 * Math.max(0, cpuS - first.cpuS) / (atMs - first.atMs)];
    });
  }
}
