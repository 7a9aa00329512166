/**
 * What has changed from one status to the next: in a large cluster a small part of it. The conductor
 * tells it, the deck takes it in, and has what it would have been told whole.
 */

import type { AppView, NodeView, ReplicaView, StatusView } from "./view.ts";

/** Members of a list that are new or different, whole, and the keys of those that are gone. */
export interface ListChanges<T> {
  readonly changed: readonly T[];
  readonly gone: readonly string[];
}

export interface AppChanges extends Omit<AppView, "replicas"> {
  /** By their ids; absent where none has changed. */
  readonly replicas?: ListChanges<ReplicaView>;
}

/** What is absent is as it was. */
export interface StatusChanges extends Pick<StatusView, "conductor" | "sequence"> {
  /** By their ids. */
  readonly nodes?: ListChanges<NodeView>;
  /** By their names. */
  readonly apps?: ListChanges<AppChanges>;
  readonly problems?: readonly string[];
}

const nodeKey = ({ id }: NodeView) => id;
const appKey = ({ app }: { readonly app: string }) => app;
const replicaKey = ({ replica }: ReplicaView) => replica;

export function byName(a: NodeView, b: NodeView): number {
  return compare(a.name, b.name) || compare(a.id, b.id);
}

export function byApp(a: AppView, b: AppView): number {
  return compare(a.app, b.app);
}

/** Of two that stand for the same, the older first. */
export function byIndex(a: ReplicaView, b: ReplicaView): number {
  return a.generation - b.generation || a.index - b.index || numberOf(a) - numberOf(b);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A replica's id is its app's name, a dot and a number that grows. */
function numberOf({ replica }: ReplicaView): number {
  return Number(replica.slice(replica.lastIndexOf(".") + 1));
}

/**
 * What is different; `null` where nothing is. That a node was heard, and how it is loaded, changes all
 * the time and is no news.
 */
export function statusChanges(before: StatusView, after: StatusView): StatusChanges | null {
  const nodes = listChanges(before.nodes, after.nodes, nodeKey, nodeNews);
  const apps = listChanges(before.apps, after.apps, appKey, appNews);
  const problems = isSame(before.problems, after.problems) ? {} : { problems: after.problems };
  const changes = {
    ...(nodes === null ? {} : { nodes }),
    ...(apps === null ? {} : { apps }),
    ...problems,
  };
  if (Object.keys(changes).length === 0 && before.sequence === after.sequence) return null;
  return { conductor: after.conductor, sequence: after.sequence, ...changes };
}

/** The status after changes; what has not changed is the same object as before. */
export function withChanges(before: StatusView, changes: StatusChanges): StatusView {
  const { conductor, sequence, problems = before.problems } = changes;
  return {
    conductor,
    sequence,
    problems,
    nodes: merged(before.nodes, changes.nodes, nodeKey, (node) => node).sort(byName),
    apps: merged(before.apps, changes.apps, appKey, appAfter).sort(byApp),
  };
}

function nodeNews(before: NodeView | undefined, after: NodeView): NodeView | null {
  if (before === undefined) return after;
  const { silentMs, cpuPercent, ramFreeBytes } = before;
  // That its clock is off is news; by how much is not the same at any two beats.
  const clockOffMs = after.clockOffMs && (before.clockOffMs ?? after.clockOffMs);
  const known = { ...after, silentMs, cpuPercent, ramFreeBytes, clockOffMs };
  return isSame(before, known) ? null : after;
}

function appNews(before: AppView | undefined, after: AppView): AppChanges | null {
  const replicas = listChanges(
    before?.replicas ?? [],
    after.replicas,
    replicaKey,
    (old, fresh) => isSame(old, fresh) ? null : fresh,
  );
  const { replicas: _, ...rest } = after;
  if (before !== undefined && replicas === null) {
    const { replicas: _, ...restBefore } = before;
    if (isSame(restBefore, rest)) return null;
  }
  return { ...rest, ...(replicas === null ? {} : { replicas }) };
}

function appAfter({ replicas, ...rest }: AppChanges, before: AppView | undefined): AppView {
  const after = merged(before?.replicas ?? [], replicas, replicaKey, (replica) => replica);
  return { ...rest, replicas: after.sort(byIndex) };
}

/** @param news what there is to tell of a member; `null`: nothing */
function listChanges<T, C>(
  before: readonly T[],
  after: readonly T[],
  key: (member: T) => string,
  news: (before: T | undefined, after: T) => C | null,
): ListChanges<C> | null {
  const old = new Map(before.map((each) => [key(each), each]));
  const changed: C[] = [];
  for (const each of after) {
    const change = news(old.get(key(each)), each);
    if (change !== null) changed.push(change);
    old.delete(key(each));
  }
  const gone = [...old.keys()];
  return changed.length === 0 && gone.length === 0 ? null : { changed, gone };
}

function merged<T, C>(
  before: readonly T[],
  changes: ListChanges<C> | undefined,
  key: (member: T | C) => string,
  after: (change: C, before: T | undefined) => T,
): T[] {
  if (changes === undefined) return [...before];
  const members = new Map(before.map((each) => [key(each), each]));
  for (const gone of changes.gone) members.delete(gone);
  for (const change of changes.changed) {
    members.set(key(change), after(change, members.get(key(change))));
  }
  return [...members.values()];
}

/** Whether two values are the same as JSON. */
function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [one, other] = [a as Record<string, unknown>, b as Record<string, unknown>];
  const keys = Object.keys(one).filter((key) => one[key] !== undefined);
  const others = Object.keys(other).filter((key) => other[key] !== undefined);
  return keys.length === others.length && keys.every((key) => isSame(one[key], other[key]));
}
