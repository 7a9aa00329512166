/** Which nodes are there: their beats, their silence, and what follows when one comes or is lost. */

import type { Address } from "../../core/address.ts";
import type { Instant } from "../../core/instant.ts";
import { CONDUCTOR_WARMUP_MS } from "../../core/limits.ts";
import type { Mesh } from "../../core/mesh.ts";
import { parseMeshV1 } from "../../core/wire.ts";
import type { Cluster } from "../cluster.ts";
import type { Decider } from "../decider.ts";
import { addNode, beatEveryMs, type FleetNode, needsReport, takeBeat } from "./fleet.ts";
import type { Journal } from "../journal.ts";
import { barText } from "./node_verbs.ts";
import { reconsider, stopStranger, wantWhatIsMissing } from "../replica_news.ts";
import { placementOf } from "../state.ts";
import { Suspicion } from "./suspicion.ts";
import { ONLY_V1 } from "./v1_nodes.ts";

export class Presence {
  readonly suspicion: Suspicion;
  readonly #cluster: Cluster;
  readonly #journal: Journal;
  readonly #decider: Decider;
  readonly #rebalances: boolean;
  /** Dead nodes of which nobody has heard. */
  readonly #lost = new Set<string>();

  /** @param rebalances whether replicas move by themselves to nodes that come */
  constructor(
    cluster: Cluster,
    journal: Journal,
    decider: Decider,
    rebalances: boolean,
    now: Instant,
  ) {
    this.#cluster = cluster;
    this.#journal = journal;
    this.#decider = decider;
    this.#rebalances = rebalances;
    this.suspicion = new Suspicion(cluster.prng, now.monoMs + CONDUCTOR_WARMUP_MS);
  }

