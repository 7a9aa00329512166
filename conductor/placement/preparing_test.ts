import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { PREPARE_UNHEARD_MS } from "../../core/limits.ts";
import { decodeMesh } from "../../core/mesh.ts";
import { nodeDetail } from "../fleet/node_views.ts";
import { manifestOf, Rig } from "../rig_test.ts";
import { appViews } from "../views/views.ts";

const HEALTH = ["port 8001", "health {", "  check GET /health 200", "}"];
const STOP_FIRST = ["rollout {", "  order stop-first", "}"];
const APP = ["replicas 2", ...HEALTH, ...STOP_FIRST];

function deployed(lines: string[], nodes = 2): Rig {
  const rig = new Rig();
  for (let number = 1; number <= nodes; number++) rig.addNode(number);
  rig.live(1_000);
  rig.apply("web", manifestOf("web", lines));
  rig.live(10_000);
  return rig;
}

const nodesOf = (rig: Rig) => [...rig.nodes.values()];
const rolloutOf = (rig: Rig) => rig.machine.state.apps.get("web")!.rollout!;
const generations = (rig: Rig) =>
  nodesOf(rig).flatMap((node) =>
    [...node.statuses.values()].filter((each) => each.state !== "finished")
      .map((each) => each.generation)
  ).sort();
const stopped = (rig: Rig) => nodesOf(rig).flatMap((node) => [...node.stopped]);

Deno.test("stop-first: every node is asked before the first replica there is stopped", () => {
  const rig = deployed(APP);
  for (const node of nodesOf(rig)) node.cut = true;
  rig.apply("web", manifestOf("web", APP), 2, 1);
  assertEquals(rig.log.at(-1)?.body.kind, "command", "nothing is decided yet");
  assertStringIncludes(rig.machine.waiting.get("web")!.join(), "can run generation 2, before web.");
  for (const node of nodesOf(rig)) node.cut = false;
  rig.live(30_000);
  assertEquals([rolloutOf(rig).phase, generations(rig)], ["done", [2, 2]]);
  assert(nodesOf(rig).every((node) => node.prepares.length > 0));
});

for (
  const [what, reason] of [
    ["a program for another machine", "/opt/web is built for aarch64, this node is x86_64"],
    ["a missing program", "/opt/web does not exist on this node"],
    ["a full disk", "artifact 555555555555 needs 64 MiB of disk, 1 MiB are free"],
  ] as const
) {
  Deno.test(`stop-first: ${what} stops nothing, and the rollout goes back`, () => {
    const rig = deployed(APP);
    for (const node of nodesOf(rig)) node.unable = reason;
    rig.apply("web", manifestOf("web", APP), 2, 1);
    rig.live(2_000);
    assertStringIncludes(rig.machine.waiting.get("web")!.join(), reason);
    rig.live(8_000);
    assertEquals([stopped(rig), generations(rig)], [[], [1, 1]]);
    const { kind, phase, generation } = rolloutOf(rig);
    assertEquals([kind, phase, generation], ["back", "done", 1]);
    assert(rig.told("rollout-failed").some((text) => text.includes(reason)));
  });
}

Deno.test("stop-first: where nothing can be gone back to, it goes on when the node can", () => {
  const rig = deployed(APP);
  for (const node of nodesOf(rig)) node.unable = "the disk is full";
  rig.apply("web", manifestOf("web", APP), 2);
  rig.live(20_000);
  assertEquals([stopped(rig), rolloutOf(rig).phase], [[], "failed"]);
  for (const node of nodesOf(rig)) node.unable = null;
  rig.live(30_000);
  assertEquals([rolloutOf(rig).phase, generations(rig)], ["done", [2, 2]]);
});

Deno.test("stop-first: one node that cannot keeps only its own replica, and the rollout fails", () => {
  const rig = deployed(APP);
  nodesOf(rig)[1]!.unable = "the disk is full";
  rig.apply("web", manifestOf("web", APP), 2, 1);
  rig.live(30_000);
  assertEquals([nodesOf(rig)[1]!.stopped.size, generations(rig)], [0, [1, 1]]);
});

Deno.test("stop-first: a node of a version that knows no such question is not waited for", () => {
  const rig = deployed(APP);
  for (const node of nodesOf(rig)) node.unable = "deaf";
  rig.apply("web", manifestOf("web", APP), 2, 1);
  rig.live(PREPARE_UNHEARD_MS - 500);
  assertEquals(stopped(rig), []);
  rig.live(40_000);
  assertEquals([rolloutOf(rig).phase, generations(rig)], ["done", [2, 2]]);
});

