/**
 * What the conductor has heard from the nodes. None of it is durable: after a restart the nodes'
 * beats and reports bring it back.
 */

import type { Address } from "../../core/address.ts";
import {
  BEAT_MS,
  BEATS_PER_SECOND,
  NODE_DEAD_MS,
  SUSPECT_BEATS,
  SUSPECT_SLACK_MS,
  SUSPICION_MAX_MS,
} from "../../core/limits.ts";
import { type Beat, digestOf, type ReplicaStatus } from "../../core/mesh.ts";

export interface FleetNode {
  readonly id: string;
  name: string;
  /** The last beat; `null` until the first since the conductor started. */
  beat: Beat | null;
  address: Address | null;
  /**
   * `unknown`: in the log, not heard yet, and the warm-up lasts; it is not called dead yet.
   * `silent`: not heard, but neither is anybody else: the conductor itself may be cut off.
   */
  state: "unknown" | "ready" | "silent" | "dead";
  heardMonoMs: number;
  /** When its last beat came. */
  beatMonoMs: number;
  /** Silence counts from here: later than `heardMonoMs` where the observer itself was not there. */
  countedMonoMs: number;
  /** Earlier boots, newest last: a delayed message of one of them changes nothing. */
  readonly earlierBoots: string[];
  readonly statuses: Map<string, ReplicaStatus>;
  /** `digestOf` the statuses, kept as they change. */
  digest: number;
  /** Since when its beats have carried another digest than ours. */
  mismatchMonoMs: number | null;
  report: Report | null;
  /** How far its clock was ahead of ours in its last beat, ms; 0 where it did not say. */
  clockOffMs: number;
}

/** A report that is being received, page by page. */
interface Report {
  readonly request: string;
  readonly askedMonoMs: number;
  readonly pages: Map<number, readonly ReplicaStatus[]>;
}

export type Fleet = Map<string, FleetNode>;

/** How often nodes should beat in a fleet of this size, in ms. */
export function beatEveryMs(nodes: number): number {
  return Math.max(BEAT_MS, Math.ceil(nodes * 1000 / BEATS_PER_SECOND));
}

/** After how much silence a node of such a fleet is a suspect, in ms. */
export function suspectAfterMs(nodes: number): number {
  return SUSPECT_BEATS * beatEveryMs(nodes) + SUSPECT_SLACK_MS;
}

/** After how much silence at the latest a node of such a fleet is dead, in ms. */
export function deadAfterMs(nodes: number): number {
  return suspectAfterMs(nodes) + SUSPICION_MAX_MS;
}

export function addNode(fleet: Fleet, id: string, name: string, monoMs: number): FleetNode {
  const node: FleetNode = {
    id,
    name,
    beat: null,
    address: null,
    state: "unknown",
    heardMonoMs: monoMs,
    beatMonoMs: -Infinity,
    countedMonoMs: monoMs,
    earlierBoots: [],
    statuses: new Map(),
    digest: 0,
    mismatchMonoMs: null,
    report: null,
    clockOffMs: 0,
  };
  fleet.set(id, node);
  return node;
}

/** Takes in a beat; says whether it is news (not an old or repeated one). */
export function takeBeat(node: FleetNode, beat: Beat, from: Address, monoMs: number): boolean {
  const known = node.beat;
  if (node.earlierBoots.includes(beat.boot)) return false;
  if (known?.boot === beat.boot && beat.beat <= known.beat) return false;
  const isNewBoot = known?.boot !== beat.boot;
  if (known && isNewBoot && isLate(node, known, beat, monoMs)) return false;
  if (known && isNewBoot) {
    node.earlierBoots.push(known.boot);
    if (node.earlierBoots.length > 8) node.earlierBoots.shift();
    // Versions start anew with a boot: what was known of the old one is replaced by a report.
    for (const [replica, status] of node.statuses) {
      setStatus(node, replica, { ...status, version: 0 });
    }
  }
  node.beat = beat;
  node.name = beat.name;
  node.address = from;
  node.heardMonoMs = monoMs;
  node.beatMonoMs = monoMs;
  node.countedMonoMs = monoMs;
  node.state = "ready";
  if (isNewBoot) {
    // Only a report tells whether it has what was placed there, even if it reports nothing.
    node.report = null;
    node.mismatchMonoMs = -Infinity;
  } else if (node.report || node.mismatchMonoMs === -Infinity) {
    // It has been asked and has not answered yet.
  } else if (beat.digest === node.digest && beat.replicas === node.statuses.size) {
    node.mismatchMonoMs = null;
  } else {
    node.mismatchMonoMs ??= monoMs;
  }
  return true;
}

