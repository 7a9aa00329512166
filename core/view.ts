/**
 * What the conductor answers over TCP 7771 (`/api/...`), as JSON. The CLI's `--json` prints these.
 *
 * | request | answer |
 * |---|---|
 * | `POST /command` body: a signed command | the reply as text, `OK\|...` or `ERR\|...` |
 * | `POST /api/plan` body: manifest text | `PlanView` |
 * | `GET /api/status?replicas=0` | `StatusView`; with `replicas=0` without the apps' replicas |
 * | `GET /api/sample` | `DeckSample` (core/deck_view.ts): load and traffic now |
 * | `GET /api/load?node=N` | `LoadsView` (core/deck_view.ts): the past of a node's load |
 * | `GET /api/traffic?app=A` | `TrafficView` (core/deck_view.ts): the past of an app's requests |
 * | `GET /api/routes?app=A&route=R` | `RoutesView` (core/deck_view.ts): the past of an app's routes |
 * | `GET /api/nodes?limit=N&after=NEXT` | `{ nodes: NodeView[], next? }` |
 * | `GET /api/nodes/<node>` | `NodeDetailView`, 404 `{ error }` |
 * | `GET /api/nodes/<node>?watch=1` | a `NodeDetailView` a line, now and after every change |
 * | `GET /api/volumes` | `{ volumes: VolumeView[] }` |
 * | `GET /api/what-if?lose=NODE,...&add=N&ram=BYTES&cpu=CORES&gpu=1&labels=K=V,...` | `WhatIfView` |
 * | `GET /api/apps?limit=N&after=NEXT&node=ID&replicas=0` | `{ apps: AppView[], next? }` |
 * | `GET /api/apps/<app>` | `AppView`, 404 `{ error }` |
 * | `GET /api/apps/<app>/manifest` | `{ manifest }`: the canonical text that it runs by |
 * | `GET /api/apps/<app>?watch=1` | an `AppView` a line, now and after every change |
 * | `GET /api/apps/<app>/history` | `HistoryView` |
 * | `GET /api/apps/<app>/generations/<n>` | `SignedGenerationView` |
 * | `GET /api/apps/<app>/why` | `WhyView` |
 * | `GET /api/events?app=A&limit=N&follow=1` | an `EventView` a line, oldest first |
 * | `GET /api/telemetry?app=A&node=N&grep=TEXT&since=MS&lines=N` | a `LogView` a line, of all that was gathered |
 * | `GET /api/telemetry/metrics?app=A` | values that an app told of: core/metric_view.ts |
 * | `GET /api/telemetry/...` | traces, and how apps answered: core/trace_view.ts |
 * | `GET /api/logs/<app>?lines=N&follow=1&last=N&grep=TEXT&since=MS` | a `LogView` a line; followed: by time, then as they come |
 */

import type { Run } from "./job.ts";
import type { AppType } from "./manifest/spec.ts";
import type { Exit, REPLICA_STATES } from "./mesh.ts";

export type ReplicaState = "placed" | typeof REPLICA_STATES[number] | "unreachable";

export interface ReplicaView {
  readonly replica: string;
  /** Present: not a replica, but what runs before a generation's first one. */
  readonly part?: "before";
  readonly index: number;
  readonly generation: number;
  /** The node's name. */
  readonly node: string;
  readonly nodeId: string;
  readonly host: string;
  readonly port?: number;
  readonly pid?: number;
  /** `placed`: the node has not answered yet; `unreachable`: its node is silent. */
  readonly state: ReplicaState;
  readonly sinceWallMs: number;
  readonly restarts: number;
  readonly reason?: string;
  readonly exit?: Exit;
}

/** How an app with a `scale` is loaded, as far as that is known. */
export interface ScaleView {
  readonly min: number;
  readonly max: number;
  /** It has no replica because nobody asks for it; the next request wakes it. */
  readonly asleep: boolean;
  /** Mean CPU of its replicas, in percent of their `cpu`. */
  readonly cpuPercent?: number;
  readonly requestsPerSecond?: number;
}

export interface AppView {
  readonly app: string;
  readonly namespace: string;
  readonly type: AppType;
  readonly generation: number;
  readonly wanted: number;
  readonly ready: number;
  readonly scale?: ScaleView;
  /**
   * `ready`: as wanted, all of this generation; `deploying`: on the way there; `degraded`: was
   * there, has fewer ready replicas now; `failing`: replicas die or cannot be placed; `stopped`:
   * kept, and none of it shall run; `down`: taken down and gone or on its way out.
   */
  readonly state: "ready" | "deploying" | "degraded" | "failing" | "stopped" | "down";
  /** Why it is not ready, one line each. */
  readonly reasons: readonly string[];
  readonly replicas: readonly ReplicaView[];
  readonly signedBy: string;
  readonly signedWallMs: number;
  /** The last runs of a job, oldest first. */
  readonly runs?: readonly RunView[];
  /** The last rollout, under way or over. */
  readonly rollout?: RolloutView;
  /** The generation that was signed last, and what became of it, as far as that is decided. */
  readonly newest?: { readonly generation: number; readonly outcome?: OutcomeView };
}

