/**
 * The durable state: what the log says, folded by `applyEntry()` in apply.ts. Nothing here knows the
 * time or what nodes report.
 */

import { type Anchor, genesisOf } from "../core/chain.ts";
import { invariant } from "../core/errors.ts";
import { EMPTY_HEAD, type EntryBody, type Head, type Place } from "../core/log.ts";
import type { AppSpec } from "../core/manifest/spec.ts";
import { specOfPart } from "../core/before.ts";
import { Roster } from "../core/roster.ts";
import type { Answered } from "./answered.ts";
import type { Announced } from "./artifacts.ts";
import type { JobState } from "./jobs/job_state.ts";
import { Members } from "./trust/members.ts";
import type { Bar } from "./fleet/node_verbs.ts";
import type { Quota } from "./trust/quota.ts";
import type { Outcome, Rollout } from "./rollouts/rollout_state.ts";
import type { StoredSecret } from "./trust/secrets.ts";

/** One applied manifest of an app. */
export interface Generation {
  readonly generation: number;
  /** Where in the log it was applied: nodes run it by this number. */
  readonly sequence: number;
  readonly fallback?: number;
  readonly manifest: string;
  readonly spec: AppSpec;
  readonly key: string;
  readonly wallMs: number;
  /** Its `before` has succeeded: it is not run again. */
  readonly beforeDone?: boolean;
  /** What became of its rollout; absent while that is open. */
  readonly outcome?: Outcome;
}

/** A replica that exists or is on its way in or out. */
export interface Placement extends Place {
  /** It is to be drained and stopped, or is so already. */
  readonly leaving: boolean;
  /** A better node is free: it moves there when a replacement is ready. */
  readonly moving?: boolean;
  /** The entry that placed it; absent in logs of an earlier version. */
  readonly placedSequence?: number;
}

export interface App {
  readonly name: string;
  /** Taken down: nothing of it shall run. */
  down: boolean;
  /** Newest last; never empty. */
  generations: Generation[];
  readonly placements: Map<string, Placement>;
  /** Number of replicas ever placed: makes their ids, which are never used again. */
  placed: number;
  /** The node that holds its volumes, if it has any that are not shared. */
  home?: string;
  /**
   * Nodes whose volumes of this app were given up: what runs there ends before anything is placed
   * again. `lost`: an operator said that they are off for good.
   */
  released?: { readonly lost: boolean; readonly nodes: readonly string[] };
  /**
   * How many replicas an operator or the autoscaler wanted last, in place of the manifest's
   * `replicas`; `wantedOf()` in reconcile.ts holds it within the bounds of `scale`.
   */
  count?: number;
  /** The generation that shall run where it is not the newest: a failed rollout went back to it. */
  target?: number;
  /** The last rollout, under way or done. */
  rollout?: Rollout;
  /** Kept, with its routes, and none of it runs. */
  stopped?: boolean;
  /** Its runs, if it is a job. */
  job?: JobState;
  /** Replicas placed up to this entry are to be replaced, whatever their generation. */
  renewSequence?: number;
}

/** Which conductor leads, in which term. */
export type Term = Omit<Extract<EntryBody, { readonly kind: "term" }>, "kind">;

