/**
 * The conductor, pure: signed commands and nodes' reports in; log entries, orders and replies out.
 *
 * Everything it decides goes through the log first: a command, or a decision of its own, becomes an
 * entry; the entry is appended; only when it is durable does it change the state, and only then are
 * its reply and its orders sent.
 *
 * Its rooms share one `Cluster`: the desk takes commands, `Presence` and `replica_news.ts` hear the
 * nodes, the `Decider` compares, the `Journal` appends and settles, `send_orders.ts` sends.
 */

import type { Address } from "../core/address.ts";
import type { Instant } from "../core/instant.ts";
import { CONDUCTOR_TICK_MS } from "../core/limits.ts";
import { decodeMesh, type Mesh } from "../core/mesh.ts";
import type { Prng } from "../core/prng.ts";
import type { Root } from "../core/roster.ts";
import { maySay } from "../core/seal/permits.ts";
import type { EventView } from "../core/view.ts";
import { isRolling, type ScaleWorld } from "./autoscale.ts";
import { Cluster } from "./cluster.ts";
import type { Comparison } from "./rollouts/compare.ts";
import { Decider } from "./decider.ts";
import { CommandDesk } from "./desk.ts";
import type { ConductorEffect, ConductorEvent } from "./effects.ts";
import { beatEveryMs } from "./fleet/fleet.ts";
import { Journal } from "./journal.ts";
import { Presence } from "./fleet/presence.ts";
import type { Buckets, Sight } from "./reconcile.ts";
import { hearAnswer, hearPrepared, hearReport, hearStatus } from "./replica_news.ts";
import { Reign } from "./leading/reign.ts";
import { RolloutWatch } from "./rollouts/rollout_watch.ts";
import { routesOf } from "./routes.ts";
import { sendOrders } from "./send_orders.ts";
import { servingOf, sightsOf } from "./sights.ts";
import { relieve } from "./placement/stand_ins.ts";
import { type App, isOutdated, type State } from "./state.ts";

export interface ConductorOptions {
  /** What the log says so far. */
  readonly state: State;
  /** Names this start of the conductor. */
  readonly boot: string;
  readonly prng: Prng;
  /** Networks, besides loopback, that may read by plain v1 commands. */
  readonly plain: readonly string[];
  /** Whether SUBMIT and ROLLOUT by path are allowed. */
  readonly manifests: boolean;
  /** Whether heartbeats of the original are listened to (`--mesh open`). */
  readonly meshOpen?: boolean;
  /** Whether replicas move by themselves to nodes that come (`--rebalance`). */
  readonly rebalance?: boolean;
  /** Whether others may lead in its place: then it stands by until it hears `lead`. */
  readonly several?: boolean;
  /** How the log names it where it leads one of several. */
  readonly self?: { readonly name: string; readonly identity: string };
  /** The operators' keys that this conductor was started with: admins from the beginning. */
  readonly roots?: readonly Root[];
  readonly now: Instant;
}

export class ConductorMachine {
  readonly startedMonoMs: number;
  /** The towers that anything was heard of, and since when each is not heard, if it is not. */
  readonly towers = new Map<string, number | null>();
  readonly #cluster: Cluster;
  readonly #decider: Decider;
  readonly #desk: CommandDesk;
  readonly #journal: Journal;
  readonly #presence: Presence;
  readonly #meshOpen: boolean;
  #lastTickMonoMs: number;
  /** The time of the last step. */
  #now: Instant;

  constructor(options: ConductorOptions) {
    const { state, boot, prng, now } = options;
    this.startedMonoMs = now.monoMs;
    this.#lastTickMonoMs = now.monoMs;
    this.#now = now;
    this.#meshOpen = options.meshOpen ?? false;
    const reign = new Reign(!(options.several ?? false), state.term?.term ?? 0);
    this.#cluster = new Cluster(state, boot, prng, now, reign);
    this.#decider = new Decider(this.#cluster, now);
    this.#desk = new CommandDesk(this, options);
    this.#journal = new Journal(this.#cluster, this.#desk, this.#decider, options);
    const rebalances = options.rebalance ?? false;
    this.#presence = new Presence(this.#cluster, this.#journal, this.#decider, rebalances, now);
  }