Deno.test("stop-first: what no node would take stops nothing", () => {
  const rig = deployed(APP);
  rig.apply("web", manifestOf("web", [...APP, "ram 64gb"]), 2, 1);
  rig.live(3_000);
  assertEquals([stopped(rig), generations(rig)], [[], [1, 1]]);
  assertStringIncludes(rig.machine.unplaced.get("web")!.join(), "cannot place web on node-1");
});

Deno.test("start-first asks nobody: the old one serves until the new one does", () => {
  const rig = deployed(["replicas 2", ...HEALTH]);
  rig.apply("web", manifestOf("web", ["replicas 2", ...HEALTH]), 2, 1);
  rig.live(30_000);
  assertEquals(nodesOf(rig).flatMap((node) => node.prepares), []);
});

Deno.test("a fixed port is not freed for a generation that could not run", () => {
  const lines = ["port 8001 fixed", ...HEALTH.slice(1)];
  const rig = deployed(lines, 1);
  nodesOf(rig)[0]!.unable = "/opt/web does not exist on this node";
  rig.apply("web", manifestOf("web", lines), 2, 1);
  rig.live(20_000);
  assertEquals([stopped(rig), generations(rig)], [[], [1]]);
  assertEquals([rolloutOf(rig).kind, rolloutOf(rig).phase], ["back", "done"]);
});

Deno.test("a question is repeated until it is answered, and the artifact's holders go with it", () => {
  const rig = deployed(APP);
  const asked: number[] = [];
  for (const node of nodesOf(rig)) node.cut = true;
  const before = rig.sent.length;
  rig.apply("web", manifestOf("web", APP), 2, 1);
  rig.live(1_500);
  for (const { message } of rig.sent.slice(before)) {
    if (message.k === "prepare") asked.push(message.sequence);
    assert(decodeMesh(JSON.stringify(message)) !== null);
  }
  assert(asked.length >= 3, `${asked}`);
});

const secretsOf = (name: string) => ["secret {", `  TOKEN ${name}`, "}"];

Deno.test("stop-first: a secret that was never set stops nothing, fails the rollout, and nobody is asked", () => {
  const rig = deployed(APP);
  rig.apply("web", manifestOf("web", [...APP, ...secretsOf("token")]), 2, 1);
  rig.live(2_000);
  const reason = "there is no secret token in namespace default; skr8tr secret set token sets it";
  assertStringIncludes(rig.machine.waiting.get("web")!.join(), `cannot run on node-1: ${reason}`);
  rig.live(8_000);
  assertEquals([stopped(rig), generations(rig)], [[], [1, 1]]);
  assertEquals([rolloutOf(rig).kind, rolloutOf(rig).phase], ["back", "done"]);
  assert(rig.told("rollout-failed").some((text) => text.includes(reason)));
  assertEquals(nodesOf(rig).flatMap((node) => node.prepares), []);
});

Deno.test("stop-first: it goes on when the missing secret is set", () => {
  const rig = deployed(APP);
  rig.apply("web", manifestOf("web", [...APP, ...secretsOf("token")]), 2);
  rig.live(20_000);
  assertEquals([stopped(rig), rolloutOf(rig).phase], [[], "failed"]);
  const secret = {
    namespace: "default",
    secret: "token",
    sealed: new Uint8Array(1_200).toBase64(),
  };
  assertEquals(
    rig.ask(rig.signed({ verb: "SECRET", id: "secret-1", ...secret })),
    "OK|SECRET|default|token",
  );
  rig.live(30_000);
  assertEquals(generations(rig), [2, 2]);
});

function drain(rig: Rig, node: string): void {
  assertEquals(
    rig.ask(rig.signed({ verb: "DRAIN", id: `drain-${node}`, node })),
    `OK|DRAINING|${node}`,
  );
}

const whereIs = (rig: Rig) =>
  nodesOf(rig).flatMap((node) =>
    [...node.statuses.values()].filter((each) => each.state !== "finished").map(() => node.name)
  );

const ONE = ["replicas 1", ...HEALTH, ...STOP_FIRST];

Deno.test("drain, stop-first: nothing is stopped before the next node was asked", () => {
  const rig = deployed(ONE);
  nodesOf(rig)[1]!.cut = true;
  rig.live(250);
  drain(rig, "node-1");
  rig.advance(250);
  assertEquals(stopped(rig), []);
  assertStringIncludes(
    rig.machine.waiting.get("web")!.join(),
    "node-2 looks whether it can run generation 1, before web.1 is stopped for it",
  );
  nodesOf(rig)[1]!.cut = false;
  rig.live(5_000);
  assertEquals([whereIs(rig), nodesOf(rig)[1]!.prepares.length > 0], [["node-2"], true]);
});

