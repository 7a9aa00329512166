import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { OperatorCommand } from "../../core/command.ts";
import { NODE_DEAD_MS, REBALANCE_REST_MS } from "../../core/limits.ts";
import { nodeDetail, volumeViews } from "../fleet/node_views.ts";
import { manifestOf, Rig, type RigNode } from "../rig_test.ts";
import { loadState, saveState } from "../snapshot.ts";
import { appViews } from "../views/views.ts";

const HEALTH = ["port 8001", "health {", "  check GET /health 200", "}"];
const SHARED = ["volume { path /shared; env DATA; shared yes }"];
const VOLUME = ["volume { path data; env DATA }"];

function cluster(nodes: number, options: ConstructorParameters<typeof Rig>[0] = {}): Rig {
  const rig = new Rig(options);
  for (let number = 1; number <= nodes; number++) rig.addNode(number);
  rig.live(1_000);
  return rig;
}

let ids = 0;
type Verb = "CORDON" | "UNCORDON" | "DRAIN" | "REBALANCE" | "RELEASE";

/** Signs and sends a command with these fields. */
function tell(rig: Rig, verb: Verb, fields: Record<string, string>) {
  const id = `tell-${String(++ids).padStart(6, "0")}`;
  return rig.ask(rig.signed({ verb, id, ...fields } as unknown as OperatorCommand));
}

const nodesOf = (rig: Rig): RigNode[] => [...rig.nodes.values()];
const running = (rig: Rig, app: string): string[] =>
  nodesOf(rig).flatMap((node) =>
    [...node.statuses.values()].filter((each) => each.app === app && each.state !== "finished")
      .map((each) => `${each.replica}@${node.name}`)
  ).sort();
const on = (rig: Rig, node: string) =>
  [...rig.machine.state.replicas.keys()].filter((replica) =>
    running(rig, replica.split(".")[0]!).includes(`${replica}@${node}`)
  );

Deno.test("a cordoned node keeps what it has and gets nothing more, until it is uncordoned", () => {
  const rig = cluster(2);
  rig.apply("web", manifestOf("web", ["replicas 2"]));
  rig.live(500);
  assertEquals(tell(rig, "CORDON", { node: "node-2" }), "OK|CORDONED|node-2");
  assertEquals(tell(rig, "CORDON", { node: "node-2" }), "ERR|STATE|node-2 is cordoned already");
  rig.live(3_000);
  rig.apply("api", manifestOf("api", ["replicas 2"]));
  rig.live(500);
  assertEquals(running(rig, "web"), ["web.1@node-1", "web.2@node-2"]);
  assertEquals(running(rig, "api"), ["api.1@node-1", "api.2@node-1"]);
  rig.restart();
  rig.live(2_000);
  assertEquals(rig.machine.ledger.node(nodesOf(rig)[1]!.id).bar, "it is cordoned", "it is durable");
  assertEquals(tell(rig, "UNCORDON", { node: "node-2" }), "OK|UNCORDONED|node-2");
  rig.apply("job", manifestOf("job", ["replicas 2"]));
  rig.live(500);
  assertEquals(running(rig, "job"), ["job.1@node-2", "job.2@node-1"]);
});

Deno.test("commands about nodes name one that there is", () => {
  const rig = cluster(1);
  const reply = tell(rig, "DRAIN", { node: "node-9" });
  assertEquals(reply, "ERR|NODE|no node is named node-9; skr8tr nodes shows them");
  assertEquals(tell(rig, "UNCORDON", { node: "node-1" }), "ERR|STATE|node-1 is not cordoned");
  const { id } = nodesOf(rig)[0]!;
  assertEquals(tell(rig, "CORDON", { node: id }), "OK|CORDONED|node-1");
});

Deno.test("a node that is called differently is found by its new name", () => {
  const rig = cluster(1);
  const node = nodesOf(rig)[0]!;
  node.called("edge-1");
  rig.live(500);
  assertEquals(rig.told("node-renamed"), ["node-1 is called edge-1 now"]);
  assertEquals(tell(rig, "CORDON", { node: "edge-1" }), "OK|CORDONED|edge-1");
  const entries = rig.log.length;
  rig.live(2_000);
  assertEquals(rig.log.length, entries, "written down once");
});