  beat(beat: Mesh<"beat">, from: Address, now: Instant): void {
    const { fleet, state, ledger, boot, prng, reign } = this.#cluster;
    let node = fleet.get(beat.node);
    if (!node) {
      node = addNode(fleet, beat.node, beat.name, now.monoMs);
      this.#cluster.v1Nodes.drop(beat.node);
    }
    const was = node.state;
    const bootBefore = node.beat?.boot;
    // A node's first beats may come before it has measured its memory.
    const grew = beat.ramTotalBytes > (node.beat?.ramTotalBytes ?? 0);
    if (!takeBeat(node, beat, from, now.monoMs)) return;
    node.clockOffMs = (beat.wallMs ?? now.wallMs) - now.wallMs;
    if (reign.holds(now.monoMs)) reign.heard(beat.term);
    // Operators name it as it is called now.
    if (state.nodes.get(node.id) !== beat.name) this.#journal.enterNode(node.id, beat.name);
    this.#notLost(node);
    ledger.describe(node.id, {
      name: beat.name,
      alive: true,
      bar: barText(state.bars.get(node.id)),
      ramTotalBytes: beat.ramTotalBytes,
      cores: beat.cores,
      gpu: beat.gpu,
      labels: beat.labels,
    });
    if (was !== "ready" || bootBefore !== beat.boot || grew) this.#welcome(node, was, now);
    let reportPlease: string | undefined;
    if (needsReport(node, now.monoMs)) {
      reportPlease = prng.hex(12);
      node.report = { request: reportPlease, askedMonoMs: now.monoMs, pages: new Map() };
    }
    this.#cluster.send(from, {
      k: "beat-ok",
      conductor: boot,
      node: node.id,
      beat: beat.beat,
      everyMs: beatEveryMs(fleet.size),
      ...(reportPlease === undefined ? {} : { reportPlease }),
      ...this.#standing(now),
    });
  }

  /** In which term this conductor leads, or that it does not. */
  #standing(now: Instant): Partial<Mesh<"beat-ok">> {
    const { reign } = this.#cluster;
    if (!this.#cluster.mayOrder(now)) return { standby: true };
    return reign.term === 0 ? {} : { term: reign.term };
  }

  /**
   * This conductor begins to lead. What it ordered before counts for nothing; what is to be ordered
   * follows from what the log says and the nodes have reported.
   */
  lead(now: Instant): void {
    const { fleet, state, orders, answeredStops, refused, refusedSince } = this.#cluster;
    orders.clear();
    answeredStops.clear();
    refused.clear();
    refusedSince.clear();
    for (const node of fleet.values()) {
      if (!node.beat) continue;
      reconsider(this.#cluster, node, now);
      for (const replica of state.byNode.get(node.id) ?? []) {
        if (!node.statuses.has(replica)) wantWhatIsMissing(this.#cluster, node, replica, now);
      }
    }
    this.#cluster.emit({ do: "lost", nodes: [...this.#lost] });
  }

  /** A node of the original: shown, never placed upon. An id of our own nodes stays theirs. */
  heartbeat(text: string, from: Address, now: Instant): void {
    const { fleet, state, ledger, v1Nodes } = this.#cluster;
    const beat = parseMeshV1(text);
    if ("error" in beat || beat.verb !== "HEARTBEAT" || state.nodes.has(beat.node)) return;
    if (fleet.has(beat.node)) return;
    const { came, forgotten } = v1Nodes.take(beat, from.hostname, now.monoMs);
    if (forgotten) ledger.drop(forgotten.id);
    if (!came) return;
    ledger.describe(came.id, { name: came.name, alive: true, bar: ONLY_V1 });
    const description =
      `${came.name} at ${came.host} beats, and ${ONLY_V1}: nothing is placed there`;
    this.#cluster.record(now, { kind: "node-v1", node: came.name, text: description });
  }

  /** A sign of life that is no beat. One of the boot that beats counts as much. */
  heardOf(id: string, boot: string, now: Instant): void {
    const node = this.#cluster.fleet.get(id);
    if (node?.beat?.boot !== boot || node.state !== "ready") return;
    node.heardMonoMs = now.monoMs;
    node.countedMonoMs = now.monoMs;
    this.#notLost(node);
  }

  /** A witness has answered, which is a sign of its own life, too. */
  witnessed(message: Mesh<"probe-result">, now: Instant): void {
    this.suspicion.answered(message, now.monoMs);
    this.heardOf(message.node, message.boot, now);
  }

  /**
   * Looks for nodes that are silent.
   *
   * @param lateMs how much later than asked for the conductor was woken
   */
  look(lateMs: number, now: Instant): void {
    const { fleet, ledger, v1Nodes, reign } = this.#cluster;
    const found = this.suspicion.look(fleet, lateMs, now.monoMs);
    for (const { to, message } of found.sends) this.#cluster.send(to, message);
    // Nothing new is placed there until it is known how it is.
    for (const node of found.suspected) ledger.describe(node.id, { alive: false });
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
    if (found.dead.length > 0 && reign.holds(now.monoMs)) {
      this.#cluster.emit({ do: "lost", nodes: [...this.#lost] });
    }
    for (const node of v1Nodes.takeDead(now.monoMs)) {
      const text = `${node.name} is dead: silent for ${silentMs(node, now)} ms`;
      this.#cluster.record(now, { kind: "node-dead", node: node.name, text });
    }
  }

  /** A node is there (again): whatever waited for room or for it is looked at again. */
  #welcome(node: FleetNode, was: FleetNode["state"], now: Instant): void {
    const { state, unplaced, waiting, dirty } = this.#cluster;
    if (was === "dead") {
      const text = `${node.name} is back`;
      this.#cluster.record(now, { kind: "node-back", node: node.name, text });
    }
    for (const name of [...unplaced.keys(), ...waiting.keys()]) dirty.add(name);
    if (this.#rebalances && was !== "ready") this.#decider.balanceLater(now);
    this.#cluster.touchNode(node);
    for (const status of node.statuses.values()) {
      // What was moved while the node was away must not run twice.
      if (placementOf(state, status.replica)?.node !== node.id) {
        stopStranger(this.#cluster, node, status, now);
      }
    }
  }

  #died(node: FleetNode, how: "dead" | "silent", what: string, now: Instant): void {
    this.#cluster.ledger.describe(node.id, { alive: false });
    const text = `${node.name} ${what}`;
    this.#cluster.record(now, { kind: `node-${how}`, node: node.name, text });
    this.#cluster.touchNode(node);
  }

  /** A suspect is no suspect any more: it beats, or has answered a probe. */
  #notLost(node: FleetNode): void {
    const { ledger, unplaced, dirty } = this.#cluster;
    if (this.suspicion.heard(node.id)) {
      ledger.describe(node.id, { alive: true });
      for (const name of unplaced.keys()) dirty.add(name);
    }
    if (this.#lost.delete(node.id)) this.#cluster.emit({ do: "lost", nodes: [...this.#lost] });
  }
}

function silentMs(node: { readonly heardMonoMs: number }, now: Instant): number {
  return Math.round(now.monoMs - node.heardMonoMs);
}
