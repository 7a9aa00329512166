/**
 * The conductor, pure: signed commands and nodes' reports in; log entries, orders and replies out.
 *
 * Everything it decides goes through the log first: a command, or a decision of its own, becomes an
 * entry; the entry is appended; only when it is durable does it change the state, and only then are
 * its reply and its orders sent. One append is under way at a time, so an entry is always made from
 * the state that it follows.
 */

import type { Address } from "../core/address.ts";
import {
  CONDUCTOR_TICK_MS,
  CONDUCTOR_WARMUP_MS,
  PREPARE_UNHEARD_MS,
  REBALANCE_REST_MS,
  RECONCILE_REST_US,
  RETRY_MAX_MS,
  SNAPSHOT_ENTRIES,
  SNAPSHOT_REPLICAS,
} from "../core/limits.ts";
import type { Instant } from "../core/instant.ts";
import { type EntryBody, nextEntry } from "../core/log.ts";
import {
  decodeMesh,
  encodeMesh,
  type Mesh,
  type MeshMessage,
  type ReplicaStatus,
  type Route,
} from "../core/mesh.ts";
import type { Prng } from "../core/prng.ts";
import { maySay } from "../core/seal/permits.ts";
import { type Root, rootName } from "../core/roster.ts";
import type { EventView } from "../core/view.ts";
import { parseMeshV1 } from "../core/wire.ts";
import { bucketsOf, systemSeats } from "./buckets.ts";
import { Autoscale, type ScaleWorld } from "./autoscale.ts";
import type { Comparison } from "./compare.ts";
import { holdersOf } from "./artifacts.ts";
import { CommandDesk } from "./desk.ts";
import type { ConductorEffect, ConductorEvent } from "./effects.ts";
import { describeChange, eventOfTurn } from "./events.ts";
import {
  addNode,
  beatEveryMs,
  dropStatus,
  type Fleet,
  type FleetNode,
  needsReport,
  takeBeat,
  takeReport,
  takeStatus,
} from "./fleet.ts";
import { describeRun, isJob, jobStep } from "./jobs.ts";
import { Joins } from "./joins.ts";
import { Ledger } from "./ledger.ts";
import { barText } from "./node_verbs.ts";
import { Orders } from "./orders.ts";
import { type Booking, isEmpty, mergeDecisions, type Plan, planApp } from "./plan.ts";
import { rebalance } from "./rebalance.ts";
import { Preparing } from "./preparing.ts";
import { type Buckets, reconcile, type Sight, wantedOf } from "./reconcile.ts";
import { ReadySince } from "./ready_since.ts";
import type { Around } from "./rollout.ts";
import { RolloutWatch } from "./rollout_watch.ts";
import { routesOf } from "./routes.ts";
import { Traffic } from "./traffic.ts";
import {
  type App,
  applyEntry,
  chainAfter,
  currentOf,
  generationOf,
  isOutdated,
  type Placement,
  placementOf,
  saveState,
  specOf,
  type State,
} from "./state.ts";
import { Suspicion } from "./suspicion.ts";
import { ONLY_V1, V1Nodes } from "./v1_nodes.ts";

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
  /** The operators' keys that this conductor was started with: admins from the beginning. */
  readonly roots?: readonly Root[];
  readonly now: Instant;
}

export class ConductorMachine {
  readonly boot: string;
  readonly state: State;
  readonly fleet: Fleet = new Map();
  readonly v1Nodes = new V1Nodes();
  readonly ledger = new Ledger();
  /** The requests of the apps, as the ingresses see them. */
  readonly traffic = new Traffic();
  readonly autoscale: Autoscale;
  /** App -> why some of its replicas have no place. */
  readonly unplaced = new Map<string, readonly string[]>();
  /** App -> what it waits for. */
  readonly waiting = new Map<string, readonly string[]>();
  /** Replica -> why its node will not run it. */
  readonly refused = new Map<string, string>();
  readonly #rollouts: RolloutWatch;
  readonly #refusedSince = new Map<string, number>();
  readonly startedMonoMs: number;
  readonly #prng: Prng;
  readonly #meshOpen: boolean;
  readonly #rebalances: boolean;
  readonly #desk: CommandDesk;
  readonly suspicion: Suspicion;
  /** Those of them that the log does not name yet. */
  #roots: readonly Root[];
  readonly #joins: Joins;
  readonly #orders = new Orders();
  readonly #preparing = new Preparing();
  /** Dead nodes of which nobody has heard. */
  readonly #lost = new Set<string>();
  /** Replica -> since when it has been ready. */
  readonly #readySince = new ReadySince();
  /** Leaving replicas whose stop the node has answered. */
  readonly #answeredStops = new Map<string, number>();
  readonly #dirty = new Set<string>();
  /** Large app -> until when it is not compared again. */
  readonly #restUntil = new Map<string, number>();
  readonly #joining = new Map<string, string>();
  readonly #nodeKeys = new Map<string, string>();
  readonly #again = new Map<string, number>();
  #barred: ReadonlySet<string>;
  /** When the conductor looks by itself whether replicas should move; infinite without cause. */
  #balanceMonoMs = Infinity;
  #inFlight = false;
  #storeBrokenUntilMs = 0;
  #lastTickMonoMs: number;
  #lastSnapshot: number;
  #published = "";
  /** A command has changed what is wanted since the routes and needs were last worked out. */
  #commanded = true;
  #needers: Map<string, readonly string[]> | null = null;
  #out: ConductorEffect[] = [];

