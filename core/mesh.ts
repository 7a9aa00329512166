/**
 * What the daemons say to each other, as JSON in datagrams (`MeshMessage`) and in the text frames of
 * WebSocket streams (`WatchMessage`, `FollowMessage`).
 *
 * **Loss semantics of datagrams.** Any message may be lost, repeated, delayed by seconds or overtaken
 * by a later one. Therefore:
 * - State is level-triggered. The sender repeats what it wants (`run`, `stop`, `status`, `register`,
 *   `deregister`) with backoff until the matching answer came; receiving it twice changes nothing.
 * - Replica ids are never used again. A node remembers finished ids (`TOMBSTONE_MS`), so a late
 *   `run` cannot bring a stopped replica back.
 * - Every status carries the replica's `version`, which only grows; an older one is ignored.
 * - A `beat` carries a digest of all the node's replicas. Where it differs from what the conductor
 *   holds for longer than a round trip, the conductor asks for a whole `report`.
 * - `stop-ok` says: the order is known, or the id was never known here (and is remembered as finished).
 *   A replica that was ordered to stop has ended when its status says `finished`. The node drops a
 *   replica (from its beats' digest, too) once it is finished, its stop was ordered, and that last
 *   status was acknowledged; the conductor drops it when it hears that status. Whatever else is
 *   finished stays listed until a `stop` for it comes.
 * - `boot` names one start of a daemon; a message of an earlier boot is ignored once a later is known.
 * - A node that has been silent for a few beats is a suspect: `probe` goes to it again and again, and
 *   `probe-please` to two other nodes, under one request id. An answer of anybody clears it.
 *
 * Streams lose nothing while they stand; after a break the client starts again with a snapshot
 * (watch) or from its last sequence (follow).
 */

import {
  FIGURES_PAGE,
  LATENCY_BOUNDS_MS,
  LOST_NODES,
  SLEEPERS,
  UNHEARD_TOWERS,
  WISHES_PAGE,
} from "./limits.ts";
import {
  decimal,
  flag,
  integer,
  list,
  map,
  maybe,
  oneOf,
  parseShaped,
  type Shaped,
  struct,
  text,
  variant,
} from "./shape.ts";
import { replicaId } from "./replica_id.ts";

/** What whoever asks chose, to know the answer by. */
const ID = text(64, /^[A-Za-z0-9][A-Za-z0-9._:-]*$/);
/** 32 lower-case hex characters. */
const nodeId = text(32, /^[0-9a-f]{32}$/);
/** One start of one daemon: 16 lower-case hex characters. */
const bootId = text(16, /^[0-9a-f]{16}$/);
export const appName = text(63, /^[A-Za-z0-9][A-Za-z0-9._-]*$/);
const host = text(253, /^[0-9A-Za-z.:-]+$/);
const port = integer(0, 65_535);
const count = integer(0, 2 ** 40);
/** What `digestOf` returns: 48 bits. */
const digest = integer(0, 2 ** 48 - 1);
const wallMs = integer(0, 2 ** 52);

/** The states of a replica as a node reports them; `node/replica.ts` says what leads where. */
export const REPLICA_STATES = [
  "waiting", // accepted, waits for its record, an artifact, or the end of a backoff
  "starting", // the process runs, no probe has passed yet
  "ready", // a probe passed, or no health check and the process is up
  "stopping", // deregistered, draining or being terminated
  "finished", // it ended and will not be started again; `exit` tells how
] as const;

/** How a replica's process ended last. */
export const exitShape = struct({
  /** Exit code; absent when a signal ended it or nobody could tell. */
  code: maybe(integer(0, 255)),
  signal: maybe(text(16)),
  /** `exit`: by itself; `stopped`: told to; `launch`: could not be started; `unhealthy`: killed
   * after failing probes; `oom`: over its memory; `lost`: the launcher vanished without a code;
   * `timeout`: killed after its time. */
  why: oneOf("exit", "stopped", "launch", "unhealthy", "oom", "lost", "timeout"),
  wallMs,
  /** The last lines it wrote, or why it could not start; cut to fit a datagram. */
  tail: maybe(text(600)),
});
export type Exit = Shaped<typeof exitShape>;

