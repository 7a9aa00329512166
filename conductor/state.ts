/**
 * The durable state: what the log says, folded. Applying the same entries in the same order gives
 * the same state on every machine; nothing here knows the time or what nodes report.
 */

import { type OperatorCommand, parseOperatorCommand } from "../core/command.ts";
import { type Anchor, genesisOf, linkOf } from "../core/chain.ts";
import { invariant } from "../core/errors.ts";
import { COMMAND_ID_S, GENERATIONS, SIGNED_WINDOW_S } from "../core/limits.ts";
import {
  EMPTY_HEAD,
  type Entry,
  type EntryBody,
  type Head,
  logNameOf,
  type Place,
  type Relabel,
  type SignedRecord,
} from "../core/log.ts";
import { parseManifest } from "../core/manifest/parse.ts";
import type { AppSpec } from "../core/manifest/spec.ts";
import { specOfPart } from "../core/before.ts";
import { Roster, type RosterData } from "../core/roster.ts";
import { replayKey } from "../core/signed.ts";
import { Members, type MembersData } from "./members.ts";
import { applyNodeVerb, type Bar } from "./node_verbs.ts";
import { applySecret, type StoredSecret } from "./secrets.ts";
import { type Announced, applyUpload } from "./artifacts.ts";
import {
  applyJob,
  applyRun,
  applyRunPlace,
  applyRuns,
  type JobState,
  skipTicks,
} from "./job_state.ts";
import { type Quota, quotaOf } from "./quota.ts";
import {
  applyTurn,
  beginDeploy,
  beginRestart,
  type Moment,
  noteStep,
  type Outcome,
  pauseRollout,
  resumeRollout,
  type Rollout,
  supersede,
} from "./rollout_state.ts";

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

