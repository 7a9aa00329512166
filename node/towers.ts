/**
 * All towers of this node. Each is told everything by a link of its own. A tower that has not
 * answered for a while is not waited for: who asks it is told the rest when it is back.
 */

import type { Address } from "../core/address.ts";
import { TOWER_SILENT_MS, TOWER_UNHEARD_MS } from "../core/limits.ts";
import type { Endpoint, Mesh } from "../core/mesh.ts";
import { TowerLink, type TowerSelf } from "./lease.ts";

interface Tower {
  readonly address: Address;
  readonly link: TowerLink;
  /** When it answered last. */
  heardMs: number;
}

interface Outgoing {
  readonly to: Address;
  readonly message: Mesh<"lease"> | Mesh<"register"> | Mesh<"deregister">;
}

export class Towers {
  readonly #towers: readonly Tower[];
  /** Since when the node has listened to them without a gap. */
  #sinceMs = -Infinity;
  /** Replicas that a tower has called drained, until all that answer do. */
  readonly #drained = new Set<string>();

  /** @param firstOrder see `TowerLink`, as for `asleep` */
  constructor(
    self: TowerSelf,
    addresses: readonly Address[],
    firstOrder = 0,
    asleep: () => readonly string[] = () => [],
  ) {
    this.#towers = addresses.map((address) => ({
      address,
      link: new TowerLink(self, true, firstOrder, asleep),
      heardMs: -Infinity,
    }));
  }

  /** The node listens from here on: it was not there before, so that no tower has been silent. */
  listen(nowMs: number): void {
    this.#sinceMs = nowMs;
  }

  has(replica: string): boolean {
    return this.#towers.some(({ link }) => link.has(replica));
  }

  /** Says whether all towers that answer list the replica; without any tower nobody has to. */
  isListed(replica: string, nowMs: number): boolean {
    if (this.#towers.length === 0) return true;
    const alive = this.#alive(nowMs);
    return alive.length > 0 && alive.every(({ link }) => link.isListed(replica));
  }

  /** Says whether a tower that answers still takes the replica off its list. */
  isLeaving(replica: string, nowMs: number): boolean {
    const alive = this.#alive(nowMs);
    const asked = alive.length > 0 ? alive : this.#towers;
    return asked.some(({ link }) => link.isLeaving(replica, nowMs));
  }

  get dueMs(): number {
    return Math.min(Infinity, ...this.#towers.map(({ link }) => link.dueMs));
  }

  adopt(endpoint: Endpoint): void {
    for (const { link } of this.#towers) link.adopt(endpoint);
  }

  register(endpoint: Endpoint, nowMs: number): void {
    this.#drained.delete(endpoint.replica);
    for (const { link } of this.#towers) link.register(endpoint, nowMs);
  }

  deregister(replica: string, drain: boolean, untilMs: number, nowMs: number): void {
    for (const { link } of this.#towers) link.deregister(replica, drain, untilMs, nowMs);
  }

  /** Those that have answered nothing for a while, of a node that has listened so long. */
  unheard(nowMs: number): Address[] {
    return this.#towers.filter(({ heardMs }) =>
      nowMs - Math.max(heardMs, this.#sinceMs) >= TOWER_UNHEARD_MS
    ).map(({ address }) => address);
  }

  /** What is to be sent now, and to which of them. */
  tick(nowMs: number): Outgoing[] {
    return this.#towers.flatMap(({ address: to, link, heardMs }) => {
      const isDoubted = this.#towers.length > 1 && !this.#isSilent(heardMs, nowMs);
      return link.tick(nowMs, isDoubted).map((message) => ({ to, message }));
    });
  }

  onLeaseOk(message: Mesh<"lease-ok">, from: Address, nowMs: number): void {
    this.#from(from, nowMs)?.link.onLeaseOk(message, nowMs);
  }

  onRegisterOk(message: Mesh<"register-ok">, from: Address, nowMs: number): void {
    this.#from(from, nowMs)?.link.onRegisterOk(message);
  }

  onDeregisterOk(message: Mesh<"deregister-ok">, from: Address, nowMs: number): void {
    const drained = this.#from(from, nowMs)?.link.onDeregisterOk(message, nowMs);
    if (drained) this.#drained.add(message.replica);
  }

  /**
   * Replicas that nobody sends anything to any more, as all towers say that answer, and say now: an
   * ingress may leave one that had to wait for it, and come to one that had not.
   */
  takeDrained(nowMs: number): string[] {
    const over = [...this.#drained].filter((replica) => !this.isLeaving(replica, nowMs));
    for (const replica of over) {
      this.#drained.delete(replica);
      for (const { link } of this.#towers) link.left(replica);
    }
    return over;
  }

  #alive(nowMs: number): readonly Tower[] {
    // A single one is waited for, whatever it does.
    if (this.#towers.length === 1) return this.#towers;
    return this.#towers.filter(({ heardMs }) => !this.#isSilent(heardMs, nowMs));
  }

  #isSilent(heardMs: number, nowMs: number): boolean {
    return nowMs - Math.max(heardMs, this.#sinceMs) >= TOWER_SILENT_MS;
  }

  /** Which tower says this. One alone may be known by a name. */
  #from({ hostname, port }: Address, nowMs: number): Tower | undefined {
    const tower = this.#towers.length === 1
      ? this.#towers[0]
      : this.#towers.find(({ address }) => address.hostname === hostname && address.port === port);
    if (tower) tower.heardMs = nowMs;
    return tower;
  }
}
