// What this node says in the mesh: answers to orders, beats, statuses, wishes, what it witnessed,
// and the leases of its replicas.

import type { Instant } from "../core/instant.ts";
import type { Address } from "../core/address.ts";
import { encodeMesh, type Mesh, type MeshMessage } from "../core/mesh.ts";
import type { ConductorLink } from "./conductor_link.ts";
import type { NodeEffect } from "./effects.ts";
import { type Replica, statusesOf } from "./replica.ts";
import type { Towers } from "./towers.ts";
import type { Wishes } from "./wishes.ts";
import type { Witness } from "./witness.ts";

/** What the outbox needs of its node. */
export interface OutboxParts {
  readonly options: {
    readonly node: string;
    readonly boot: string;
    readonly conductor: Address | null;
    readonly moreConductors?: readonly Address[];
  };
  readonly conductor: ConductorLink;
  readonly tower: Towers;
  readonly wishes: Wishes;
  readonly witness: Witness;
  readonly replicas: ReadonlyMap<string, Replica>;
  /** The last sequence of the log that the node knows. */
  sequence(): number;
  emit(effect: NodeEffect): void;
}

export class Outbox {
  /** Answers to orders, until what they answer is saved. */
  readonly #answers: { readonly to: Address | null; readonly message: MeshMessage }[] = [];

  constructor(private readonly parts: OutboxParts) {}

  /** When something is to be said, on the monotonic clock. */
  get dueMs(): number {
    const { conductor, tower, wishes, witness } = this.parts;
    return Math.min(tower.dueMs, conductor.dueMs, witness.dueMs, wishes.dueMs);
  }

  /**
   * Answers an order, after what came of it is saved: an order that is answered is not sent again.
   *
   * @param to `null`: it was answered before, and is not obeyed after all, which all may hear
   */
  answer(
    to: Address | null,
    k: "run-ok" | "run-refused" | "stop-ok",
    replica: string,
    reason = "",
  ): void {
    const { node, boot } = this.parts.options;
    const message: MeshMessage = k === "run-refused"
      ? { k, node, boot, replica, reason: reason.slice(0, 300) }
      : { k, node, boot, replica };
    this.#answers.push({ to, message });
  }

  /** Answers what was to be looked into. */
  prepared(
    { app, sequence }: Mesh<"prepare">,
    state: Mesh<"prepared">["state"],
    reason?: string,
  ): void {
    const { node, boot } = this.parts.options;
    const why = reason === undefined ? {} : { reason: reason.slice(0, 300) };
    const message = { k: "prepared", node, boot, app, sequence, state, ...why } as const;
    this.#answers.push({ to: null, message });
  }

  /** Sends what is to be said by now. */
  speak(now: Instant): void {
    const nowMs = now.monoMs;
    const { conductor, options, replicas, sequence, tower, wishes, witness } = this.parts;
    for (const { to, message } of this.#answers.splice(0)) {
      if (to) this.#emit({ do: "send", to, text: encodeMesh(message) });
      else this.#tellConductors(message);
    }
    const statuses = () =>
      new Map(statusesOf(replicas.values()).map((each) => [each.replica, each]));
    for (const message of conductor.tick(now, sequence(), statuses, tower.unheard(nowMs))) {
      this.#tellConductors(message);
    }
    for (const message of wishes.tick(nowMs, options, conductor.beatMs)) {
      this.#tellConductors(message);
    }
    for (const { to, message } of witness.tick(nowMs)) {
      if (to === "conductor") this.#tellConductors(message);
      else this.#emit({ do: "send", to, text: encodeMesh(message) });
    }
    for (const { to, message } of tower.tick(nowMs)) {
      this.#emit({ do: "send", to, text: encodeMesh(message) });
    }
  }

  /** All of them hear everything, so that each may lead at any time. */
  #tellConductors(message: MeshMessage): void {
    const text = encodeMesh(message);
    const { conductor, moreConductors = [] } = this.parts.options;
    for (const to of conductor ? [conductor, ...moreConductors] : []) {
      this.#emit({ do: "send", to, text });
    }
  }

  #emit(effect: NodeEffect): void {
    this.parts.emit(effect);
  }
}
