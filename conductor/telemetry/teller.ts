/** Whom a log line tells of: its own replica, or another one of the same namespace. */

import type { LogView } from "../../core/view.ts";
import { namespaceOf } from "../trust/auth.ts";
import type { State } from "../state.ts";

export type Line = Readonly<Record<string, unknown>>;

/** The replica that something was told of. */
export interface Whose {
  readonly app: string;
  readonly replica: string;
  /** The node's name; empty where it is not known. */
  readonly node: string;
  /** The app that told of it, where that is another one. */
  readonly by?: string;
}

/**
 * Whether an app's word counts for another one's replica, and where that is; `null`: it does not.
 * A collector tells of those that it collects from.
 */
export type TellsOf = (
  teller: string,
  app: string,
  replica: string,
) => { readonly node: string } | null;

/**
 * An app's word counts for apps of its own namespace: whoever may deploy one there may deploy them all,
 * and whoever is shown one is shown them all.
 */
export function tellsOf(state: State, teller: string, app: string, replica: string) {
  const namespace = namespaceOf(state, app);
  if (namespace === undefined || namespaceOf(state, teller) !== namespace) return null;
  const placement = state.apps.get(app)?.placements.get(replica);
  return { node: placement === undefined ? "" : state.nodes.get(placement.node) ?? "" };
}

/** Longest name of a replica that is taken from a line. */
const REPLICA = 80;

/**
 * Whose values or spans a line tells of, by its `of`: `{ "app": "core-api", "replica": "core-api.1" }`.
 * Without it they are those of the replica that wrote it.
 */
export function whoseOf(line: LogView, told: Line, tellsOf: TellsOf): Whose | null {
  const own = { app: line.app, replica: line.replica, node: line.node };
  const { of } = told;
  if (of === undefined) return own;
  if (typeof of !== "object" || of === null) return null;
  const { app, replica = "" } = of as Line;
  if (typeof app !== "string" || typeof replica !== "string") return null;
  if (app === line.app && replica === line.replica) return own;
  const place = tellsOf(line.app, app, replica);
  if (place === null) return null;
  return { app, replica: replica.slice(0, REPLICA), node: place.node, by: line.app };
}

/** The object of a line of JSON; `null` for other lines. */
export function objectOf(line: string): Line | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? value as Line : null;
  } catch {
    return null;
  }
}
