// What this node has registered with the tower, and the messages that keep it so.
//
// Everything is repeated until it is answered. A `lease` every `LEASE_RENEW_MS` carries the digest
// of the whole; where the tower holds another one, or is one this node has not spoken to, everything
// is registered again as a whole.

import {
  DRAINED_FRESH_MS,
  LEASE_AGAIN_MS,
  LEASE_MS,
  LEASE_RENEW_MS,
  REGISTER_REQUESTS,
  RETRY_MAX_MS,
  RETRY_MIN_MS,
  STEADY_DATAGRAM_BYTES,
} from "../core/limits.ts";
import { digestOf, type Endpoint, type Mesh } from "../core/mesh.ts";

type TowerMessage = Mesh<"lease"> | Mesh<"register"> | Mesh<"deregister">;

/** A registration on its way: one datagram, or all pages of a whole. */
interface Request {
  readonly messages: readonly Mesh<"register">[];
  readonly whole: boolean;
  nextMs: number;
  waitMs: number;
}

/** A deregistration on its way. */
interface Leaving {
  readonly message: Mesh<"deregister">;
  /** Repeated until drained, not only until heard. */
  readonly drain: boolean;
  /** When the tower last said that it is drained; `null` while it does not. */
  drainedMs: number | null;
  /** When it last took that back. */
  revokedMs: number;
  readonly untilMs: number;
  nextMs: number;
  waitMs: number;
}

/** How the tower knows this node. */
export interface TowerSelf {
  readonly node: string;
  readonly boot: string;
  /** Port of the node's own listener. */
  readonly port: number;
}

export class TowerLink {
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #requests = new Map<string, Request>();
  readonly #leaving = new Map<string, Leaving>();
  /** Those that the tower has said it lists. */
  readonly #listed = new Set<string>();
  #nextLeaseMs = -Infinity;
  /** When the last lease was sent that is not a repetition. */
  #leaseMs = -Infinity;
  #isUnanswered = false;
  #changedMs = -Infinity;
  #tower: string | null = null;
  #order: number;

  /**
   * @param enabled false where the node has no tower: then nothing is ever sent
   * @param firstOrder the `order` of this boot's first message, above all of earlier boots
   * @param asleep apps that this node can wake
   */
  constructor(
    private readonly self: TowerSelf,
    private readonly enabled: boolean,
    firstOrder = 0,
    private readonly asleep: () => readonly string[] = () => [],
  ) {
    this.#order = firstOrder;
  }

  has(replica: string): boolean {
    return this.#endpoints.has(replica);
  }

  /**
   * Says whether the tower has acknowledged the replica: whoever is told of the removal of another
   * from then on has heard of this one before.
   */
  isListed(replica: string): boolean {
    return !this.enabled || this.#listed.has(replica);
  }

  /** Says whether the removal of this replica still goes on: it has not been called drained lately. */
  isLeaving(replica: string, nowMs: number): boolean {
    const leaving = this.#leaving.get(replica);
    if (!leaving) return false;
    return leaving.drainedMs === null || nowMs - leaving.drainedMs >= DRAINED_FRESH_MS;
  }