  constructor(options: ConductorOptions) {
    const { state, now } = options;
    this.state = state;
    this.boot = options.boot;
    this.#prng = options.prng;
    this.#meshOpen = options.meshOpen ?? false;
    this.#joins = new Joins(state);
    this.#rebalances = options.rebalance ?? false;
    this.#barred = new Set(state.bars.keys());
    this.#roots = (options.roots ?? []).filter(({ key }) => !state.roots.has(key));
    this.#desk = new CommandDesk(this, options);
    this.startedMonoMs = now.monoMs;
    this.autoscale = new Autoscale(now.monoMs);
    this.#rollouts = new RolloutWatch(now);
    this.suspicion = new Suspicion(options.prng, now.monoMs + CONDUCTOR_WARMUP_MS);
    this.#lastTickMonoMs = now.monoMs;
    this.#lastSnapshot = state.head.sequence;
    for (const [id, name] of state.nodes) {
      addNode(this.fleet, id, name, now.monoMs);
      this.ledger.describe(id, { name, bar: barText(state.bars.get(id)) });
    }
    for (const app of state.apps.values()) {
      this.#dirty.add(app.name);
      for (const placement of app.placements.values()) this.#book(app, placement);
    }
  }

  /** Takes one event and says what is to be done. */
  step(event: ConductorEvent, now: Instant): ConductorEffect[] {
    this.#out = [];
    switch (event.on) {
      case "command":
        this.#emit(...this.#desk.receive(event.text, event.source, now));
        break;
      case "verified":
        this.#emit(...this.#desk.verified(event.id, event.key, now));
        break;
      case "manifest-read":
        this.#emit(...this.#desk.manifestRead(event.id, event.text));
        break;
      case "manifest-unreadable":
        this.#emit(...this.#desk.manifestUnreadable(event.id, event.error));
        break;
      case "mesh":
        this.#mesh(event.text, event.from, now);
        break;
      case "appended":
        this.#appended(event.entry, now);
        break;
      case "append-failed":
        this.#appendFailed(event.error, now);
        break;
      case "figures":
        this.traffic.take(event.figures, now.monoMs);
        for (const { app } of event.figures.apps) {
          if (RolloutWatch.judges(this.state.apps.get(app))) this.#dirty.add(app);
        }
        break;
      case "join":
        this.#emit(...this.#joins.receive(event.join, event.reply));
        break;
      case "wake":
        this.traffic.wake(event.app, now.monoMs);
        this.autoscale.wake(this.state.apps.get(event.app));
        this.#dirty.add(event.app);
        break;
      case "node-key":
        // Only of nodes that have joined: strangers must not make the log grow.
        if (this.state.nodes.has(event.node) && !this.state.nodeKeys.has(event.node)) {
          this.#nodeKeys.set(event.node, event.publicKey);
        }
        break;
      case "tick":
        this.#tick(now);
        break;
      default:
        event satisfies never;
    }
    this.#pump(now);
    this.#sendOrders(now);
    this.#askPrepared(now);
    this.#publish();
    return this.#out;
  }

  /** When `tick` is wanted at the latest. */
  wakeMonoMs(): number {
    return Math.min(
      this.#lastTickMonoMs + CONDUCTOR_TICK_MS,
      this.suspicion.nextDueMonoMs(),
      this.#orders.nextDueMonoMs(),
      this.#preparing.nextDueMonoMs(),
      this.#restedMonoMs(),
      ...this.#again.values(),
    );
  }

  /** Emits an event for the history. */
  record(now: Instant, event: Omit<EventView, "sequence" | "wallMs">): void {
    this.#emit({ do: "event", event: { wallMs: now.wallMs, ...event } });
  }

  /** True while some node of the log has not been heard since the start: placing waits for it. */
  get settling(): boolean {
    for (const node of this.fleet.values()) if (node.state === "unknown") return true;
    return false;
  }