Deno.test("a drained node's replicas are ready elsewhere before they leave, one batch at a time", () => {
  const rig = cluster(3);
  rig.apply("web", manifestOf("web", ["replicas 6", ...HEALTH]));
  rig.live(1_000);
  assertEquals(on(rig, "node-1").length, 2);
  for (const node of nodesOf(rig)) node.quick = false;
  tell(rig, "DRAIN", { node: "node-1" });
  rig.live(2_000);
  // The replacement is there and not ready: nobody has been stopped, and one is under way.
  assertEquals(running(rig, "web").length, 7);
  assertEquals(rig.machine.state.apps.get("web")!.placements.size, 7);
  assertEquals(running(rig, "web").filter((each) => each.endsWith("@node-1")).length, 2);
  let fewest = Infinity;
  for (let round = 0; round < 40; round++) {
    for (const node of nodesOf(rig)) {
      for (const { replica, state } of [...node.statuses.values()]) {
        if (state === "starting") node.become(replica, "ready");
        if (state === "stopping") node.become(replica, "finished");
      }
    }
    const ready = nodesOf(rig).flatMap((node) => [...node.statuses.values()])
      .filter((each) => each.state === "ready").length;
    fewest = Math.min(fewest, ready);
    rig.live(250);
  }
  assertEquals(on(rig, "node-1"), []);
  assertEquals(running(rig, "web").length, 6);
  assert(fewest >= 6, `only ${fewest} were ready at a time`);
  assertEquals(nodeDetail(rig.machine, "node-1", rig.now)!.placed, []);
  assertEquals(nodeDetail(rig.machine, "node-1", rig.now)!.node.bar, "draining");
  rig.apply("api", manifestOf("api", ["replicas 4"]));
  rig.live(500);
  assertEquals(on(rig, "node-1"), [], "a drained node stays empty");
});

Deno.test("a replacement that never gets ready keeps the old replica where it is", () => {
  const rig = cluster(2);
  rig.apply("web", manifestOf("web", HEALTH));
  rig.live(1_000);
  assertEquals(running(rig, "web"), ["web.1@node-1"]);
  nodesOf(rig)[1]!.quick = false;
  tell(rig, "DRAIN", { node: "node-1" });
  rig.live(30_000);
  assertEquals(running(rig, "web"), ["web.1@node-1", "web.2@node-2"]);
});

Deno.test("what cannot move stays, and the reason is shown", () => {
  const rig = cluster(2);
  rig.apply("db", manifestOf("db", VOLUME));
  rig.apply("big", manifestOf("big", ["ram 6gb", "place { require disk=fast }"]));
  rig.live(500);
  const home = running(rig, "db")[0]!.split("@")[1]!;
  tell(rig, "DRAIN", { node: home });
  rig.live(5_000);
  assertEquals(running(rig, "db"), [`db.1@${home}`]);
  const detail = nodeDetail(rig.machine, home, rig.now)!;
  assertEquals(detail.placed.map((each) => [each.replica, each.home]), [["db.1", true]]);
  assertStringIncludes(detail.placed[0]!.stays!, "skr8tr volume rm db");
  const reasons = appViews(rig.machine, rig.now).find((app) => app.app === "big")!.reasons;
  assertEquals(reasons.map((each) => each.replace(/node-[12]/, "N")).sort(), [
    "cannot place big on N: it is being drained",
    "cannot place big on N: needs label disk=fast, it has none",
  ]);
});

Deno.test("a drain goes on after the conductor's restart, and through a rollout", () => {
  const rig = cluster(3);
  rig.apply("web", manifestOf("web", ["replicas 3", ...HEALTH]));
  rig.live(1_000);
  for (const node of nodesOf(rig)) node.quick = false;
  tell(rig, "DRAIN", { node: "node-1" });
  rig.live(500);
  rig.restart();
  rig.apply("web", manifestOf("web", ["replicas 3", ...HEALTH, "env { V 2 }"]));
  for (let round = 0; round < 60; round++) {
    for (const node of nodesOf(rig)) {
      for (const { replica, state } of [...node.statuses.values()]) {
        if (state === "starting") node.become(replica, "ready");
        if (state === "stopping") node.become(replica, "finished");
      }
    }
    rig.live(250);
  }
  assertEquals(running(rig, "web").length, 3);
  assertEquals(on(rig, "node-1"), []);
  const { placements } = rig.machine.state.apps.get("web")!;
  assertEquals([...placements.values()].map((each) => [each.generation, each.index]).sort(), [
    ...[[2, 0], [2, 1], [2, 2]],
  ]);
});

Deno.test("what moves while a rollout is paused stays of its generation, one at a time", () => {
  const rig = cluster(3);
  rig.apply("web", manifestOf("web", ["replicas 1", ...HEALTH]));
  rig.live(1_000);
  for (const node of nodesOf(rig)) node.quick = false;
  rig.apply("web", manifestOf("web", ["replicas 4", ...HEALTH]), 2, 1);
  rig.live(500);
  rig.verb("PAUSE", "web");
  for (const node of nodesOf(rig)) {
    for (const { replica } of [...node.statuses.values()]) node.become(replica, "ready");
  }
  rig.live(1_000);
  assertEquals(running(rig, "web").length, 5);
  tell(rig, "DRAIN", { node: "node-2" });
  rig.live(30_000);
  const { placements } = rig.machine.state.apps.get("web")!;
  assertEquals([...placements.values()].map((each) => each.generation), [1, 2, 2, 2, 2, 2]);
});