Deno.test("drain, stop-first: a replica stays where no other node can run it, why says so, and it moves when one can", () => {
  const rig = deployed(ONE, 3);
  for (const node of nodesOf(rig).slice(1)) node.unable = `${node.name}'s disk is full`;
  drain(rig, "node-1");
  rig.live(20_000);
  assertEquals([stopped(rig), whereIs(rig)], [[], ["node-1"]]);
  const { reasons, replicas } = appViews(rig.machine, rig.now).find((app) => app.app === "web")!;
  assertEquals(replicas.map((each) => each.state), ["ready"]);
  assertEquals(reasons, [
    "cannot place web on node-1: it is being drained",
    "cannot place web on node-2: node-2's disk is full",
    "cannot place web on node-3: node-3's disk is full",
    "web.1 is not stopped: no other node can run generation 1",
  ]);
  const [placed] = nodeDetail(rig.machine, "node-1", rig.now)!.placed;
  assertStringIncludes(placed!.stays!, "node-2's disk is full");
  nodesOf(rig)[2]!.unable = null;
  rig.live(10_000);
  assertEquals(whereIs(rig), ["node-3"]);
  assertEquals(nodesOf(rig)[1]!.stopped.size, 0);
});

Deno.test("drain, stop-first: of two nodes the one that can run it gets it", () => {
  const rig = deployed(ONE, 3);
  nodesOf(rig)[1]!.unable = "/opt/web does not exist on this node";
  drain(rig, "node-1");
  rig.live(10_000);
  assertEquals([whereIs(rig), nodesOf(rig)[1]!.prepares.length > 0], [["node-3"], true]);
  // What a node said is no reason to have the app nowhere.
  rig.ask(rig.signed({ verb: "CORDON", id: "cordon-3", node: "node-3" }));
  nodesOf(rig)[2]!.cut = true;
  rig.live(30_000);
  assertEquals(whereIs(rig).includes("node-2"), true, "tried there rather than not at all");
});

Deno.test("drain: an app that may run once only stays where its next node lacks its program", () => {
  const lines = ["volume { path /shared; env DATA; shared yes }", ...HEALTH];
  const rig = deployed(lines);
  const [home] = whereIs(rig);
  for (const node of nodesOf(rig)) node.unable = "/opt/web does not exist on this node";
  drain(rig, home!);
  rig.live(10_000);
  assertEquals([stopped(rig), whereIs(rig)], [[], [home]]);
  for (const node of nodesOf(rig)) node.unable = null;
  rig.live(10_000);
  assertEquals(whereIs(rig), [home === "node-1" ? "node-2" : "node-1"]);
});

Deno.test("drain, stop-first: without room elsewhere nothing is stopped", () => {
  const rig = deployed(["ram 6gb", ...ONE]);
  rig.apply("fat", manifestOf("fat", ["ram 6gb"]));
  rig.live(1_000);
  drain(rig, whereIs(rig)[0]!);
  rig.live(10_000);
  assertEquals(stopped(rig), []);
  assertStringIncludes(rig.machine.unplaced.get("web")!.join(), "needs 6144 MiB, 2048 MiB free");
});

Deno.test("stop-first: what was stopped is placed on the node that was asked, whatever has come there since", () => {
  const rig = deployed(ONE, 3);
  rig.apply("web", manifestOf("web", ONE), 2, 1);
  for (let ms = 0; ms < 5_000 && stopped(rig).length === 0; ms += 10) rig.live(10);
  const asked = nodesOf(rig).filter((node) => node.prepares.length > 0).map((node) => node.name);
  assertEquals([stopped(rig).length, asked.length], [1, 1]);
  // Others come there meanwhile, so that another node is the better one.
  const bar = (verb: "CORDON" | "UNCORDON") => {
    for (const { name: node } of nodesOf(rig)) {
      if (node !== asked[0]) rig.ask(rig.signed({ verb, id: `${verb}-${node}`, node }));
    }
  };
  bar("CORDON");
  for (const app of ["one", "two"]) rig.apply(app, manifestOf(app, ["ram 1gb"]));
  bar("UNCORDON");
  rig.live(5_000);
  const placed = [...rig.machine.state.apps.get("web")!.placements.values()];
  assertEquals(
    placed.map(({ generation, node }) => [generation, rig.machine.fleet.get(node)?.name]),
    [[2, asked[0]]],
  );
});