  #emit(...effects: ConductorEffect[]): void {
    for (const effect of effects) this.#out.push(effect);
  }

  // ---- The log ------------------------------------------------------------------------------------

  /** Starts the next append, if none is under way and something wants one. */
  #pump(now: Instant): void {
    if (this.#inFlight || now.monoMs < this.#storeBrokenUntilMs) return;
    const body = this.#nextBody(now);
    if (!body) return;
    this.#inFlight = true;
    const { head } = this.state;
    this.#emit({ do: "append", entry: nextEntry(head, now.wallMs, this.#chained(body)) });
  }

  /** A command's entry says where it stands in the chain of commands. */
  #chained(body: EntryBody): EntryBody {
    const { state } = this;
    // The first entry names the log, so its own link cannot be known before it is made.
    if (body.kind !== "command" || state.head.sequence === 0) return body;
    return { ...body, chain: chainAfter(state, state.head.sequence + 1, body).hash };
  }

  #nextBody(now: Instant): EntryBody | null {
    if (this.#roots.length > 0) return rootsBody(this.#roots);
    const join = this.#joins.nextBody(now, this.#out);
    if (join) return join;
    const command = this.#desk.nextBody(now, this.#out);
    if (command) return command;
    for (const [node, name] of this.#joining) return { kind: "node", node, name };
    const balance = this.#balance(now);
    if (balance) return balance;
    for (const [node, publicKey] of this.#nodeKeys) return { kind: "node-key", node, publicKey };
    const scale = this.autoscale.takeDue(this.state);
    if (scale) return scale;
    if (this.#dirty.size === 0) return null;
    return this.#decide(now);
  }

  /** Works out which replicas should move, where that was asked for or is due by itself. */
  #balance(now: Instant): EntryBody | null {
    const isDue = now.monoMs >= this.#balanceMonoMs;
    if (this.state.rebalancing.size === 0 && !isDue || this.settling) return null;
    if (isDue) this.#balanceMonoMs = Infinity;
    const { apps, rebalancing } = this.state;
    const asked = [...apps.values()].filter((app) => isDue || rebalancing.has(app.name));
    const moves = rebalance(asked, this.ledger);
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

  /** Reconciles every app that may have changed; `null` where nothing is to be done. */
  #decide(now: Instant): EntryBody | null {
    const bookings: Booking[] = [];
    const plans: (Plan & { readonly app: string })[] = [];
    // By name, so that the plan does not depend on the order in which things were heard.
    const rested = [...this.#dirty].filter((name) => now.monoMs >= (this.#restUntil.get(name) ?? 0))
      .sort();
    if (rested.length === 0) return null;
    const mayPlace = !this.settling;
    for (const name of rested) {
      const app = this.state.apps.get(name);
      if (!app) this.#dirty.delete(name);
      if (!app) continue;
      const buckets = this.bucketsOf(app, now);
      // A judgement stands in the log before anything follows from it; and nobody is judged while
      // some of the nodes have not been heard yet.
      if (buckets.turn && mayPlace) {
        for (const { node, spec } of bookings) this.ledger.give(node, spec);
        for (const { app } of plans) this.#dirty.add(app);
        return { ...buckets.turn, kind: "rollout" };
      }
      this.#dirty.delete(name);
      this.#rest(app, now);
      const plan = this.#plan(app, buckets, bookings, mayPlace, now);
      plans.push({ ...plan, app: name });
      this.#noteWaits(app, plan, buckets, now);
    }
    for (const { node, spec } of bookings) this.ledger.give(node, spec);
    const decision = mergeDecisions(plans.map((plan) => plan.decision));
    return isEmpty(decision) ? null : decision;
  }

  /** What is to be done about the app, as it is seen now. */
  bucketsOf(app: App, now: Instant, missingNeeds = this.#missingNeeds(app)): Buckets {
    if (isJob(currentOf(app).spec)) {
      return jobStep(app, this.sightsOf(app, now), { wallMs: now.wallMs, missingNeeds });
    }
    const unplaced = this.unplaced.get(app.name) ?? [];
    const around = {
      ...this.#rollouts.around(app, unplaced, this.traffic, now),
      ...this.#unprepared(app, now),
    };
    const compare = (app: App, sights: readonly Sight[]) =>
      reconcile(app, sights, missingNeeds, around);
    return bucketsOf(app, this.sightsOf(app, now), this, compare);
  }

  /** The plan of one app; nodes are asked whether they can run what others are to be stopped for. */
  #plan(app: App, buckets: Buckets, bookings: Booking[], mayPlace: boolean, now: Instant): Plan {
    const { generation, sequence } = currentOf(app);
    let asks = false;
    const prepared = (node: string) => {
      asks = true;
      return this.#preparing.verdict({ app: app.name, generation, sequence, node }, now.monoMs);
    };
    const plan = planApp(app, buckets, this.ledger, bookings, mayPlace, prepared);
    if (!asks) this.#preparing.drop(app.name);
    return plan;
  }

  /** What a node has said that was asked whether it can run the current generation. */
  #unprepared(app: App, now: Instant): Pick<Around, "unprepared"> {
    const fault = this.#preparing.faultOf(app.name, currentOf(app).sequence, now.monoMs);
    if (!fault) return {};
    const { reason, forMs, node } = fault;
    return { unprepared: { nodeName: this.fleet.get(node)?.name ?? node, reason, forMs } };
  }

  /** Both generations of the app's rollout, as the ingresses see them. */
  comparisonOf(app: App, now: Instant): Comparison | null {
    if (!app.rollout || app.rollout.phase === "done") return null;
    return this.#rollouts.around(app, [], this.traffic, now).comparison();
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

  /** When the first app that wants to be compared has rested; `Infinity` where none rests. */
  #restedMonoMs(): number {
    let first = Infinity;
    if (this.#inFlight) return first;
    for (const name of this.#dirty) first = Math.min(first, this.#restUntil.get(name) ?? Infinity);
    return Math.max(first, this.#storeBrokenUntilMs);
  }

  #noteWaits(app: App, plan: Plan, buckets: Buckets, now: Instant): void {
    const before = JSON.stringify([this.unplaced.get(app.name), this.waiting.get(app.name)]);
    setOrDelete(this.unplaced, app.name, plan.unplaced);
    setOrDelete(this.waiting, app.name, [...buckets.wait, ...plan.wait]);
    // A node that does not know the question never answers it.
    const unheardMs = plan.wait.length > 0 ? PREPARE_UNHEARD_MS : Infinity;
    const againMs = Math.min(buckets.againMs ?? Infinity, unheardMs);
    if (againMs === Infinity) this.#again.delete(app.name);
    else this.#again.set(app.name, now.monoMs + againMs);
    if (JSON.stringify([this.unplaced.get(app.name), this.waiting.get(app.name)]) === before) {
      return;
    }
    this.#emit({ do: "changed", apps: [app.name] });
    const [first, ...more] = plan.unplaced;
    if (first === undefined) return;
    const text = more.length === 0 ? first : `${first} (and ${more.length} more)`;
    this.record(now, { kind: "unplaced", app: app.name, text });
  }

  #appended(entry: Parameters<typeof applyEntry>[1], now: Instant): void {
    this.#inFlight = false;
    const before = this.#placementsOf(entry.body);
    if (entry.body.kind === "node") this.#noteNode(entry.body, now);
    const touched = applyEntry(this.state, entry);
    this.#settle(entry.body, before, now);
    for (const name of touched) this.#dirty.add(name);
    if (touched.length > 0) this.#emit({ do: "changed", apps: touched });
    if (entry.body.kind === "command") {
      this.#commanded = true;
      this.#setBars();
      this.#needers = null;
      this.#emit(...this.#desk.committed(entry.body, now));
    } else if (entry.body.kind === "join") {
      this.#emit(...this.#joins.committed(entry.body, now));
    } else if (entry.body.kind === "refused") {
      this.#emit(...this.#desk.committed(entry.body, now));
    }
    // A snapshot costs as much as the state is large: a large one is kept the less often.
    const enough = Math.max(SNAPSHOT_ENTRIES, this.state.replicas.size / SNAPSHOT_REPLICAS);
    if (entry.sequence - this.#lastSnapshot >= enough) {
      this.#lastSnapshot = entry.sequence;
      this.#emit({ do: "snapshot", state: saveState(this.state) });
    }
  }

  /** A node has joined, or is called differently. */
  #noteNode({ node, name }: { readonly node: string; readonly name: string }, now: Instant): void {
    if (this.#joining.get(node) === name) this.#joining.delete(node);
    const before = this.state.nodes.get(node);
    if (before === undefined) {
      this.record(now, { kind: "node-joined", node: name, text: `${name} joined` });
    } else {
      this.record(now, {
        kind: "node-renamed",
        node: name,
        text: `${before} is called ${name} now`,
      });
    }
  }

  /** Operators may have said what is placed where. */
  #setBars(): void {
    const barred = new Set([...this.#barred, ...this.state.bars.keys()]);
    for (const node of barred) {
      this.ledger.describe(node, { bar: barText(this.state.bars.get(node)) });
    }
    this.#barred = new Set(this.state.bars.keys());
  }

  #placementsOf(body: EntryBody): Map<string, Placement> {
    if (body.kind !== "decision") return new Map();
    return new Map([...body.leave, ...body.gone].flatMap((replica) => {
      const placement = placementOf(this.state, replica);
      return placement ? [[replica, placement] as const] : [];
    }));
  }

  /** What follows from an entry that is durable now: bookings, orders, history. */
  #settle(body: EntryBody, before: ReadonlyMap<string, Placement>, now: Instant): void {
    if (body.kind === "node-key") this.#nodeKeys.delete(body.node);
    if (body.kind === "roots") {
      this.#roots = [];
      const names = body.roots.map(([key]) => rootName(key)).join(", ");
      this.record(now, { kind: "roots", text: `admin by --pubkey: ${names}` });
    }
    if (body.kind === "rollout") {
      this.#commanded = true;
      this.record(now, eventOfTurn(body));
    }
    if (body.kind !== "decision") return;
    // What a failed rollout leaves behind has routes of its own until it is gone.
    if (body.gone.length > 0) this.#commanded = true;
    for (const place of body.place) {
      this.#book(this.state.apps.get(place.app)!, place);
      this.#orders.want("run", place.replica, place.node, now.monoMs);
    }
    for (const replica of body.leave) {
      const placement = before.get(replica);
      if (placement) this.#orders.want("stop", replica, placement.node, now.monoMs);
    }
    for (const replica of body.gone) {
      const placement = before.get(replica);
      if (placement) this.#forget(placement);
    }
    for (const { replica } of body.relabel ?? []) {
      const placement = placementOf(this.state, replica);
      if (placement) this.#orders.want("run", replica, placement.node, now.monoMs);
    }
    // One reason an operation, in the order of the lists.
    const apps = [
      ...body.place.map((place) => place.app),
      ...[...body.leave, ...body.gone].map((replica) => before.get(replica)?.app),
      ...(body.move ?? []).map((replica) => placementOf(this.state, replica)?.app),
      ...(body.relabel ?? []).map(({ replica }) => placementOf(this.state, replica)?.app),
      ...(body.scale ?? []).map((each) => each.app),
    ];
    for (const { app, run } of body.runs ?? []) {
      this.record(now, { kind: `run-${run.state}`, app, text: describeRun(app, run) });
    }
    body.reasons.forEach((text, at) => {
      const app = apps[at];
      const kind = at < apps.length - (body.scale?.length ?? 0) ? "decided" : "scaled";
      this.record(now, { kind, ...(app === undefined ? {} : { app }), text });
    });
  }

  #book(app: App, place: Pick<Placement, "node" | "generation" | "part">): void {
    const spec = specOf(app, place);
    if (spec) this.ledger.take(place.node, spec);
  }

  #forget(placement: Placement): void {
    const { replica, node, app } = placement;
    const spec = specOf(this.state.apps.get(app)!, placement);
    if (spec) this.ledger.give(node, spec);
    this.#orders.drop(replica);
    this.#readySince.delete(app, replica);
    this.#answeredStops.delete(replica);
    this.#accepted(replica);
    const known = this.fleet.get(node);
    const status = known?.statuses.get(replica);
    if (known && status?.state === "finished") {
      dropStatus(known, replica);
      // The node drops it, too, when it knows that it may.
      if (!placement.leaving) this.#orders.want("stop", replica, node, -Infinity);
    } else if (known && status && known.state !== "dead") {
      // Its node was given up and is back already: what has moved must not run there, too.
      this.#orders.want("stop", replica, node, -Infinity);
    }
  }

  #appendFailed(error: string, now: Instant): void {
    this.#inFlight = false;
    this.#storeBrokenUntilMs = now.monoMs + 1_000;
    this.#emit(...this.#desk.failed(error), ...this.#joins.failed(error));
    for (const app of this.state.apps.keys()) this.#dirty.add(app);
    this.record(now, { kind: "store-failed", text: `the log cannot be written: ${error}` });
  }

  // ---- The nodes ----------------------------------------------------------------------------------

  #mesh(text: string, from: Address, now: Instant): void {
    if (this.#meshOpen && text.startsWith("HEARTBEAT|")) return this.#heartbeat(text, from, now);
    const message = decodeMesh(text);
    if (!message || !maySay(from.peer, message)) return;
    switch (message.k) {
      case "beat":
        return this.#beat(message, from, now);
      case "status":
        return this.#status(message, from, now);
      case "report":
        return this.#report(message, now);
      case "wishes":
        return this.#wishes(message, now);
      case "run-ok":
      case "run-refused":
      case "stop-ok":
        return this.#answered(message, now);
      case "prepared":
        if (this.fleet.get(message.node)?.beat?.boot !== message.boot) return;
        if (this.#preparing.take(message, now.monoMs)) this.#dirty.add(message.app);
        return;
      case "probe-ok":
        return this.#heardOf(this.fleet.get(message.by), message.boot, now);
      case "probe-result":
        this.suspicion.answered(message, now.monoMs);
        return this.#heardOf(this.fleet.get(message.node), message.boot, now);
      default:
        // Not for a conductor.
    }
  }

  /** A node of the original: shown, never placed upon. An id of our own nodes stays theirs. */
  #heartbeat(text: string, from: Address, now: Instant): void {
    const beat = parseMeshV1(text);
    if ("error" in beat || beat.verb !== "HEARTBEAT" || this.state.nodes.has(beat.node)) return;
    if (this.fleet.has(beat.node)) return;
    const { came, forgotten } = this.v1Nodes.take(beat, from.hostname, now.monoMs);
    if (forgotten) this.ledger.drop(forgotten.id);
    if (!came) return;
    this.ledger.describe(came.id, { name: came.name, alive: true, bar: ONLY_V1 });
    const description =
      `${came.name} at ${came.host} beats, and ${ONLY_V1}: nothing is placed there`;
    this.record(now, { kind: "node-v1", node: came.name, text: description });
  }

  #send(to: Address, message: MeshMessage): void {
    this.#emit({ do: "send", to, text: encodeMesh(message) });
  }

  #beat(beat: Mesh<"beat">, from: Address, now: Instant): void {
    let node = this.fleet.get(beat.node);
    if (!node) {
      node = addNode(this.fleet, beat.node, beat.name, now.monoMs);
      this.v1Nodes.drop(beat.node);
    }
    const was = node.state;
    const bootBefore = node.beat?.boot;
    // A node's first beats may come before it has measured its memory.
    const grew = beat.ramTotalBytes > (node.beat?.ramTotalBytes ?? 0);
    if (!takeBeat(node, beat, from, now.monoMs)) return;
    // Operators name it as it is called now.
    if (this.state.nodes.get(node.id) !== beat.name) this.#joining.set(node.id, beat.name);
    this.#notLost(node);
    this.ledger.describe(node.id, {
      name: beat.name,
      alive: true,
      bar: barText(this.state.bars.get(node.id)),
      ramTotalBytes: beat.ramTotalBytes,
      cores: beat.cores,
      gpu: beat.gpu,
      labels: beat.labels,
    });
    if (was !== "ready" || bootBefore !== beat.boot || grew) this.#welcome(node, was, now);
    let reportPlease: string | undefined;
    if (needsReport(node, now.monoMs)) {
      reportPlease = this.#prng.hex(12);
      node.report = { request: reportPlease, askedMonoMs: now.monoMs, pages: new Map() };
    }
    this.#send(from, {
      k: "beat-ok",
      conductor: this.boot,
      node: node.id,
      beat: beat.beat,
      everyMs: beatEveryMs(this.fleet.size),
      ...(reportPlease === undefined ? {} : { reportPlease }),
    });
  }

  #wishes({ node: id, boot, wishes }: Mesh<"wishes">, now: Instant): void {
    if (this.fleet.get(id)?.beat?.boot === boot) this.autoscale.take(id, wishes, now.monoMs);
  }

  /** A node is there (again): whatever waited for room or for it is looked at again. */
  #welcome(node: FleetNode, was: FleetNode["state"], now: Instant): void {
    if (was === "dead") {
      this.record(now, { kind: "node-back", node: node.name, text: `${node.name} is back` });
    }
    for (const name of [...this.unplaced.keys(), ...this.waiting.keys()]) this.#dirty.add(name);
    if (this.#rebalances && was !== "ready") this.#balanceMonoMs = now.monoMs + REBALANCE_REST_MS;
    this.#dirtyOn(node);
    for (const status of node.statuses.values()) {
      // What was moved while the node was away must not run twice.
      if (placementOf(this.state, status.replica)?.node !== node.id) {
        this.#stopStranger(node, status, now);
      }
    }
    if (!this.settling) { for (const name of this.state.apps.keys()) this.#dirty.add(name); }
  }

  #dirtyOn(node: FleetNode): void {
    const apps = new Set<string>();
    for (const replica of this.state.byNode.get(node.id) ?? []) {
      apps.add(this.state.replicas.get(replica) ?? "");
    }
    apps.delete("");
    for (const name of apps) this.#dirty.add(name);
    if (apps.size > 0) this.#emit({ do: "changed", apps: [...apps] });
  }

  #status(message: Mesh<"status">, from: Address, now: Instant): void {
    const { status } = message;
    const node = this.fleet.get(message.node);
    if (node?.beat?.boot !== message.boot) return;
    this.#send(from, {
      k: "status-ok",
      node: node.id,
      replica: status.replica,
      version: status.version,
    });
    // The last word of a replica that nobody wants any more: the node drops it at our answer.
    if (status.state === "finished" && !placementOf(this.state, status.replica)) {
      dropStatus(node, status.replica);
      this.#orders.drop(status.replica);
      return;
    }
    const taken = takeStatus(node, message.boot, status);
    if (taken) this.#noteStatus(node, status, taken.before, now);
  }

  #report(message: Mesh<"report">, now: Instant): void {
    const node = this.fleet.get(message.node);
    if (!node) return;
    const before = new Map(node.statuses);
    const taken = takeReport(node, message);
    if (!taken) return;
    for (const status of taken.changed) {
      this.#noteStatus(node, status, before.get(status.replica), now);
    }
    for (const { app, replica } of taken.removed) this.#readySince.delete(app, replica);
    this.#dirtyOn(node);
    for (const replica of this.state.byNode.get(node.id) ?? []) {
      if (node.statuses.has(replica) || this.#orders.get(replica)) continue;
      const leaving = placementOf(this.state, replica)?.leaving ?? true;
      this.#orders.want(leaving ? "stop" : "run", replica, node.id, now.monoMs);
    }
  }

  /** A replica's status is news. */
  #noteStatus(
    node: FleetNode,
    status: ReplicaStatus,
    before: ReplicaStatus | undefined,
    now: Instant,
  ): void {
    const { replica } = status;
    if (status.state === "ready") this.#readySince.add(status.app, replica, now.monoMs);
    else this.#readySince.delete(status.app, replica);
    const placement = placementOf(this.state, replica);
    if (!placement || placement.node !== node.id) return this.#stopStranger(node, status, now);
    this.#accepted(replica);
    if (status.generation === placement.generation) this.#orders.done("run", replica);
    else if (!placement.leaving) this.#orders.want("run", replica, node.id, now.monoMs);
    if (placement.leaving && status.state !== "finished") {
      this.#orders.want("stop", replica, node.id, now.monoMs);
    }
    this.#dirty.add(placement.app);
    for (const app of this.#needersOf(placement.app)) this.#dirty.add(app);
    this.#emit({ do: "changed", apps: [placement.app] });
    for (const event of describeChange(node.name, before, status)) this.record(now, event);
  }

  /**
   * The node runs what the log no longer wants there. An app that the log has never heard of is left
   * alone: a conductor with an empty store must not stop the work of a whole cluster.
   */
  #stopStranger(node: FleetNode, status: ReplicaStatus, now: Instant): void {
    const app = this.state.apps.get(status.app);
    if (!app || status.generation > (app.generations.at(-1)?.generation ?? 0)) return;
    this.#orders.want("stop", status.replica, node.id, now.monoMs);
  }

  #answered(message: Mesh<"run-ok" | "run-refused" | "stop-ok">, now: Instant): void {
    const { replica } = message;
    const node = this.fleet.get(message.node);
    const placement = placementOf(this.state, replica);
    if (node?.beat?.boot !== message.boot) return;
    if (message.k === "stop-ok") {
      this.#orders.done("stop", replica);
      if (placement?.leaving) this.#answeredStops.set(replica, now.monoMs);
      return;
    }
    if (message.k === "run-ok") {
      this.#accepted(replica);
      return this.#orders.done("run", replica);
    }
    const order = this.#orders.get(replica);
    if (order?.kind !== "run") return;
    order.waitMs = RETRY_MAX_MS;
    if (placement) this.#noteRefusal(placement, now);
    if (!placement || this.refused.get(replica) === message.reason) return;
    this.refused.set(replica, message.reason);
    this.#emit({ do: "changed", apps: [placement.app] });
    this.record(now, {
      kind: "replica-refused",
      app: placement.app,
      node: node.name,
      replica,
      text: `${node.name} will not run ${replica}: ${message.reason}`,
    });
  }

  /** For how long a node has refused is known to the rollout, which does not wait for ever. */
  #noteRefusal({ replica, app }: Placement, now: Instant): void {
    if (!this.#refusedSince.has(replica)) this.#refusedSince.set(replica, now.monoMs);
    this.#dirty.add(app);
  }

  #accepted(replica: string): void {
    this.refused.delete(replica);
    this.#refusedSince.delete(replica);
  }

  #sendOrders(now: Instant): void {
    for (const order of this.#orders.takeDue(now.monoMs)) {
      const node = this.fleet.get(order.node);
      const to = node?.address;
      if (!to) continue;
      if (order.kind === "stop") {
        this.#send(to, { k: "stop", node: order.node, replica: order.replica });
        // A dead node that is back reports what it still has, and is told anew.
        const isMoot = !this.state.replicas.has(order.replica) && node.state === "dead";
        if (isMoot) this.#orders.drop(order.replica);
        continue;
      }
      const placement = placementOf(this.state, order.replica);
      if (!placement) {
        this.#orders.drop(order.replica);
        continue;
      }
      const { replica, app, generation, sequence, index, part } = placement;
      const sources = this.#sourcesOf(placement);
      this.#send(to, {
        k: "run",
        node: order.node,
        replica,
        app,
        generation,
        sequence,
        index,
        ...(part === undefined ? {} : { part }),
        ...(sources.length === 0 ? {} : { sources }),
      });
    }
  }

  #askPrepared(now: Instant): void {
    for (const { app, generation, sequence, node } of this.#preparing.takeDue(now.monoMs)) {
      const to = this.fleet.get(node)?.address;
      if (!to || !this.state.apps.has(app)) continue;
      const sources = this.#sourcesOf({ app, generation, node });
      const order = { k: "prepare", node, app, generation, sequence } as const;
      this.#send(to, { ...order, ...(sources.length === 0 ? {} : { sources }) });
    }
  }

  /** Other nodes that have what this replica runs from. */
  #sourcesOf(
    { app, generation, node }: Pick<Placement, "app" | "generation" | "node">,
  ): readonly string[] {
    const sha256 = generationOf(this.state.apps.get(app)!, generation)?.spec.artifact?.sha256;
    return sha256 === undefined ? [] : holdersOf(this, sha256, node);
  }

  #tick(now: Instant): void {
    const lateMs = now.monoMs - this.#lastTickMonoMs - CONDUCTOR_TICK_MS;
    this.#lastTickMonoMs = now.monoMs;
    this.#lookForDead(lateMs, now);
    for (const { name, heardMonoMs } of this.v1Nodes.takeDead(now.monoMs)) {
      const text = `${name} is dead: silent for ${Math.round(now.monoMs - heardMonoMs)} ms`;
      this.record(now, { kind: "node-dead", node: name, text });
    }
    for (const [name, dueMonoMs] of this.#again) {
      if (now.monoMs < dueMonoMs) continue;
      this.#again.delete(name);
      this.#dirty.add(name);
    }
    for (const replica of this.#answeredStops.keys()) {
      this.#dirty.add(this.state.replicas.get(replica) ?? "");
    }
    this.autoscale.look(this.#scaleWorld(), now);
    this.#desk.forget(now);
  }

  #scaleWorld(): ScaleWorld {
    return {
      apps: this.state.apps.values(),
      requests: this.traffic,
      beatMs: beatEveryMs(this.fleet.size),
      readyOf: (app) => this.#servingOf(app.name).length,
      isSteady: (app) =>
        (app.rollout === undefined || app.rollout.phase === "done") &&
        ![...app.placements.values()].some((each) => isOutdated(app, each)),
    };
  }

  #lookForDead(lateMs: number, now: Instant): void {
    const found = this.suspicion.look(this.fleet, lateMs, now.monoMs);
    for (const { to, message } of found.sends) this.#send(to, message);
    // Nothing new is placed there until it is known how it is.
    for (const node of found.suspected) this.ledger.describe(node.id, { alive: false });
    for (const node of found.dead) {
      this.#lost.add(node.id);
      this.#died(node, "dead", `is dead: silent for ${silentMs(node, now)} ms`, now);
    }
    for (const node of found.unreachable) {
      const text = `is given up: others see it, it has been silent here for ${
        silentMs(node, now)
      } ms`;
      this.#died(node, "dead", text, now);
    }
    for (const node of found.silent) {
      this.#died(node, "silent", "is not heard, and neither is any other node", now);
    }
    if (found.dead.length > 0) this.#emit({ do: "lost", nodes: [...this.#lost] });
  }

  #died(node: FleetNode, how: "dead" | "silent", what: string, now: Instant): void {
    this.ledger.describe(node.id, { alive: false });
    this.record(now, { kind: `node-${how}`, node: node.name, text: `${node.name} ${what}` });
    this.#dirtyOn(node);
    if (!this.settling) { for (const name of this.state.apps.keys()) this.#dirty.add(name); }
  }

  /** A suspect is no suspect any more: it beats, or has answered a probe. */
  #notLost(node: FleetNode): void {
    if (this.suspicion.heard(node.id)) {
      this.ledger.describe(node.id, { alive: true });
      for (const name of this.unplaced.keys()) this.#dirty.add(name);
    }
    if (this.#lost.delete(node.id)) this.#emit({ do: "lost", nodes: [...this.#lost] });
  }

  /** A sign of life that is no beat. One of the boot that beats counts as much. */
  #heardOf(node: FleetNode | undefined, boot: string, now: Instant): void {
    if (node?.beat?.boot !== boot || node.state !== "ready") return;
    node.heardMonoMs = now.monoMs;
    node.countedMonoMs = now.monoMs;
    this.#notLost(node);
  }

  // ---- What is seen -------------------------------------------------------------------------------

  isPresent(node: string): boolean {
    const state = this.fleet.get(node)?.state;
    return state !== undefined && state !== "dead";
  }

  /** How many replicas the app wants now. */
  wantedOf(app: App): number {
    const wanted = wantedOf(app);
    const isSystem = currentOf(app).spec.type === "system";
    return isSystem && wanted > 0 ? systemSeats(app, this).length : wanted;
  }

  /** The app's replicas as they are seen now. */
  sightsOf(app: App, now: Instant): Sight[] {
    const ready = this.#readySince.of(app.name);
    // Both are empty nearly always, and this is where most of the time goes.
    const stops = this.#answeredStops.size > 0 ? this.#answeredStops : null;
    const refused = this.refused.size > 0 ? this.refused : null;
    const sights: Sight[] = [];
    for (const placement of app.placements.values()) {
      const { replica } = placement;
      const node = this.fleet.get(placement.node);
      const status = node?.statuses.get(replica);
      const readySince = ready.get(replica);
      const answeredMs = stops?.get(replica);
      const reason = refused?.get(replica);
      const sight: Sight = {
        placement,
        status,
        node: node?.state ?? "unknown",
        nodeName: node?.name ?? placement.node,
        absent: answeredMs !== undefined && !status && node !== undefined &&
          node.mismatchMonoMs === null && node.heardMonoMs > answeredMs,
        reported: !!node?.beat && node.mismatchMonoMs !== -Infinity,
        readyForMs: readySince === undefined ? 0 : Math.max(1, now.monoMs - readySince),
      };
      if (reason === undefined) sights.push(sight);
      else {
        const forMs = now.monoMs - (this.#refusedSince.get(replica) ?? now.monoMs);
        sights.push({ ...sight, refusal: { reason, forMs } });
      }
    }
    return sights;
  }

  #missingNeeds(app: App): string[] {
    return app.down ? [] : currentOf(app).spec.needs.filter((need) => !this.#isServing(need));
  }

  #isServing(name: string): boolean {
    return this.#servingOf(name).length > 0;
  }

  /** Its replicas that are ready, and stay. */
  #servingOf(name: string): Placement[] {
    const app = this.state.apps.get(name);
    if (!app) return [];
    const serving: Placement[] = [];
    for (const replica of this.#readySince.of(name).keys()) {
      const placement = app.placements.get(replica);
      if (!placement || placement.leaving) continue;
      if (this.fleet.get(placement.node)?.state === "ready") serving.push(placement);
    }
    return serving;
  }

  #publish(): void {
    if (!this.#commanded) return;
    this.#commanded = false;
    const routes: Route[] = routesOf(this.state);
    const text = JSON.stringify(routes);
    if (text === this.#published) return;
    this.#published = text;
    this.#emit({ do: "publish", routes });
  }

  /** App -> the apps that need it. */
  #needersOf(name: string): readonly string[] {
    if (!this.#needers) {
      this.#needers = new Map();
      for (const app of this.state.apps.values()) {
        for (const need of currentOf(app).spec.needs) {
          this.#needers.set(need, [...this.#needers.get(need) ?? [], app.name]);
        }
      }
    }
    return this.#needers.get(name) ?? [];
  }
}

function silentMs(node: FleetNode, now: Instant): number {
  return Math.round(now.monoMs - node.heardMonoMs);
}

function rootsBody(roots: readonly Root[]): EntryBody {
  return {
    kind: "roots",
    roots: roots.map(({ key, publicKey }) => [key, publicKey.toBase64()]),
  };
}

function setOrDelete<V>(map: Map<string, readonly V[]>, key: string, value: readonly V[]): void {
  if (value.length > 0) map.set(key, value);
  else map.delete(key);
}
