import { assertEquals, assertMatch } from "@std/assert";
import { AROUND_SILENT_MS, TOWER_UNHEARD_MS } from "../../core/limits.ts";
import { Rig } from "../rig_test.ts";
import { statusView } from "./status_view.ts";
import { appViews } from "./views.ts";

const SHOP = "app shop\n  exec /bin/shop\n  port 8000\n  route {\n    path /\n  }\n";

function lose(rig: Rig, at: string): void {
  rig.step({ on: "tower", at, heard: false, sinceMonoMs: rig.now.monoMs });
}

function problemsOf(rig: Rig): readonly string[] {
  return statusView(rig.machine, "1", rig.now).problems;
}

Deno.test("aroundProblems() tells of a tower that is gone for a while, and of no other", () => {
  const rig = new Rig();
  rig.addNode(1);
  rig.apply("shop", SHOP);
  assertEquals(problemsOf(rig), [], "nobody has spoken of a tower");
  lose(rig, "10.0.0.9:7772");
  rig.live(TOWER_UNHEARD_MS - 100);
  assertEquals(problemsOf(rig).filter((each) => each.startsWith("the tower")), []);
  rig.live(200);
  const line = "the tower at 10.0.0.9:7772 is not heard";
  assertEquals(problemsOf(rig).filter((each) => each.startsWith("the tower")), [
    `${line}: no name is found, and routes stand as they were`,
  ]);
  const [shop] = appViews(rig.machine, rig.now);
  assertEquals(shop!.reasons.filter((each) => each.startsWith("the tower")), [
    `${line}: nobody finds shop by its name`,
  ]);
  rig.step({ on: "tower", at: "10.0.0.9:7772", heard: true });
  assertEquals(problemsOf(rig).filter((each) => each.startsWith("the tower")), []);
});

Deno.test("aroundProblems() tells that the log cannot be written, until it is", () => {
  const rig = new Rig();
  rig.addNode(1);
  rig.live(500);
  rig.diskError = "database or disk is full";
  rig.apply("quiet", "app quiet\n  exec /bin/quiet\n");
  rig.live(2_000);
  const [line] = problemsOf(rig);
  assertMatch(line ?? "", /^the log could not be written [12] s ago, .*: database or disk is full/);
  rig.diskError = null;
  rig.apply("quiet", "app quiet\n  exec /bin/quiet\n");
  assertEquals(problemsOf(rig), []);
});

Deno.test("aroundProblems() tells that nobody serves a route, until an ingress is heard", () => {
  const rig = new Rig();
  rig.addNode(1);
  rig.apply("shop", SHOP);
  rig.apply("quiet", "app quiet\n  exec /bin/quiet\n");
  rig.step({ on: "tower", at: "10.0.0.9:7772", heard: true });
  rig.live(AROUND_SILENT_MS + 100);
  const line = "no ingress is heard through the tower at 10.0.0.9:7772: where none runs, " +
    "nobody serves the routes of shop";
  assertEquals(problemsOf(rig), [line]);
  const reasons = appViews(rig.machine, rig.now).map(({ app, reasons }) => [app, reasons]);
  assertEquals(reasons, [["quiet", []], ["shop", [line]]]);
  const figures = { name: "ingress", boot: "1".repeat(16), whole: true, apps: [] };
  rig.step({ on: "figures", figures });
  assertEquals(problemsOf(rig), []);
});

Deno.test("aroundProblems() says of one lost tower of several that another answers", () => {
  const rig = new Rig();
  rig.addNode(1);
  rig.apply("shop", SHOP);
  const lost = () => problemsOf(rig).filter((each) => each.startsWith("the tower"));
  rig.step({ on: "tower", at: "10.0.0.8:7772", heard: true });
  lose(rig, "10.0.0.9:7772");
  rig.live(AROUND_SILENT_MS + 100);
  const line = "the tower at 10.0.0.9:7772 is not heard";
  assertEquals(lost(), [`${line}: names are found and routes told by another`]);
  const found = appViews(rig.machine, rig.now)[0]!.reasons.filter((each) => /finds/.test(each));
  assertEquals(found, []);
  lose(rig, "10.0.0.8:7772");
  rig.live(AROUND_SILENT_MS + 100);
  assertEquals(lost().length, 2);
  assertEquals(appViews(rig.machine, rig.now)[0]!.reasons.filter((each) => /finds/.test(each)), [
    "the tower at 10.0.0.8:7772 is not heard: nobody finds shop by its name",
    `${line}: nobody finds shop by its name`,
  ]);
});

Deno.test("aroundProblems() tells of a tower that answers the conductor, and a node not", () => {
  const rig = new Rig();
  const nodes = [1, 2, 3, 4, 5, 6, 7].map((number) => rig.addNode(number));
  rig.apply("shop", SHOP);
  rig.step({ on: "tower", at: "10.0.0.9:7772", heard: true });
  const told = () => problemsOf(rig).filter((each) => each.startsWith("the tower"));
  assertEquals(told(), []);
  for (const node of nodes.slice(0, 6)) node.deafTo("10.0.0.9:7772");
  rig.live(1_000);
  assertEquals(told(), [
    "the tower at 10.0.0.9:7772 does not answer node-1, node-2, node-3, node-4, node-5 and 1 more: " +
    "what runs there is not found by it",
  ]);
  const home = [...rig.machine.state.apps.get("shop")!.placements.values()][0]!.node;
  const name = nodes.find(({ id }) => id === home)!.name;
  assertEquals(
    appViews(rig.machine, rig.now)[0]!.reasons.filter((each) => each.includes("does not hear")),
    [`${name} does not hear the tower at 10.0.0.9:7772`],
  );
  // What the conductor does not hear itself is told once.
  lose(rig, "10.0.0.9:7772");
  rig.live(TOWER_UNHEARD_MS);
  assertEquals(told(), [
    "the tower at 10.0.0.9:7772 is not heard: no name is found, and routes stand as they were",
  ]);
});
