import type { AppSpec } from "../../core/manifest/spec.ts";
import type { Candidate } from "./ledger.ts";

/**
 * Says why this node cannot take one more replica of the app, or `null` if it can.
 *
 * @param home the node that holds the app's volumes, if there is one.
 */
export function whyNot(spec: AppSpec, node: Candidate, home?: string): string | null {
  if (node.bar !== null) return node.bar;
  if (!node.alive) return "it is not answering";
  if (home !== undefined && home !== node.id) return "the app's volume is on another node";
  const never = whyNever(spec, node);
  if (never !== null) return never;
  for (const app of spec.place.avoid) {
    if (node.apps.has(app)) return `avoids ${app}, which runs there`;
  }
  if (node.avoided.has(spec.name)) return `an app that runs there avoids ${spec.name}`;
  const port = spec.port;
  if (port?.fixed && node.fixedPorts.has(port.number)) {
    return `needs port ${port.number}, which is taken there`;
  }
  return whyNoRoom(spec, node);
}

/** Why this node will not do however empty it is, or `null` if it may. */
export function whyNever(spec: AppSpec, node: Candidate): string | null {
  if (spec.gpu && !node.gpu) return "needs a GPU, it has none";
  for (const { key, value } of spec.place.require) {
    const have = Object.hasOwn(node.labels, key) ? node.labels[key] : undefined;
    if (have !== value) return `needs label ${key}=${value}, it has ${have ?? "none"}`;
  }
  return null;
}

function whyNoRoom(spec: AppSpec, node: Candidate): string | null {
  const ramFreeBytes = node.ramTotalBytes - node.ramUsedBytes;
  if ((spec.ramBytes ?? 0) > ramFreeBytes) {
    return `needs ${mebibytes(spec.ramBytes ?? 0)}, ${mebibytes(Math.max(0, ramFreeBytes))} free`;
  }
  const coresFree = node.cores - node.coresUsed;
  // Fractions of cores add up with rounding errors; a thousandth of a core decides nothing.
  if ((spec.cpu ?? 0) > coresFree + 0.001) {
    return `needs ${spec.cpu} cores, ${Math.max(0, coresFree).toFixed(2)} free`;
  }
  return null;
}

function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / 1024 / 1024)} MiB`;
}
