import { assert, assertEquals } from "@std/assert";
import { manifestOf, Rig, type RigNode } from "../rig_test.ts";

const SLEEPER = ["port 80", "route {", "  path /", "}", "scale {", "  idle-after 60s", "}"];

/** A cluster whose app sleeps; what its replica's node was told comes along. */
function asleep(lines: readonly string[] = SLEEPER): { rig: Rig; node: RigNode; told: unknown } {
  const rig = new Rig();
  for (const number of [1, 2]) rig.addNode(number);
  assertEquals(rig.apply("web", manifestOf("web", [...lines])), "OK|APPLIED|web|1");
  rig.live(1_000);
  const [place] = rig.machine.state.apps.get("web")!.placements.values();
  const node = [...rig.nodes.values()].find((each) => each.id === place?.node)!;
  for (let passed = 0; passed < 70_000; passed += 1_000) {
    const figures = { boot: "1".repeat(16), name: "ingress", whole: true, apps: [] };
    rig.step({ on: "figures", figures });
    rig.live(1_000);
  }
  assertEquals(rig.places("web"), []);
  const told = rig.sent.map((each) => each.message).findLast((each) => each.k === "stop");
  return { rig, node, told };
}

function standIn(node: RigNode, state: "ready" | "finished" = "ready"): void {
  const base = { app: "web", generation: 1, restarts: 0, sinceWallMs: 1, standIn: true } as const;
  node.report({ ...base, replica: "web.w1", version: state === "ready" ? 1 : 2, state });
}

const stops = (rig: Rig) =>
  rig.sent.filter(({ message }) => message.k === "stop" && message.replica === "web.w1").length;

Deno.test("a node is told that its app falls asleep, unless that has a volume", () => {
  const { told, rig } = asleep();
  assertEquals((told as { asleep?: boolean }).asleep, true);
  rig.apply("api", manifestOf("api"));
  rig.live(1_000);
  rig.down("api");
  rig.live(1_000);
  const stop = rig.sent.map((each) => each.message).findLast((each) => each.k === "stop");
  assertEquals(stop, { k: "stop", node: (stop as { node: string }).node, replica: "api.1" });
  const volume = [...SLEEPER, "volume {", "  path data", "  env DATA", "}"];
  assertEquals((asleep(volume).told as { asleep?: boolean }).asleep, undefined);
});

Deno.test("a stand-in serves until the log's own replica does, and ends then", () => {
  const { rig, node } = asleep();
  for (const each of rig.nodes.values()) each.quick = false;
  standIn(node);
  rig.live(3_000);
  assertEquals(rig.places("web").length, 1, "the app is woken");
  assertEquals(stops(rig), 0);
  const [place] = rig.machine.state.apps.get("web")!.placements.values();
  const placed = [...rig.nodes.values()].find((each) => each.id === place?.node)!;
  placed.become("web.2", "ready");
  rig.live(1_000);
  assert(stops(rig) > 0);
  assertEquals(rig.machine.state.replicas.has("web.w1"), false);
});

Deno.test("a stand-in of an app that was taken down ends at once, as does any other stranger", () => {
  const { rig, node } = asleep();
  rig.down("web");
  standIn(node);
  rig.live(500);
  assert(stops(rig) > 0);
  assertEquals(rig.places("web"), []);
});

Deno.test("whoever leads next hears of a stand-in by the nodes' reports", () => {
  const { rig, node } = asleep();
  standIn(node);
  rig.restart();
  node.quick = false;
  rig.live(4_000);
  assertEquals(rig.places("web").length, 1);
  standIn(node, "finished");
  rig.live(1_000);
  assertEquals(node.statuses.has("web.w1"), false, "its node may forget it");
});
