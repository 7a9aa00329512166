// Lists of a conductor, read in pages: none of its answers is larger for a larger cluster.

import type { AppView, NodeView } from "../core/view.ts";
import type { Conductor } from "./conductor.ts";

/** Apps in one page; each comes with its replicas, of which there may be thousands. */
const APPS = 100;
const NODES = 1_000;

export interface AppsPage {
  readonly apps: readonly AppView[];
  /** Where the next page begins; absent in the last, and from a conductor that knows no pages. */
  readonly next?: string;
}

export interface NodesPage {
  readonly nodes: readonly NodeView[];
  readonly next?: string;
}

/** Of the first page, or of the one after `next`. */
export function appsPath(next?: string): string {
  return pagePath("/api/apps", APPS, next);
}

export function nodesPath(next?: string): string {
  return pagePath("/api/nodes", NODES, next);
}

function pagePath(path: string, limit: number, next: string | undefined): string {
  return `${path}?limit=${limit}${next === undefined ? "" : `&after=${encodeURIComponent(next)}`}`;
}

/** All apps: those of the first page, and the others. */
export async function allApps(conductor: Conductor, first: AppsPage): Promise<AppView[]> {
  const apps = [...first.apps];
  for (let { next } = first; next !== undefined;) {
    const page: AppsPage = await conductor.get(appsPath(next));
    apps.push(...page.apps);
    next = page.next;
  }
  return apps;
}

/** All nodes, in the same way. */
export async function allNodes(conductor: Conductor, first: NodesPage): Promise<NodeView[]> {
  const nodes = [...first.nodes];
  for (let { next } = first; next !== undefined;) {
    const page: NodesPage = await conductor.get(nodesPath(next));
    nodes.push(...page.nodes);
    next = page.next;
  }
  return nodes;
}
