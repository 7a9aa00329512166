/** What the apps of one namespace may take together. */

import type { OperatorCommand } from "../../core/command.ts";
import type { AppSpec } from "../../core/manifest/spec.ts";
import { currentOf, type State } from "../state.ts";

/** Absent: no limit. */
export interface Quota {
  readonly replicas?: number;
  readonly ramBytes?: number;
  readonly cores?: number;
}

const MIB = 1024 * 1024;

/** The quota that a command sets; `null` where it takes it away. */
export function quotaOf(command: Extract<OperatorCommand, { verb: "QUOTA" }>): Quota | null {
  const { replicaLimit, ramLimit, cpuLimit } = command;
  if (replicaLimit === "-" && ramLimit === "-" && cpuLimit === "-") return null;
  return {
    ...(replicaLimit === "-" ? {} : { replicas: Number(replicaLimit) }),
    ...(ramLimit === "-" ? {} : { ramBytes: Number(ramLimit) * MIB }),
    ...(cpuLimit === "-" ? {} : { cores: Number(cpuLimit) / 1_000 }),
  };
}

/** What an app may take at most: all the replicas that it, or its scaling, may ask for. */
function needOf(spec: AppSpec, replicas?: number): Required<Quota> {
  const count = Math.max(replicas ?? spec.replicas, spec.scale?.max ?? 0);
  return {
    replicas: count,
    ramBytes: count * (spec.ramBytes ?? 0),
    cores: count * (spec.cpu ?? 0),
  };
}

/** What the apps of a namespace may take together, without the one that is named. */
export function takenOf(state: State, namespace: string, without = ""): Required<Quota> {
  const sum = { replicas: 0, ramBytes: 0, cores: 0 };
  for (const app of state.apps.values()) {
    if (app.down || app.name === without) continue;
    const { spec } = currentOf(app);
    if (spec.namespace !== namespace) continue;
    const need = needOf(spec, app.count);
    sum.replicas += need.replicas;
    sum.ramBytes += need.ramBytes;
    sum.cores += need.cores;
  }
  return sum;
}

/**
 * Why the namespace has no room for the app as it shall be; `null` where it has.
 *
 * @param replicas what an operator asks for in place of the manifest's number
 */
export function whyNoRoom(state: State, spec: AppSpec, replicas?: number): string | null {
  const quota = state.quotas.get(spec.namespace);
  if (!quota) return null;
  const taken = takenOf(state, spec.namespace, spec.name);
  const need = needOf(spec, replicas);
  const says = (what: string, has: number, wants: number, limit: number) =>
    `namespace ${spec.namespace} may have ${limit} ${what}; its other apps take ${has}, ` +
    `${spec.name} may take ${wants}`;
  const mib = (bytes: number) => Math.ceil(bytes / MIB);
  if (quota.replicas !== undefined && taken.replicas + need.replicas > quota.replicas) {
    return says("replicas", taken.replicas, need.replicas, quota.replicas);
  }
  if (quota.ramBytes !== undefined) {
    if (spec.ramBytes === undefined) return `${spec.name} says no ram, which the quota counts`;
    if (taken.ramBytes + need.ramBytes > quota.ramBytes) {
      return says("MiB of RAM", mib(taken.ramBytes), mib(need.ramBytes), mib(quota.ramBytes));
    }
  }
  if (quota.cores !== undefined) {
    if (spec.cpu === undefined) return `${spec.name} says no cpu, which the quota counts`;
    if (taken.cores + need.cores > quota.cores + 1e-9) {
      return says("cores", taken.cores, need.cores, quota.cores);
    }
  }
  return null;
}
