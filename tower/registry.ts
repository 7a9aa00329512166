// Who is where: ready replicas by id, by app and by node, and the leases that keep them listed.

import {
  BOOT_DOUBT_MS,
  BOOT_SILENCE_MS,
  LEASE_MS,
  LOST_SILENCE_MS,
  NODE_ENDPOINTS,
  NODE_GONE_REPLICAS,
  NODE_PAST_BOOTS,
  TOWER_ENDPOINTS,
  TOWER_NODES,
  TOWER_TICK_MS,
  V1_LEASE_MS,
} from "../core/limits.ts";
import { digestOf, type Endpoint, type Mesh } from "../core/mesh.ts";
import { Deadlines, type Timed } from "../core/deadlines.ts";

/** What a node has registered, and the one lease that keeps all of it. */
export interface NodeLease extends Timed {
  readonly kind: "node";
  readonly node: string;
  boot: string;
  /** Boots before this one, the latest last; what they say is ignored. */
  readonly pastBoots: string[];
  /** When this boot began to count, and when it was heard last, ms of the monotonic clock. */
  bootMs: number;
  heardMs: number;
  /** `digestOf([replica, port])` over `entries`, kept up with each change. */
  digest: number;
  readonly entries: Map<string, Entry>;
  /** Highest order that was applied, of any boot. */
  lastOrder: number;
  /** Registrations of a lower order say nothing new: a whole one came, or it is long ago. */
  floorOrder: number;
  /** Deregistered replicas with the order of their removal, oldest first. */
  readonly gone: Map<string, number>;
  /** Pages of a whole registration that is still arriving. */
  pages: Pages | null;
  /** Request id of the whole registration applied last. */
  wholeRequest: string | null;
  /** Whether it has ever been in agreement with what is listed of it. */
  hasAgreed: boolean;
  /** Known to hold something else than is listed, and has never been in agreement. */
  isUnsettled: boolean;
}

interface Pages {
  readonly request: string;
  readonly order: number;
  readonly count: number;
  readonly seen: Set<number>;
  readonly replicas: Set<string>;
}

/** The lease of one v1 REGISTER. */
export interface V1Lease extends Timed {
  readonly kind: "v1";
  entry: Entry;
}

type FromNode = Mesh<"lease"> | Mesh<"register"> | Mesh<"deregister">;

export type Lease = NodeLease | V1Lease;

/** One registered replica. */
export interface Entry {
  endpoint: Endpoint;
  readonly lease: Lease;
  readonly app: AppEntries;
  /** Its place among the entries of its app. */
  slot: number;
  /** Order of the message that it comes from. */
  order: number;
}

interface AppEntries {
  readonly name: string;
  readonly entries: Entry[];
  /** Whose turn the next LOOKUP is. */
  turn: number;
}

/** What changed since the last `takeChanges`; nothing stands in both. */
export interface Changes {
  readonly up: Map<string, Endpoint>;
  readonly down: Map<string, Endpoint>;
  /** Those of `down` whose node is lost. */
  readonly lost: Set<string>;
}

/** What became of a registration. */
export type Registered =
  | "applied"
  /** A page of a whole registration of which others are still missing. */
  | "partial"
  /** From an earlier boot of the node. */
  | "stale"
  /** A bound of limits.ts is reached. */
  | "full";

/**
 * The registry. Synchronous and deterministic; times are ms of the monotonic clock.
 *
 * Costs: a renewal is O(1), whatever the node holds; a change is O(changed); expiry is O(expired).
 */
export class Registry {
  readonly #entries = new Map<string, Entry>();
  readonly #apps = new Map<string, AppEntries>();
  readonly #nodes = new Map<string, NodeLease>();
  readonly #deadlines = new Deadlines<Lease>();
  #changes: Changes = noChanges();
  #unsettled = 0;
  readonly #bounds: Bounds;

  constructor(bounds: Partial<Bounds> = {}) {
    this.#bounds = { endpoints: TOWER_ENDPOINTS, nodes: TOWER_NODES, ...bounds };
  }

  /** How many endpoints are listed. */
  get size(): number {
    return this.#entries.size;
  }

  get nodeCount(): number {
    return this.#nodes.size;
  }

  /** Nodes that have not said yet all that they hold. */
  get unsettledCount(): number {
    return this.#unsettled;
  }

  get appCount(): number {
    return this.#apps.size;
  }

  /** Every listed entry, in the order of registration. */
  entries(): IterableIterator<Entry> {
    return this.#entries.values();
  }

