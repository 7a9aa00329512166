/**
 * Compares the apps that may have changed with what is seen of them, and makes of it the next
 * decision. An app waits here for its time: a large one rests between two comparisons, and one that
 * can only go on later is looked at again then.
 */

import type { Instant } from "../core/instant.ts";
import { PREPARE_UNHEARD_MS, REBALANCE_REST_MS, RECONCILE_REST_US } from "../core/limits.ts";
import type { EntryBody } from "../core/log.ts";
import { bucketsOf, systemSeats } from "./buckets.ts";
import type { Cluster } from "./cluster.ts";
import type { Comparison } from "./rollouts/compare.ts";
import { isJob } from "./jobs/job_state.ts";
import { jobStep } from "./jobs/jobs.ts";
import { type Booking, isEmpty, mergeDecisions, type Plan, planApp } from "./placement/plan.ts";
import { rebalance } from "./placement/rebalance.ts";
import { type Buckets, reconcile, type Sight, wantedOf } from "./reconcile.ts";
import type { Prepared } from "./placement/replace.ts";
import type { Around } from "./rollouts/rollout.ts";
import { RolloutWatch } from "./rollouts/rollout_watch.ts";
import { missingSecret } from "./trust/secrets.ts";
import { missingNeeds, sightsOf } from "./sights.ts";
import { type App, currentOf } from "./state.ts";

export class Decider {
  readonly #cluster: Cluster;
  #rollouts: RolloutWatch;
  /** Large app -> until when it is not compared again. */
  readonly #restUntil = new Map<string, number>();
  /** App -> when it is looked at again without another cause. */
  readonly #again = new Map<string, number>();
  /** When the conductor looks by itself whether replicas should move; infinite without cause. */
  #balanceMonoMs = Infinity;

  constructor(cluster: Cluster, now: Instant) {
    this.#cluster = cluster;
    this.#rollouts = new RolloutWatch(now);
  }

