import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { Address } from "../core/address.ts";
import { World } from "./world.ts";

Deno.test("worlds that are made at the same moment share no port and no node's address", async () => {
  const worlds = await Promise.all([World.make(), World.make(), World.make()]);
  try {
    const all = worlds.flatMap(({ layout: { nodes, ...layout } }): Address[] => [
      ...Object.values(layout),
      ...nodes.flatMap(({ address, metrics }) => [address, metrics]),
    ]).map(({ hostname, port }) => `${hostname}:${port}`);
    assertEquals(new Set(all).size, all.length, all.join(" "));
    const nodes = worlds.flatMap(({ layout }) => layout.nodes.map((node) => node.address.hostname));
    assertEquals(new Set(nodes).size, nodes.length, nodes.join(" "));
  } finally {
    for (const world of worlds) await world[Symbol.asyncDispose]();
  }
});

Deno.test("a world of which a daemon cannot start says so at once, and why", async () => {
  await using world = await World.make();
  using _taken = Deno.listen(world.layout.tower);
  const begunMs = performance.now();
  const { message } = await assertRejects(async () => {
    await world.startControl();
    // Nobody starts a node: only the tower's end can be heard here in less than half a minute.
    await world.nodesReady(1);
  }, Error);
  assertMatch(message, /tower ended by itself before .*: code 2/);
  assertMatch(message, new RegExp(`tower: .*${world.layout.tower.port}`));
  console.log(`told after ${Math.round(performance.now() - begunMs)} ms`);
});
