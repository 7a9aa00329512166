import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { AUTOSCALE_MS, LATENCY_BOUNDS_MS, WISHES_STALE_MIN_MS } from "../core/limits.ts";
import type { Figure, Wish } from "../core/mesh.ts";
import { Autoscale, decideScale, type ScaleSight, type ScaleWorld } from "./autoscale.ts";
import { wantedOf } from "./reconcile.ts";
import { manifestOf, Rig, type RigNode } from "./rig_test.ts";
import { routesOf } from "./routes.ts";

const wish = (replicas: number, cpuPercent: number, wish: Wish["wish"]) => ({
  replicas,
  cpuPercent,
  wish,
});

/** Two of 1 to 4 replicas, ready and rested. */
function sight(more: Partial<ScaleSight> = {}, scale: Partial<ScaleSight["scale"]> = {}) {
  return {
    scale: { min: 1, max: 4, cpuAbove: 70, cpuBelow: 20, cooldownMs: 30_000, ...scale },
    wanted: 2,
    ready: 2,
    steady: true,
    sinceStepMs: 60_000,
    idleMs: 0,
    wishes: [],
    requestsPerSecond: null,
    ...more,
  } as ScaleSight;
}

const said = (of: ScaleSight) => {
  const step = decideScale(of);
  return step && `${step.count}: ${step.reason}`;
};

Deno.test("decideScale() adds one when the replicas' CPU is above, and says why", () => {
  const busy = [wish(1, 90, "more"), wish(1, 60, "stay")];
  assertEquals(said(sight({ wishes: busy })), "3: they use 75 % of their cpu, more than 70 %");
  // A replica that nobody measured counts as idle.
  assertEquals(said(sight({ wishes: busy.slice(0, 1) })), null);
  // Above, but not for long enough yet.
  assertEquals(said(sight({ wishes: [wish(2, 90, "stay")] })), null);
  assertEquals(said(sight({ wishes: [wish(4, 90, "more")], wanted: 4, ready: 4 })), null);
});

Deno.test("decideScale() takes one away only if all are measured and the rest have room", () => {
  const idle = wish(2, 5, "less");
  assertEquals(
    said(sight({ wishes: [idle] })),
    "1: they use 5 % of their cpu, less than 20 %",
  );
  assertEquals(said(sight({ wishes: [wish(1, 5, "less")] })), null);
  assertEquals(said(sight({ wishes: [wish(1, 5, "less"), wish(1, 30, "more")] })), null);
  assertEquals(said(sight({ wishes: [wish(1, 5, "less"), wish(1, 60, "stay")] })), null);
  assertEquals(said(sight({ wishes: [idle] }, { min: 2 })), null);
  // Two at 45 % would be one at 90 %.
  const half = { wishes: [wish(2, 45, "less")] };
  assertEquals(said(sight(half, { cpuAbove: 70, cpuBelow: 50 })), null);
  // Without cpu-below, half of cpu-above.
  const { cpuBelow: _, ...scale } = sight().scale;
  assertEquals(
    said({ ...sight(), scale, wishes: [wish(2, 20, "less")] }),
    "1: they use 20 % of their cpu, less than 35 %",
  );
  assertEquals(said({ ...sight(), scale, wishes: [wish(2, 36, "less")] }), null);
});

Deno.test("decideScale() takes back what found no place, and asks for no more of it", () => {
  const stuck = { wanted: 3, ready: 2 };
  assertEquals(said(sight({ ...stuck, wishes: [wish(2, 90, "more")] })), null);
  assertStringIncludes(said(sight({ ...stuck, wishes: [wish(2, 5, "less")] })) ?? "", "2: ");
  assertEquals(said(sight({ wanted: 3, ready: 0, wishes: [] })), null);
});

Deno.test("decideScale() goes by requests a second, each replica's share", () => {
  const rps = { cpuAbove: undefined, cpuBelow: undefined, rpsAbove: 100 } as const;
  const at = (requestsPerSecond: number | null, more: Partial<ScaleSight> = {}) =>
    said(sight({ requestsPerSecond, ...more }, rps as Partial<ScaleSight["scale"]>));
  assertEquals(at(250), "3: each answers 125 requests/s, more than 100");
  assertEquals(at(150), null);
  assertEquals(at(81), null);
  assertEquals(at(79), "1: 79 requests/s each are left for one less");
  assertEquals(at(null), null);
  // Both triggers must agree to go down.
  const both = { rpsAbove: 100 };
  const quiet = [wish(2, 5, "less")];
  assertEquals(said(sight({ wishes: quiet, requestsPerSecond: 150 }, both)), null);
  assertStringIncludes(
    said(sight({ wishes: quiet, requestsPerSecond: 10 }, both)) ?? "",
    "less than 20 % and 10 requests/s each",
  );
});