Deno.test("what a restart replaces is not moved as well when its node is drained", () => {
  const rig = cluster(2);
  tell(rig, "CORDON", { node: "node-2" });
  rig.apply("web", manifestOf("web", ["replicas 5", ...HEALTH]));
  rig.live(1_000);
  tell(rig, "UNCORDON", { node: "node-2" });
  // What the restart places would have to move, too, and that is another matter.
  tell(rig, "CORDON", { node: "node-1" });
  for (const node of nodesOf(rig)) node.quick = false;
  rig.verb("RESTART", "web");
  const { placements } = rig.machine.state.apps.get("web")!;
  let most = 0;
  for (let round = 0; round < 80; round++) {
    if (round === 3) tell(rig, "DRAIN", { node: "node-1" });
    for (const node of nodesOf(rig)) {
      for (const { replica, state } of [...node.statuses.values()]) {
        if (state === "starting" && round % 2 === 0) node.become(replica, "ready");
        if (state === "stopping") node.become(replica, "finished");
      }
    }
    rig.live(250);
    most = Math.max(most, [...placements.values()].filter((each) => !each.leaving).length);
  }
  assertEquals([most, running(rig, "web").length, on(rig, "node-1")], [6, 5, []]);
});

Deno.test("a node that comes stays empty until a rebalancing is asked for", () => {
  const rig = cluster(2);
  rig.apply("web", manifestOf("web", ["replicas 6", "ram 256mb", ...HEALTH]));
  rig.live(1_000);
  rig.addNode(3);
  rig.live(20_000);
  assertEquals(on(rig, "node-3"), []);
  assertEquals(tell(rig, "REBALANCE", { scope: "*" }), "OK|REBALANCING|*");
  rig.live(5_000);
  assertEquals([1, 2, 3].map((node) => on(rig, `node-${node}`).length), [2, 2, 2]);
  assertEquals(running(rig, "web").length, 6);
  const entries = rig.log.length;
  tell(rig, "REBALANCE", { scope: "web" });
  rig.live(5_000);
  assertEquals(rig.log.length - entries, 2, "a balanced cluster has nothing to move");
  assertEquals(rig.machine.state.rebalancing.size, 0);
});

Deno.test("with --rebalance replicas move to a node that came by themselves, after a while", () => {
  const rig = cluster(2, { rebalance: true });
  rig.apply("web", manifestOf("web", ["replicas 6", ...HEALTH]));
  rig.live(REBALANCE_REST_MS + 2_000);
  rig.addNode(3);
  rig.live(REBALANCE_REST_MS - 1_000);
  assertEquals(on(rig, "node-3"), []);
  rig.live(8_000);
  assertEquals([1, 2, 3].map((node) => on(rig, `node-${node}`).length), [2, 2, 2]);
});

Deno.test("a volume whose home was given up is placed anew when all has ended there", () => {
  const rig = cluster(2);
  rig.apply("db", manifestOf("db", ["replicas 2", ...VOLUME]));
  rig.live(500);
  const home = nodesOf(rig).find((node) => node.statuses.size > 0)!;
  assertEquals(volumeViews(rig.machine), [
    { app: "db", path: "data", shared: false, home: home.name, replicas: 2, state: "in use" },
  ]);
  home.quick = false;
  tell(rig, "CORDON", { node: home.name });
  assertEquals(
    tell(rig, "RELEASE", { app: "db", how: "stopped" }),
    `OK|RELEASED|db|${home.name}`,
  );
  rig.live(5_000);
  assertEquals(running(rig, "db").every((each) => each.endsWith(`@${home.name}`)), true);
  assertStringIncludes(rig.machine.waiting.get("db")!.join(), "has ended on");
  for (let round = 0; round < 20; round++) {
    for (const { replica, state } of [...home.statuses.values()]) {
      if (state === "stopping") home.become(replica, "finished");
    }
    rig.live(500);
  }
  assertEquals(
    running(rig, "db").map((each) => each.split("@")[1]),
    Array(2).fill(
      home.name === "node-1" ? "node-2" : "node-1",
    ),
  );
});

for (const [what, lines] of [["of its node", VOLUME], ["that is shared", SHARED]] as const) {
  Deno.test(`the one replica with a volume ${what} is not run again while it may still run`, () => {
    const rig = cluster(3);
    rig.apply("db", manifestOf("db", [...lines]));
    rig.live(500);
    const [first] = running(rig, "db");
    const home = nodesOf(rig).find((node) => first!.endsWith(`@${node.name}`))!;
    home.cut = true;
    rig.live(NODE_DEAD_MS + 60_000);
    assertEquals(running(rig, "db"), [first]);
    tell(rig, "RELEASE", { app: "db", how: "stopped" });
    rig.live(30_000);
    assertEquals(running(rig, "db"), [first], "given up, but perhaps still at work");
    assertStringIncludes(rig.machine.waiting.get("db")!.join(), "skr8tr volume rm db --lost");
    tell(rig, "RELEASE", { app: "db", how: "lost" });
    rig.live(1_000);
    const now = running(rig, "db").filter((each) => each !== first);
    assertEquals(now.length, 1, "an operator says that the machine is off");
    home.cut = false;
    rig.live(3_000);
    assertEquals(running(rig, "db"), now, "back again it stops what it no longer owns");
  });
}