  /** Works out which replicas should move, where that was asked for or is due by itself. */
  balance(now: Instant): EntryBody | null {
    const isDue = now.monoMs >= this.#balanceMonoMs;
    const { state, ledger } = this.#cluster;
    const { apps, rebalancing } = state;
    if (rebalancing.size === 0 && !isDue || this.#cluster.settling) return null;
    if (isDue) this.#balanceMonoMs = Infinity;
    const asked = [...apps.values()].filter((app) => isDue || rebalancing.has(app.name));
    const moves = rebalance(asked, ledger);
    if (moves.length === 0 && rebalancing.size === 0) return null;
    return {
      kind: "decision",
      place: [],
      leave: [],
      gone: [],
      move: moves.map((move) => move.replica),
      balanced: [...rebalancing],
      reasons: moves.map((move) => move.reason),
    };
  }

  /** This conductor begins to lead: the time before makes nobody late. */
  lead(now: Instant): void {
    this.#rollouts = new RolloutWatch(now);
    for (const name of this.#cluster.state.apps.keys()) this.#cluster.dirty.add(name);
  }

  /** A node came: in a while the load may be shared out better. */
  balanceLater(now: Instant): void {
    this.#balanceMonoMs = now.monoMs + REBALANCE_REST_MS;
  }

  /** Reconciles every app that may have changed; `null` where nothing is to be done. */
  decide(now: Instant): EntryBody | null {
    const { state, ledger, dirty } = this.#cluster;
    const bookings: Booking[] = [];
    const plans: (Plan & { readonly app: string })[] = [];
    // By name, so that the plan does not depend on the order in which things were heard.
    const rested = [...dirty].filter((name) => now.monoMs >= (this.#restUntil.get(name) ?? 0))
      .sort();
    if (rested.length === 0) return null;
    const mayPlace = !this.#cluster.settling;
    for (const name of rested) {
      const app = state.apps.get(name);
      if (!app) dirty.delete(name);
      if (!app) continue;
      const buckets = this.bucketsOf(app, now);
      // A judgement stands in the log before anything follows from it; and nobody is judged while
      // some of the nodes have not been heard yet.
      if (buckets.turn && mayPlace) {
        for (const { node, spec } of bookings) ledger.give(node, spec);
        for (const { app } of plans) dirty.add(app);
        return { ...buckets.turn, kind: "rollout" };
      }
      dirty.delete(name);
      this.#rest(app, now);
      const plan = this.#plan(app, buckets, bookings, mayPlace, now);
      plans.push({ ...plan, app: name });
      this.#noteWaits(app, plan, buckets, now);
    }
    for (const { node, spec } of bookings) ledger.give(node, spec);
    const decision = mergeDecisions(plans.map((plan) => plan.decision));
    return isEmpty(decision) ? null : decision;
  }

  /** What is to be done about the app, as it is seen now. */
  bucketsOf(app: App, now: Instant, missing = missingNeeds(this.#cluster, app)): Buckets {
    const sights = sightsOf(this.#cluster, app, now);
    if (isJob(currentOf(app).spec)) {
      return jobStep(app, sights, { wallMs: now.wallMs, missingNeeds: missing });
    }
    const { unplaced, traffic } = this.#cluster;
    const around = {
      ...this.#rollouts.around(app, unplaced.get(app.name) ?? [], traffic, now),
      ...this.#unprepared(app, now),
    };
    const compare = (app: App, sights: readonly Sight[]) => reconcile(app, sights, missing, around);
    return bucketsOf(app, sights, this.#cluster, compare);
  }

  /** The plan of one app; nodes are asked whether they can run what others are to be stopped for. */
  #plan(app: App, buckets: Buckets, bookings: Booking[], mayPlace: boolean, now: Instant): Plan {
    const { ledger, preparing, state } = this.#cluster;
    const { generation, sequence, spec } = currentOf(app);
    let asks = false;
    const prepared: Prepared = {
      verdict(node) {
        asks = true;
        const wanted = { app: app.name, generation, sequence, node };
        return preparing.verdict(wanted, now.monoMs, missingSecret(state, spec));
      },
      unable: () => preparing.unable(app.name, sequence),
      able: () => preparing.able(app.name, sequence, now.monoMs),
    };
    const plan = planApp(app, buckets, ledger, bookings, mayPlace, prepared);
    if (!asks) preparing.rest(app.name, now.monoMs);
    for (const place of plan.decision.place) if (!place.part) preparing.placed(place);
    return plan;
  }

  /** What a node has said that was asked whether it can run the current generation. */
  #unprepared(app: App, now: Instant): Pick<Around, "unprepared"> {
    const { fleet, preparing } = this.#cluster;
    const fault = preparing.faultOf(app.name, currentOf(app).sequence, now.monoMs);
    if (!fault) return {};
    const { reason, forMs, node } = fault;
    return { unprepared: { nodeName: fleet.get(node)?.name ?? node, reason, forMs } };
  }

  /** Both generations of the app's rollout, as the ingresses see them. */
  comparisonOf(app: App, now: Instant): Comparison | null {
    if (!app.rollout || app.rollout.phase === "done") return null;
    return this.#rollouts.around(app, [], this.#cluster.traffic, now).comparison();
  }

  /** How many replicas the app wants now. */
  wantedOf(app: App): number {
    const wanted = wantedOf(app);
    const isSystem = currentOf(app).spec.type === "system";
    return isSystem && wanted > 0 ? systemSeats(app, this.#cluster).length : wanted;
  }

  /** Apps whose time to be looked at again has come may have changed. */
  tick(now: Instant): void {
    for (const [name, dueMonoMs] of this.#again) {
      if (now.monoMs < dueMonoMs) continue;
      this.#again.delete(name);
      this.#cluster.dirty.add(name);
    }
  }

  /** When `tick` is wanted because of an app that waits for its time; `Infinity` without any. */
  againMonoMs(): number {
    return Math.min(Infinity, ...this.#again.values());
  }

  /** When the first app that wants to be compared has rested; `Infinity` where none rests. */
  restedMonoMs(): number {
    let first = Infinity;
    for (const name of this.#cluster.dirty) {
      first = Math.min(first, this.#restUntil.get(name) ?? Infinity);
    }
    return first;
  }

  /**
   * Comparing an app costs in proportion to its size, and each of its replicas may give cause for
   * it: so a large one rests a while in between, and many causes are looked at together.
   */
  #rest(app: App, now: Instant): void {
    const restMs = app.placements.size * RECONCILE_REST_US / 1_000;
    if (restMs < 1) this.#restUntil.delete(app.name);
    else this.#restUntil.set(app.name, now.monoMs + restMs);
  }

  #noteWaits(app: App, plan: Plan, buckets: Buckets, now: Instant): void {
    const { unplaced, waiting } = this.#cluster;
    const before = JSON.stringify([unplaced.get(app.name), waiting.get(app.name)]);
    setOrDelete(unplaced, app.name, plan.unplaced);
    setOrDelete(waiting, app.name, [...buckets.wait, ...plan.wait]);
    // A node that does not know the question never answers it.
    const unheardMs = plan.wait.length > 0 ? PREPARE_UNHEARD_MS : Infinity;
    const againMs = Math.min(buckets.againMs ?? Infinity, unheardMs);
    if (againMs === Infinity) this.#again.delete(app.name);
    else this.#again.set(app.name, now.monoMs + againMs);
    if (JSON.stringify([unplaced.get(app.name), waiting.get(app.name)]) === before) return;
    this.#cluster.emit({ do: "changed", apps: [app.name] });
    const [first, ...more] = plan.unplaced;
    if (first === undefined) return;
    const text = more.length === 0 ? first : `${first} (and ${more.length} more)`;
    this.#cluster.record(now, { kind: "unplaced", app: app.name, text });
  }
}

function setOrDelete<V>(map: Map<string, readonly V[]>, key: string, value: readonly V[]): void {
  if (value.length > 0) map.set(key, value);
  else map.delete(key);
}
