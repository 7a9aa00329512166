import { assert, assertEquals, assertMatch } from "@std/assert";
import { LEASE_RENEW_MS, PROBE_MIN_MS, SLEEPERS, UNLED_MS } from "../core/limits.ts";
import { FakeWorld, NODE } from "./fake_world.ts";
import { replicaOf } from "./replica.ts";
import { REPLICA_ID } from "../core/replica_id.ts";
import { Sleepers, standInId } from "./sleepers.ts";

const HEALTH = "  health {\n    check GET /health 200\n    interval 1s\n  }";
const WEB = `  port 8001\n${HEALTH}`;

function leads(world: FakeWorld, standby = false): void {
  const more = standby ? { standby: true } : {};
  world.mesh({
    k: "beat-ok",
    conductor: "c".repeat(16),
    node: NODE,
    beat: 1,
    everyMs: 250,
    ...more,
  });
}

/** A world whose app has fallen asleep, and that a conductor leads until now. */
function asleep(): FakeWorld {
  const world = new FakeWorld().start();
  world.record(1, "web", WEB);
  world.run("web.1", "web", 1);
  world.advance(PROBE_MIN_MS);
  assertEquals(world.statuses.get("web.1")?.state, "ready");
  world.mesh({ k: "stop", node: NODE, replica: "web.1", asleep: true });
  world.advance(6_000);
  world.acknowledge();
  assertEquals([world.processes.size, world.statuses.size], [0, 0]);
  leads(world);
  return world;
}

const wake = (world: FakeWorld, app = "web") => world.mesh({ k: "wake-app", node: NODE, app });
const running = (world: FakeWorld) => [...world.processes.keys()];

Deno.test("an app that fell asleep is told to the tower, and woken once where no conductor leads", () => {
  const world = asleep();
  world.take("lease");
  world.advance(LEASE_RENEW_MS);
  assertEquals(world.take("lease").at(-1)?.asleep, ["web"]);
  wake(world);
  assertEquals(running(world), [], "a conductor leads");
  world.advance(UNLED_MS);
  leads(world, true);
  wake(world, "other");
  assertEquals(running(world), []);
  wake(world);
  wake(world);
  world.advance(PROBE_MIN_MS);
  const [standIn, ...more] = running(world);
  assertMatch(standIn ?? "", /^web\.w/);
  assertEquals(more, []);
  const status = world.statuses.get(standIn!);
  assertEquals([status?.state, status?.standIn, status?.generation], ["ready", true, 1]);
  world.advance(LEASE_RENEW_MS);
  assertEquals(world.take("lease").at(-1)?.asleep, undefined);
  assert(world.take("register").some((each) => each.endpoints[0]?.replica === standIn));
  // The daemon dies: the next one still knows what that is.
  const next = world.reborn("d".repeat(16));
  assertEquals(next.statuses.get(standIn!)?.standIn, true);
});

Deno.test("what has been ended, replaced, or runs here again by order is not woken", () => {
  const ended = asleep();
  const down = { k: "stop", node: NODE, replica: "web.1" } as const;
  ended.mesh(down);
  ended.advance(UNLED_MS);
  wake(ended);
  assertEquals(running(ended).length, 1, "a stop that comes again changes nothing");

  const replaced = asleep();
  replaced.record(2, "web", WEB);
  replaced.advance(UNLED_MS);
  wake(replaced);
  assertEquals(running(replaced), []);

  const ordered = asleep();
  ordered.run("web.2", "web", 1);
  ordered.advance(UNLED_MS);
  wake(ordered);
  assertEquals(running(ordered), ["web.2"]);

  const other = new FakeWorld().start();
  other.record(1, "web", WEB);
  other.run("web.1", "web", 1);
  other.advance(PROBE_MIN_MS);
  other.stop("web.1");
  other.advance(6_000);
  wake(other);
  assertEquals(running(other), [], "it ended for another reason");
});

Deno.test("Sleepers keeps those that fell asleep last", () => {
  const sleepers = new Sleepers();
  const fall = (app: string) =>
    sleepers.note({
      ...replicaOf({
        ...{ format: 1, replica: `${app}.1`, app, generation: 1, sequence: 1, index: 0 },
        ...{ instance: 1, stage: "ready", restarts: 0, stopOrdered: false, dropped: false },
        sinceWallMs: 0,
      }),
      spec: {} as never,
    });
  for (let count = 0; count <= SLEEPERS; count++) fall(`app-${count}`);
  assertEquals(sleepers.apps.length, SLEEPERS);
  assertEquals(sleepers.take("app-0"), undefined);
  assertEquals(sleepers.apps.at(-1), `app-${SLEEPERS}`);
});

Deno.test("standInId() fits, and differs by node and time", () => {
  const long = "a".repeat(63);
  const ids = ["1", "2"].flatMap((node) =>
    [1_800_000_000_000, 1_800_000_000_001].map((ms) => standInId(long, node.repeat(32), ms))
  );
  assertEquals(new Set(ids).size, 4);
  assert(ids.every((id) => REPLICA_ID.test(id) && id.startsWith(`${long}.`)), ids.join());
});
