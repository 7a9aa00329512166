/**
 * What the conductor's dashboard is told over server-sent events (`GET /deck/stream`): first one
 * `history` and the whole `status`, then at each change (at most two a second) the `changes` of it, a
 * `sample` every two seconds and each `event` as it happens. The past of one node, app or route is
 * asked for where it is looked at.
 */

import type { StatusChanges } from "./status_changes.ts";
import type { EventView, StatusView } from "./view.ts";

/** One look at a node. */
export interface NodeSample {
  readonly cpuPercent: number;
  readonly ramPercent: number;
}

/** One look at an app's requests, as all ingresses together see them. */
export interface TrafficSample {
  readonly requestsPerSecond: number;
  /** Answers with a 5xx status, a second. */
  readonly errorsPerSecond: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly inFlight: number;
}

/** One look at the requests of a route. */
export interface RouteSample extends Omit<TrafficSample, "inFlight"> {
  readonly app: string;
  /** Its host, if it has one, and its path. */
  readonly route: string;
}

/**
 * `GET /api/routes?app=A&route=R`: the last quarter of an hour of an app's routes, or of one of them.
 * All lists are of one length, oldest first.
 */
export interface RoutesView {
  readonly wallMs: readonly number[];
  readonly routes: readonly RouteSeries[];
}

/** `null` where nothing was known of the route. */
export interface RouteSeries {
  readonly app: string;
  readonly route: string;
  readonly requestsPerSecond: readonly (number | null)[];
  readonly errorsPerSecond: readonly (number | null)[];
  readonly p50Ms: readonly (number | null)[];
  readonly p99Ms: readonly (number | null)[];
}

/** `GET /api/load?node=N`: how nodes were loaded, by their names. All lists are of one length, oldest first. */
export interface LoadsView {
  readonly wallMs: readonly number[];
  readonly nodes: Readonly<Record<string, LoadSeries>>;
}

/** `null` where the node was not heard. */
export interface LoadSeries {
  readonly cpuPercent: readonly (number | null)[];
  readonly ramPercent: readonly (number | null)[];
}

/**
 * `GET /api/traffic?app=A`: the last quarter of an hour of an app's requests. All lists are of one
 * length, oldest first; `null` where no ingress told of any.
 */
export interface TrafficView {
  readonly app: string;
  readonly wallMs: readonly number[];
  readonly requestsPerSecond: readonly (number | null)[];
  readonly errorsPerSecond: readonly (number | null)[];
  readonly p50Ms: readonly (number | null)[];
  readonly p95Ms: readonly (number | null)[];
}

/** Everything at one moment, by the names of nodes and apps. */
export interface DeckSample {
  readonly wallMs: number;
  readonly nodes: Readonly<Record<string, NodeSample>>;
  readonly apps: Readonly<Record<string, TrafficSample>>;
  /** Routes, the most asked first; only in the newest sample. */
  readonly routes?: readonly RouteSample[];
}

/** Who looks at the deck. */
export interface DeckViewer {
  /** Fingerprint of the operator's key, or the name that single sign-on gave; absent: nobody. */
  readonly operator?: string;
  /** Whether the audit is shown to them. */
  readonly audit: boolean;
}

/** How one may come in: `GET /deck/session`. */
export interface DeckSignIn {
  /** Whether there is single sign-on. */
  readonly sso: boolean;
}

/** What `DELETE /deck/session` answers where the issuer has a session that should end, too. */
export interface DeckSignOut {
  /** The issuer's page for that. */
  readonly next: string;
}

/** How a sign-in by single sign-on failed: the page is `/deck#/sign-in/<this>`. */
export type SsoRefusal = "denied" | "failed" | "late" | "down";

/** The messages by the name of their event. */
export interface DeckMessages {
  readonly history: {
    readonly viewer: DeckViewer;
    /** Of all nodes, the last two minutes, coarse. */
    readonly loads: LoadsView;
    /** The newest; absent before the first. */
    readonly sample?: DeckSample;
    readonly events: readonly EventView[];
  };
  readonly status: StatusView;
  readonly changes: StatusChanges;
  readonly sample: DeckSample;
  readonly event: EventView;
}
