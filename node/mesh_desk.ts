// What comes to a node by the mesh, and who of the node takes it.

import type { Address } from "../core/address.ts";
import { decodeMesh, encodeMesh, type MeshMessage } from "../core/mesh.ts";
import { maySay } from "../core/seal/permits.ts";
import type { ConductorLink } from "./conductor_link.ts";
import type { Life, Stage } from "./life.ts";
import type { Orders } from "./orders.ts";
import type { Preparing } from "./preparing.ts";
import type { RecordDesk } from "./record_desk.ts";
import { type Replica, statusesOf } from "./replica.ts";
import type { Witness } from "./witness.ts";

/** What the desk needs of its node. */
export interface MeshDeskParts {
  readonly options: { readonly node: string; readonly boot: string };
  readonly stage: Stage;
  readonly life: Life;
  readonly conductor: ConductorLink;
  readonly orders: Orders;
  readonly preparing: Preparing;
  readonly records: RecordDesk;
  readonly witness: Witness;
  readonly replicas: ReadonlyMap<string, Replica>;
  /** Notes what changed of the replicas so far, before they are reported. */
  settle(): void;
}

export class MeshDesk {
  constructor(private readonly parts: MeshDeskParts) {}

  /** Takes a text of the mesh; what is not for this node, or not its sender's to say, is left. */
  take(text: string, from: Address): void {
    const { options, witness } = this.parts;
    const message = decodeMesh(text);
    if (!message || !maySay(from.peer, message)) return;
    if (message.k === "probe-ok") witness.alive(message);
    else if ("node" in message && message.node === options.node) this.#obey(message, from);
  }

  #obey(message: MeshMessage, from: Address): void {
    const { conductor, orders, preparing, records, stage, witness } = this.parts;
    const nowMs = stage.now.monoMs;
    switch (message.k) {
      case "beat-ok": {
        const follow = conductor.onBeatOk(message, nowMs);
        if (follow === "anew" || (follow === "on" && records.isStuck(nowMs))) {
          stage.emit({ do: "follow", at: from });
        }
        if (message.reportPlease !== undefined) this.#report(message.reportPlease, from);
        return;
      }
      case "status-ok":
        return orders.acknowledged(message);
      case "run":
        if (orders.obeys(message)) orders.run(message, from);
        return;
      case "prepare":
        return preparing.take(message);
      case "stop":
        if (orders.obeys(message)) orders.stop(message, from);
        return;
      case "wake-app":
        return orders.wake(message);
      case "probe":
        return this.#probed(message.request, from);
      case "probe-please":
        return witness.please(message, nowMs);
      case "lease-ok":
        stage.tower.onLeaseOk(message, from, nowMs);
        return this.#lookForListed();
      case "register-ok":
        stage.tower.onRegisterOk(message, from, nowMs);
        return this.#lookForListed();
      case "deregister-ok":
        return stage.tower.onDeregisterOk(message, from, nowMs);
      case "beat":
      case "status":
      case "report":
      case "run-ok":
      case "run-refused":
      case "stop-ok":
      case "prepared":
      case "wishes":
      case "probe-ok":
      case "probe-result":
      case "lease":
      case "register":
      case "deregister":
        // Not for a node.
        return;
      default:
        return message satisfies never;
    }
  }

  #lookForListed(): void {
    const { life, replicas } = this.parts;
    for (const replica of replicas.values()) life.maybeListed(replica);
  }

  /** Somebody doubts that this node lives: they are answered, and the conductor hears it, too. */
  #probed(request: string, from: Address): void {
    const { conductor, options, stage } = this.parts;
    const { node: by, boot } = options;
    const text = encodeMesh({ k: "probe-ok", by, boot, request });
    stage.emit({ do: "send", to: from, text });
    conductor.hurry(stage.now.monoMs);
  }

  /** To whoever asked, who waits for these pages. */
  #report(request: string, to: Address): void {
    const { conductor, replicas, stage } = this.parts;
    this.parts.settle();
    for (const page of conductor.report(request, statusesOf(replicas.values()))) {
      stage.emit({ do: "send", to, text: encodeMesh(page) });
    }
  }
}
