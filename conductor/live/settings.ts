// What a conductor is started with, and what comes back.

import type { Address } from "../../core/address.ts";
import type { Running } from "../../core/live/daemon.ts";
import type { SealKeys } from "../../core/live/seal_keys.ts";
import type { SsoSettings } from "../trust/sso.ts";
import type { StoreTarget } from "../leading/store_target.ts";
import type { SyslogTarget } from "./syslog.ts";
import type { NatsAccess } from "./nats.ts";
import type { Operators } from "./open.ts";

export interface ConductorSettings {
  readonly bind: string;
  readonly port: number;
  readonly meshPort: number;
  readonly state: string;
  readonly operators: Operators;
  readonly tower: Address;
  /** Further ones, which are told the same. */
  readonly moreTowers?: readonly Address[];
  /** Where the log is; absent: in a SQLite file of `state`. */
  readonly store?: StoreTarget;
  /** How a store on NATS is entered. */
  readonly storeAccess?: NatsAccess;
  /** How the others of several conductors, and the log, call this one. */
  readonly name?: string;
  /** `HOST:PORT` at which they and their operators reach it; absent: where it listens. */
  readonly advertise?: string;
  readonly plain: readonly string[];
  /** Folder below which v1 commands may name manifests. */
  readonly manifests?: string;
  /** What the log and the history are encrypted by on disk. */
  readonly atRestKey?: Uint8Array;
  /** Where the audit goes, besides. */
  readonly syslog?: readonly SyslogTarget[];
  /** Whether heartbeats of the original are listened to. */
  readonly meshOpen?: boolean;
  /** Its own keys: with them sealed sessions are answered, and the mesh is sealed unless open. */
  readonly keys?: SealKeys;
  /** Whether replicas move by themselves to nodes that come. */
  readonly rebalance?: boolean;
  /** How much of the cluster's logs is kept here, in bytes; 0 or absent: nothing. */
  readonly telemetryBytes?: number;
  /** Who may look at the deck by an issuer's word. */
  readonly sso?: SsoSettings;
  /** Whether deploys are told of by OpenTelemetry. */
  readonly trace?: boolean;
}

/** A conductor that runs, and where. */
export interface RunningConductor extends Running {
  /** UDP and TCP, for operators. */
  readonly commands: Address;
  /** UDP, for nodes. */
  readonly mesh: Address;
}