  /** The replica is gone; a tower that has called it drained need not be asked any more. */
  left(replica: string): void {
    if (this.#leaving.get(replica)?.drainedMs !== null) this.#leaving.delete(replica);
  }

  /** When `tick` has something to send. */
  get dueMs(): number {
    if (!this.enabled) return Infinity;
    let due = this.#nextLeaseMs;
    for (const request of this.#requests.values()) due = Math.min(due, request.nextMs);
    for (const leaving of this.#leaving.values()) due = Math.min(due, leaving.nextMs);
    return due;
  }

  /** Lists a replica that was registered by an earlier start of this daemon: nothing is sent. */
  adopt(endpoint: Endpoint): void {
    this.#endpoints.set(endpoint.replica, endpoint);
    this.#listed.add(endpoint.replica);
  }

  /** Registers a ready replica. */
  register(endpoint: Endpoint, nowMs: number): void {
    this.#endpoints.set(endpoint.replica, endpoint);
    this.#leaving.delete(endpoint.replica);
    this.#changedMs = nowMs;
    if (this.#requests.size >= REGISTER_REQUESTS) this.registerWhole(nowMs);
    else this.#request([[endpoint]], false, nowMs);
  }

  /** Registers everything anew. */
  registerWhole(nowMs: number): void {
    this.#requests.clear();
    const pages = pagesOf([...this.#endpoints.values()]);
    this.#request(pages, true, nowMs);
  }

  #request(pages: readonly (readonly Endpoint[])[], whole: boolean, nowMs: number): void {
    const order = ++this.#order;
    const request = `${order}`;
    const { node, boot } = this.self;
    this.#requests.set(request, {
      messages: pages.map((endpoints, page) => ({
        k: "register",
        node,
        boot,
        request,
        order,
        endpoints,
        ...(whole ? { whole: { page, pages: pages.length } } : {}),
      })),
      whole,
      nextMs: nowMs,
      waitMs: RETRY_MIN_MS,
    });
  }

  /**
   * Takes a replica off the list; one that is being taken off may be asked to drain, too. With `drain` the tower is asked until it says that no ingress
   * sends there any more; `untilMs` bounds that.
   */
  deregister(replica: string, drain: boolean, untilMs: number, nowMs: number): void {
    const leaving = this.#leaving.get(replica);
    if (!this.#endpoints.delete(replica) && !(drain && leaving)) return;
    this.#changedMs = nowMs;
    this.#listed.delete(replica);
    this.#forgetRequest(replica);
    const { node, boot } = this.self;
    this.#leaving.set(replica, {
      message: { k: "deregister", node, boot, replica, order: ++this.#order },
      drain,
      drainedMs: null,
      revokedMs: -Infinity,
      untilMs: drain ? untilMs : nowMs + LEASE_MS,
      nextMs: nowMs,
      waitMs: RETRY_MIN_MS,
    });
  }

  /** A registration of one replica that was not answered yet must not be repeated any more. */
  #forgetRequest(replica: string): void {
    for (const [id, { messages, whole }] of this.#requests) {
      const named = messages.some((each) => each.endpoints.some((one) => one.replica === replica));
      if (named && !whole) this.#requests.delete(id);
      // A whole names the rest, too: it is made anew without this one.
      else if (named) this.registerWhole(this.#changedMs);
    }
  }

  /**
   * What is to be sent now.
   *
   * @param isDoubted whether a lease is repeated until it is answered: that its answer is lost would
   *   make this tower one that is not waited for
   */
  tick(nowMs: number, isDoubted = false): TowerMessage[] {
    if (!this.enabled) return [];
    const out: TowerMessage[] = [];
    for (const [replica, leaving] of this.#leaving) {
      if (nowMs >= leaving.untilMs) this.#leaving.delete(replica);
      else if (nowMs >= leaving.nextMs) {
        out.push(leaving.message);
        again(leaving, nowMs, leaving.drain ? RETRY_MIN_MS : RETRY_MAX_MS);
      }
    }
    for (const request of this.#requests.values()) {
      if (nowMs < request.nextMs) continue;
      out.push(...request.messages);
      again(request, nowMs, RETRY_MAX_MS);
    }
    if (nowMs >= this.#nextLeaseMs) {
      out.push(this.#lease());
      if (!this.#isUnanswered || nowMs - this.#leaseMs >= LEASE_RENEW_MS) this.#leaseMs = nowMs;
      this.#isUnanswered = true;
      this.#nextLeaseMs = nowMs + (isDoubted ? LEASE_AGAIN_MS : LEASE_RENEW_MS);
    }
    return out;
  }

  #lease(): Mesh<"lease"> {
    const { node, boot, port } = this.self;
    const [asleep, count] = [this.asleep(), this.#endpoints.size];
    const more = asleep.length === 0 ? {} : { asleep };
    return { k: "lease", node, boot, count, digest: this.#digest(), port, ...more };
  }

  #digest(): number {
    return digestOf([...this.#endpoints.values()].map((each) => [each.replica, each.port]));
  }

  onLeaseOk(message: Mesh<"lease-ok">, nowMs: number): void {
    this.#isUnanswered = false;
    this.#nextLeaseMs = Math.max(this.#nextLeaseMs, this.#leaseMs + LEASE_RENEW_MS);
    const fresh = message.tower !== this.#tower;
    this.#tower = message.tower;
    if (fresh) this.registerWhole(nowMs);
    // An answer that crossed a change says nothing.
    const settled = this.#requests.size === 0 && this.#leaving.size === 0 &&
      nowMs - this.#changedMs >= LEASE_RENEW_MS / 2;
    if (!settled) return;
    if (message.digest !== this.#digest()) return this.registerWhole(nowMs);
    for (const replica of this.#endpoints.keys()) this.#listed.add(replica);
  }

  onRegisterOk(message: Mesh<"register-ok">): void {
    const request = this.#requests.get(message.request);
    if (!request) return;
    this.#requests.delete(message.request);
    for (const { endpoints } of request.messages) {
      for (const { replica } of endpoints) this.#listed.add(replica);
    }
  }

  /**
   * Says whether the tower calls the replica drained with this. It is asked on until `left`: an ingress
   * that comes to it from another tower may have requests there, and then it takes that back.
   */
  onDeregisterOk(message: Mesh<"deregister-ok">, nowMs: number): boolean {
    const leaving = this.#leaving.get(message.replica);
    if (!leaving) return false;
    // A late answer to an earlier removal of the same replica says nothing.
    if (message.order !== undefined && message.order !== leaving.message.order) return false;
    if (!leaving.drain) {
      this.#leaving.delete(message.replica);
      return false;
    }
    if (message.drained) {
      // A copy of what was said before it was taken back may still be on its way.
      if (nowMs - leaving.revokedMs < DRAINED_FRESH_MS) return false;
      leaving.drainedMs = nowMs;
      return true;
    }
    if (leaving.drainedMs !== null) leaving.revokedMs = nowMs;
    leaving.drainedMs = null;
    return false;
  }
}

function again(item: { nextMs: number; waitMs: number }, nowMs: number, maxMs: number): void {
  item.nextMs = nowMs + item.waitMs;
  item.waitMs = Math.min(maxMs, item.waitMs * 2);
}

/** Cuts a list of endpoints into pages that each fit a steady datagram; at least one page. */
export function pagesOf(endpoints: readonly Endpoint[]): Endpoint[][] {
  const room = STEADY_DATAGRAM_BYTES - 220;
  const pages: Endpoint[][] = [[]];
  let used = 0;
  for (const endpoint of endpoints) {
    // Names, hosts and ids are ASCII: a unit is a byte.
    const size = JSON.stringify(endpoint).length + 1;
    if (used + size > room && used > 0) {
      pages.push([]);
      used = 0;
    }
    pages.at(-1)!.push(endpoint);
    used += size;
  }
  return pages;
}
