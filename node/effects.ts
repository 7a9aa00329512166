// What happens to the node's machine, and what it wants done. All of it is plain data.

import type { Address } from "../core/address.ts";
import type { HealthCheck } from "../core/manifest/spec.ts";
import type { Wish } from "../core/mesh.ts";
import type { SignedArtifact } from "./artifact.ts";
import type { ProbeResult } from "./health.ts";
import type { LaunchPlan } from "./plan.ts";
import type { LogRecord } from "./records.ts";
import type { SavedReplica } from "./saved.ts";

/** A replica found on disk when the daemon started. */
export interface Adopted {
  readonly saved: SavedReplica;
  /** Its process, if that still runs; else how it ended comes as `exited`. */
  readonly pid?: number;
  readonly running: boolean;
}

/** How a process ended, as far as anybody could tell. */
export interface Ended {
  readonly code?: number;
  readonly signal?: string;
  /** The launcher vanished without a code. */
  readonly lost: boolean;
  /** The kernel ended it, or part of it, because its memory was used up. */
  readonly oom?: boolean;
  /** The program could not be executed at all: `tail` says why. */
  readonly notLaunched: boolean;
  /** The last lines it wrote. */
  readonly tail: string;
}

/** What the process group of a replica uses. */
export interface Use {
  readonly replica: string;
  readonly instance: number;
  readonly residentBytes: number;
  /** The kernel keeps it to its `ram`. */
  readonly limited: boolean;
}

export type NodeEvent =
  /** The first event: what is on disk. */
  | {
    readonly on: "start";
    readonly adopted: readonly Adopted[];
    readonly tombstones: readonly (readonly [replica: string, wallMs: number])[];
    readonly records: readonly LogRecord[];
    /** The log that they are of, where that is known. */
    readonly log?: string;
  }
  /** A datagram that begins with `{` arrived. */
  | { readonly on: "mesh"; readonly text: string; readonly from: Address }
  /** A plain v1 command arrived from where it may be answered; `open`: also where it may act. */
  | { readonly on: "plain"; readonly text: string; readonly from: Address; readonly open: boolean }
  /** From the conductor's log. */
  | { readonly on: "record"; readonly record: LogRecord }
  | { readonly on: "head"; readonly sequence: number; readonly chain?: string | undefined }
  /** The conductor says which log it shows. */
  | { readonly on: "log"; readonly log: string }
  /** The answer to `verify`: `null`, or why the record does not count. */
  | { readonly on: "verified"; readonly sequence: number; readonly refusal: string | null }
  /** The answer to `try-port`. */
  | {
    readonly on: "port-tried";
    readonly replica: string;
    readonly port: number;
    readonly free: boolean;
  }
  /** The answer to `fetch`: `null`, or why it is not here. */
  | {
    readonly on: "fetched";
    readonly for?: "prepare";
    readonly replica: string;
    readonly fault: string | null;
    /** Why what was here of it could not be used and was replaced. */
    readonly changed?: string;
  }
  /** The answer to `check-program`: `null`, or why it could not be executed. */
  | { readonly on: "checked"; readonly app: string; readonly fault: string | null }
  /** The answers to `launch`: its program runs; or it could not be started. */
  | {
    readonly on: "launched";
    readonly replica: string;
    readonly instance: number;
    readonly pid: number;
  }
  | {
    readonly on: "launch-failed";
    readonly replica: string;
    readonly instance: number;
    readonly reason: string;
  }
  /** A launched or adopted program ended, and nothing of its process group is left. */
  | {
    readonly on: "exited";
    readonly replica: string;
    readonly instance: number;
    readonly ended: Ended;
  }
  /** The answer to `probe`. */
  | {
    readonly on: "probed";
    readonly replica: string;
    readonly probe: string;
    readonly result: ProbeResult;
    /** For people: `GET /health answered 500`. */
    readonly detail: string;
  }
  /** The prober was lost with everything it had under way. */
  | { readonly on: "probes-lost" }
  /** The answer to `check-owner`. `unknown`: nobody could tell. */
  | {
    readonly on: "owner";
    readonly replica: string;
    readonly instance: number;
    readonly owner: "own" | "other" | "unknown";
    readonly detail: string;
  }
  /** What running replicas use. */
  | { readonly on: "uses"; readonly uses: readonly Use[] }
  /** What the autoscale worker makes of their CPU: all apps that scale by it. */
  | { readonly on: "wishes"; readonly wishes: readonly Wish[] }
  /** How the machine is loaded. */
  | {
    readonly on: "sample";
    readonly cpuPercent: number;
    readonly ramTotalBytes: number;
    readonly ramFreeBytes: number;
  }
  /** The daemon ends and takes its replicas with it; `stopped` follows when they are gone. */
  | { readonly on: "stop-all" }
  /** The time is `dueMonoMs`, or later. */
  | { readonly on: "tick" };