Deno.test("of what may run only once the old one has ended before the new one starts", () => {
  const rig = cluster(2);
  rig.apply("db", manifestOf("db", [...SHARED, ...HEALTH]));
  rig.live(500);
  const first = running(rig, "db")[0]!;
  for (const node of nodesOf(rig)) node.quick = false;
  tell(rig, "DRAIN", { node: first.split("@")[1]! });
  rig.live(5_000);
  assertEquals(rig.places("db"), [`${first} leaving`]);
  const home = nodesOf(rig).find((node) => first.endsWith(`@${node.name}`))!;
  home.become("db.1", "finished");
  rig.live(500);
  assertEquals(running(rig, "db").length, 1);
  assert(running(rig, "db")[0] !== first, "and now it is elsewhere");
});

Deno.test("a system app has one replica on every eligible node, as nodes come and go", () => {
  const rig = new Rig();
  rig.addNode(1, { labels: { disk: "fast" } });
  rig.addNode(2, { labels: { disk: "fast" } });
  rig.addNode(3, { labels: {} });
  rig.live(1_000);
  const lines = ["type system", "place { require disk=fast }", ...HEALTH];
  rig.apply("agent", manifestOf("agent", lines));
  rig.live(1_000);
  assertEquals(running(rig, "agent"), ["agent.1@node-1", "agent.2@node-2"]);
  const view = () => appViews(rig.machine, rig.now)[0]!;
  assertEquals([view().wanted, view().ready, view().state], [2, 2, "ready"]);
  const fourth = rig.addNode(4, { labels: { disk: "fast" } });
  rig.live(1_000);
  assertEquals(running(rig, "agent"), ["agent.1@node-1", "agent.2@node-2", "agent.3@node-4"]);
  tell(rig, "CORDON", { node: "node-1" });
  rig.live(1_000);
  assertEquals(running(rig, "agent").length, 3, "a cordoned node keeps its own");
  tell(rig, "DRAIN", { node: "node-2" });
  rig.live(2_000);
  assertEquals(running(rig, "agent"), ["agent.1@node-1", "agent.3@node-4"]);
  fourth.cut = true;
  rig.live(NODE_DEAD_MS + 1_000);
  assertEquals([view().wanted, view().state], [1, "ready"]);
  fourth.cut = false;
  rig.live(3_000);
  assertEquals(running(rig, "agent"), ["agent.1@node-1", "agent.4@node-4"]);
});

Deno.test("a system app's new generation reaches every node once", () => {
  const rig = cluster(4);
  const lines = (version: number) => ["type system", ...HEALTH, `env { V ${version} }`];
  rig.apply("agent", manifestOf("agent", lines(1)));
  rig.live(1_000);
  rig.apply("agent", manifestOf("agent", lines(2)));
  rig.live(5_000);
  assertEquals(running(rig, "agent").map((each) => each.split("@")[1]), [
    ...["node-1", "node-2", "node-3", "node-4"],
  ]);
  const { placements } = rig.machine.state.apps.get("agent")!;
  assert([...placements.values()].every((each) => each.generation === 2));
});

Deno.test("bars, homes that were given up and moves survive a snapshot", () => {
  const rig = cluster(3);
  rig.apply("web", manifestOf("web", ["replicas 2"]));
  rig.apply("db", manifestOf("db", VOLUME));
  rig.live(500);
  const home = nodesOf(rig).find((node) => rig.machine.state.apps.get("db")!.home === node.id)!;
  home.cut = true;
  tell(rig, "DRAIN", { node: "node-1" });
  tell(rig, "RELEASE", { app: "db", how: "stopped" });
  tell(rig, "REBALANCE", { scope: "web" });
  const { state } = rig.machine;
  const again = loadState(state.head, saveState(state))!;
  assertEquals(again.bars, state.bars);
  assertEquals(again.rebalancing, state.rebalancing);
  assertEquals(again.apps.get("db")!.released, state.apps.get("db")!.released);
  assert(again.apps.get("db")!.released !== undefined);
  // A snapshot of an earlier version has none of these.
  const old = JSON.parse(saveState(state));
  delete old.bars;
  delete old.rebalancing;
  assertEquals(loadState(state.head, JSON.stringify(old))!.bars.size, 0);
});