/** A run of a job; its replicas with the names of their nodes. */
export interface RunView extends Omit<Run, "replicas"> {
  readonly replicas: readonly { readonly replica: string; readonly node: string }[];
}

/** What became of a generation. */
export interface OutcomeView {
  /** `superseded`: something else was wanted before it was decided. */
  readonly result: "done" | "failed" | "rolled-back" | "superseded";
  readonly reason: string;
  readonly wallMs: number;
  /** The replica that shows why, and its node's name. */
  readonly replica?: string;
  readonly node?: string;
}

/** What the ingresses saw of one generation. */
export interface FiguresView {
  readonly generation: number;
  readonly requests: number;
  /** Answers with a status of 5xx. */
  readonly errors: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
}

export interface RolloutView {
  /** `restart`: the same generation once more; `back`: to an earlier one, after a failure. */
  readonly kind: "deploy" | "restart" | "back";
  readonly generation: number;
  /** What served before. */
  readonly from?: number;
  /** `failed` has nothing to go back to and goes on trying; `paused` waits for an operator. */
  readonly phase: "before" | "canary" | "rolling" | "paused" | "failed" | "done";
  readonly begunWallMs: number;
  readonly reason?: string;
  readonly replica?: string;
  readonly node?: string;
  /** Replicas of the new generation that are ready, and those that it has not replaced yet. */
  readonly ready: number;
  readonly old: number;
  readonly canary?: {
    readonly percent: number;
    readonly durationMs: number;
    /** Absent before it has begun. */
    readonly sinceWallMs?: number;
  };
  /** New and old as the ingresses see them, where they have told. */
  readonly figures?: { readonly fresh: FiguresView; readonly old: FiguresView };
}

/** `GET /api/apps/<app>/history`: every generation that is kept, newest first. */
export interface HistoryView {
  readonly app: string;
  readonly generations: readonly GenerationView[];
}

export interface GenerationView {
  readonly generation: number;
  /** Its place in the log. */
  readonly sequence: number;
  readonly signedBy: string;
  readonly signedWallMs: number;
  /** What a failed rollout of it may go back to. */
  readonly fallback?: number;
  /** Hex SHA-256 of its manifest. */
  readonly digest: string;
  /** It is what runs, or shall run. */
  readonly current: boolean;
  readonly outcome?: OutcomeView;
}

/** `GET /api/apps/<app>/generations/<n>`: one generation, with what was signed. */
export interface SignedGenerationView extends GenerationView {
  readonly manifest: string;
  /** As it stands in the log; absent where the log holds it no more. */
  readonly record?: { readonly text: string; readonly signatureHex: string };
}

/** `GET /api/apps/<app>/why`: why the app is as it is. */
export interface WhyView {
  readonly app: AppView;
  /** The manifest that runs, or shall run; and the artifact that it names. */
  readonly digest: string;
  readonly artifact?: string;
  /** Its last ends, newest first. */
  readonly exits: readonly {
    readonly replica: string;
    readonly node: string;
    readonly generation?: number;
    readonly wallMs: number;
    readonly exit: Exit;
    /** The last signed change before it. */
    readonly change?: string;
  }[];
  /** What happened since the last signed change, oldest first. */
  readonly story: readonly EventView[];
}

export interface NodeView {
  readonly id: string;
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly state: "ready" | "dead";
  readonly cpuPercent: number;
  readonly cores: number;
  readonly ramTotalBytes: number;
  readonly ramFreeBytes: number;
  readonly gpu: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly replicas: number;
  readonly silentMs: number;
  /** Why nothing is placed there, where that is so for good: `speaks only v1`. */
  readonly reason?: string;
  /** How far its clock is off the conductor's, in ms, where that is too far; below 0: it is behind. */
  readonly clockOffMs?: number;
  /** An operator keeps replicas off it: those that run stay (`cordoned`) or move (`draining`). */
  readonly bar?: "cordoned" | "draining";
}

/** `GET /api/nodes/NAME`: one node and what is placed there. */
export interface NodeDetailView {
  readonly node: NodeView;
  readonly placed: readonly {
    readonly replica: string;
    readonly app: string;
    readonly state: ReplicaState;
    readonly leaving: boolean;
    /** It lives with a volume that is on this node. */
    readonly home?: true;
    /** Why it does not move away, where that is known. */
    readonly stays?: string;
  }[];
}

/** `GET /api/volumes`: a volume of an app, and where it lives. */
export interface VolumeView {
  readonly app: string;
  readonly path: string;
  readonly shared: boolean;
  /** The name of the node that holds it. */
  readonly home?: string;
  /** Replicas that are placed. */
  readonly replicas: number;
  /** `none`: nothing has been placed yet; `kept`: the app is down; `unreachable`: its home is. */
  readonly state: "in use" | "kept" | "unreachable" | "shared" | "none";
}

