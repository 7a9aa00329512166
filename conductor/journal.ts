/**
 * What goes into the log next, and what follows when it is durable. One append is under way at a
 * time, so an entry is always made from the state that it follows.
 */

import type { Instant } from "../core/instant.ts";
import { SNAPSHOT_ENTRIES, SNAPSHOT_REPLICAS } from "../core/limits.ts";
import { type Entry, type EntryBody, nextEntry } from "../core/log.ts";
import { type Root, rootName } from "../core/roster.ts";
import { leadsText } from "./trust/audit.ts";
import type { Cluster } from "./cluster.ts";
import type { Decider } from "./decider.ts";
import type { CommandDesk } from "./desk.ts";
import type { ConductorEffect } from "./effects.ts";
import { eventOfTurn } from "./events.ts";
import type { ConductorOptions } from "./machine.ts";
import { Joins } from "./trust/joins.ts";
import { barText } from "./fleet/node_verbs.ts";
import { book, settleDecision } from "./settle.ts";
import { applyEntry, chainAfter } from "./apply.ts";
import { saveState } from "./snapshot.ts";
import { type Placement, placementOf } from "./state.ts";
import { Visits } from "./trust/visits.ts";

/** For machines that never lead one of several. */
const NOBODY = { name: "conductor", identity: "" };

export class Journal {
  readonly joins: Joins;
  readonly visits = new Visits();
  readonly #cluster: Cluster;
  readonly #desk: CommandDesk;
  readonly #decider: Decider;
  /** Operators' keys of the command line that the log does not name yet. */
  #roots: readonly Root[];
  /** Node -> the name under which it is to be entered. */
  readonly #joining = new Map<string, string>();
  /** Node -> its key for secrets, to be entered. */
  readonly #nodeKeys = new Map<string, string>();
  /** How the log is to name this conductor. */
  readonly #self: NonNullable<ConductorOptions["self"]>;
  #barred: ReadonlySet<string>;
  #inFlight = false;
  #brokenUntilMonoMs = 0;
  #lastSnapshot: number;

  constructor(
    cluster: Cluster,
    desk: CommandDesk,
    decider: Decider,
    { roots = [], self = NOBODY }: Pick<ConductorOptions, "roots" | "self">,
  ) {
    const { state } = cluster;
    this.#self = self;
    this.#cluster = cluster;
    this.#desk = desk;
    this.#decider = decider;
    this.joins = new Joins(state);
    this.#roots = roots.filter(({ key }) => !state.roots.has(key));
    this.#barred = new Set(state.bars.keys());
    this.#lastSnapshot = state.head.sequence;
    for (const app of state.apps.values()) {
      cluster.dirty.add(app.name);
      for (const placement of app.placements.values()) book(cluster, app, placement);
    }
  }