  /** Takes one event and says what is to be done. */
  step(event: ConductorEvent, now: Instant): ConductorEffect[] {
    const cluster = this.#cluster;
    this.#now = now;
    cluster.out = [];
    switch (event.on) {
      case "command":
        cluster.emit(...this.#desk.receive(event.text, event.source, now));
        break;
      case "verified":
        cluster.emit(...this.#desk.verified(event.id, event.key, now));
        break;
      case "manifest-read":
        cluster.emit(...this.#desk.manifestRead(event.id, event.text));
        break;
      case "manifest-unreadable":
        cluster.emit(...this.#desk.manifestUnreadable(event.id, event.error));
        break;
      case "mesh":
        this.#mesh(event.text, event.from, now);
        break;
      case "appended":
        this.#journal.appended(event.entry, now);
        break;
      case "append-failed":
        this.#journal.failed(event.error, now);
        break;
      case "followed":
        this.#journal.followed(event.entry, now);
        break;
      case "lead":
        this.#lead(event.term, event.untilMonoMs, now);
        break;
      case "extend":
        cluster.reign.extend(event.untilMonoMs);
        break;
      case "stand-by":
        cluster.reign.standBy();
        this.#journal.standBy();
        break;
      case "tower":
        this.towers.set(event.at, event.heard ? null : event.sinceMonoMs);
        break;
      case "figures":
        cluster.traffic.take(event.figures, now.monoMs);
        cluster.routeTraffic.take(event.figures, now.monoMs);
        for (const { app } of event.figures.apps) {
          if (RolloutWatch.judges(this.state.apps.get(app))) cluster.dirty.add(app);
        }
        break;
      case "join":
        cluster.emit(...this.#journal.joins.receive(event.join, event.reply));
        break;
      case "visit":
        cluster.emit(...this.#journal.visits.receive(event.visit, event.reply));
        break;
      case "wake":
        cluster.traffic.wake(event.app, now.monoMs);
        cluster.autoscale.wake(this.state.apps.get(event.app));
        cluster.dirty.add(event.app);
        break;
      case "node-key":
        this.#journal.enterNodeKey(event.node, event.publicKey);
        break;
      case "tick":
        this.#tick(now);
        break;
      default:
        event satisfies never;
    }
    cluster.settle();
    this.#journal.pump(now);
    sendOrders(cluster, now);
    if (cluster.mayOrder(now) && cluster.routes.takeChanged()) {
      cluster.emit({ do: "publish", routes: routesOf(this.state) });
    }
    return cluster.out;
  }

  /** When `tick` is wanted at the latest. */
  wakeMonoMs(): number {
    const { orders, preparing } = this.#cluster;
    const now = this.#now;
    return Math.min(
      this.#lastTickMonoMs + CONDUCTOR_TICK_MS,
      this.suspicion.nextDueMonoMs(),
      this.#cluster.mayOrder(now)
        ? Math.min(orders.nextDueMonoMs(), preparing.nextDueMonoMs())
        : Infinity,
      this.#journal.nextDueMonoMs(now),
      this.#decider.againMonoMs(),
    );
  }

  /** In which term this conductor leads, or led last; 0: alone, without terms. */
  get term(): number {
    return this.#cluster.reign.term;
  }

  /** Says whether this conductor decides and orders now; else another does, or nobody. */
  leads(now: Instant): boolean {
    return this.#cluster.mayOrder(now);
  }

  /** Everything is known already, by standing by: only the orders are to be made anew. */
  #lead(term: number, untilMonoMs: number, now: Instant): void {
    const { state, reign } = this.#cluster;
    reign.lead(term, state.term?.term ?? 0, untilMonoMs);
    this.#cluster.routes.publishAgain();
    this.#journal.lead();
    this.#decider.lead(now);
    this.#presence.lead(now);
  }

  #mesh(text: string, from: Address, now: Instant): void {
    if (this.#meshOpen && text.startsWith("HEARTBEAT|")) {
      return this.#presence.heartbeat(text, from, now);
    }
    const message = decodeMesh(text);
    if (!message || !maySay(from.peer, message)) return;
    switch (message.k) {
      case "beat":
        return this.#presence.beat(message, from, now);
      case "probe-ok":
        return this.#presence.heardOf(message.by, message.boot, now);
      case "probe-result":
        return this.#presence.witnessed(message, now);
      case "status":
        return hearStatus(this.#cluster, message, from, now);
      case "report":
        return hearReport(this.#cluster, message, now);
      case "run-ok":
      case "run-refused":
      case "stop-ok":
        return hearAnswer(this.#cluster, message, now);
      case "prepared":
        return hearPrepared(this.#cluster, message, now);
      case "wishes":
        return this.#wishes(message, now);
      default:
        // Not for a conductor.
    }
  }

  #wishes({ node: id, boot, wishes }: Mesh<"wishes">, now: Instant): void {
    if (this.fleet.get(id)?.beat?.boot === boot) this.autoscale.take(id, wishes, now.monoMs);
  }

  #tick(now: Instant): void {
    const lateMs = now.monoMs - this.#lastTickMonoMs - CONDUCTOR_TICK_MS;
    this.#lastTickMonoMs = now.monoMs;
    this.#presence.look(lateMs, now);
    this.#decider.tick(now);
    const { answeredStops, dirty } = this.#cluster;
    for (const replica of answeredStops.keys()) dirty.add(this.state.replicas.get(replica) ?? "");
    if (this.leads(now)) {
      this.autoscale.look(this.#scaleWorld(), now);
      relieve(this.#cluster, now);
    }
    this.#desk.forget(now);
  }

  #scaleWorld(): ScaleWorld {
    return {
      apps: this.state.apps.values(),
      requests: this.traffic,
      beatMs: beatEveryMs(this.fleet.size),
      readyOf: (app) => servingOf(this.#cluster, app.name).length,
      isSteady: (app) =>
        !isRolling(app) &&
        ![...app.placements.values()].some((each) => isOutdated(app, each)),
    };
  }

  /** Emits an event for the history. */
  record(now: Instant, event: Omit<EventView, "sequence" | "wallMs">): void {
    this.#cluster.record(now, event);
  }

  // ---- What is known ------------------------------------------------------------------------------

  get boot(): string {
    return this.#cluster.boot;
  }

  get state(): State {
    return this.#cluster.state;
  }

  get fleet(): Cluster["fleet"] {
    return this.#cluster.fleet;
  }

  get v1Nodes(): Cluster["v1Nodes"] {
    return this.#cluster.v1Nodes;
  }

  get ledger(): Cluster["ledger"] {
    return this.#cluster.ledger;
  }

  get routeTraffic(): Cluster["routeTraffic"] {
    return this.#cluster.routeTraffic;
  }

  get traffic(): Cluster["traffic"] {
    return this.#cluster.traffic;
  }

  get autoscale(): Cluster["autoscale"] {
    return this.#cluster.autoscale;
  }

  /** App -> why some of its replicas have no place. */
  get unplaced(): ReadonlyMap<string, readonly string[]> {
    return this.#cluster.unplaced;
  }

  /** App -> what it waits for. */
  get waiting(): ReadonlyMap<string, readonly string[]> {
    return this.#cluster.waiting;
  }

  /** Replica -> why its node will not run it. */
  get refused(): ReadonlyMap<string, string> {
    return this.#cluster.refused;
  }

  /** Why the log could not be written when it was to be, if nothing was written since. */
  get storeFault(): Cluster["storeFault"] {
    return this.#cluster.storeFault;
  }

  get suspicion(): Presence["suspicion"] {
    return this.#presence.suspicion;
  }

  /** True while some node of the log has not been heard since the start: placing waits for it. */
  get settling(): boolean {
    return this.#cluster.settling;
  }

  isPresent(node: string): boolean {
    return this.#cluster.isPresent(node);
  }

  /** The app's replicas as they are seen now. */
  sightsOf(app: App, now: Instant): Sight[] {
    return sightsOf(this.#cluster, app, now);
  }

  /** How many of the app's replicas are ready. */
  readyOf(app: App): number {
    return this.#cluster.readySince.of(app.name).size;
  }

  /** What is to be done about the app, as it is seen now. */
  bucketsOf(app: App, now: Instant, missingNeeds?: string[]): Buckets {
    return this.#decider.bucketsOf(app, now, missingNeeds);
  }

  /** Both generations of the app's rollout, as the ingresses see them. */
  comparisonOf(app: App, now: Instant): Comparison | null {
    return this.#decider.comparisonOf(app, now);
  }

  /** How many replicas the app wants now. */
  wantedOf(app: App): number {
    return this.#decider.wantedOf(app);
  }
}
