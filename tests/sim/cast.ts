import type { Checker } from "./checks.ts";
import type { Clients } from "./clients.ts";
import type { ConductorHost } from "./conductor_host.ts";
import type { IngressHost } from "./ingress_host.ts";
import type { Loads } from "./loads.ts";
import type { Network } from "./network.ts";
import type { NodeHost } from "./node_host.ts";
import type { Operator } from "./operator.ts";
import type { Timeline } from "./queue.ts";
import type { SharedLog } from "./shared_log.ts";
import type { TowerHost } from "./tower_host.ts";

/** Everybody in a virtual world. */
export interface Cast {
  readonly timeline: Timeline;
  readonly network: Network;
  readonly loads: Loads;
  /** One, or several around one store. */
  readonly conductors: readonly ConductorHost[];
  /** Whoever leads; where nobody does, the first. */
  readonly conductor: ConductorHost;
  readonly store: SharedLog | null;
  /** One, or several that are all told everything. */
  readonly towers: readonly TowerHost[];
  readonly ingresses: readonly IngressHost[];
  readonly nodes: readonly NodeHost[];
  readonly operator: Operator;
  readonly clients: Clients;
  readonly checker: Checker;
  /** Things break here, so that even a good generation may fail its rollout and go back. */
  readonly mayFail: boolean;
}