Deno.test("decideScale() lets an idle app sleep, in no other way", () => {
  const idle = { idleAfterMs: 600_000 };
  assertEquals(said(sight({ idleMs: 600_000 }, idle)), "0: no request for 10m");
  assertEquals(said(sight({ idleMs: 599_999 }, idle)), null);
  assertEquals(said(sight({ idleMs: 600_000, steady: false }, idle)), null);
  assertEquals(said(sight({ idleMs: 9e9 })), null);
  assertEquals(said(sight({ wanted: 0, ready: 0, idleMs: 9e9 }, idle)), null);
});

Deno.test("decideScale() steps by one within its bounds, once a cooldown, when all is ready", () => {
  const sights = fc.record({
    scale: fc.record({
      min: fc.nat(5),
      max: fc.integer({ min: 5, max: 9 }),
      cpuAbove: fc.integer({ min: 50, max: 99 }),
      cpuBelow: fc.integer({ min: 1, max: 49 }),
      cooldownMs: fc.nat(60_000),
    }),
    wanted: fc.nat(9),
    ready: fc.nat(9),
    steady: fc.boolean(),
    sinceStepMs: fc.nat(60_000),
    idleMs: fc.nat(60_000),
    requestsPerSecond: fc.option(fc.nat(1_000)),
    wishes: fc.array(
      fc.record({
        replicas: fc.integer({ min: 1, max: 5 }),
        cpuPercent: fc.nat(200),
        wish: fc.constantFrom<Wish["wish"][]>("more", "less", "stay"),
      }),
      { maxLength: 4 },
    ),
  });
  fc.assert(
    fc.property(sights, (of) => {
      const step = decideScale(of);
      if (!step) return;
      const { scale, wanted } = of;
      assert(of.steady && of.ready > 0 && of.sinceStepMs >= scale.cooldownMs);
      assertEquals(Math.abs(step.count - wanted), 1);
      if (step.count > wanted) assert(step.count <= scale.max && of.ready >= wanted);
      else assert(step.count >= Math.max(1, scale.min));
      // What is done is not undone by the very load it was done for.
      const load = of.wishes.reduce((sum, each) => sum + each.replicas * each.cpuPercent, 0);
      const after = load / step.count;
      const word = after > scale.cpuAbove ? "more" : after < scale.cpuBelow ? "less" : "stay";
      const spread = [{ replicas: step.count, cpuPercent: after, wish: word }] as const;
      const next = decideScale({ ...of, wanted: step.count, ready: step.count, wishes: spread });
      if (next) assert(Math.sign(next.count - step.count) === Math.sign(step.count - wanted));
    }),
    { numRuns: 3_000 },
  );
});

// ---- With the conductor's machine -----------------------------------------------------------------

const SCALED = [
  "replicas 2",
  "scale {",
  "  min 1",
  "  max 4",
  "  cpu-above 70",
  "  cooldown 10s",
  "}",
];

function rigWith(lines: string[]): Rig {
  const rig = new Rig();
  for (const number of [1, 2, 3]) rig.addNode(number);
  rig.live(4_000);
  rig.apply("web", manifestOf("web", lines));
  rig.live(11_000);
  return rig;
}

/** Every node tells the same of its ready replicas, for so long. */
function wishFor(rig: Rig, ms: number, cpuPercent: number, word: Wish["wish"]): void {
  for (let passed = 0; passed < ms; passed += 1_000) {
    for (const node of rig.nodes.values()) tell(node, cpuPercent, word);
    rig.live(1_000);
  }
}

function tell(node: RigNode, cpuPercent: number, word: Wish["wish"]): void {
  const replicas = [...node.statuses.values()].filter((each) => each.state === "ready").length;
  if (replicas === 0) return;
  const wishes = [{ app: "web", replicas, cpuPercent, wish: word }];
  node.say({ k: "wishes", node: node.id, boot: node.boot, wishes });
}

const ready = (rig: Rig) =>
  [...rig.nodes.values()].flatMap((node) => [...node.statuses.values()])
    .filter((each) => each.state === "ready").length;

Deno.test("load adds replicas, one a cooldown up to max; when it goes they leave, down to min", () => {
  const rig = rigWith(SCALED);
  assertEquals(ready(rig), 2);
  wishFor(rig, 3_000, 95, "more");
  assertEquals(ready(rig), 3);
  assertEquals(rig.told("scaled"), [
    "scale web to 3: they use 95 % of their cpu, more than 70 %",
  ]);
  wishFor(rig, 6_000, 95, "more");
  assertEquals(ready(rig), 3, "within the cooldown");
  wishFor(rig, 40_000, 95, "more");
  assertEquals(ready(rig), 4, "at max");
  wishFor(rig, 60_000, 3, "less");
  assertEquals(ready(rig), 1);
  assertEquals(rig.told("scaled").length, 5);
  assertEquals(rig.places("web").length, 1);
});