export interface State {
  head: Head;
  readonly apps: Map<string, App>;
  /** Replica id -> its app's name. */
  readonly replicas: Map<string, string>;
  /** Node id -> placements there. */
  readonly byNode: Map<string, Set<string>>;
  /** Node id -> name. */
  readonly nodes: Map<string, string>;
  /** Node id -> why operators keep replicas off it. */
  readonly bars: Map<string, Bar>;
  /** Apps that an operator wants rebalanced. */
  readonly rebalancing: Set<string>;
  /** SHA-256 -> artifact that an operator has announced, oldest first. */
  readonly artifacts: Map<string, Announced>;
  /** Replay keys of executed commands, in the order of execution. */
  readonly answered: Map<string, Answered>;
  /** The same by `idKey`, for a repeat that was signed anew. */
  readonly answeredIds: Map<string, Answered>;
  /**
   * No command signed at or before this second is executed: marks up to here were forgotten, which
   * must not let a command in again when the clock steps back.
   */
  forgottenUnixS: number;
  /** Who began to lead last, of several conductors; `null`: it was always one. */
  term: Term | null;
  /** The operators, their keys and grants. */
  readonly roster: Roster;
  /** The log's name: the hash of its first entry, or what a recovered one had. Empty: no entry yet. */
  log: string;
  /** The end of the chain of signed commands, and the sequence of the last of them. */
  chain: { readonly sequence: number; readonly hash: string };
  /** Fingerprints of the keys that conductors of this log were started with. */
  readonly roots: Set<string>;
  /** `secretKey` -> a secret, sealed to the conductor. */
  readonly secrets: Map<string, StoredSecret>;
  /** Node id -> the key that secrets are sealed to for it. */
  readonly nodeKeys: Map<string, string>;
  /** Namespace -> what its apps may take together. */
  readonly quotas: Map<string, Quota>;
  /** The daemons that joined. */
  readonly members: Members;
}

export function emptyState(): State {
  return {
    head: EMPTY_HEAD,
    apps: new Map(),
    replicas: new Map(),
    byNode: new Map(),
    nodes: new Map(),
    bars: new Map(),
    rebalancing: new Set(),
    artifacts: new Map(),
    answered: new Map(),
    answeredIds: new Map(),
    forgottenUnixS: 0,
    term: null,
    roster: new Roster(),
    log: "",
    chain: { sequence: 0, hash: genesisOf("") },
    roots: new Set(),
    secrets: new Map(),
    nodeKeys: new Map(),
    quotas: new Map(),
    members: new Members(),
  };
}

/** The generation that was applied last. */
export function newestOf(app: App): Generation {
  const generation = app.generations.at(-1);
  invariant(generation, "an app has at least one generation");
  return generation;
}

/** The generation that is wanted now: the newest, or what a failed rollout went back to. */
export function currentOf(app: App): Generation {
  if (app.target === undefined) return newestOf(app);
  return generationOf(app, app.target) ?? newestOf(app);
}

/** What the placement runs: the app as its generation has it, or that one's `before`. */
export function specOf(
  app: App,
  placement: Pick<Place, "generation" | "part">,
): AppSpec | undefined {
  const spec = generationOf(app, placement.generation)?.spec;
  return spec && (specOfPart(spec, placement.part) ?? undefined);
}

/** Says whether the placement is to be replaced: by another generation, or by a restart. */
export function isOutdated(app: App, placement: Placement): boolean {
  return placement.generation !== currentOf(app).generation ||
    (placement.placedSequence ?? 0) <= (app.renewSequence ?? 0) && app.renewSequence !== undefined;
}

export function generationOf(app: App, generation: number): Generation | undefined {
  return app.generations.find((each) => each.generation === generation);
}

/** Says whether the app keeps files on its node, which no other node sees. */
export function holdsVolume(spec: AppSpec): boolean {
  return spec.volumes.some((volume) => !volume.shared);
}

/** Says whether only one of it may ever run, wherever: a single replica that writes to a volume. */
export function existsOnce(spec: AppSpec): boolean {
  return spec.volumes.length > 0 && spec.replicas === 1 && (spec.scale?.max ?? 1) === 1 &&
    spec.type !== "system";
}

/** Finds a placement by its replica id. */
export function placementOf(state: State, replica: string): Placement | undefined {
  return state.apps.get(state.replicas.get(replica) ?? "")?.placements.get(replica);
}

/** Where the chain of signed commands ends, for a token; nothing of an empty log. */
export function anchorOf({ log, chain }: State): { readonly anchor?: Anchor } {
  return log === "" ? {} : { anchor: { log, sequence: chain.sequence, chain: chain.hash } };
}
