/**
 * The long answers of `core/view.ts`, as pieces of JSON: nobody makes a text of hundreds of megabytes
 * at once, and whoever reads slowly holds nobody up. What changes between two pieces is told as it is
 * when its piece is made.
 */

import type { Instant } from "../../core/instant.ts";
import { aroundProblems } from "./around.ts";
import { type DeckGrants, shows } from "../trust/deck_grants.ts";
import type { ConductorMachine } from "../machine.ts";
import { type App, currentOf } from "../state.ts";
import { headView, problemsOfApp, problemsOfNode, rolledBack, strangersOn } from "./status_view.ts";
import { appView, nodeViewOf } from "./views.ts";

/** Which part of a list is asked for. */
export interface Page {
  /** At most so many; `Infinity` for the whole. */
  readonly limit: number;
  /** Those behind this one, which `next` of the page before has named. */
  readonly after?: string;
  /** Whether apps are told with their replicas. */
  readonly replicas: boolean;
  /** Only what is placed on the node of this id. */
  readonly node?: string;
  /** Whose apps are shown. */
  readonly grants: DeckGrants;
}

type Now = () => Instant;

/** `{ apps, next? }`, by name. */
export function* appPieces(machine: ConductorMachine, page: Page, now: Now): Generator<string> {
  const { names, next } = pageOf(namesOfApps(machine, page), page);
  yield '{"apps":[';
  yield* joined(appTexts(machine, names, page, now, () => {}));
  yield `]${nextText(next)}}`;
}

/** `{ nodes, next? }`, by name. */
export function* nodePieces(machine: ConductorMachine, page: Page, now: Now): Generator<string> {
  const { names, next } = pageOf(keysOfNodes(machine), page);
  yield '{"nodes":[';
  yield* joined(nodeTexts(machine, names, now, () => {}));
  yield `]${nextText(next)}}`;
}

/**
 * `StatusView`.
 *
 * @param refused commands that were refused lately, which are problems, too
 */
export function* statusPieces(
  machine: ConductorMachine,
  version: string,
  page: Pick<Page, "replicas" | "grants">,
  now: Now,
  refused: readonly string[] = [],
): Generator<string> {
  const { grants } = page;
  const problems: string[] = [];
  const add = (more: readonly string[]) => more.forEach((each) => problems.push(each));
  const { conductor, sequence } = headView(machine, version, now());
  yield `{"conductor":${JSON.stringify(conductor)},"sequence":${sequence},"nodes":[`;
  yield* joined(nodeTexts(machine, keysOfNodes(machine), now, add));
  yield '],"apps":[';
  yield* joined(appTexts(machine, namesOfApps(machine, page), page, now, add));
  for (const app of machine.state.apps.values()) add(rolledBack(app, grants));
  for (const node of machine.fleet.values()) {
    add(strangersOn(machine, node, grants));
    yield "";
  }
  if (shows(grants)) add([...aroundProblems(machine, now()), ...refused]);
  yield `],"problems":${JSON.stringify(problems)}}`;
}

function* appTexts(
  machine: ConductorMachine,
  names: readonly string[],
  { replicas, node }: Pick<Page, "replicas" | "node">,
  now: Now,
  problems: (more: readonly string[]) => void,
): Generator<string> {
  for (const name of names) {
    const app = machine.state.apps.get(name);
    if (!app) continue;
    const view = appView(machine, app, now());
    problems(problemsOfApp(view));
    const shown = view.replicas.filter(({ nodeId }) => node === undefined || nodeId === node);
    yield JSON.stringify({ ...view, replicas: replicas ? shown : [] });
  }
}

function* nodeTexts(
  machine: ConductorMachine,
  keys: readonly string[],
  now: Now,
  problems: (more: readonly string[]) => void,
): Generator<string> {
  for (const key of keys) {
    const view = nodeViewOf(machine, key.slice(key.lastIndexOf(" ") + 1), now());
    if (!view) continue;
    problems(problemsOfNode(view));
    yield JSON.stringify(view);
  }
}

/** Apps that are there, or on their way out. */
function namesOfApps({ state }: ConductorMachine, page: Pick<Page, "node" | "grants">): string[] {
  const names = new Set<string>();
  const add = (app: App | undefined) => {
    if (!app || app.down && app.placements.size === 0) return;
    if (shows(page.grants, currentOf(app).spec.namespace)) names.add(app.name);
  };
  if (page.node === undefined) { for (const app of state.apps.values()) add(app); }
  else {
    for (const replica of state.byNode.get(page.node) ?? []) {
      add(state.apps.get(state.replicas.get(replica) ?? ""));
    }
  }
  return [...names].sort();
}

/** `<name> <id>` of each node: names come first and need not be unique. */
function keysOfNodes(machine: ConductorMachine): string[] {
  return machine.ledger.all().map(({ name, id }) => `${name} ${id}`).sort();
}

function pageOf(
  sorted: readonly string[],
  { limit, after }: Page,
): { readonly names: readonly string[]; readonly next: string | undefined } {
  const begin = after === undefined ? 0 : sorted.findIndex((name) => name > after);
  const rest = begin < 0 ? [] : sorted.slice(begin);
  const names = rest.slice(0, limit);
  return { names, next: rest.length > names.length ? names.at(-1) : undefined };
}

function nextText(next: string | undefined): string {
  return next === undefined ? "" : `,"next":${JSON.stringify(next)}`;
}

function* joined(texts: Iterable<string>): Generator<string> {
  let first = true;
  for (const text of texts) {
    yield first ? text : `,${text}`;
    first = false;
  }
}
