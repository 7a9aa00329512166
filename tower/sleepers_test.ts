import { assertEquals } from "@std/assert";
import { LEASE_MS, WAKE_ELSEWHERE_MS } from "../core/limits.ts";
import { Sleepers } from "./sleepers.ts";
import { bootId, LOCAL, nodeId, Rig } from "./testing.ts";

const [ONE, TWO] = [nodeId(1), nodeId(2)];

Deno.test("whom() asks one node again and again, and another when that has come to nothing", () => {
  const sleepers = new Sleepers();
  assertEquals(sleepers.whom("web", 0), null);
  sleepers.note(TWO, ["web", "api"]);
  sleepers.note(ONE, ["web"]);
  assertEquals([sleepers.whom("web", 0), sleepers.whom("web", 1_000)], [ONE, ONE]);
  assertEquals(sleepers.whom("api", 1_000), TWO);
  // It has begun.
  sleepers.note(ONE);
  assertEquals(sleepers.whom("web", 2_000), null);
  assertEquals(sleepers.whom("web", WAKE_ELSEWHERE_MS), TWO);
  sleepers.note(ONE, ["web"]);
  // In turn, though the first is there again.
  assertEquals(sleepers.whom("web", 2 * WAKE_ELSEWHERE_MS), ONE);
  sleepers.forget(ONE);
  sleepers.note(TWO, ["api"]);
  assertEquals(sleepers.whom("web", 5 * WAKE_ELSEWHERE_MS), null);
});

Deno.test("a wake goes to the conductor and to the node that can do it, while its lease lasts", () => {
  const rig = Rig.ready();
  const conductor = rig.watch("conductor");
  const ingress = rig.watch("ingress");
  const lease = {
    k: "lease",
    node: ONE,
    boot: bootId(1),
    count: 0,
    digest: 0,
    port: 7775,
  } as const;
  rig.mesh({ ...lease, asleep: ["web", "api"] });
  rig.heard(conductor);
  rig.say(ingress, { k: "wake", app: "web" });
  assertEquals(rig.pushed(), [{ k: "wake-app", node: ONE, app: "web" }]);
  assertEquals(rig.heard(conductor), [{ k: "wake", app: "web" }]);
  rig.say(ingress, { k: "wake", app: "other" });
  assertEquals(rig.pushed(), []);
  for (let passed = 0; passed <= LEASE_MS; passed += 500) {
    rig.mesh({ ...lease, node: TWO, asleep: ["api"] });
    rig.ack(ingress);
    rig.advance(500);
  }
  rig.pushed();
  rig.say(ingress, { k: "wake", app: "web" });
  assertEquals(rig.pushed(), []);
  rig.say(ingress, { k: "wake", app: "api" });
  assertEquals(rig.pushed(), [{ k: "wake-app", node: TWO, app: "api" }]);
  rig.mesh(lease, LOCAL);
  rig.say(ingress, { k: "wake", app: "web" });
  assertEquals(rig.pushed(), []);
});