  /** Every listed endpoint; an array of its own. */
  endpoints(): Endpoint[] {
    return Array.from(this.#entries.values(), (entry) => entry.endpoint);
  }

  entry(replica: string): Entry | undefined {
    return this.#entries.get(replica);
  }

  /** The ready replicas of an app, none when it is unknown. */
  ofApp(app: string): readonly Entry[] {
    return this.#apps.get(app)?.entries ?? [];
  }

  /** Where the ready replicas of an app are. */
  placesOf(app: string): readonly Endpoint[] {
    return this.ofApp(app).map((entry) => entry.endpoint);
  }

  node(node: string): NodeLease | undefined {
    return this.#nodes.get(node);
  }

  /** The ready replica of an app whose turn it is, or `null` when there is none. */
  next(app: string): Endpoint | null {
    const group = this.#apps.get(app);
    if (group === undefined) return null;
    group.turn %= group.entries.length;
    return group.entries[group.turn++]!.endpoint;
  }

  /** What was added, changed and removed since the last call; `null` when nothing was. */
  takeChanges(): Changes | null {
    const changes = this.#changes;
    if (changes.up.size === 0 && changes.down.size === 0) return null;
    this.#changes = noChanges();
    return changes;
  }

  // ---- Nodes --------------------------------------------------------------------------------

  /**
   * Renews everything that a node holds if its digest agrees.
   *
   * @returns the node's digest as the tower holds it; `null` if the message is to be ignored.
   */
  renew(message: Mesh<"lease">, nowMs: number): number | null {
    const lease = this.#hear(message, nowMs);
    if (lease === null) return null;
    const agrees = lease.digest === message.digest && lease.entries.size === message.count;
    if (agrees) lease.dueMs = nowMs + LEASE_MS;
    this.#settle(lease, agrees);
    return lease.digest;
  }

  /** Adds or changes a node's endpoints; with `whole`, what the pages do not name goes. */
  register(message: Mesh<"register">, nowMs: number): Registered {
    const lease = this.#hear(message, nowMs);
    if (lease === null) return this.#nodes.has(message.node) ? "stale" : "full";
    const order = message.order ?? lease.lastOrder;
    const { whole, request } = message;
    if (whole !== undefined && whole.pages > NODE_ENDPOINTS) return "full";
    if (order < lease.floorOrder || (whole && request === lease.wholeRequest)) return "applied";
    lease.lastOrder = Math.max(lease.lastOrder, order);
    lease.dueMs = nowMs + LEASE_MS;
    for (const endpoint of message.endpoints) {
      if (!this.#add(lease, endpoint, order)) return "full";
    }
    return whole ? this.#page(lease, message, order, whole) : "applied";
  }

  /**
   * Removes a replica of this node.
   *
   * @returns `removed`, `unknown` if this node holds no such replica, or `stale` if the message is
   * of an earlier boot or older than what is known of the replica.
   */
  deregister(message: Mesh<"deregister">, nowMs: number): "removed" | "unknown" | "stale" {
    const lease = this.#hear(message, nowMs);
    if (lease === null) return this.#nodes.has(message.node) ? "stale" : "unknown";
    const order = message.order ?? lease.lastOrder;
    lease.lastOrder = Math.max(lease.lastOrder, order);
    const entry = lease.entries.get(message.replica);
    if (entry !== undefined && entry.order > order) return "stale";
    if (message.order !== undefined) rememberGone(lease, message.replica, order);
    if (entry === undefined) return "unknown";
    this.#drop(entry);
    return "removed";
  }

  /** The lease of the node, made if need be; `null` for an earlier boot or when there are too many. */
  #hear(message: FromNode, nowMs: number): NodeLease | null {
    const { node, boot } = message;
    const known = this.#nodes.get(node);
    if (known === undefined) return this.#admit(node, boot, nowMs);
    if (known.boot !== boot) {
      if (isEarlier(known, message, nowMs)) return null;
      changeBoot(known, boot, nowMs);
    }
    known.heardMs = nowMs;
    return known;
  }

  #admit(node: string, boot: string, nowMs: number): NodeLease | null {
    if (this.#nodes.size >= this.#bounds.nodes) return null;
    const lease: NodeLease = {
      kind: "node",
      node,
      boot,
      pastBoots: [],
      bootMs: nowMs,
      heardMs: nowMs,
      digest: 0,
      entries: new Map(),
      lastOrder: 0,
      floorOrder: 0,
      gone: new Map(),
      pages: null,
      wholeRequest: null,
      hasAgreed: false,
      isUnsettled: false,
      dueMs: nowMs + LEASE_MS,
      at: 0,
      slot: -1,
    };
    this.#nodes.set(node, lease);
    this.#deadlines.add(lease);
    return lease;
  }

  #settle(lease: NodeLease, agrees: boolean): void {
    lease.hasAgreed ||= agrees;
    if (lease.isUnsettled === !lease.hasAgreed) return;
    lease.isUnsettled = !lease.hasAgreed;
    this.#unsettled += lease.isUnsettled ? 1 : -1;
  }