/** `GET /api/what-if`: what would happen. */
export interface WhatIfView {
  /** What would be done at once, one line each, as in `PlanView`. */
  readonly operations: readonly string[];
  readonly unplaced: readonly string[];
  /** What would wait, and for what. */
  readonly waiting: readonly string[];
  /** Apps that would have no ready replica until their replacements are. */
  readonly interrupted: readonly string[];
  /** What `skr8tr rebalance` would move then, where nodes come. */
  readonly moves: readonly string[];
  readonly nodes: readonly WhatIfNode[];
}

export interface WhatIfNode {
  readonly name: string;
  readonly change: "stays" | "lost" | "new";
  readonly replicasBefore: number;
  readonly replicasAfter: number;
  /** Of what manifests ask for, not of what is used. */
  readonly ramPercentBefore: number;
  readonly ramPercentAfter: number;
  readonly cpuPercentBefore: number;
  readonly cpuPercentAfter: number;
}

export interface StatusView {
  readonly conductor: { readonly version: string; readonly boot: string; readonly upMs: number };
  /** Last entry of the log. */
  readonly sequence: number;
  readonly nodes: readonly NodeView[];
  readonly apps: readonly AppView[];
  /** What is wrong now, one line each; empty when all is well. */
  readonly problems: readonly string[];
}

export interface PlanView {
  readonly apps: readonly {
    readonly app: string;
    /** What APPLY must carry. */
    readonly generation: number;
    readonly fallback?: number;
    /** True if the manifest is what runs already. */
    readonly unchanged: boolean;
    /** What would be done, one line each: `place product-svc/0 on node-1: most room`. */
    readonly operations: readonly string[];
    /** Replicas that could not be placed, with the reason for each node. */
    readonly unplaced: readonly string[];
    /** Why its APPLY would be refused as things are, whoever signs it. */
    readonly refused?: string;
  }[];
}

export interface EventView {
  readonly sequence: number;
  readonly wallMs: number;
  /** Stable, kebab-case: `node-lost`, `replica-ready`, `replica-exited`, `app-applied`. */
  readonly kind: string;
  readonly app?: string;
  readonly node?: string;
  readonly replica?: string;
  /** With `replica-exited`. */
  readonly generation?: number;
  readonly exit?: Exit;
  readonly text: string;
}

export interface LogView {
  readonly wallMs: number;
  readonly app: string;
  readonly replica: string;
  readonly node: string;
  readonly line: string;
  /** Present for what it wrote to standard error. */
  readonly stream?: "stderr";
}

/** Who may do what: `GET /api/operators`. */
export interface OperatorsView {
  /** The conductor obeys anybody. */
  readonly insecure: boolean;
  readonly operators: readonly {
    readonly name: string;
    /** Fingerprint of the public key. */
    readonly key: string;
    readonly grants: readonly {
      /** The log's sequence that gave it; 0 for the keys of `--pubkey`. */
      readonly number: number;
      readonly role: string;
      /** Empty: all. */
      readonly namespaces: readonly string[];
      readonly apps: readonly string[];
      /** Unix seconds. */
      readonly untilS?: number;
    }[];
  }[];
  readonly quotas: readonly {
    readonly namespace: string;
    readonly replicas?: number;
    readonly ramBytes?: number;
    readonly cores?: number;
  }[];
}

/** What the apps of a namespace may take, and take, together: `GET /api/quotas/NAMESPACE`. */
export interface QuotaView {
  readonly namespace: string;
  /** Absent: it has none. In it absent: no limit. */
  readonly quota?: Pick<OperatorsView["quotas"][number], "replicas" | "ramBytes" | "cores">;
  /** What a quota counts: all that the apps that are up may ask for, by their manifests. */
  readonly taken: {
    readonly replicas: number;
    readonly ramBytes: number;
    readonly cores: number;
  };
}

/** Which secrets there are: `GET /api/secrets`. Nobody is ever shown their values. */
export interface SecretsView {
  readonly secrets: readonly {
    readonly namespace: string;
    readonly secret: string;
    /** Where in the log, and when, it was set last. */
    readonly sequence: number;
    readonly wallMs: number;
    /** Apps that are up and use it. */
    readonly apps: readonly string[];
  }[];
}

/** A line of the audit: `GET /api/audit`. */
export interface AuditView {
  /** Where in the log; absent for refusals to strangers, which stand beside it. */
  readonly sequence?: number;
  readonly wallMs: number;
  /** `command`, `refused`, `joined`, `sign-in`, `node-key`, `roots`, `recovered`. */
  readonly kind: string;
  /** Of a command: `APPLY`, `GRANT`, `EXEC`... */
  readonly verb?: string;
  /** The operator's name. */
  readonly operator?: string;
  /** Fingerprint of the key that signed. */
  readonly key?: string;
  readonly app?: string;
  readonly text: string;
}
