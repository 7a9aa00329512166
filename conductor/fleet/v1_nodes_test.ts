import { assert, assertEquals } from "@std/assert";
import { V1_NODE_DEAD_MS, V1_NODES } from "../../core/limits.ts";
import { appViews, nodeViews } from "../views/views.ts";
import { manifestOf, Rig } from "../rig_test.ts";

const ID = "0123456789abcdef0123456789abcdef";
const beat = (rig: Rig, id = ID, rest = "12.5|2048|GPU=1", hostname = "10.0.0.77") =>
  rig.step({ on: "mesh", text: `HEARTBEAT|${id}|${rest}`, from: { hostname, port: 7775 } });

Deno.test("with --mesh open a node of the original is shown, and nothing is placed there", () => {
  const rig = new Rig({ meshOpen: true });
  beat(rig);
  assertEquals(rig.ask("NODES"), `OK|NODES|1|${ID}:10.0.0.77:13:2048:GPU`);
  const [view] = nodeViews(rig.machine, rig.now);
  assertEquals([view!.name, view!.state, view!.reason], ["v1-01234567", "ready", "speaks only v1"]);
  rig.apply("web", manifestOf("web"));
  rig.live(500);
  assertEquals(rig.places("web"), []);
  assertEquals(appViews(rig.machine, rig.now)[0]!.reasons, [
    "cannot place web on v1-01234567: speaks only v1",
  ]);
  assertEquals(rig.log.filter((entry) => entry.body.kind === "node"), [], "it does not join");
});

Deno.test("a node of the original is dead after its own silence, and back with its next beat", () => {
  const rig = new Rig({ meshOpen: true });
  beat(rig);
  rig.advance(V1_NODE_DEAD_MS - 300);
  assertEquals(nodeViews(rig.machine, rig.now)[0]!.state, "ready");
  rig.advance(600);
  assertEquals(nodeViews(rig.machine, rig.now)[0]!.state, "dead");
  assertEquals(rig.ask("NODES"), "OK|NODES|0|");
  assertEquals(rig.told("node-dead").length, 1);
  beat(rig);
  assertEquals(nodeViews(rig.machine, rig.now)[0]!.state, "ready");
});

Deno.test("without --mesh open, or malformed, a heartbeat is ignored", () => {
  const closed = new Rig();
  beat(closed);
  assertEquals(nodeViews(closed.machine, closed.now), []);
  const open = new Rig({ meshOpen: true });
  for (const rest of ["", "x|1", "12|-1", "1e3|5"]) beat(open, ID, rest);
  beat(open, "0123");
  beat(open, ID.toUpperCase());
  assertEquals(nodeViews(open.machine, open.now), []);
});

Deno.test("a heartbeat cannot pose as a node of ours, and a node that learns the mesh is ours", () => {
  const rig = new Rig({ meshOpen: true });
  const node = rig.addNode(1);
  beat(rig, node.id);
  assertEquals(nodeViews(rig.machine, rig.now).map((view) => view.name), ["node-1"]);
  beat(rig, "2".padStart(32, "0"));
  rig.addNode(2);
  rig.live(500);
  assertEquals(nodeViews(rig.machine, rig.now).map((view) => view.reason), [undefined, undefined]);
  rig.apply("web", manifestOf("web", ["replicas 2"]));
  rig.live(500);
  assertEquals(rig.places("web"), ["web.1@node-1", "web.2@node-2"]);
});

Deno.test("invented nodes fill no memory, and a dead one makes room", () => {
  const rig = new Rig({ meshOpen: true });
  const id = (number: number) => number.toString(16).padStart(32, "f");
  for (let number = 0; number < 3 * V1_NODES; number++) beat(rig, id(number));
  assertEquals([...rig.machine.v1Nodes.values()].length, V1_NODES);
  rig.advance(V1_NODE_DEAD_MS + 500);
  beat(rig, id(2 * V1_NODES));
  const live = [...rig.machine.v1Nodes.values()].filter((node) => !node.dead);
  assertEquals(live.map((node) => node.id), [id(2 * V1_NODES)]);
  assertEquals(rig.machine.ledger.all().length, V1_NODES);
  assert(rig.ask("NODES")!.startsWith("OK|NODES|1|"));
});