Deno.test("a number that was decided is the log's: it outlives the conductor", () => {
  const checked = [...SCALED, "port 80", "health {", "  check TCP", "}"];
  const rig = rigWith(checked);
  wishFor(rig, 3_000, 95, "more");
  assertEquals(ready(rig), 3);
  rig.restart();
  rig.live(9_000);
  assertEquals(wantedOf(rig.machine.state.apps.get("web")!), 3);
  assertEquals([ready(rig), rig.told("scaled").length], [3, 1]);
  // A new generation keeps it; it rests for a cooldown first.
  rig.apply("web", manifestOf("web", [...checked, "ram 1mb"]));
  rig.live(3_000);
  wishFor(rig, 5_000, 95, "more");
  assertEquals(ready(rig), 3);
  wishFor(rig, 10_000, 95, "more");
  assertEquals(ready(rig), 4);
});

Deno.test("wishes of an earlier boot, of a stranger, or of long ago count for nothing", () => {
  const rig = rigWith(SCALED);
  const [node] = rig.nodes.values();
  const wishes = [{ app: "web", replicas: 2, cpuPercent: 95, wish: "more" }] as const;
  node!.say({ k: "wishes", node: node!.id, boot: "0".repeat(16), wishes });
  node!.say({ k: "wishes", node: "f".repeat(32), boot: node!.boot, wishes });
  rig.live(2_000);
  assertEquals(ready(rig), 2);
  // A wish within the cooldown is stale when that ends.
  wishFor(rig, 2_000, 95, "more");
  assertEquals(ready(rig), 3);
  wishFor(rig, 2_000, 95, "more");
  rig.live(WISHES_STALE_MIN_MS + 9_000);
  assertEquals(ready(rig), 3);
});

Deno.test("nothing is scaled while one generation replaces another", () => {
  const rig = rigWith([...SCALED, "port 80", "health {", "  check TCP", "}"]);
  for (const node of rig.nodes.values()) node.quick = false;
  rig.apply(
    "web",
    manifestOf("web", [...SCALED, "port 80", "health {", "  check TCP", "}", "ram 1mb"]),
  );
  rig.live(11_000);
  wishFor(rig, 15_000, 95, "more");
  assertEquals(rig.told("scaled"), []);
});

Deno.test("a step that was due when a new generation was signed is not taken for it", () => {
  const scaled = ["replicas 2", "port 80", "route {", "  path /", "}", "scale {", "  min 1"];
  const more = ["  max 4", "  rps-above 10", "  cooldown 2s", "}"];
  const rig = rigWith([...scaled, ...more]);
  const { state } = rig.machine;
  const autoscale = new Autoscale(0);
  const world: ScaleWorld = {
    apps: state.apps.values().toArray(),
    requests: { ratePerSecond: () => 1_000, idleSinceMs: () => Infinity, isHeard: () => true },
    beatMs: 250,
    readyOf: () => 2,
    isSteady: () => true,
  };
  const look = (monoMs: number) => autoscale.look(world, { monoMs, wallMs: monoMs });
  look(1_000);
  look(4_000);
  assertEquals(autoscale.takeDue(state, 4_000)?.scale, [{ app: "web", count: 3 }]);
  look(5_000);
  rig.apply("web", manifestOf("web", [...scaled, ...more, "ram 1mb"]));
  assertEquals(autoscale.takeDue(state, 5_100), null);
});

Deno.test("requests a second that the ingresses count add replicas, and take them again", () => {
  const rig = rigWith([
    "replicas 1",
    "port 80",
    "route {",
    "  path /",
    "}",
    "scale {",
    "  min 1",
    "  max 3",
    "  rps-above 100",
    "  cooldown 5s",
    "}",
  ]);
  let seen = ingress(rig, 10_000, 90);
  assertEquals(ready(rig), 1);
  seen = ingress(rig, 30_000, 250, 0, seen);
  assertEquals(ready(rig), 3);
  const [first] = rig.told("scaled");
  assertStringIncludes(first!, "scale web to 2: each answers ");
  assertStringIncludes(first!, " requests/s, more than 100");
  // 150 a second are too many for one, and few enough for two.
  seen = ingress(rig, 60_000, 150, 0, seen);
  assertEquals(ready(rig), 2);
  ingress(rig, 60_000, 20, 0, seen);
  assertEquals(ready(rig), 1);
  assertEquals(rig.told("scaled").length, 4, rig.told("scaled").join("\n"));
});

const IDLE = [
  "replicas 2",
  "port 80",
  "route {",
  "  path /",
  "}",
  "scale {",
  "  min 2",
  "  max 4",
  "  idle-after 60s",
  "}",
];