  #page(
    lease: NodeLease,
    message: Mesh<"register">,
    order: number,
    whole: { readonly page: number; readonly pages: number },
  ): Registered {
    if (lease.pages?.request !== message.request) {
      // A whole that was begun earlier and is overtaken by this one never counts.
      if (lease.pages !== null && lease.pages.order > order) return "applied";
      lease.pages = {
        request: message.request,
        order,
        count: Math.max(1, whole.pages),
        seen: new Set(),
        replicas: new Set(),
      };
    }
    const { pages } = lease;
    if (whole.page < pages.count) pages.seen.add(whole.page);
    for (const { replica } of message.endpoints) pages.replicas.add(replica);
    if (pages.seen.size < pages.count) {
      this.#settle(lease, false);
      return "partial";
    }
    for (const entry of lease.entries.values()) {
      const newer = message.order !== undefined && entry.order > order;
      if (!newer && !pages.replicas.has(entry.endpoint.replica)) this.#drop(entry);
    }
    lease.pages = null;
    this.#settle(lease, true);
    lease.wholeRequest = message.request;
    lease.floorOrder = Math.max(lease.floorOrder, order);
    return "applied";
  }

  #add(lease: NodeLease, endpoint: Endpoint, order: number): boolean {
    const { replica } = endpoint;
    // Ids of v1 registrations belong to those alone; a removal that was said later stands.
    if (replica.startsWith("v1:") || (lease.gone.get(replica) ?? -1) > order) return true;
    const held = this.#entries.get(replica);
    if (held !== undefined && held.lease === lease) {
      if (held.order > order) return true;
      if (same(held.endpoint, endpoint)) {
        held.order = order;
        return true;
      }
    } else if (!this.#hasRoom(lease, held)) return false;
    if (held !== undefined) this.#unlink(held);
    lease.gone.delete(replica);
    const entry = this.#link(endpoint, lease, order);
    lease.entries.set(replica, entry);
    lease.digest = shift(lease.digest, endpoint, 1);
    return true;
  }

  #hasRoom(lease: NodeLease, held: Entry | undefined): boolean {
    const room = held !== undefined || this.#entries.size < this.#bounds.endpoints;
    return room && lease.entries.size < NODE_ENDPOINTS;
  }

  // ---- v1 -----------------------------------------------------------------------------------

  /** A v1 REGISTER: lists the address for 30 s. Says whether there was room. */
  registerV1(name: string, ip: string, port: number, nowMs: number): boolean {
    const replica = v1Replica(name, ip, port);
    const held = this.#entries.get(replica);
    if (held !== undefined) {
      held.lease.dueMs = nowMs + V1_LEASE_MS;
      return true;
    }
    if (this.#entries.size >= this.#bounds.endpoints) return false;
    const lease = { kind: "v1", dueMs: nowMs + V1_LEASE_MS, at: 0, slot: -1 } as V1Lease;
    lease.entry = this.#link(
      { replica, app: name, generation: 0, node: "v1", host: ip, port },
      lease,
      0,
    );
    this.#deadlines.add(lease);
    return true;
  }

  /** A v1 DEREGISTER. Says whether that address was listed. */
  deregisterV1(name: string, ip: string, port: number): boolean {
    const entry = this.#entries.get(v1Replica(name, ip, port));
    if (entry === undefined) return false;
    this.#drop(entry);
    return true;
  }

  // ---- Expiry -------------------------------------------------------------------------------

  /** When `expire` is next worth calling, ms; Infinity while nothing is leased. */
  get nextExpiryMs(): number {
    return Math.ceil(this.#deadlines.nextMs / TOWER_TICK_MS) * TOWER_TICK_MS;
  }

  /** Drops what has lapsed. Returns the nodes among it, with how many endpoints each still held. */
  expire(nowMs: number): readonly Lapsed[] {
    const lapsed = [];
    for (;;) {
      const lease = this.#deadlines.takeDue(nowMs);
      if (lease === null) return lapsed;
      if (lease.kind === "v1") {
        this.#drop(lease.entry);
        continue;
      }
      lapsed.push(this.#lapse(lease));
    }
  }

  /** Drops a node whose loss is certain now. Returns what it held; `null` where there is nothing. */
  lose(node: string, nowMs: number): Lapsed | null {
    const lease = this.#nodes.get(node);
    // Who speaks to us is not lost, whatever others think: its replicas still take requests.
    if (lease === undefined || nowMs - lease.heardMs < LOST_SILENCE_MS) return null;
    for (const replica of lease.entries.keys()) this.#changes.lost.add(replica);
    this.#deadlines.remove(lease);
    return this.#lapse(lease);
  }

  #lapse(lease: NodeLease): Lapsed {
    const lapsed = { node: lease.node, endpoints: lease.entries.size };
    for (const entry of lease.entries.values()) this.#drop(entry);
    this.#settle(lease, true);
    this.#nodes.delete(lease.node);
    return lapsed;
  }

  // ---- Indexes ------------------------------------------------------------------------------

  #link(endpoint: Endpoint, lease: Lease, order: number): Entry {
    let app = this.#apps.get(endpoint.app);
    if (app === undefined) {
      app = { name: endpoint.app, entries: [], turn: 0 };
      this.#apps.set(app.name, app);
    }
    const entry: Entry = { endpoint, lease, app, slot: app.entries.length, order };
    app.entries.push(entry);
    this.#entries.set(endpoint.replica, entry);
    this.#changes.down.delete(endpoint.replica);
    this.#changes.lost.delete(endpoint.replica);
    this.#changes.up.set(endpoint.replica, endpoint);
    return entry;
  }

  /** Takes an entry out of every index. Of a change to it nothing is said yet. */
  #unlink(entry: Entry): void {
    const { endpoint, app, lease } = entry;
    const last = app.entries.pop()!;
    if (last !== entry) {
      last.slot = entry.slot;
      app.entries[last.slot] = last;
    }
    if (app.entries.length === 0) this.#apps.delete(app.name);
    this.#entries.delete(endpoint.replica);
    if (lease.kind === "v1") this.#deadlines.remove(lease);
    else {
      lease.entries.delete(endpoint.replica);
      lease.digest = shift(lease.digest, endpoint, -1);
    }
  }

  #drop(entry: Entry): void {
    this.#unlink(entry);
    this.#changes.up.delete(entry.endpoint.replica);
    this.#changes.down.set(entry.endpoint.replica, entry.endpoint);
  }
}

