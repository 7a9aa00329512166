import { assert } from "@std/assert";
import { Counter, Gauge, Registry } from "prom-client";
import { addSealMetrics } from "./seal_metrics.ts";
import { TestWorld } from "./seal_testing.ts";

Deno.test("the seal's metrics count handshakes, sessions, strangers and repetitions", async () => {
  const world = new TestWorld(7);
  const conductor = world.peer("conductor");
  const node = world.peer("node").knows(conductor);
  const registry = new Registry();
  addSealMetrics("tower", { Counter, Gauge }, registry, () => conductor.machine);
  node.send("one", conductor.address);
  world.settle();
  node.send("two", conductor.address);
  const flying = world.flying.splice(0);
  for (const each of [...flying, ...flying]) world.hand(each);
  world.peer("node", { admitted: false }).knows(conductor).send("let me in", conductor.address);
  world.settle();
  const lines = (await registry.metrics()).split("\n");
  for (
    const line of [
      "skr8tr_tower_seal_sessions 1",
      'skr8tr_tower_seal_handshakes_total{outcome="completed"} 1',
      'skr8tr_tower_seal_handshakes_total{outcome="refused"} 1',
      'skr8tr_tower_seal_datagrams_total{outcome="delivered"} 2',
      'skr8tr_tower_seal_datagrams_total{outcome="replayed"} 1',
      'skr8tr_tower_seal_datagrams_total{outcome="forged"} 0',
    ]
  ) assert(lines.includes(line), `${line} is not in\n${lines.join("\n")}`);
});
