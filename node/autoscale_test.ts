import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Wish } from "../core/mesh.ts";
import { encodeMesh } from "../core/mesh.ts";
import { STEADY_DATAGRAM_BYTES } from "../core/limits.ts";
import { type AppSample, CpuHistory } from "./autoscale.ts";
import { FakeWorld } from "./fake_world.ts";
import { cpuTriggers } from "./wishes.ts";

const RULES = { windowMs: 3_000, samples: 3 };

/** Feeds one replica's cores in use, second by second; the wishes that come. */
function wishes(cores: readonly number[], of: Partial<AppSample> = {}): string[] {
  const history = new CpuHistory(RULES);
  let cpuS = 0;
  return [0, ...cores].flatMap((used, second) => {
    cpuS += used;
    const replicas = [{ id: "web-1#1", cpuS }];
    const sample = { app: "web", cpu: 1, above: 70, below: 20, replicas, ...of };
    return history.take(1_000 * second, [sample]).map((each) => `${each.wish} ${each.cpuPercent}`);
  });
}

Deno.test("CpuHistory wishes for more after three judgements above, for less after three below", () => {
  assertEquals(wishes([0.9, 0.9, 0.9, 0.9]), ["stay 90", "stay 90", "more 90", "more 90"]);
  assertEquals(wishes([0.1, 0.1, 0.1]), ["stay 10", "stay 10", "less 10"]);
  assertEquals(wishes([0.5, 0.5, 0.5, 0.5]).at(-1), "stay 50");
  // A moment of either is smoothed away.
  assertEquals(wishes([0.5, 0.5, 0.5, 1, 0.5, 0.5, 0.5]).every((each) => /stay/.test(each)), true);
});

Deno.test("CpuHistory judges in percent of the app's cpu", () => {
  assertEquals(wishes([0.2, 0.2, 0.2], { cpu: 0.25 }).at(-1), "more 80");
  assertEquals(wishes([0.2, 0.2, 0.2], { cpu: 4 }).at(-1), "less 5");
});

Deno.test("CpuHistory takes the mean of all replicas, and begins anew with each start", () => {
  const history = new CpuHistory(RULES);
  const take = (atMs: number, replicas: AppSample["replicas"]): Wish[] =>
    history.take(atMs, [{ app: "web", cpu: 1, above: 70, replicas }]);
  assertEquals(take(0, [{ id: "a#1", cpuS: 100 }, { id: "b#1", cpuS: 5 }]), []);
  const both = take(1_000, [{ id: "a#1", cpuS: 101 }, { id: "b#1", cpuS: 5.5 }]);
  assertEquals(both, [{ app: "web", replicas: 2, cpuPercent: 75, wish: "stay" }]);
  // b started again: what it used before is another process's.
  const one = take(2_000, [{ id: "a#1", cpuS: 101.5 }, { id: "b#2", cpuS: 0.1 }]);
  assertEquals(one, [{ app: "web", replicas: 1, cpuPercent: 75, wish: "stay" }]);
  // Gone and back: nothing is remembered.
  assertEquals(history.take(3_000, []), []);
  assertEquals(take(4_000, [{ id: "a#1", cpuS: 104 }]), []);
});

Deno.test("CpuHistory never says less than nothing, and holds no more than the window", () => {
  const story = fc.array(
    fc.record({
      ms: fc.integer({ min: 1, max: 3_000 }),
      s: fc.double({ min: -1, max: 5, noNaN: true }),
    }),
  );
  fc.assert(fc.property(story, (steps) => {
    const history = new CpuHistory(RULES);
    let atMs = 0;
    let cpuS = 0;
    for (const { ms, s } of steps) {
      atMs += ms;
      cpuS += s;
      const replicas = [{ id: "a#1", cpuS }];
      const [wish] = history.take(atMs, [{ app: "web", cpu: 1, above: 70, below: 20, replicas }]);
      assert(wish === undefined || wish.cpuPercent >= 0 && Number.isFinite(wish.cpuPercent));
    }
  }));
});

const WISH: Wish = { app: "web", replicas: 1, cpuPercent: 90, wish: "more" };

Deno.test("a node tells its wishes with its beats, news at once, and nothing where there are none", () => {
  const world = new FakeWorld().start();
  world.advance(5_000);
  assertEquals(world.take("wishes"), []);
  world.event({ on: "wishes", wishes: [WISH] });
  assertEquals(world.take("wishes").map((each) => each.wishes), [[WISH]]);
  world.event({ on: "wishes", wishes: [{ ...WISH, cpuPercent: 91 }] });
  assertEquals(world.take("wishes"), []);
  world.advance(1_000);
  assertEquals(world.take("wishes").map((each) => each.wishes[0]?.cpuPercent), [91]);
  world.event({ on: "wishes", wishes: [{ ...WISH, wish: "stay" }] });
  assertEquals(world.take("wishes").length, 1);
  world.event({ on: "wishes", wishes: [] });
  world.advance(10_000);
  assertEquals(world.take("wishes"), []);
});

Deno.test("wishes for many apps go in steady datagrams", () => {
  const world = new FakeWorld().start();
  const wishes = Array.from({ length: 40 }, (_, at) => ({
    ...WISH,
    app: `${"a".repeat(60)}${at}`,
    replicas: 100_000,
    cpuPercent: 12_345.6,
  }));
  world.event({ on: "wishes", wishes });
  const sent = world.take("wishes");
  assertEquals(sent.flatMap((each) => each.wishes).length, 40);
  for (const each of sent) assert(encodeMesh(each).length <= STEADY_DATAGRAM_BYTES);
});

Deno.test("cpuTriggers() are the manifest's, of one core where it names none", () => {
  const scale = { min: 1, max: 4, cooldownMs: 0 };
  const of = (more: object) => cpuTriggers({ scale: { ...scale, ...more } } as never);
  assertEquals(of({ cpuAbove: 70 }), { cpu: 1, above: 70, below: 35 });
  assertEquals(of({ cpuBelow: 5 }), { cpu: 1, below: 5 });
});