/** What was answered to a command that carried an id, for whoever repeats it. */
interface Answered {
  readonly unixS: number;
  readonly reply: string;
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

/** Applies one entry; the names of the apps that it touched come back. */
export function applyEntry(state: State, entry: Entry): string[] {
  invariant(entry.sequence === state.head.sequence + 1, "entries are applied in their order");
  if (entry.sequence === 1) {
    state.log = logNameOf(entry);
    state.chain = { sequence: 0, hash: genesisOf(state.log) };
  }
  const touched = applyBody(state, entry);
  state.head = { sequence: entry.sequence, hash: entry.hash };
  return touched;
}

function applyBody(state: State, entry: Entry): string[] {
  const { body } = entry;
  switch (body.kind) {
    case "command":
      state.chain = chainAfter(state, entry.sequence, body);
      remember(state, body.signed, body.reply, entry.wallMs);
      return applyCommand(state, entry, body.signed, body.manifest);
    case "decision": {
      const touched = new Set<string>();
      for (const { app, run } of body.runs ?? []) {
        const known = state.apps.get(app);
        if (known) applyRuns(known, [run]);
        touched.add(known ? app : "");
      }
      for (const place of body.place) {
        touched.add(applyPlace(state, place, entry.sequence, entry.wallMs));
      }
      for (const replica of body.leave) touched.add(applyLeave(state, replica));
      for (const relabel of body.relabel ?? []) touched.add(applyRelabel(state, relabel));
      touched.delete("");
      for (const app of touched) noteStep(state.apps.get(app)!, momentOf(entry));
      for (const replica of body.gone) touched.add(applyGone(state, replica));
      for (const replica of body.move ?? []) touched.add(applyMove(state, replica));
      for (const app of body.balanced ?? []) state.rebalancing.delete(app);
      for (const { app, count } of body.scale ?? []) touched.add(applyScale(state, app, count));
      touched.delete("");
      return [...touched];
    }
    case "rollout": {
      const app = state.apps.get(body.app);
      if (!app) return [];
      applyTurn(app, body, entry);
      return [app.name];
    }
    case "node":
      state.nodes.set(body.node, body.name);
      return [];
    case "node-key":
      state.nodeKeys.set(body.node, body.publicKey);
      return [];
    case "refused":
      for (const [mark, unixS] of body.marks) {
        state.answered.set(mark, { unixS, reply: body.reply });
      }
      forgetAnswers(state, entry.wallMs);
      return [];
    case "recovered":
      // Which commands had been executed is not all known: none from before is taken again.
      state.forgottenUnixS = Math.floor(entry.wallMs / 1000);
      return [];
    case "lost":
    case "sign-in":
      return [];
    case "adopted": {
      const touched = body.place.map((place) =>
        applyPlace(state, place, entry.sequence, entry.wallMs)
      );
      for (const [name, count] of body.placed) {
        const app = state.apps.get(name);
        if (app) app.placed = Math.max(app.placed, count);
      }
      return touched;
    }
    case "term": {
      const { kind: _, ...term } = body;
      state.term = term;
      return [];
    }
    case "roots":
      for (const [key] of body.roots) state.roots.add(key);
      return [];
    case "join":
      state.members.apply(body);
      return [];
    default:
      return body satisfies never;
  }
}

/** Where the chain of signed commands ends, for a token; nothing of an empty log. */
export function anchorOf({ log, chain }: State): { readonly anchor?: Anchor } {
  return log === "" ? {} : { anchor: { log, sequence: chain.sequence, chain: chain.hash } };
}

type CommandBody = Extract<Entry["body"], { kind: "command" }>;

/** The end of the chain of signed commands once this one stands at that sequence. */
export function chainAfter(state: State, sequence: number, body: CommandBody): State["chain"] {
  const { signed, manifest, chain } = body;
  const hash = linkOf(state.chain.hash, { sequence, ...signed, manifest });
  invariant(chain === undefined || chain === hash, `the chain of commands goes on at ${sequence}`);
  return { sequence, hash };
}

function momentOf({ sequence, wallMs }: Entry): Moment {
  return { sequence, wallMs };
}

/** Under which a command's reply is found again by its operator and its id. */
export function idKey(key: string, id: string): string {
  return `id|${key}|${id}`;
}

function remember(state: State, signed: SignedRecord, reply: string, wallMs: number): void {
  const cut = signed.text.lastIndexOf("|");
  const unixS = Number(signed.text.slice(cut + 1));
  const command = parseOperatorCommand(signed.text.slice(0, cut));
  state.answered.set(replayKey(signed, signed.key), { unixS, reply });
  if ("id" in command) state.answeredIds.set(idKey(signed.key, command.id), { unixS, reply });
  forgetAnswers(state, wallMs);
}

function forgetAnswers(state: State, wallMs: number): void {
  state.forgottenUnixS = Math.max(state.forgottenUnixS, forgetMarks(state.answered, wallMs));
  // Signed anew, a repeat has another text and a later time, so its id is kept much longer.
  forgetBefore(state.answeredIds, wallMs, COMMAND_ID_S);
}

/**
 * Forgets what is too old to be executed anyway. The latest second of what was forgotten comes back:
 * nothing signed at or before it must be taken any more, wherever the clock is set to.
 */
export function forgetMarks(answers: Map<string, Answered>, wallMs: number): number {
  return forgetBefore(answers, wallMs, 2 * SIGNED_WINDOW_S);
}

function forgetBefore(answers: Map<string, Answered>, wallMs: number, keptS: number): number {
  const nowUnixS = Math.floor(wallMs / 1000);
  let latest = 0;
  for (const [key, { unixS }] of answers) {
    // Refused since its time had not come yet: kept until it has gone by, and nobody waits for that.
    if (unixS > nowUnixS + SIGNED_WINDOW_S) continue;
    if (unixS >= nowUnixS - keptS) break;
    answers.delete(key);
    latest = Math.max(latest, unixS);
  }
  return latest;
}

function applyCommand(
  state: State,
  entry: Entry,
  signed: SignedRecord,
  manifest: string | undefined,
): string[] {
  const command = parseOperatorCommand(signed.text.slice(0, signed.text.lastIndexOf("|")));
  if ("error" in command) return [];
  switch (command.verb) {
    case "APPLY":
      return applyManifest(state, entry, signed, command.manifest, command);
    case "SUBMIT":
    case "ROLLOUT":
      return applyManifest(state, entry, signed, manifest ?? "", {});
    case "DOWN":
    case "EVICT": {
      const app = state.apps.get(command.app);
      if (!app) return [];
      supersede(app, entry.wallMs, "the app was taken down");
      app.down = true;
      delete app.rollout;
      return [app.name];
    }
    case "CORDON":
    case "UNCORDON":
    case "DRAIN":
    case "REBALANCE":
    case "RELEASE":
      return applyNodeVerb(state, command, { key: signed.key, wallMs: entry.wallMs });
    case "STOP":
    case "START":
    case "RESTART":
    case "SCALE":
    case "PAUSE":
    case "RESUME":
      return applyVerb(state, entry, command);
    case "RUN":
      return applyRun(state, command, entry.wallMs);
    case "UPLOAD":
      applyUpload(state, command, entry.wallMs);
      return [];
    case "EXEC":
    case "OPEN":
    case "DECK":
      return [];
    case "FORGET": {
      // A machine that comes back with this id has a key of its own for secrets.
      const node = state.members.forget(
        command.member,
        Number(signed.text.slice(signed.text.lastIndexOf("|") + 1)),
      )?.node;
      if (node !== undefined) state.nodeKeys.delete(node);
      return [];
    }
    case "SUCCEED":
      state.members.succeed(signed);
      return [];
    case "OPERATOR":
    case "GRANT":
    case "UNGRANT":
    case "ROTATE":
    case "REVOKE":
      state.roster.apply(entry.sequence, command);
      return [];
    case "SECRET":
    case "UNSECRET":
      return applySecret(state, entry, command);
    case "QUOTA": {
      const quota = quotaOf(command);
      if (quota) state.quotas.set(command.namespace, quota);
      else state.quotas.delete(command.namespace);
      return [];
    }
    default:
      return command satisfies never;
  }
}

/** What operators tell an app to do without a new manifest. */
function applyVerb(
  state: State,
  entry: Entry,
  command: Extract<
    OperatorCommand,
    { verb: "STOP" | "START" | "RESTART" | "SCALE" | "PAUSE" | "RESUME" }
  >,
): string[] {
  const app = state.apps.get(command.app);
  if (!app) return [];
  switch (command.verb) {
    case "STOP":
      app.stopped = true;
      break;
    case "START":
      delete app.stopped;
      skipTicks(app, entry.wallMs);
      break;
    case "RESTART":
      beginRestart(app, currentOf(app).generation, momentOf(entry));
      break;
    case "SCALE":
      if (command.count === "-") delete app.count;
      else app.count = Number(command.count);
      break;
    case "PAUSE":
      pauseRollout(app, "an operator paused it");
      break;
    case "RESUME":
      resumeRollout(app, momentOf(entry));
      break;
    default:
      command satisfies never;
  }
  return [app.name];
}

function applyManifest(
  state: State,
  entry: Entry,
  signed: SignedRecord,
  manifest: string,
  command: Partial<Extract<OperatorCommand, { verb: "APPLY" }>>,
): string[] {
  const parsed = parseManifest(manifest);
  const spec = parsed.ok ? parsed.apps[0] : undefined;
  if (!spec) return [];
  let app = state.apps.get(spec.name);
  if (!app) {
    app = { name: spec.name, down: false, generations: [], placements: new Map(), placed: 0 };
    state.apps.set(spec.name, app);
  }
  const rested = app.down || app.stopped === true;
  // A new generation shows itself, and one that comes back begins as its manifest says.
  if (app.down || app.count === 0) delete app.count;
  const before = app.generations.at(-1);
  const generation = command.generation ?? (before?.generation ?? 0) + 1;
  beginDeploy(app, generation, momentOf(entry));
  // What an operator or the autoscaler set holds until the manifest says another number itself.
  if (before && before.spec.replicas !== spec.replicas && !spec.scale) delete app.count;
  app.down = false;
  delete app.stopped;
  app.generations.push({
    generation,
    sequence: entry.sequence,
    ...(command.fallback === undefined ? {} : { fallback: command.fallback }),
    manifest,
    spec,
    key: signed.key,
    wallMs: entry.wallMs,
  });
  const oldestNeeded = Math.min(
    ...[...app.placements.values()].map((place) => place.generation),
    command.fallback ?? Infinity,
  );
  const excess = app.generations.findIndex((each, at) =>
    at >= app.generations.length - GENERATIONS || each.generation >= oldestNeeded
  );
  app.generations.splice(0, excess);
  applyJob(app, command.id, entry.wallMs, rested);
  return [app.name];
}

function applyPlace(state: State, place: Place, placedSequence: number, wallMs: number): string {
  const app = state.apps.get(place.app);
  invariant(app, `a replica is placed for an app that exists: ${place.app}`);
  app.placements.set(place.replica, { ...place, leaving: false, placedSequence });
  delete app.released;
  app.placed++;
  state.replicas.set(place.replica, place.app);
  const onNode = state.byNode.get(place.node) ?? new Set();
  state.byNode.set(place.node, onNode.add(place.replica));
  const spec = generationOf(app, place.generation)?.spec;
  if (spec && holdsVolume(spec)) app.home ??= place.node;
  if (place.run !== undefined) applyRunPlace(app, place, wallMs);
  return app.name;
}

function applyLeave(state: State, replica: string): string {
  const app = state.apps.get(state.replicas.get(replica) ?? "");
  const placement = app?.placements.get(replica);
  if (!app || !placement) return "";
  app.placements.set(replica, { ...placement, leaving: true });
  return app.name;
}

function applyMove(state: State, replica: string): string {
  const app = state.apps.get(state.replicas.get(replica) ?? "");
  const placement = app?.placements.get(replica);
  if (!app || !placement) return "";
  app.placements.set(replica, { ...placement, moving: true });
  return app.name;
}

function applyRelabel(state: State, { replica, generation, sequence }: Relabel): string {
  const app = state.apps.get(state.replicas.get(replica) ?? "");
  const placement = app?.placements.get(replica);
  if (!app || !placement) return "";
  app.placements.set(replica, { ...placement, generation, sequence });
  const next = generationOf(app, generation);
  // No replica of it is started where one only goes on: then what runs before one was run already.
  const before = generationOf(app, placement.generation);
  if (before?.beforeDone && next && !next.beforeDone) {
    const at = app.generations.indexOf(next);
    app.generations[at] = { ...next, beforeDone: true };
  }
  return app.name;
}

function applyGone(state: State, replica: string): string {
  const app = state.apps.get(state.replicas.get(replica) ?? "");
  const placement = app?.placements.get(replica);
  if (!app || !placement) return "";
  app.placements.delete(replica);
  state.replicas.delete(replica);
  state.byNode.get(placement.node)?.delete(replica);
  return app.name;
}

function applyScale(state: State, name: string, count: number): string {
  const app = state.apps.get(name);
  if (!app) return "";
  app.count = count;
  return name;
}

/** Finds a placement by its replica id. */
export function placementOf(state: State, replica: string): Placement | undefined {
  return state.apps.get(state.replicas.get(replica) ?? "")?.placements.get(replica);
}

// ---- Snapshots ------------------------------------------------------------------------------------

interface Snapshot {
  readonly version: 2;
  readonly apps: readonly (Omit<App, "generations" | "placements"> & {
    readonly generations: readonly Omit<Generation, "spec">[];
    readonly placements: readonly Placement[];
  })[];
  readonly nodes: readonly (readonly [string, string])[];
  readonly bars?: readonly (readonly [string, Bar])[];
  readonly rebalancing?: readonly string[];
  readonly artifacts?: readonly (readonly [string, Announced])[];
  readonly answered: readonly (readonly [string, Answered])[];
  readonly answeredIds: readonly (readonly [string, Answered])[];
  readonly forgottenUnixS: number;
  readonly term?: Term;
  readonly roster?: RosterData;
  readonly secrets?: readonly (readonly [string, StoredSecret])[];
  readonly nodeKeys?: readonly (readonly [string, string])[];
  readonly log?: string;
  readonly chain?: State["chain"];
  readonly roots?: readonly string[];
  readonly quotas?: readonly (readonly [string, Quota])[];
  readonly members?: MembersData;
}

/** The state as text, to start from instead of the whole log. */
export function saveState(state: State): string {
  const snapshot: Snapshot = {
    version: 2,
    apps: [...state.apps.values()].map((app) => ({
      ...app,
      generations: app.generations.map(({ spec: _, ...rest }) => rest),
      placements: [...app.placements.values()],
    })),
    nodes: [...state.nodes],
    bars: [...state.bars],
    rebalancing: [...state.rebalancing],
    artifacts: [...state.artifacts],
    answered: [...state.answered],
    answeredIds: [...state.answeredIds],
    forgottenUnixS: state.forgottenUnixS,
    ...(state.term === null ? {} : { term: state.term }),
    roster: state.roster.save(),
    secrets: [...state.secrets],
    nodeKeys: [...state.nodeKeys],
    log: state.log,
    chain: state.chain,
    roots: [...state.roots],
    quotas: [...state.quotas],
    members: state.members.save(),
  };
  return JSON.stringify(snapshot);
}

/** The reverse of `saveState`; `null` where the text is of another version or no snapshot at all. */
export function loadState(head: Head, text: string): State | null {
  const snapshot = parseSnapshot(text);
  try {
    return snapshot && restore(head, snapshot);
  } catch (error) {
    // What should be a list is none: the log makes the state again.
    if (error instanceof TypeError) return null;
    throw error;
  }
}

function restore(head: Head, snapshot: Snapshot): State | null {
  // Without these it is from before them, and the whole log makes them.
  if (!snapshot.chain || snapshot.log === undefined) return null;
  const state: State = {
    ...emptyState(),
    roster: Roster.load(snapshot.roster),
    members: Members.load(snapshot.members),
  };
  state.head = head;
  state.log = snapshot.log;
  state.chain = snapshot.chain;
  for (const [key, secret] of snapshot.secrets ?? []) state.secrets.set(key, secret);
  for (const [node, key] of snapshot.nodeKeys ?? []) state.nodeKeys.set(node, key);
  for (const root of snapshot.roots ?? []) state.roots.add(root);
  for (const [namespace, quota] of snapshot.quotas ?? []) state.quotas.set(namespace, quota);
  state.forgottenUnixS = snapshot.forgottenUnixS;
  state.term = snapshot.term ?? null;
  for (const [node, name] of snapshot.nodes) state.nodes.set(node, name);
  for (const [node, bar] of snapshot.bars ?? []) state.bars.set(node, bar);
  for (const app of snapshot.rebalancing ?? []) state.rebalancing.add(app);
  for (const [sha256, known] of snapshot.artifacts ?? []) state.artifacts.set(sha256, known);
  for (const [key, answered] of snapshot.answered) state.answered.set(key, answered);
  for (const [key, answered] of snapshot.answeredIds) state.answeredIds.set(key, answered);
  for (const saved of snapshot.apps) {
    const generations: Generation[] = [];
    for (const each of saved.generations) {
      const parsed = parseManifest(each.manifest);
      const spec = parsed.ok ? parsed.apps[0] : undefined;
      if (!spec) return null;
      generations.push({ ...each, spec });
    }
    const app: App = { ...saved, generations, placements: new Map() };
    state.apps.set(app.name, app);
    for (const placement of saved.placements) {
      app.placements.set(placement.replica, placement);
      state.replicas.set(placement.replica, app.name);
      const onNode = state.byNode.get(placement.node) ?? new Set();
      state.byNode.set(placement.node, onNode.add(placement.replica));
    }
  }
  return state;
}

function parseSnapshot(text: string): Snapshot | null {
  try {
    const snapshot = JSON.parse(text) as Snapshot | null;
    return snapshot?.version === 2 ? snapshot : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