/** Begins the reason of a replica whose artifact on the node was no longer what was signed. */
export const ARTIFACT_CHANGED = "its artifact was changed on this node: ";

/** Begins the last line of the tail of an exit that was `unhealthy`: what the last probe found. */
export const HEALTH_CHECK = "health check: ";

const status = struct({
  replica: replicaId,
  app: appName,
  generation: count,
  version: count,
  state: oneOf(...REPLICA_STATES),
  pid: maybe(count),
  port: maybe(port),
  restarts: count,
  /** When it entered this state, by the node's clock. */
  sinceWallMs: wallMs,
  exit: maybe(exitShape),
  /** Why it is not ready, for people: `GET /health answered 500`. */
  reason: maybe(text(300)),
  /** Its node started it by itself, for a request, while no conductor led (node/sleepers.ts). */
  standIn: maybe(flag),
});
export type ReplicaStatus = Shaped<typeof status>;

const endpoint = struct({
  replica: replicaId,
  app: appName,
  generation: count,
  node: text(64),
  host,
  port,
});
/** One ready replica, as the tower lists it. */
export type Endpoint = Shaped<typeof endpoint>;

const wish = struct({
  app: appName,
  /** Replicas here that were measured. */
  replicas: count,
  /** Their mean CPU over the last seconds, in percent of the app's `cpu`. */
  cpuPercent: decimal(0, 1e9),
  /** What that calls for, seen from here. */
  wish: oneOf("more", "less", "stay"),
});
/** How one app's replicas on one node are loaded. */
export type Wish = Shaped<typeof wish>;

const reign = struct({
  /** Grows with each conductor that begins to lead. */
  term: count,
  /**
   * For how long this may be obeyed, counted from when the node sent this beat of this boot. Absent:
   * the conductor leads alone and holds no lease.
   */
  until: maybe(struct({ boot: bootId, beat: count, ms: count })),
});

const beat = struct({
  node: nodeId,
  boot: bootId,
  /**
   * When this boot began, by the node's clock, but later than every boot before (node/boots.ts): tells
   * a late word of an earlier boot from news.
   */
  bootWallMs: wallMs,
  /** Grows by one with each beat of a boot; an older beat is ignored. */
  beat: count,
  name: text(63, /^[A-Za-z0-9][A-Za-z0-9._-]*$/),
  host,
  /** UDP and TCP port of the node's own listener. */
  port,
  cpuPercent: decimal(0, 100),
  cores: decimal(0, 4096),
  ramTotalBytes: count,
  ramFreeBytes: count,
  gpu: flag,
  labels: map(text(63), 16),
  replicas: count,
  /** `digestOf` all statuses of the node. */
  digest,
  /** The last record of the log that the node holds. */
  sequence: count,
  /** The greatest term of a conductor that it has heard of: whoever leads must go beyond it. */
  term: maybe(count),
  /** The node's clock when it sent this. */
  wallMs: maybe(wallMs),
  /** Towers, as `host:port`, that have not answered it for `TOWER_UNHEARD_MS`. */
  unheard: maybe(list(text(262, /^[0-9A-Za-z.:[\]-]+$/), UNHEARD_TOWERS)),
});
export type Beat = Shaped<typeof beat>;

