// The state as text, to start from instead of the whole log, and back.

import type { Head } from "../core/log.ts";
import { parseManifest } from "../core/manifest/parse.ts";
import { Roster, type RosterData } from "../core/roster.ts";
import type { Answered } from "./answered.ts";
import type { Announced } from "./artifacts.ts";
import { Members, type MembersData } from "./trust/members.ts";
import type { Bar } from "./fleet/node_verbs.ts";
import type { Quota } from "./trust/quota.ts";
import type { StoredSecret } from "./trust/secrets.ts";
import {
  type App,
  emptyState,
  type Generation,
  type Placement,
  type State,
  type Term,
} from "./state.ts";

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
