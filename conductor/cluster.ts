/**
 * What the conductor knows of its cluster, and the effects that one step gathers: shared by all
 * rooms of its machine. Only the state is durable; the rest comes back from the nodes.
 */

import type { Address } from "../core/address.ts";
import type { Instant } from "../core/instant.ts";
import { encodeMesh, type MeshMessage } from "../core/mesh.ts";
import type { Prng } from "../core/prng.ts";
import type { EventView } from "../core/view.ts";
import { Autoscale } from "./autoscale.ts";
import type { ConductorEffect } from "./effects.ts";
import { addNode, type Fleet, type FleetNode } from "./fleet/fleet.ts";
import { Ledger } from "./placement/ledger.ts";
import { Needs } from "./needs.ts";
import { barText } from "./fleet/node_verbs.ts";
import { Orders } from "./orders.ts";
import { Preparing } from "./placement/preparing.ts";
import { ReadySince } from "./rollouts/ready_since.ts";
import { RouteTable } from "./routes.ts";
import type { StandIns } from "./placement/stand_ins.ts";
import { currentOf, type State } from "./state.ts";
import { Reign } from "./leading/reign.ts";
import { RouteTraffic } from "./telemetry/route_traffic.ts";
import { Traffic } from "./telemetry/traffic.ts";
import { V1Nodes } from "./fleet/v1_nodes.ts";

export class Cluster {
  readonly fleet: Fleet = new Map();
  readonly v1Nodes = new V1Nodes();
  readonly ledger = new Ledger();
  readonly orders = new Orders();
  /** Which nodes can run a new generation, before anything is stopped for it. */
  readonly preparing = new Preparing();
  /** The requests of the apps, as the ingresses see them. */
  readonly traffic = new Traffic();
  /** The same by route, for people. */
  readonly routeTraffic = new RouteTraffic();
  readonly autoscale: Autoscale;
  /** App -> why some of its replicas have no place. */
  readonly unplaced = new Map<string, readonly string[]>();
  /** App -> what it waits for. */
  readonly waiting = new Map<string, readonly string[]>();
  /** Replica -> why its node will not run it. */
  readonly refused = new Map<string, string>();
  /** Replica -> since when its node has refused it. */
  readonly refusedSince = new Map<string, number>();
  /** Since when each replica has been ready. */
  readonly readySince = new ReadySince();
  readonly standIns: StandIns = new Map();
  /** Why the log could not be written the last time that it was to be; `null` where it could. */
  storeFault: { readonly reason: string; readonly monoMs: number } | null = null;
  /** Leaving replicas whose stop the node has answered -> when. */
  readonly answeredStops = new Map<string, number>();
  /** Apps that may have changed: they are to be compared again. */
  readonly dirty = new Set<string>();
  /** Nodes of the log that had not been heard when somebody last asked. */
  readonly #unheard: Set<string>;
  #isSettled = false;
  readonly needs: Needs;
  readonly routes: RouteTable;
  /** The effects of the step under way. */
  out: ConductorEffect[] = [];

  /**
   * @param state what the log says
   * @param boot names this start of the conductor
   * @param reign whether it may decide and order
   */
  constructor(
    readonly state: State,
    readonly boot: string,
    readonly prng: Prng,
    now: Instant,
    readonly reign = new Reign(true, state.term?.term ?? 0),
  ) {
    this.autoscale = new Autoscale(now.monoMs);
    this.#unheard = new Set(state.nodes.keys());
    this.needs = new Needs(state.apps.values());
    this.routes = new RouteTable(state.apps.values());
    for (const [id, name] of state.nodes) {
      addNode(this.fleet, id, name, now.monoMs);
      this.ledger.describe(id, { name, bar: barText(state.bars.get(id)) });
    }
  }

  emit(...effects: ConductorEffect[]): void {
    for (const effect of effects) this.out.push(effect);
  }

  send(to: Address, message: MeshMessage): void {
    this.emit({ do: "send", to, text: encodeMesh(message) });
  }

  /** Emits an event for the history. */
  record(now: Instant, event: Omit<EventView, "sequence" | "wallMs">): void {
    this.emit({ do: "event", event: { wallMs: now.wallMs, ...event } });
  }

  /** Says whether orders may be given now. */
  mayOrder(now: Instant): boolean {
    return this.reign.mayOrder(this.state.term?.term ?? 0, now.monoMs);
  }

  /** True while some node of the log has not been heard since the start: placing waits for it. */
  get settling(): boolean {
    for (const id of this.#unheard) {
      if (this.fleet.get(id)?.state === "unknown") return true;
      // Who was heard, or given up, is never unknown again; nor are nodes that join by a beat.
      this.#unheard.delete(id);
    }
    return false;
  }

  isPresent(node: string): boolean {
    const state = this.fleet.get(node)?.state;
    return state !== undefined && state !== "dead";
  }

  /**
   * The node came or went: what is placed on it is to be looked at again, and who needs that, and
   * apps that run on every node.
   */
  touchNode(node: FleetNode): void {
    const apps = new Set<string>();
    for (const replica of this.state.byNode.get(node.id) ?? []) {
      apps.add(this.state.replicas.get(replica) ?? "");
    }
    apps.delete("");
    for (const name of apps) {
      this.dirty.add(name);
      for (const needer of this.needs.needersOf(name)) this.dirty.add(needer);
    }
    if (apps.size > 0) this.emit({ do: "changed", apps: [...apps] });
    if (this.settling) return;
    for (const app of this.state.apps.values()) {
      if (currentOf(app).spec.type === "system") this.dirty.add(app.name);
    }
  }

  /** When the last node of the log was heard, or given up, every app is looked at again. */
  settle(): void {
    if (this.#isSettled || this.settling) return;
    this.#isSettled = true;
    for (const name of this.state.apps.keys()) this.dirty.add(name);
  }

  /** The node takes the replica after all, or it is no longer asked to. */
  accepted(replica: string): void {
    this.refused.delete(replica);
    this.refusedSince.delete(replica);
  }
}
