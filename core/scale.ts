/** What a manifest's `scale` means to whoever looks at it: nodes, conductor, ingresses. */

import type { AppSpec, ScaleSpec } from "./manifest/spec.ts";

/** Without `cpu-below` half of `cpu-above`: what went up in a rush comes down again after it. */
export function cpuBelowOf(scale: ScaleSpec | undefined): number | undefined {
  return scale?.cpuBelow ?? (scale?.cpuAbove === undefined ? undefined : scale.cpuAbove / 2);
}

/** Says whether the app scales by its replicas' CPU. */
export function scalesByCpu({ scale }: Pick<AppSpec, "scale">): boolean {
  return cpuBelowOf(scale) !== undefined;
}

/** Cores that a replica's CPU is a percentage of: a replica without `cpu` has one. */
export function coresOf({ cpu }: Pick<AppSpec, "cpu">): number {
  return cpu ?? 1;
}

/** Says whether the app may be without replicas while nobody asks for it. */
export function maySleep({ scale }: Pick<AppSpec, "scale">): boolean {
  return scale?.idleAfterMs !== undefined;
}