/**
 * Says whether a beat of another boot than the known one comes from an earlier one and was held up
 * on its way. A node that lost count of its boots, with its clock set back, begins one "earlier",
 * too: so this counts only while the known boot is still heard.
 */
function isLate(node: FleetNode, known: Beat, beat: Beat, monoMs: number): boolean {
  return beat.bootWallMs < known.bootWallMs && monoMs - node.heardMonoMs < NODE_DEAD_MS;
}

/** Keeps a status, or removes it where it is `undefined`, and keeps the digest right. */
function setStatus(node: FleetNode, replica: string, status: ReplicaStatus | undefined): void {
  const before = node.statuses.get(replica);
  if (before) {
    node.digest = (node.digest - digestOf([[replica, before.version]]) + 2 ** 48) % 2 ** 48;
  }
  if (status) {
    node.statuses.set(replica, status);
    node.digest = (node.digest + digestOf([[replica, status.version]])) % 2 ** 48;
  } else {
    node.statuses.delete(replica);
  }
}

/** Takes in one status; gives what it was before, or `null` if it is no news. */
export function takeStatus(
  node: FleetNode,
  boot: string,
  status: ReplicaStatus,
): { readonly before: ReplicaStatus | undefined } | null {
  if (node.beat?.boot !== boot) return null;
  const before = node.statuses.get(status.replica);
  if (before && before.version >= status.version) return null;
  setStatus(node, status.replica, status);
  return { before };
}

/** Says whether the node should be asked for everything it runs. */
export function needsReport(node: FleetNode, monoMs: number): boolean {
  if (node.mismatchMonoMs === null) return false;
  if (monoMs - node.mismatchMonoMs < 200) return false;
  return node.report === null || monoMs - node.report.askedMonoMs > 500;
}

/**
 * Takes in a page of a report; when it was the last, the statuses it changes and the ids of the
 * replicas that are no longer there come back.
 */
export function takeReport(
  node: FleetNode,
  page: {
    readonly boot: string;
    readonly request: string;
    readonly page: number;
    readonly pages: number;
    readonly statuses: readonly ReplicaStatus[];
  },
): { readonly changed: ReplicaStatus[]; readonly removed: ReplicaStatus[] } | null {
  const { report } = node;
  if (node.beat?.boot !== page.boot || report?.request !== page.request) return null;
  report.pages.set(page.page, page.statuses);
  if (report.pages.size < page.pages) return null;
  node.report = null;
  node.mismatchMonoMs = null;
  const reported = new Map([...report.pages.values()].flat().map((each) => [each.replica, each]));
  const changed: ReplicaStatus[] = [];
  const removed: ReplicaStatus[] = [];
  for (const [replica, status] of node.statuses) {
    if (reported.has(replica)) continue;
    removed.push(status);
    setStatus(node, replica, undefined);
  }
  for (const status of reported.values()) {
    const before = node.statuses.get(status.replica);
    if (before && before.version >= status.version) continue;
    setStatus(node, status.replica, status);
    changed.push(status);
  }
  return { changed, removed };
}

/** Forgets one finished replica. */
export function dropStatus(node: FleetNode, replica: string): void {
  setStatus(node, replica, undefined);
}