/** The ingress tells, every second, so many requests in all and so many under way. */
function ingress(rig: Rig, ms: number, perSecond: number, inFlight = 0, from = 0): number {
  let requests = from;
  for (let passed = 0; passed < ms; passed += 1_000) {
    requests += perSecond;
    const latency = [requests, ...new Array(LATENCY_BOUNDS_MS.length).fill(0)];
    const apps: Figure[] = [{ app: "web", generation: 1, requests, errors: 0, inFlight, latency }];
    const figures = { boot: "1".repeat(16), name: "ingress", whole: true, apps };
    rig.step({ on: "figures", figures });
    rig.live(1_000);
  }
  return requests;
}

Deno.test("an idle app goes to sleep, and the first request wakes it at once, at min", () => {
  const rig = rigWith(IDLE);
  assertEquals(routesOf(rig.machine.state).map((route) => route.wake), [true]);
  const seen = ingress(rig, 30_000, 5);
  assertEquals(ready(rig), 2);
  ingress(rig, 50_000, 0, 0, seen);
  assertEquals(ready(rig), 2);
  ingress(rig, 20_000, 0, 0, seen);
  assertEquals([ready(rig), rig.told("scaled")], [0, ["scale web to none: no request for 1m"]]);
  assertEquals(rig.places("web"), []);
  ingress(rig, 100_000, 0, 0, seen);
  assertEquals(rig.told("scaled").length, 1);

  rig.step({ on: "wake", app: "web" });
  rig.step({ on: "wake", app: "web" });
  assertEquals(ready(rig), 2, "without waiting for a tick");
  assertEquals(rig.told("scaled").slice(1), ["scale web to 2: a request waits for it"]);
  ingress(rig, 50_000, 0, 0, seen);
  assertEquals(ready(rig), 2, "it is not idle before its time");
});

Deno.test("a long request keeps an app awake; so does an ingress that nobody hears", () => {
  const rig = rigWith(IDLE);
  ingress(rig, 200_000, 0, 1, 1);
  assertEquals(ready(rig), 2);
  rig.live(200_000);
  assertEquals(ready(rig), 2, "no figures: nobody knows");
  // From the silence on it counts anew.
  ingress(rig, 59_000, 0, 0, 1);
  assertEquals(ready(rig), 2);
  ingress(rig, 5_000, 0, 0, 1);
  assertEquals(ready(rig), 0);
});

Deno.test("a sleeping app wakes with a new generation, and for no request when it is down", () => {
  const rig = rigWith(IDLE);
  ingress(rig, 70_000, 0);
  assertEquals(ready(rig), 0);
  rig.apply("web", manifestOf("web", [...IDLE, "ram 1mb"]));
  rig.live(1_000);
  assertEquals(ready(rig), 2);
  ingress(rig, 70_000, 0);
  assertEquals(ready(rig), 0);
  rig.down("web");
  rig.step({ on: "wake", app: "web" });
  rig.step({ on: "wake", app: "nobody" });
  rig.live(1_000);
  assertEquals([ready(rig), rig.told("scaled").length], [0, 2]);
});

Deno.test("a step whose entry cannot be written is taken when it can", () => {
  const rig = rigWith(SCALED);
  rig.diskError = "no space left";
  wishFor(rig, 3_000, 95, "more");
  assertEquals([ready(rig), rig.told("scaled")], [2, []]);
  rig.diskError = null;
  wishFor(rig, 2_000 + AUTOSCALE_MS, 95, "more");
  assertEquals(ready(rig), 3);
});

Deno.test("an app that slept for a moment keeps to its cooldown when it is awake again", () => {
  const lines = ["replicas 1", "port 80", "route {", "  path /", "}", "scale {", "  min 1"];
  const rig = rigWith([...lines, "  max 3", "  rps-above 10", "  idle-after 60s", "}"]);
  for (let passed = 0; rig.told("scaled").length === 0; passed += 250) {
    assert(passed < 120_000, "it never falls asleep");
    if (passed % 1_000 === 0) {
      const figures = { boot: "1".repeat(16), name: "ingress", whole: true, apps: [] };
      rig.step({ on: "figures", figures });
    }
    rig.live(250);
  }
  rig.step({ on: "wake", app: "web" });
  ingress(rig, 25_000, 100);
  assertEquals(rig.told("scaled").length, 2, rig.told("scaled").join("\n"));
  ingress(rig, 15_000, 100, 0, 2_500);
  assertEquals(rig.told("scaled").length, 3);
});

Deno.test("an app that was deployed by a clock that ran ahead sleeps and scales all the same", () => {
  const rig = rigWith(IDLE);
  rig.wallMs += 288_000;
  rig.apply("web", manifestOf("web", [...IDLE, "ram 1mb"]));
  rig.live(1_000);
  rig.wallMs -= 288_000;
  ingress(rig, 90_000, 0);
  assertEquals(rig.told("scaled"), ["scale web to none: no request for 1m"]);
});
