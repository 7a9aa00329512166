// One replica: the states it can be in, and how each is reported, saved and timed.
// What leads from one state to the next is in life.ts.

import { PROBE_GRACE_MS } from "../core/limits.ts";
import type { AppSpec } from "../core/manifest/spec.ts";
import type { Endpoint, Exit, ReplicaStatus } from "../core/mesh.ts";
import type { Launch } from "../core/wire.ts";
import type { Probing } from "./health.ts";
import type { LaunchPlan } from "./plan.ts";
import type { Label } from "./relabel.ts";
import { NO_RESTARTS, type Restarts } from "./restart.ts";
import type { SavedReplica } from "./saved.ts";

export type State =
  /**
   * Accepted; its record has not arrived or is not verified yet. `ended`: how its process ended
   * while the daemon was away; what follows from that, the record's restart policy says.
   * Exits: `port` or `launching` (record held), `backoff` (held, after `ended`), `finished` (record
   * refused, policy, or stop).
   */
  | { readonly at: "record"; readonly ended?: Exit }
  /**
   * Its artifact is being fetched (`untilMs` is infinite), or is asked for again at `untilMs`.
   * Exits: `port` or `launching` (it is here), `finished` (stop).
   */
  | { readonly at: "artifact"; readonly untilMs: number; readonly waitMs?: number }
  /**
   * A trial bind of `trying` is under way; `refused` are the ports it cannot have.
   * Exits: `launching` (free), `port` (taken: the next), `blocked` (none left), `finished` (stop).
   */
  | { readonly at: "port"; readonly trying: number; readonly refused: Set<number> }
  /**
   * Cannot start for a reason of the node's own (no port); tried again at `untilMs`.
   * Exits: `port` (time), `finished` (stop).
   */
  | { readonly at: "blocked"; readonly untilMs: number }
  /**
   * The launcher was asked to start the program.
   * Exits: `starting` (launched), `backoff` or `finished` (could not be), `terminating` (stop).
   */
  | { readonly at: "launching" }
  /**
   * The program runs and no probe has passed. Without probes (`probing` null) it becomes ready at
   * `readyMs`. `checking`: a probe passed, and whose socket answered is being found out.
   * Exits: `ready`, `ending` (never became ready), `backoff`/`port`/`finished` (it ended),
   * `terminating` (stop).
   */
  | {
    readonly at: "starting";
    readonly probing: Probing | null;
    readonly readyMs: number;
    readonly checking: boolean;
  }
  /**
   * A probe passed; registered with the tower if it has a port. Others hear of it as `starting` until
   * it is `listed`: until the tower has said that it knows it, nobody may stop another for it.
   * Exits: `ending` (unhealthy), `backoff`/`port`/`finished` (it ended), `draining` (stop).
   */
  | {
    readonly at: "ready";
    readonly probing: Probing | null;
    readonly sinceMs: number;
    readonly listed: boolean;
  }
  /**
   * Found when the daemon started. Running: its record is not verified again yet, so nobody knows how
   * to probe it. Not running: how it ended is still being read.
   * Exits: `starting` or `ready` (running, record held), `record`, `backoff`, `port` or `finished`
   * (it ended), `draining` or `terminating` (stop).
   */
  | { readonly at: "adopted"; readonly running: boolean; readonly wasReady: boolean }
  /**
   * Unhealthy (`check` says what its last probe found) or over its memory (`oom` says by how much)
   * and told to end; SIGKILL follows at `killMs`. Will be started again.
   * Exits: `backoff`/`port`/`finished` (it ended), `terminating` (stop).
   */
  | {
    readonly at: "ending";
    readonly killMs: number;
    readonly oom?: string;
    readonly check?: string;
  }
  /** Ended, waits before it is started again. Exits: `port` or `launching`, `finished` (stop). */
  | { readonly at: "backoff"; readonly untilMs: number }
  /**
   * Told to stop and deregistered; waits until no ingress sends there, at most until `untilMs`.
   * Exits: `terminating`, `finished` (it ended).
   */
  | { readonly at: "draining"; readonly untilMs: number }
  /**
   * Told to stop and signalled, or its start called off (`killMs` is infinite until it is known
   * which); SIGKILL follows at `killMs`. Exits: `finished`.
   */
  | { readonly at: "terminating"; readonly killMs: number }
  /** It ended and will not be started again. No exits. */
  | { readonly at: "finished" };

/** A replica as the node's machine holds it. */
export interface Replica {
  readonly id: string;
  readonly app: string;
  generation: number;
  sequence: number;
  readonly index: number;
  /** Present: not the app itself, but its record's `before`. */
  readonly part?: "before";
  /** It is to go on by this record as soon as that is verified. */
  next?: Label | undefined;
  /** A v1 LAUNCH: no record, and the conductor does not hear of it. */
  readonly launch?: Launch;
  /** This node started it by itself, for a request, while no conductor led. */
  readonly standIn?: true;
  /** Nodes that had its artifact when it was ordered, as `host:port`. */
  sources: readonly string[];
  spec: AppSpec | null;
  plan: LaunchPlan | null;
  state: State;
  /** Number of the current or last start, from 1. */
  instance: number;
  port: number | undefined;
  pid: number | undefined;
  restarts: Restarts;
  exit: Exit | undefined;
  reason: string | undefined;
  /** How often in a row it was seen to use more memory than its `ram`. */
  overMemory: number;
  stopOrdered: boolean;
  dropped: boolean;
  version: number;
  sinceWallMs: number;
  /** Highest version that the conductor has acknowledged. */
  acked: number;
}

