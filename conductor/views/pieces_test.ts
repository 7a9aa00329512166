import { assert, assertEquals } from "@std/assert";
import type { AppView, NodeView } from "../../core/view.ts";
import { appPieces, nodePieces, type Page, statusPieces } from "./pieces.ts";
import { manifestOf, Rig } from "../rig_test.ts";
import { statusView } from "./status_view.ts";
import { appViews, nodeViews } from "./views.ts";

const WHOLE: Page = { limit: Infinity, replicas: true, grants: null };

function cluster(): Rig {
  const rig = new Rig();
  for (let number = 1; number <= 7; number++) rig.addNode(number);
  for (let number = 0; number < 11; number++) {
    const space = number % 2 ? ["namespace shop"] : [];
    rig.apply(`app-${number}`, manifestOf(`app-${number}`, ["replicas 2", ...space]));
  }
  rig.live(1_000);
  return rig;
}

const text = (pieces: Iterable<string>) => JSON.parse([...pieces].join(""));

/** All items of all pages, and how many pages those were. */
function inPages<T>(
  key: string,
  limit: number,
  pieces: (page: Page) => Iterable<string>,
): { readonly items: T[]; readonly pages: number } {
  const items: T[] = [];
  let after: string | undefined;
  for (let pages = 1;; pages++) {
    const page = text(pieces({ ...WHOLE, limit, ...(after === undefined ? {} : { after }) }));
    assert(page[key].length <= limit);
    items.push(...page[key]);
    after = page.next;
    if (after === undefined) return { items, pages };
  }
}

Deno.test("the pieces of a list, whole and in pages of any size, are what is seen at once", () => {
  const rig = cluster();
  const { machine } = rig;
  const now = () => rig.now;
  // Two nodes of one name: a page may end between them.
  rig.addNode(8, { name: "node-7" });
  assertEquals(text(appPieces(machine, WHOLE, now)), { apps: appViews(machine, rig.now) });
  for (const limit of [1, 2, 3, 10, 11, 12]) {
    const apps = inPages<AppView>("apps", limit, (page) => appPieces(machine, page, now));
    assertEquals(apps.items, appViews(machine, rig.now));
    assertEquals(apps.pages, Math.ceil(11 / limit));
    const nodes = inPages<NodeView>("nodes", limit, (page) => nodePieces(machine, page, now));
    const byId = (a: NodeView, b: NodeView) => a.id < b.id ? -1 : 1;
    assertEquals(nodes.items.toSorted(byId), nodeViews(machine, rig.now).toSorted(byId));
  }
});

Deno.test("a page goes on after an app that is gone meanwhile", () => {
  const rig = cluster();
  const first = text(appPieces(rig.machine, { ...WHOLE, limit: 3 }, () => rig.now));
  rig.down(first.next);
  rig.live(2_000);
  assert(!appViews(rig.machine, rig.now).some(({ app }) => app === first.next), "it is gone");
  const next = { ...WHOLE, limit: 3, after: first.next };
  const second = text(appPieces(rig.machine, next, () => rig.now));
  assertEquals(second.apps.map(({ app }: AppView) => app), ["app-2", "app-3", "app-4"]);
});

Deno.test("the pieces of the status are the status, problems included", () => {
  const rig = cluster();
  const [broken, stranger] = [...rig.nodes.values()];
  broken!.become([...broken!.statuses.keys()][0]!, "starting", { restarts: 9 });
  stranger!.report({
    ...{ replica: "other.1", app: "other", generation: 1, version: 1 },
    ...{ state: "ready", restarts: 0, sinceWallMs: 1 } as const,
  });
  const status = statusView(rig.machine, "1", rig.now);
  assertEquals(status.problems.length, 2);
  assertEquals(
    text(statusPieces(rig.machine, "1", WHOLE, () => rig.now)),
    JSON.parse(
      JSON.stringify(status),
    ),
  );
  const brief = text(statusPieces(rig.machine, "1", { ...WHOLE, replicas: false }, () => rig.now));
  assertEquals(brief, {
    ...JSON.parse(JSON.stringify(status)),
    apps: status.apps.map((app) => ({ ...app, replicas: [] })),
  });
});

Deno.test("whoever may see one namespace is shown no app of another, in no page", () => {
  const rig = cluster();
  const shown = { ...WHOLE, grants: [{ role: "viewer", namespaces: ["shop"] }] } as const;
  const { apps } = text(appPieces(rig.machine, shown, () => rig.now));
  assertEquals(apps.map(({ app }: AppView) => app), [1, 3, 5, 7, 9].map((at) => `app-${at}`));
  const status = text(statusPieces(rig.machine, "1", shown, () => rig.now));
  assertEquals(status.apps, apps);
});

Deno.test("the apps of one node are those that are placed there, with these replicas alone", () => {
  const rig = cluster();
  const [node] = [...rig.machine.fleet.values()];
  const { apps } = text(appPieces(rig.machine, { ...WHOLE, node: node!.id }, () => rig.now));
  const replicas = apps.flatMap((app: AppView) => app.replicas.map((each) => each.replica));
  assertEquals(replicas.sort(), [...rig.machine.state.byNode.get(node!.id)!].sort());
});