/** A node whose lease is over, and how many endpoints it still held. */
export interface Lapsed {
  readonly node: string;
  readonly endpoints: number;
}

function noChanges(): Changes {
  return { up: new Map(), down: new Map(), lost: new Set() };
}

interface Bounds {
  readonly endpoints: number;
  readonly nodes: number;
}

/** Says whether a message of another boot than the known one is from before it. */
function isEarlier(known: NodeLease, message: FromNode, nowMs: number): boolean {
  const isRenewal = message.k === "lease";
  if (!known.pastBoots.includes(message.boot)) {
    // Of a boot that never was heard in its time, orders tell: those of later boots are higher.
    if (isRenewal || (message.order ?? Infinity) >= known.lastOrder) return false;
    rememberBoot(known, message.boot);
    return true;
  }
  // A boot that was superseded speaks again: a late copy. But two boots may have been heard in the
  // wrong order. Then the living one is the one that goes on renewing while the other is silent (a
  // renewal alone changes no endpoint).
  const mayDoubt = nowMs - known.bootMs < BOOT_DOUBT_MS;
  return !(isRenewal && mayDoubt && nowMs - known.heardMs > BOOT_SILENCE_MS);
}

function rememberBoot(lease: NodeLease, boot: string): void {
  lease.pastBoots.push(boot);
  if (lease.pastBoots.length > NODE_PAST_BOOTS) lease.pastBoots.shift();
}

/** What the node had stays: it adopts what runs, and its whole registration will say so. */
function changeBoot(lease: NodeLease, boot: string, nowMs: number): void {
  const known = lease.pastBoots.indexOf(boot);
  if (known >= 0) lease.pastBoots.splice(known, 1);
  rememberBoot(lease, lease.boot);
  lease.boot = boot;
  lease.bootMs = nowMs;
  lease.floorOrder = 0;
  lease.wholeRequest = null;
  lease.pages = null;
  lease.gone.clear();
  for (const entry of lease.entries.values()) entry.order = 0;
}

function rememberGone(lease: NodeLease, replica: string, order: number): void {
  if ((lease.gone.get(replica) ?? -1) >= order) return;
  lease.gone.delete(replica);
  lease.gone.set(replica, order);
  if (lease.gone.size <= NODE_GONE_REPLICAS) return;
  const [oldest, itsOrder] = lease.gone.entries().next().value!;
  lease.gone.delete(oldest);
  lease.floorOrder = Math.max(lease.floorOrder, itsOrder);
}

function shift(digest: number, endpoint: Endpoint, sign: 1 | -1): number {
  const one = digestOf([[endpoint.replica, endpoint.port]]);
  return (digest + sign * one + 2 ** 48) % 2 ** 48;
}

function same(left: Endpoint, right: Endpoint): boolean {
  return left.app === right.app && left.generation === right.generation &&
    left.node === right.node && left.host === right.host && left.port === right.port;
}

/** The id under which a v1 registration is listed: `v1:<name>:<ip>:<port>`, at most 64 long. */
export function v1Replica(name: string, ip: string, port: number): string {
  const id = `v1:${name}:${ip}:${port}`;
  if (id.length <= 64) return id;
  return `${id.slice(0, 51)}.${digestOf([[id, 0]]).toString(16).padStart(12, "0")}`;
}
