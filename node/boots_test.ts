import { assert, assertEquals } from "@std/assert";
import { BOOT_LAST_MS, BOOT_STEP_MS } from "../core/limits.ts";
import type { Endpoint, Mesh } from "../core/mesh.ts";
import { Registry } from "../tower/registry.ts";
import { bootOf } from "./boots.ts";
import { Towers } from "./towers.ts";

const WALL_MS = 1_800_000_000_000;
const TOWER = { hostname: "10.0.0.1", port: 7772 };
const NODE = "a".repeat(32);
const WEB: Endpoint = {
  replica: "web.1",
  app: "web",
  generation: 1,
  node: "node-1",
  host: "10.0.0.9",
  port: 20_000,
};

Deno.test("bootOf() is the clock's time, and beyond the start before where the clock went back", () => {
  assertEquals(bootOf(WALL_MS, null), WALL_MS);
  assertEquals(bootOf(WALL_MS, WALL_MS - 1), WALL_MS);
  assertEquals(bootOf(WALL_MS, WALL_MS), WALL_MS + BOOT_STEP_MS);
  const again = bootOf(WALL_MS - 288_000, WALL_MS);
  assertEquals(again, WALL_MS + BOOT_STEP_MS);
  assertEquals(bootOf(WALL_MS - 280_000, again), again + BOOT_STEP_MS);
});

Deno.test("bootOf() believes the clock once one that was off by decades is right again", () => {
  assertEquals(bootOf(WALL_MS, BOOT_LAST_MS + 1), WALL_MS);
});

/** A start of the node that has one replica to take off the list, and registers another at once. */
function changes(bootMs: number, boot: string) {
  const towers = new Towers(
    { node: NODE, boot: boot.repeat(16), port: 7775 },
    [TOWER],
    Math.floor(bootMs * 256 / 1_000),
  );
  towers.register(WEB, 0);
  towers.register({ ...WEB, replica: "web.2" }, 0);
  return towers.tick(0).map(({ message }) => message)
    .filter((message): message is Mesh<"register"> => message.k === "register");
}

Deno.test("a tower hears a node whose clock was set back before it was started again", () => {
  const registry = new Registry();
  for (const message of changes(WALL_MS, "1")) {
    assertEquals(registry.register(message, 0), "applied");
  }
  // Its lease has not lapsed, and the tower has known that start for long.
  registry.renew(
    { k: "lease", node: NODE, boot: "1".repeat(16), count: 2, digest: 0, port: 1 },
    60_000,
  );
  const backMs = WALL_MS - 288_000;
  const [stale] = changes(backMs, "2");
  assertEquals(registry.register(stale!, 60_500), "stale", "it would not, by the clock alone");
  const messages = changes(bootOf(backMs, WALL_MS), "3");
  assert(messages.length === 2);
  for (const message of messages) assertEquals(registry.register(message, 60_600), "applied");
});
