// Artifacts as the log knows them: which digests operators have announced, and who has their bytes.

import type { OperatorCommand } from "../core/command.ts";
import {
  ARTIFACT_BYTES,
  ARTIFACT_HOLDERS,
  ARTIFACT_SENDS,
  ARTIFACT_TURN_MS,
  ARTIFACT_WAITS,
  ARTIFACTS,
} from "../core/limits.ts";
import type { AppSpec } from "../core/manifest/spec.ts";
import type { Outcome } from "./commands.ts";
import type { Cluster } from "./cluster.ts";
import type { Generation, State } from "./state.ts";

/** An artifact that an operator has announced by a signed UPLOAD. */
export interface Announced {
  readonly bytes: number;
  /** The command's id: whoever sends its bytes must name it. */
  readonly id: string;
  readonly wallMs: number;
}

type Upload = Extract<OperatorCommand, { verb: "UPLOAD" }>;

/** Judges an announcement. It is as good as the digest in it: what does not match is thrown away. */
export function judgeUpload({ sha256, bytes }: Upload): Outcome {
  if (Number(bytes) > ARTIFACT_BYTES) {
    return {
      kind: "refuse",
      reply: `ERR|TOO-LARGE|an artifact has at most ${ARTIFACT_BYTES} bytes`,
    };
  }
  return {
    kind: "commit",
    reply: `OK|UPLOAD|${sha256}`,
    summary: `announce artifact ${sha256} of ${bytes} bytes`,
  };
}

export function applyUpload(state: State, { id, sha256, bytes }: Upload, wallMs: number): void {
  state.artifacts.delete(sha256);
  state.artifacts.set(sha256, { bytes: Number(bytes), id, wallMs });
  if (state.artifacts.size <= ARTIFACTS) return;
  const wanted = wantedArtifacts(state);
  for (const known of state.artifacts.keys()) {
    if (state.artifacts.size <= ARTIFACTS) return;
    if (!wanted.has(known) && known !== sha256) state.artifacts.delete(known);
  }
}

/** Digests that some kept generation of an app names: these must not be thrown away. */
export function wantedArtifacts(state: State): Set<string> {
  const wanted = new Set<string>();
  for (const app of state.apps.values()) {
    for (const { spec } of app.generations) {
      if (spec.artifact?.sha256 !== undefined) wanted.add(spec.artifact.sha256);
    }
  }
  return wanted;
}

/** Why an app's artifact cannot be deployed, or `null`. */
export function artifactRefusal(state: State, spec: AppSpec): string | null {
  const { artifact } = spec;
  if (!artifact) return null;
  const { sha256, bytes } = artifact;
  if (sha256 === undefined || bytes === undefined || artifact.form === undefined) {
    return "its artifact has no digest; skr8tr up adds it, uploads it and signs it";
  }
  const known = state.artifacts.get(sha256);
  if (!known) return `artifact ${sha256} was never uploaded; skr8tr up does that`;
  return known.bytes === bytes
    ? null
    : `artifact ${sha256} has ${known.bytes} bytes, the manifest says ${bytes}`;
}

/**
 * Nodes that have an artifact, as `host:port` of their TCP listener: those whose replicas run from
 * it. Not `except`, and not more than a datagram holds with ease: no more are looked for.
 */
export function holdersOf(
  cluster: Pick<Cluster, "state" | "fleet">,
  sha256: string,
  except?: string,
): string[] {
  const holders = new Set<string>();
  for (const app of cluster.state.apps.values()) {
    const isOf = (generation: Generation) => generation.spec.artifact?.sha256 === sha256;
    const numbers = app.generations.filter(isOf).map((each) => each.generation);
    if (numbers.length === 0) continue;
    for (const { replica, node, generation } of app.placements.values()) {
      if (node === except || !numbers.includes(generation)) continue;
      const known = cluster.fleet.get(node);
      const state = known?.statuses.get(replica)?.state;
      const has = state === "starting" || state === "ready" || state === "stopping";
      if (!known?.beat || known.state === "dead" || !has) continue;
      const { host, port } = known.beat;
      holders.add(host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`);
      if (holders.size >= ARTIFACT_HOLDERS) return [...holders];
    }
  }
  return [...holders];
}

/** What a conductor has to send when a node asks for an artifact. */
export interface SendLoad {
  /** Sends under way, of whatever. */
  readonly all: number;
  /** Sends under way of this artifact. */
  readonly ofThis: number;
  /** Nodes that wait for their turn, this one not counted. */
  readonly waiting: number;
  /** Nodes that could send it, too; to count them costs a walk through the apps. */
  holders(): number;
  /** For how long the node has waited. */
  readonly waitedMs: number;
}

/**
 * Whether the conductor sends an artifact now, lets the node wait, or lets it ask others. An artifact
 * goes to one node at a time: its link then carries it once, and whoever has it sends it on, so that
 * the number of senders doubles with each turn.
 */
export function sendTurn(load: SendLoad): "send" | "wait" | "ask" {
  const { all, ofThis, waiting, holders, waitedMs } = load;
  const isLate = waitedMs >= ARTIFACT_TURN_MS;
  if (all < ARTIFACT_SENDS && (ofThis === 0 || isLate)) return "send";
  return isLate || waiting >= ARTIFACT_WAITS || holders() > 0 ? "ask" : "wait";
}