/** Datagrams between daemons, by kind. */
export const meshShape = variant({
  // node -> conductor (7770)
  beat,
  status: struct({ node: nodeId, boot: bootId, status }),
  /** One page of all the node's replicas, in answer to `report-please`. */
  report: struct({
    node: nodeId,
    boot: bootId,
    request: ID,
    page: count,
    pages: count,
    statuses: list(status, 64),
  }),
  "run-ok": struct({ node: nodeId, boot: bootId, replica: replicaId }),
  /** The node cannot or may not run it (tombstone, forged record, no such port). */
  "run-refused": struct({ node: nodeId, boot: bootId, replica: replicaId, reason: text(300) }),
  "stop-ok": struct({ node: nodeId, boot: bootId, replica: replicaId }),
  /** How it stands with a `prepare`. `failed` says why; it is looked into again when asked again. */
  prepared: struct({
    node: nodeId,
    boot: bootId,
    app: appName,
    sequence: count,
    state: oneOf("working", "ok", "failed"),
    reason: maybe(text(300)),
  }),
  /**
   * How busy the node's replicas of the apps that scale by CPU are. Level-triggered: repeated every
   * `WISHES_BEATS` beats, replaces what this node said of these apps, and expires by itself; a lost
   * one delays a step, and what is not known counts as no load when one more is wanted, and as full
   * load when one less is.
   */
  wishes: struct({ node: nodeId, boot: bootId, wishes: list(wish, WISHES_PAGE) }),

  /** What came of a `probe-please`. `late`: the witness itself was held up, and says nothing. */
  "probe-result": struct({
    node: nodeId,
    boot: bootId,
    request: ID,
    suspect: nodeId,
    verdict: oneOf("alive", "silent", "late"),
  }),

  // conductor -> node (7775, or wherever it beats from)
  /** Find out whether this other node lives, and answer by `probe-result`. */
  "probe-please": struct({ node: nodeId, request: ID, suspect: nodeId, host, port }),
  "beat-ok": struct({
    conductor: bootId,
    node: nodeId,
    beat: count,
    /** How often to beat from now on. */
    everyMs: integer(50, 60_000),
    /** Present: send every status under this request id. */
    reportPlease: maybe(ID),
    /** In which term it leads; absent: alone, or not at all. */
    term: maybe(count),
    /** It does not lead, but hears everything, so as to lead at any time. */
    standby: maybe(flag),
  }),
  "status-ok": struct({ node: nodeId, replica: replicaId, version: count }),
  /**
   * Run this replica of the app as record `sequence` of the log has it. For a replica that runs
   * already by another record of the app: let it go on as this one says, if its program is the same.
   */
  run: struct({
    node: nodeId,
    replica: replicaId,
    app: appName,
    generation: count,
    sequence: count,
    /** Number of the replica within its app, from 0: `${REPLICA}`. */
    index: count,
    /** Present: not the app itself, but the record's `before`, once and to its end. */
    part: maybe(oneOf("before")),
    /** Nodes that have its artifact, as `host:port`. */
    sources: maybe(list(text(80, /^[0-9A-Za-z.:[\]-]+$/), 8)),
    /** Of one of several conductors: what its right to order rests on (node/allegiance.ts). */
    reign: maybe(reign),
  }),
  /**
   * Before anything is stopped for record `sequence`: fetch what it runs from, and see whether its
   * program could be executed, without starting it. Repeated until `prepared` says so. Nothing of it
   * is kept: a node that has forgotten begins anew, and a lost answer is asked for again.
   */
  prepare: struct({
    node: nodeId,
    app: appName,
    generation: count,
    sequence: count,
    /** Nodes that have its artifact, as `host:port`. */
    sources: maybe(list(text(80, /^[0-9A-Za-z.:[\]-]+$/), 8)),
  }),
  /**
   * Drain and end it. For an unknown id the node answers and remembers it as finished. `asleep`: its
   * app sleeps, and the node may wake it while no conductor leads.
   */
  stop: struct({ node: nodeId, replica: replicaId, asleep: maybe(flag), reign: maybe(reign) }),

  // conductor or node -> node
  /** Say at once that you live; whoever else is at this address keeps silent. */
  probe: struct({ node: nodeId, request: ID }),
  // node -> whoever probed it
  /** `by` is who answers: the message goes to whoever asked, whatever that is. */
  "probe-ok": struct({ by: nodeId, boot: bootId, request: ID }),

  // node -> tower (7772)
  /**
   * Renews everything the node has registered, if `digest` is what the tower holds. `asleep`: all
   * apps that it can wake.
   */
  lease: struct({
    node: nodeId,
    boot: bootId,
    count,
    digest,
    port,
    asleep: maybe(list(appName, SLEEPERS)),
  }),
  /**
   * Adds endpoints. `whole`: this is page `page` of everything; others of the node are dropped.
   * `order` grows by one with each new `register` and `deregister` of a boot (a repetition keeps
   * its own, and so do the pages of one whole): a late copy cannot undo what was said after it.
   * It begins at the second of the boot's `bootWallMs` times 256, so that no two boots share one.
   * Without it the tower takes arrival for order, and the next lease's digest heals the rest.
   */
  register: struct({
    node: nodeId,
    boot: bootId,
    request: ID,
    order: maybe(count),
    endpoints: list(endpoint, 64),
    whole: maybe(struct({ page: count, pages: count })),
  }),
  deregister: struct({ node: nodeId, boot: bootId, replica: replicaId, order: maybe(count) }),

  // tower -> node
  "lease-ok": struct({ tower: bootId, node: nodeId, digest }),
  "register-ok": struct({ tower: bootId, node: nodeId, request: ID }),
  /**
   * `drained`: no live ingress sends there any more and none has a request in flight on it. An ingress
   * that comes from another tower may have: whoever waits for several towers asks each until all say so.
   * `order` is that of the `deregister` it answers: of a replica that was registered again in
   * between (in this boot or an earlier one), a late answer to the earlier one says nothing.
   */
  "deregister-ok": struct({
    tower: bootId,
    node: nodeId,
    replica: replicaId,
    drained: flag,
    order: maybe(count),
  }),
  /**
   * A request waits for this app, which sleeps: wake it, unless a conductor leads. Not answered; the
   * ingress asks again while it holds the request.
   */
  "wake-app": struct({ node: nodeId, app: appName }),
});
export type MeshMessage = Shaped<typeof meshShape>;
export type MeshKind = MeshMessage["k"];
export type Mesh<K extends MeshKind> = Extract<MeshMessage, { k: K }>;

