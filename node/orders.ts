// The orders that a node gets: what is to run, what is to end, and whether who orders it leads.

import type { Address } from "../core/address.ts";
import type { Mesh } from "../core/mesh.ts";
import type { ConductorLink } from "./conductor_link.ts";
import type { Life, Stage } from "./life.ts";
import type { News } from "./news.ts";
import type { Outbox } from "./outbox.ts";
import type { RecordDesk } from "./record_desk.ts";
import { freshReplica, type Replica, savedOf } from "./replica.ts";
import { type Sleepers, standInId } from "./sleepers.ts";
import type { Tombstones } from "./tombstones.ts";

/** What orders need of their node. */
export interface OrdersParts {
  readonly stage: Stage;
  readonly life: Life;
  readonly conductor: ConductorLink;
  readonly records: RecordDesk;
  readonly outbox: Outbox;
  readonly news: News;
  readonly replicas: Map<string, Replica>;
  readonly tombstones: Tombstones;
  readonly sleepers: Sleepers;
}

export class Orders {
  #disobeyed = 0;
  #stopping = false;

  constructor(private readonly parts: OrdersParts) {}

  /** How many were not obeyed, since who gave them did not lead any more. */
  get disobeyed(): number {
    return this.#disobeyed;
  }

  /** Says whether the node is ending. */
  get stopping(): boolean {
    return this.#stopping;
  }

  /** Says whether an order comes from who leads now. An old one is told of, and not answered. */
  obeys({ k, replica, reign }: Mesh<"run"> | Mesh<"stop">): boolean {
    const { conductor, stage } = this.parts;
    const why = conductor.allegiance.whyNot(reign, stage.now.monoMs);
    if (why === null) return true;
    this.#disobeyed++;
    const text = `the order to ${k} ${replica} is not obeyed: ${why}`;
    stage.emit({ do: "log", level: "warning", text });
    // Was it one of who leads, counted from a beat too old, the next beat mends that.
    conductor.hurry(stage.now.monoMs);
    return false;
  }

  /** It is to run here, or goes on by another record. */
  run(order: Mesh<"run">, from: Address): void {
    const { conductor, outbox, records, replicas, stage } = this.parts;
    const known = replicas.get(order.replica);
    const refusal = this.#refusalOf(order, known);
    if (refusal !== null) return outbox.answer(from, "run-refused", order.replica, refusal);
    outbox.answer(from, "run-ok", order.replica);
    if (known) {
      // Whoever still asks for what has finished has not heard that it has.
      if (known.state.at === "finished") conductor.tell(known.id, stage.now.monoMs);
      else if (known.sequence !== order.sequence) {
        known.next = { generation: order.generation, sequence: order.sequence };
        records.seek(known);
      }
      return;
    }
    this.parts.sleepers.take(order.app);
    this.#begin(order);
  }

  #begin(order: Mesh<"run">, more: Pick<Replica, "standIn"> = {}): void {
    const { records, replicas, stage } = this.parts;
    const { replica: id, app, generation, sequence, index, part } = order;
    const replica = freshReplica(
      { id, app, generation, sequence, index, ...(part === undefined ? {} : { part }), ...more },
      stage.now.wallMs,
    );
    replica.sources = order.sources ?? [];
    replicas.set(id, replica);
    replica.reason = `waits for record ${sequence} of the conductor's log`;
    stage.touch(replica);
    records.seek(replica);
  }

  /** A request waits for an app that fell asleep here: it is started where no conductor leads. */
  wake({ node, app }: Mesh<"wake-app">): void {
    const { conductor, replicas, sleepers, stage } = this.parts;
    const { monoMs, wallMs } = stage.now;
    if (this.#stopping || conductor.isLed(monoMs)) return;
    const sleeper = sleepers.take(app);
    if (!sleeper) return;
    const replica = standInId(app, node, wallMs);
    const { generation, sequence, index } = sleeper;
    const order: Mesh<"run"> = { k: "run", node, replica, app, generation, sequence, index };
    const refusal = replicas.has(replica) ? "its id is taken" : this.#refusalOf(order, undefined);
    const text = refusal === null
      ? `a request waits for ${app} and no conductor leads: ${replica} stands in`
      : `${app} is not woken, though no conductor leads: ${refusal}`;
    stage.emit({ do: "log", level: refusal === null ? "info" : "warning", text });
    if (refusal === null) this.#begin(order, { standIn: true });
  }

  /** Why an order to run cannot be taken; `null` where it can. */
  #refusalOf(order: Mesh<"run">, known: Replica | undefined): string | null {
    const { records, tombstones } = this.parts;
    if (this.#stopping) return "this node is stopping";
    if (tombstones.has(order.replica)) return `${order.replica} has been stopped here for good`;
    if (known) return known.stopOrdered ? `${order.replica} is being stopped here` : null;
    return records.refusalOf(order);
  }

  /** It is to end for good. */
  stop({ replica: id, asleep }: Mesh<"stop">, from: Address): void {
    const { life, outbox, replicas, sleepers, stage, tombstones } = this.parts;
    const replica = replicas.get(id);
    outbox.answer(from, "stop-ok", id);
    if (replica) {
      if (asleep && !replica.stopOrdered) sleepers.note(replica);
      const hadFinished = replica.state.at === "finished";
      replica.stopOrdered = true;
      stage.touch(replica);
      life.stop(replica, true);
      // Its last word may have been acknowledged before this order: then it is dropped here.
      if (hadFinished && replica.acked >= replica.version) this.drop(replica);
    } else if (!tombstones.has(id)) {
      tombstones.add(id, stage.now.wallMs);
      stage.emit({ do: "tombstone", replica: id, wallMs: stage.now.wallMs });
    }
  }

  /** The conductor has heard the replica's status up to this version. */
  acknowledged({ replica: id, version }: Mesh<"status-ok">): void {
    const { conductor, replicas } = this.parts;
    const replica = replicas.get(id);
    if (!replica || version < replica.version) return;
    replica.acked = version;
    conductor.told(id);
    if (replica.state.at === "finished" && replica.stopOrdered) this.drop(replica);
  }

  /** Nobody waits for it any more: only its id is remembered. */
  drop(replica: Replica): void {
    const { news, replicas, stage, tombstones } = this.parts;
    replica.dropped = true;
    stage.emit({ do: "save", saved: savedOf(replica) });
    replicas.delete(replica.id);
    news.forget(replica);
    tombstones.add(replica.id, stage.now.wallMs);
  }

  /** Everything is to end, since the node does. */
  stopAll(): void {
    const { life, replicas } = this.parts;
    this.#stopping = true;
    for (const replica of replicas.values()) life.stop(replica, false);
  }
}