export type NodeEffect =
  | { readonly do: "send"; readonly to: Address; readonly text: string }
  /** Check this record's signature by this key (base64; `null`: any will do); see `verified`. */
  | { readonly do: "verify"; readonly record: LogRecord; readonly publicKey: string | null }
  /** Keep this record on disk, behind those before it. */
  | { readonly do: "keep-record"; readonly record: LogRecord }
  /** Remember of which log the records are. */
  | { readonly do: "keep-log"; readonly log: string }
  /** Bind this port on all addresses and let go of it; answered by `port-tried`. */
  | { readonly do: "try-port"; readonly replica: string; readonly port: number }
  /** See to it that this artifact is here as it was signed; answered by `fetched`. */
  | {
    readonly do: "fetch";
    /** Not for a replica, but for an app whose next generation is looked into: `replica` names it. */
    readonly for?: "prepare";
    readonly replica: string;
    readonly artifact: SignedArtifact;
    /** Nodes that may have it, as `host:port`. */
    readonly sources: readonly string[];
  }
  /** Find out whether this could be executed, and change nothing; answered by `checked`. */
  | {
    readonly do: "check-program";
    readonly app: string;
    readonly plan: LaunchPlan;
    /** A port that nobody may listen on, since it is the only one that will do. */
    readonly freePort?: number;
  }
  /**
   * Save this and then start the program; answered by `launched` or `launch-failed`, and after
   * `launched` by `exited`.
   */
  | {
    readonly do: "launch";
    readonly replica: string;
    readonly instance: number;
    readonly plan: LaunchPlan;
    readonly saved: SavedReplica;
  }
  /** Do not start this any more: answered by `launch-failed`, unless its launcher is there already. */
  | { readonly do: "call-off"; readonly replica: string; readonly instance: number }
  /** Send a signal to the whole process group. */
  | {
    readonly do: "signal";
    readonly replica: string;
    readonly instance: number;
    readonly signal: string;
  }
  /** Probe once; answered by `probed` within the timeout or soon after. */
  | {
    readonly do: "probe";
    readonly replica: string;
    readonly probe: string;
    readonly check: HealthCheck;
    readonly port?: number;
    readonly timeoutMs: number;
    /** For an EXEC check: where and how its command runs. */
    readonly plan: LaunchPlan;
  }
  /** Find out whose socket listens at this port; answered by `owner`. */
  | {
    readonly do: "check-owner";
    readonly replica: string;
    readonly instance: number;
    readonly port: number;
  }
  /** Keep this on disk. */
  | { readonly do: "save"; readonly saved: SavedReplica }
  /** Remember an id as finished that had no state here. */
  | { readonly do: "tombstone"; readonly replica: string; readonly wallMs: number }
  /** The conductor at this address leads now: follow its log from where this node is. */
  | { readonly do: "follow"; readonly at: Address }
  | { readonly do: "log"; readonly level: "info" | "warning" | "error"; readonly text: string }
  /** Everything has ended after `stop-all`. */
  | { readonly do: "stopped" };