/** Reads a mesh datagram; `null` where it is none. Mesh datagrams begin with `{`, v1 never does. */
export function decodeMesh(datagram: string): MeshMessage | null {
  return parseShaped(meshShape, datagram);
}

/** Writes a mesh datagram. */
export function encodeMesh(message: MeshMessage): string {
  return JSON.stringify(message);
}

// ---- The tower's watch stream (WebSocket /watch on 7772) -----------------------------------------

const route = struct({
  app: appName,
  host: maybe(host),
  path: text(1024, /^\//),
  strip: maybe(text(1024)),
  rate: maybe(struct({
    perSecond: decimal(0, 1e9),
    burst: decimal(0, 1e9),
    /** `ip` or `header:<name>`. */
    per: text(128),
  })),
  sticky: flag,
  timeoutMs: maybe(count),
  retries: maybe(integer(0, 10)),
  weight: integer(0, 10_000),
  tlsRequired: flag,
  /**
   * This share of the app's requests goes to replicas of that generation, the rest to the others; a
   * client bound to a replica by its cookie stays there. The same on all routes of the app.
   */
  canary: maybe(struct({ generation: count, percent: decimal(0, 100) })),
  /** The app may be at zero replicas: requests are held, within bounds, and it is asked for. */
  wake: maybe(flag),
});
/** One route of the published table: which requests go to which app. */
export type Route = Shaped<typeof route>;

/** What an ingress has seen of one generation of an app since its own start; all but `inFlight` only grow. */
const figure = struct({
  app: appName,
  /** 0: no replica took part. */
  generation: count,
  requests: count,
  /** Answers of 500 and above, the ingress's own (no replica, no answer) included. */
  errors: count,
  /** Requests under way now, held ones included. */
  inFlight: count,
  /** Answered requests by time to the whole answer: under each of `LATENCY_BOUNDS_MS`, and above. */
  latency: list(count, LATENCY_BOUNDS_MS.length + 1),
});
export type Figure = Shaped<typeof figure>;

/** What an ingress has seen of the requests of one route since its own start. */
const routeFigure = struct({
  app: appName,
  /** Host and path: `shop.example/api`, `/api`. */
  route: text(1280),
  requests: count,
  errors: count,
  latency: list(count, LATENCY_BOUNDS_MS.length + 1),
});
export type RouteFigure = Shaped<typeof routeFigure>;

const figures = struct({
  /** One start of one ingress (or one worker of it). */
  boot: bootId,
  /** Its name. */
  name: text(64),
  /**
   * A page of everything that this ingress has counted. What is in no page of a whole and
   * comes later began later; without having heard a whole, a figure's growth cannot be known.
   */
  whole: flag,
  /**
   * Grows with each message of this boot. What comes by a tower that had stood still may be older than
   * what another has brought since: it is passed over.
   */
  order: maybe(count),
  /** What has changed since it was told last; everything in a whole, in pages. */
  apps: list(figure, FIGURES_PAGE),
  /** The same by route. */
  routes: maybe(list(routeFigure, FIGURES_PAGE)),
});
/** What an ingress tells of the requests it has seen, once a second even if that is nothing. */
export type Figures = Shaped<typeof figures>;

/** Tower -> watcher. */
export const watchShape = variant({
  /**
   * The first message. While `complete` is false the tower has just started and does not know every
   * node yet: a watcher that holds an older table adds what it hears and removes nothing.
   */
  snapshot: struct({
    tower: bootId,
    revision: count,
    complete: flag,
    endpoints: list(endpoint, 3_000_000),
    routes: list(route, 100_000),
  }),
  /**
   * What changed since the previous message; `down` are replica ids. `lost` are those of `down` whose
   * node is gone with everything on it: whoever waits for an answer from there waits in vain.
   */
  delta: struct({
    revision: count,
    up: list(endpoint, 100_000),
    down: list(replicaId, 100_000),
    lost: maybe(list(replicaId, 100_000)),
  }),
  /** The whole table of routes, whenever it changes. */
  routes: struct({ revision: count, routes: list(route, 100_000) }),
  /** The list is complete from here on, and says it whole: what is not in it is gone. */
  complete: struct({ revision: count, endpoints: list(endpoint, 3_000_000) }),
  /** To an ingress: a conductor has come that knows nothing yet; tell all your figures. */
  "figures-please": struct({}),
  /**
   * The tower is there: to an ingress at each `ack`, to everybody else after the first snapshot and at
   * each `ping`. Whoever has heard it once may ask for it, and leave a tower that does not say it.
   */
  alive: struct({}),
  /** To the conductor: what an ingress has said. */
  figures,
  wake: struct({ app: appName }),
});
export type WatchMessage = Shaped<typeof watchShape>;

/** Says whether a message of the watch stream is `alive`, without reading all of it. */
export function isAlive(text: string): boolean {
  return text.startsWith('{"k":"alive"');
}

/** Watcher -> tower. */
export const watcherShape = variant({
  /** The first message. */
  hello: struct({ role: oneOf("ingress", "conductor", "client"), name: text(64) }),
  /**
   * An ingress has applied everything up to `revision` and sends no new request to what is gone.
   * `busy`: removed replicas on which it still has requests in flight. Sent after every change,
   * whenever `busy` changes, and every `INGRESS_ALIVE_MS`.
   */
  ack: struct({ revision: count, busy: list(replicaId, 100_000) }),
  /** Say that you are there. Only to a tower that has said so by this stream: older ones close it. */
  ping: struct({}),
  /**
   * The conductor publishes the whole table of routes. Of several conductors that of the greatest
   * term counts; what one of an earlier term says is passed over.
   */
  publish: struct({ routes: list(route, 100_000), term: maybe(count) }),
  /** What an ingress has seen: every second, every 250 ms while a canary is judged by it. */
  figures,
  /** An ingress holds a request for an app without replicas; said again while it does. */
  wake: struct({ app: appName }),
  /**
   * The conductor's word that these nodes are dead, all of them each time: their leases lapse at
   * once, but not of one that the tower hears.
   */
  lost: struct({ nodes: list(nodeId, LOST_NODES), term: maybe(count) }),
});
export type WatcherMessage = Shaped<typeof watcherShape>;

// ---- The conductor's log as nodes follow it (WebSocket /follow on 7771) --------------------------

/** Conductor -> node. The node asks with `/follow?from=<sequence>` for everything after it. */
export const followShape = variant({
  /** A signed command of the log, with what a node needs to check it by itself. */
  record: struct({
    sequence: count,
    /** `<command>|<unix seconds>`. */
    text: text(2_000_000),
    signatureHex: text(6618, /^[0-9a-f]{6618}$/),
    /** Fingerprint of the operator's key: hex SHA-256 of the public key. */
    key: text(64, /^[0-9a-f]{64}$/),
    /**
     * What a v1 SUBMIT or ROLLOUT found at the path that it names. No operator signed this text: a
     * node runs it only with `--trust-paths`.
     */
    manifest: maybe(text(1_000_000)),
    /** The end of the chain of signed commands after this one (core/chain.ts). */
    chain: maybe(text(64, /^[0-9a-f]{64}$/)),
  }),
  /** First of all: which log this is. */
  log: struct({ log: text(64, /^[0-9a-f]{64}$/) }),
  /** Variable -> its secret, sealed to the node for this replica (core/live/box.ts). */
  secrets: struct({ replica: replicaId, values: map(text(100_000), 1_000) }),
  /** Why there are none; `again`: perhaps soon. */
  "no-secrets": struct({ replica: replicaId, reason: text(300), again: flag }),
  /** The conductor's signature over its log up to an entry (core/audit.ts). */
  checkpoint: struct({
    log: text(64, /^[0-9a-f]{64}$/),
    sequence: count,
    hash: text(64, /^[0-9a-f]{64}$/),
    wallMs,
    /** The conductor's identity: ML-DSA-65, base64. */
    publicKey: text(2_604, /^[A-Za-z0-9+/=]{2604}$/),
    signatureHex: text(6_618, /^[0-9a-f]{6618}$/),
  }),
  /** Everything up to here has been sent; the chain's end there. */
  head: struct({ sequence: count, chain: maybe(text(64, /^[0-9a-f]{64}$/)) }),
});
/** Node -> conductor, on the same stream: the secrets of one of its replicas, sealed to this key. */
export const followerShape = variant({
  "want-secrets": struct({
    node: text(32, /^[0-9a-f]{32}$/),
    replica: replicaId,
    /** ML-KEM-768, base64. */
    publicKey: text(1_580, /^[A-Za-z0-9+/=]{1580}$/),
  }),
});
export type FollowerMessage = Shaped<typeof followerShape>;

export type FollowMessage = Shaped<typeof followShape>;

/**
 * An order-independent digest of a set of (id, version) pairs, 48 bits: the sum of an FNV-1a hash
 * of each. Two sides that hold the same set hold the same digest.
 */
export function digestOf(pairs: Iterable<readonly [id: string, version: number]>): number {
  let sum = 0;
  for (const [id, version] of pairs) sum = (sum + digestOne(id, version)) % 2 ** 48;
  return sum;
}

function digestOne(id: string, version: number): number {
  let low = 0x811c9dc5;
  let high = 0x01000193;
  const mix = (unit: number) => {
    low = Math.imul(low ^ unit, 0x01000193);
    high = Math.imul(high ^ (unit + 0x9e37), 0x85ebca6b);
  };
  for (let at = 0; at < id.length; at++) mix(id.charCodeAt(at));
  mix(version & 0xffff);
  mix(Math.floor(version / 0x10000) & 0xffff);
  return ((high >>> 0) & 0xffff) * 2 ** 32 + (low >>> 0);
}