  /** Starts the next append, if none is under way and something wants one. */
  pump(now: Instant): void {
    const { reign } = this.#cluster;
    if (this.#inFlight || !reign.holds(now.monoMs) || now.monoMs < this.#brokenUntilMonoMs) return;
    const body = this.#nextBody(now, this.#cluster.out);
    if (!body) return;
    this.#inFlight = true;
    const { head } = this.#cluster.state;
    const entry = nextEntry(head, now.wallMs, this.#chained(body));
    this.#cluster.emit({ do: "append", entry });
  }

  /** When the next app may be compared and its decision appended; `Infinity` if not known. */
  nextDueMonoMs(now: Instant): number {
    return this.#inFlight || !this.#cluster.reign.holds(now.monoMs)
      ? Infinity
      : Math.max(this.#decider.restedMonoMs(), this.#brokenUntilMonoMs);
  }

  /** The node is to be entered under this name. */
  enterNode(node: string, name: string): void {
    this.#joining.set(node, name);
  }

  /** The node's key is to be entered, if it has joined: strangers must not make the log grow. */
  enterNodeKey(node: string, publicKey: string): void {
    const { nodes, nodeKeys } = this.#cluster.state;
    if (nodes.has(node) && !nodeKeys.has(node)) this.#nodeKeys.set(node, publicKey);
  }

  /** A command's entry says where it stands in the chain of commands. */
  #chained(body: EntryBody): EntryBody {
    const { state } = this.#cluster;
    // The first entry names the log, so its own link cannot be known before it is made.
    if (body.kind !== "command" || state.head.sequence === 0) return body;
    return { ...body, chain: chainAfter(state, state.head.sequence + 1, body).hash };
  }

  #nextBody(now: Instant, out: ConductorEffect[]): EntryBody | null {
    const { reign, state } = this.#cluster;
    if (reign.term > (state.term?.term ?? 0)) {
      return { kind: "term", term: reign.term, ...this.#self };
    }
    if (this.#roots.length > 0) return rootsBody(this.#roots);
    const join = this.joins.nextBody(now, out);
    if (join) return join;
    const command = this.#desk.nextBody(now, out);
    if (command) return command;
    for (const [node, name] of this.#joining) return { kind: "node", node, name };
    const visit = this.visits.nextBody();
    if (visit) return visit;
    const balance = this.#decider.balance(now);
    if (balance) return balance;
    for (const [node, publicKey] of this.#nodeKeys) return { kind: "node-key", node, publicKey };
    const scale = this.#cluster.autoscale.takeDue(this.#cluster.state, now.monoMs);
    if (scale) return scale;
    if (this.#cluster.dirty.size === 0) return null;
    return this.#decider.decide(now);
  }

  /** The entry is durable: only now does it change the state, and is answered. */
  appended(entry: Entry, now: Instant): void {
    const cluster = this.#cluster;
    const { body } = entry;
    this.#inFlight = false;
    cluster.storeFault = null;
    const before = this.#leavingIn(body);
    if (body.kind === "node") this.#noteNode(body, now);
    const touched = applyEntry(cluster.state, entry);
    this.#settle(body, before, now);
    for (const name of touched) cluster.dirty.add(name);
    if (touched.length > 0) cluster.emit({ do: "changed", apps: touched });
    if (mayReroute(body)) {
      for (const name of touched) {
        const app = cluster.state.apps.get(name)!;
        cluster.routes.note(app);
        cluster.needs.note(app);
      }
    }
    if (body.kind === "command") {
      this.#setBars();
      cluster.emit(...this.#desk.committed(body, now));
    } else if (body.kind === "join") {
      cluster.emit(...this.joins.committed(body, now));
    } else if (body.kind === "sign-in") {
      cluster.emit(...this.visits.committed());
      cluster.record(now, { kind: "sign-in", text: body.audit });
    } else if (body.kind === "refused") {
      cluster.emit(...this.#desk.committed(body, now));
    }
    if (!cluster.reign.holds(now.monoMs)) return;
    // A snapshot costs as much as the state is large: a large one is kept the less often.
    const enough = Math.max(SNAPSHOT_ENTRIES, cluster.state.replicas.size / SNAPSHOT_REPLICAS);
    if (entry.sequence - this.#lastSnapshot >= enough) {
      this.#lastSnapshot = entry.sequence;
      cluster.emit({ do: "snapshot", state: saveState(cluster.state) });
    }
  }

  /** Nothing of the entry is in the log: whoever waits is told, and a second later it is tried anew. */
  failed(error: string, now: Instant): void {
    const cluster = this.#cluster;
    this.#inFlight = false;
    this.#brokenUntilMonoMs = now.monoMs + 1_000;
    cluster.storeFault = { reason: error, monoMs: now.monoMs };
    cluster.emit(...[this.#desk, this.joins, this.visits].flatMap((each) => each.failed(error)));
    for (const app of cluster.state.apps.keys()) cluster.dirty.add(app);
    cluster.record(now, { kind: "store-failed", text: `the log cannot be written: ${error}` });
  }

  /** What another has appended. */
  followed(entry: Entry, now: Instant): void {
    if (entry.sequence === this.#cluster.state.head.sequence + 1) this.appended(entry, now);
  }

  /**
   * This conductor does not lead any more. Whether the entry under way is in the log is found out by
   * following it; whoever waits is told nothing, and asks whoever leads.
   */
  standBy(): void {
    this.#inFlight = false;
    this.#cluster.storeFault = null;
    this.#cluster.emit(...this.#desk.abandon(), ...this.joins.abandon());
  }

  /** It leads: that the log could not be written before counts for nothing. */
  lead(): void {
    this.#brokenUntilMonoMs = 0;
  }

  /** A node has joined, or is called differently. */
  #noteNode({ node, name }: { readonly node: string; readonly name: string }, now: Instant): void {
    if (this.#joining.get(node) === name) this.#joining.delete(node);
    const before = this.#cluster.state.nodes.get(node);
    if (before === undefined) {
      this.#cluster.record(now, { kind: "node-joined", node: name, text: `${name} joined` });
    } else {
      const text = `${before} is called ${name} now`;
      this.#cluster.record(now, { kind: "node-renamed", node: name, text });
    }
  }

  /** Operators may have said what is placed where. */
  #setBars(): void {
    const { state, ledger } = this.#cluster;
    const barred = new Set([...this.#barred, ...state.bars.keys()]);
    for (const node of barred) ledger.describe(node, { bar: barText(state.bars.get(node)) });
    this.#barred = new Set(state.bars.keys());
  }

  /** The placements that a decision ends, as they are before it. */
  #leavingIn(body: EntryBody): Map<string, Placement> {
    if (body.kind !== "decision") return new Map();
    return new Map([...body.leave, ...body.gone].flatMap((replica) => {
      const placement = placementOf(this.#cluster.state, replica);
      return placement ? [[replica, placement] as const] : [];
    }));
  }

  /** What follows from an entry that is durable now: bookings, orders, history. */
  #settle(body: EntryBody, before: ReadonlyMap<string, Placement>, now: Instant): void {
    if (body.kind === "term") {
      this.#cluster.record(now, { kind: "term", text: leadsText(body) });
    }
    if (body.kind === "node-key") this.#nodeKeys.delete(body.node);
    if (body.kind === "roots") {
      this.#roots = [];
      const names = body.roots.map(([key]) => rootName(key)).join(", ");
      this.#cluster.record(now, { kind: "roots", text: `admin by --pubkey: ${names}` });
    }
    if (body.kind === "rollout") this.#cluster.record(now, eventOfTurn(body));
    if (body.kind === "decision") settleDecision(this.#cluster, body, before, now);
  }
}

/** Says whether the apps that the entry touches may have other routes and needs now. */
function mayReroute(body: EntryBody): boolean {
  // What a failed rollout leaves behind has routes of its own until it is gone.
  const hasGone = body.kind === "decision" && body.gone.length > 0;
  return hasGone || body.kind === "command" || body.kind === "rollout";
}

function rootsBody(roots: readonly Root[]): EntryBody {
  return {
    kind: "roots",
    roots: roots.map(({ key, publicKey }) => [key, publicKey.toBase64()]),
  };
}