/** The state as the conductor hears it. */
export function reported(state: State): ReplicaStatus["state"] {
  switch (state.at) {
    case "record":
    case "artifact":
    case "blocked":
    case "backoff":
      return "waiting";
    case "port":
    case "launching":
    case "starting":
    case "ending":
      return "starting";
    case "adopted":
      return state.wasReady ? "ready" : "starting";
    case "ready":
      return state.listed ? "ready" : "starting";
    case "draining":
    case "terminating":
      return "stopping";
    case "finished":
      return "finished";
    default:
      return state satisfies never;
  }
}

/** Says whether a process may exist in this state. */
export function hasProcess(state: State): boolean {
  switch (state.at) {
    case "launching":
    case "starting":
    case "ready":
    case "adopted":
    case "ending":
    case "draining":
    case "terminating":
      return true;
    case "record":
    case "artifact":
    case "port":
    case "blocked":
    case "backoff":
    case "finished":
      return false;
    default:
      return state satisfies never;
  }
}

/** When this state has something to do by itself; `Infinity`: never. */
export function dueOf(state: State): number {
  switch (state.at) {
    case "artifact":
    case "blocked":
    case "backoff":
    case "draining":
      return state.untilMs;
    case "starting":
      if (state.checking) return Infinity;
      return state.probing === null ? state.readyMs : probeDue(state.probing);
    case "ready":
      return state.probing === null ? Infinity : probeDue(state.probing);
    case "ending":
    case "terminating":
      return state.killMs;
    case "record":
    case "port":
    case "launching":
    case "adopted":
    case "finished":
      return Infinity;
    default:
      return state satisfies never;
  }
}

function probeDue(probing: Probing): number {
  if (probing.outstanding === null) return probing.nextMs;
  return probing.outstanding.sentMs + probing.plan.timeoutMs + PROBE_GRACE_MS;
}

/** The replica as the conductor hears of it. */
export function statusOf(replica: Replica): ReplicaStatus {
  const { pid, port, exit, reason } = replica;
  return {
    replica: replica.id,
    app: replica.app,
    generation: replica.generation,
    version: replica.version,
    state: reported(replica.state),
    ...(pid === undefined ? {} : { pid }),
    ...(port === undefined ? {} : { port }),
    restarts: replica.restarts.count,
    sinceWallMs: replica.sinceWallMs,
    ...(exit === undefined ? {} : { exit }),
    ...(reason === undefined ? {} : { reason }),
    ...(replica.standIn ? { standIn: true } : {}),
  };
}

/** The replica as it stands on disk. */
export function savedOf(replica: Replica): SavedReplica {
  const { launch, port, exit, reason, part } = replica;
  return {
    format: 1,
    replica: replica.id,
    app: replica.app,
    generation: replica.generation,
    sequence: replica.sequence,
    index: replica.index,
    ...(part === undefined ? {} : { part }),
    ...(launch === undefined ? {} : { launch }),
    instance: replica.instance,
    stage: stageOf(replica.state),
    ...(port === undefined ? {} : { port }),
    restarts: replica.restarts.count,
    stopOrdered: replica.stopOrdered,
    dropped: replica.dropped,
    sinceWallMs: replica.sinceWallMs,
    ...(exit === undefined ? {} : { exit }),
    ...(reason === undefined ? {} : { reason }),
    ...(replica.standIn ? { standIn: true } : {}),
  };
}

function stageOf(state: State): SavedReplica["stage"] {
  // Registered, if not acknowledged: the next start must drain it like any other.
  if (state.at === "ready") return "ready";
  switch (reported(state)) {
    case "waiting":
      return "pending";
    case "starting":
      return hasProcess(state) ? "running" : "pending";
    case "ready":
      return "ready";
    case "stopping":
      return "stopping";
    case "finished":
      return "finished";
  }
}

/** The replica as the tower lists it. */
export function endpointOf(
  replica: Replica,
  around: { readonly name: string; readonly host: string },
): Endpoint | null {
  if (replica.port === undefined) return null;
  return {
    replica: replica.id,
    app: replica.app,
    generation: replica.generation,
    node: around.name,
    host: around.host,
    port: replica.port,
  };
}

/** A v1 launch is between the node and whoever launched it. */
export function isListed(replica: Replica): boolean {
  return replica.launch === undefined;
}

/** The statuses of everything listed, as the conductor hears them. */
export function statusesOf(replicas: Iterable<Replica>): ReplicaStatus[] {
  return [...replicas].filter(isListed).map(statusOf);
}

/** A replica that has just been accepted: it has no record yet. */
export function freshReplica(
  who: Pick<
    Replica,
    "id" | "app" | "generation" | "sequence" | "index" | "part" | "launch" | "standIn"
  >,
  wallMs: number,
): Replica {
  return {
    ...who,
    sources: [],
    spec: null,
    plan: null,
    state: { at: "record" },
    instance: 0,
    port: undefined,
    pid: undefined,
    restarts: NO_RESTARTS,
    exit: undefined,
    reason: undefined,
    overMemory: 0,
    stopOrdered: false,
    dropped: false,
    version: 0,
    sinceWallMs: wallMs,
    acked: 0,
  };
}

/** The replica as it was saved, before it is known what became of its process. */
export function replicaOf(saved: SavedReplica): Replica {
  const { replica: id, app, generation, sequence, index, part, launch } = saved;
  return {
    ...freshReplica(
      {
        ...{ id, app, generation, sequence, index },
        ...(part === undefined ? {} : { part }),
        ...(launch === undefined ? {} : { launch }),
        ...(saved.standIn ? { standIn: true } : {}),
      },
      saved.sinceWallMs,
    ),
    instance: saved.instance,
    port: saved.port,
    restarts: { count: saved.restarts, streak: 0 },
    exit: saved.exit,
    reason: saved.reason,
    stopOrdered: saved.stopOrdered,
  };
}
