import { assertEquals, assertStringIncludes } from "@std/assert";
import { manifestOf, Rig } from "../rig_test.ts";
import { statusView } from "../views/status_view.ts";
import { appView, nodeViews } from "../views/views.ts";

/** A cluster whose one node's clock is off by so much, with an app on it. */
function skewed(offMs: number): Rig {
  const rig = new Rig();
  rig.addNode(1, { wallMs: rig.wallMs + offMs });
  rig.live(300);
  rig.apply("web", manifestOf("web", []));
  rig.live(300);
  return rig;
}

/** What the node, the status and the app say. */
function said(rig: Rig) {
  const [node] = nodeViews(rig.machine, rig.now);
  const { problems } = statusView(rig.machine, "1", rig.now);
  const { reasons } = appView(rig.machine, rig.machine.state.apps.get("web")!, rig.now);
  return { off: node!.clockOffMs, problems, reasons };
}

Deno.test("a node's clock that is off is told of the node, its apps and the whole", () => {
  for (const [offMs, how] of [[100_000, "ahead of"], [-100_000, "behind"]] as const) {
    const { off, problems, reasons } = said(skewed(offMs));
    assertEquals(Math.sign(off!), Math.sign(offMs));
    assertEquals(reasons.length, 1);
    assertStringIncludes(
      reasons[0]!,
      `s ${how} the conductor's: its times are wrong, and it refuses`,
    );
    assertEquals(problems, reasons);
  }
  const little = said(skewed(-10_000));
  assertStringIncludes(little.problems[0]!, "its times are wrong; run an NTP client");
  assertEquals(said(skewed(-2_000)), { off: undefined, problems: [], reasons: [] });
});

Deno.test("a node that does not say its time, and one that is not heard, have no wrong clock", () => {
  const rig = new Rig();
  rig.addNode(1);
  rig.live(300);
  assertEquals(nodeViews(rig.machine, rig.now)[0]!.clockOffMs, undefined);
  const late = skewed(100_000);
  for (const node of late.nodes.values()) node.cut = true;
  late.live(10_000);
  assertEquals(nodeViews(late.machine, late.now)[0]!.clockOffMs, undefined);
});
