import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { LATENCY_BOUNDS_MS } from "../../core/limits.ts";
import { manifestOf, Rig, type RigNode } from "../rig_test.ts";
import { lastGoodOf } from "./rollout_state.ts";
import type { RolloutTraffic } from "./rollout_watch.ts";
import type { Between } from "../telemetry/traffic.ts";
import { loadState, saveState } from "../snapshot.ts";
import { type App, currentOf } from "../state.ts";

const HEALTH = ["port 8001", "health {", "  check GET /health 200", "}"];
const CANARY = ["rollout {", "  canary 20% 10s min-requests 50", "}"];

/** A cluster on which generation 1 of `web` is in place. */
function deployed(lines: string[], nodes = 2): Rig {
  const rig = new Rig();
  for (let number = 1; number <= nodes; number++) rig.addNode(number);
  rig.live(1_000);
  rig.apply("web", manifestOf("web", lines));
  rig.live(10_000);
  assertEquals(phaseOf(rig), "done 1");
  return rig;
}

const appOf = (rig: Rig): App => rig.machine.state.apps.get("web")!;
const nodesOf = (rig: Rig): RigNode[] => [...rig.nodes.values()];
const running = (rig: Rig) =>
  nodesOf(rig).flatMap((node) =>
    [...node.statuses.values()].filter((each) => each.state !== "finished")
      .map((each) => ({ node, ...each }))
  );
const generations = (rig: Rig) => running(rig).map((each) => each.generation).sort();

function phaseOf(rig: Rig): string {
  const { rollout } = appOf(rig);
  return `${rollout?.kind === "back" ? "back " : ""}${rollout?.phase} ${rollout?.generation}`;
}

const quick = (rig: Rig, isQuick: boolean) => {
  for (const node of nodesOf(rig)) node.quick = isQuick;
};

/** Lets whatever starts get ready, and whatever stops end. */
function settle(rig: Rig, rounds = 12): void {
  for (let round = 0; round < rounds; round++) {
    rig.live(250);
    for (const { node, replica, state } of running(rig)) {
      if (state === "starting") node.become(replica, "ready");
      if (state === "stopping") node.become(replica, "finished");
    }
  }
}

/** The first replica of a generation ends as a program that crashes does. */
function crash(rig: Rig, generation: number): string {
  const victim = running(rig).find((each) => each.generation === generation)!;
  const exit = { why: "exit", code: 3, wallMs: rig.wallMs, tail: "no database" } as const;
  victim.node.become(victim.replica, "waiting", { exit, restarts: 1 });
  return victim.replica;
}

/** What the conductor of each rig hears of its ingresses. */
const heard = new WeakMap<Rig, FakeTraffic>();

/** The conductor hears of its ingresses what the test says, also after a restart. */
function listen(rig: Rig): FakeTraffic {
  const traffic = heard.get(rig) ?? new FakeTraffic();
  heard.set(rig, traffic);
  const between = (app: string, generation: number) => traffic.between(app, generation);
  const ratePerSecond = () => traffic.ratePerSecond();
  Object.assign(rig.machine.traffic, { between, ratePerSecond });
  return traffic;
}

/** Says what the test has it say. */
class FakeTraffic implements RolloutTraffic {
  readonly counts = new Map<number, { requests: number; errors: number; p95Ms: number }>();
  rate = 100;

  between(_app: string, generation: number): Between {
    const { requests = 0, errors = 0, p95Ms = 5 } = this.counts.get(generation) ?? {};
    const slow = LATENCY_BOUNDS_MS.findIndex((bound) => bound >= p95Ms);
    const latency = [0, ...LATENCY_BOUNDS_MS].map((_, at) => at === slow ? requests : 0);
    return { requests, errors, p50Ms: p95Ms, p95Ms: LATENCY_BOUNDS_MS[slow]!, latency };
  }

  ratePerSecond(): number {
    return this.rate;
  }

  set(generation: number, requests: number, errors = 0, p95Ms = 5): void {
    this.counts.set(generation, { requests, errors, p95Ms });
  }
}

Deno.test("a version that crashes goes back by itself to the signed fallback, with the reason", () => {
  const rig = deployed(["replicas 3", ...HEALTH]);
  quick(rig, false);
  rig.apply("web", manifestOf("web", ["replicas 3", ...HEALTH]), 2, 1);
  rig.live(500);
  assertEquals(generations(rig), [1, 1, 1, 2]);
  const victim = crash(rig, 2);
  assertEquals(currentOf(appOf(rig)).generation, 1);
  settle(rig);
  assertEquals(generations(rig), [1, 1, 1]);
  assertEquals(phaseOf(rig), "back done 1");
  const { outcome } = appOf(rig).generations[1]!;
  assertEquals(outcome?.result, "rolled-back");
  assertEquals(outcome?.replica, victim);
  assertStringIncludes(outcome!.reason, "exit code 3");
  assertStringIncludes(rig.told("rollout-failed")[0]!, "back to generation 1");
});

Deno.test("a version that never gets ready goes back after its timeout, the old one serving", () => {
  const lines = ["replicas 2", ...HEALTH, "rollout {", "  timeout 30s", "}"];
  const rig = deployed(lines);
  quick(rig, false);
  rig.apply("web", manifestOf("web", lines), 2, 1);
  for (let s = 0; s < 29; s++) {
    rig.live(1_000);
    assertEquals(running(rig).filter((each) => each.state === "ready").length, 2);
  }
  assertEquals(phaseOf(rig), "rolling 2");
  rig.live(2_000);
  assertEquals(phaseOf(rig), "back done 1");
  assertStringIncludes(
    appOf(rig).generations[1]!.outcome!.reason,
    "not ready within 30 s: it is starting",
  );
  settle(rig);
  assertEquals(generations(rig), [1, 1]);
});

Deno.test("a version that finds no place goes back after its timeout", () => {
  const lines = ["replicas 1", ...HEALTH, "rollout {", "  timeout 30s", "}"];
  const rig = deployed(lines);
  rig.apply("web", manifestOf("web", [...lines, "ram 64gb"]), 2, 1);
  rig.live(29_000);
  assertEquals(phaseOf(rig), "rolling 2");
  rig.live(2_000);
  assertEquals(phaseOf(rig), "back done 1");
  assertStringIncludes(appOf(rig).generations[1]!.outcome!.reason, "cannot place web on");
});

Deno.test("a version that a node refuses goes back", () => {
  const rig = deployed(["replicas 1", ...HEALTH]);
  for (const node of nodesOf(rig)) node.refusal = "this node cannot enforce the sandbox";
  rig.apply("web", manifestOf("web", ["replicas 1", ...HEALTH]), 2, 1);
  rig.live(6_000);
  assertEquals(phaseOf(rig).startsWith("back"), true);
  assertStringIncludes(appOf(rig).generations[1]!.outcome!.reason, "cannot enforce the sandbox");
  for (const node of nodesOf(rig)) node.refusal = null;
  rig.live(6_000);
  assertEquals(generations(rig), [1]);
});

Deno.test("without a signed fallback a failure is told, and the rollout goes on trying", () => {
  const rig = deployed(["replicas 2", ...HEALTH]);
  quick(rig, false);
  rig.apply("web", manifestOf("web", ["replicas 2", ...HEALTH]), 2);
  rig.live(500);
  crash(rig, 2);
  assertEquals(phaseOf(rig), "failed 2");
  assertEquals(generations(rig), [1, 1, 2]);
  const victim = running(rig).find((each) => each.generation === 2)!;
  victim.node.become(victim.replica, "starting", { restarts: 1 });
  settle(rig);
  assertEquals(phaseOf(rig), "done 2");
  assertEquals(generations(rig), [2, 2]);
});

Deno.test("on-failure pause stands still until an operator says what", () => {
  const lines = ["replicas 3", ...HEALTH, "rollout {", "  on-failure pause", "}"];
  const rig = deployed(lines);
  quick(rig, false);
  rig.apply("web", manifestOf("web", lines), 2, 1);
  rig.live(500);
  const victim = crash(rig, 2);
  assertEquals(phaseOf(rig), "paused 2");
  settle(rig);
  rig.live(300_000);
  assertEquals(generations(rig), [1, 1, 1, 2]);
  assertEquals(phaseOf(rig), "paused 2");
  assertEquals(rig.verb("RESUME", "web"), "OK|RESUMED|web");
  settle(rig);
  assertEquals(phaseOf(rig), "done 2");
  assertEquals(generations(rig), [2, 2, 2]);
  assertEquals(running(rig).some((each) => each.replica === victim), false, "tried as another one");
});

Deno.test("a paused rollout keeps its numbers, and goes on where it was", () => {
  const rig = deployed(["replicas 3", ...HEALTH], 3);
  quick(rig, false);
  rig.apply("web", manifestOf("web", ["replicas 3", ...HEALTH]), 2, 1);
  rig.live(250);
  assertEquals(rig.verb("PAUSE", "web"), "OK|PAUSED|web");
  assertEquals(rig.verb("PAUSE", "web"), "ERR|STATE|web is paused already");
  settle(rig);
  assertEquals(generations(rig), [1, 1, 1, 2]);
  // What is lost meanwhile is placed again as it was: the fallback may be.
  const lost = running(rig).find((each) => each.generation === 1)!.node;
  const there = [...lost.statuses.values()].length;
  lost.cut = true;
  rig.live(10_000);
  settle(rig);
  assertEquals(running(rig).filter((each) => each.node !== lost).length, 3, `${there} were lost`);
  lost.cut = false;
  rig.live(2_000);
  settle(rig);
  assertEquals(phaseOf(rig), "paused 2");
  assertEquals(rig.verb("RESUME", "web"), "OK|RESUMED|web");
  settle(rig, 20);
  assertEquals(generations(rig), [2, 2, 2]);
});

Deno.test("a rollout survives the conductor's restart at any step of it", () => {
  for (let restartAt = 0; restartAt < 14; restartAt++) {
    const rig = deployed(["replicas 3", ...HEALTH]);
    const before = rig.log.length;
    quick(rig, false);
    rig.apply("web", manifestOf("web", ["replicas 3", ...HEALTH]), 2, 1);
    for (let round = 0; round < 40; round++) {
      if (rig.log.length - before > restartAt && restartAt >= 0) {
        rig.restart();
        restartAt = -1 - restartAt;
      }
      settle(rig, 1);
      assert(running(rig).filter((each) => each.state === "ready").length >= 3);
    }
    restartAt = restartAt < 0 ? -1 - restartAt : restartAt;
    assertEquals([phaseOf(rig), generations(rig)], ["done 2", [2, 2, 2]], `restart ${restartAt}`);
  }
});

Deno.test("on the way back, too", () => {
  const rig = deployed(["replicas 3", ...HEALTH]);
  quick(rig, false);
  rig.apply("web", manifestOf("web", ["replicas 3", ...HEALTH]), 2, 1);
  rig.live(500);
  crash(rig, 2);
  rig.restart();
  settle(rig, 20);
  assertEquals([phaseOf(rig), generations(rig)], ["back done 1", [1, 1, 1]]);
  const again = loadState(rig.machine.state.head, saveState(rig.machine.state))!;
  assertEquals(again.apps.get("web"), appOf(rig));
});

Deno.test("a conductor that was away during a rollout accuses nobody of being late", () => {
  const lines = ["replicas 1", ...HEALTH, "rollout {", "  timeout 30s", "}"];
  const rig = deployed(lines);
  quick(rig, false);
  rig.apply("web", manifestOf("web", lines), 2, 1);
  rig.live(500);
  rig.monoMs += 600_000;
  rig.wallMs += 600_000;
  rig.restart();
  rig.live(20_000);
  assertEquals(phaseOf(rig), "rolling 2");
  settle(rig);
  assertEquals(phaseOf(rig), "done 2");
});

Deno.test("a clock that steps ahead makes no rollout late", () => {
  const lines = ["replicas 1", ...HEALTH, "rollout {", "  timeout 30s", "}"];
  const rig = deployed(lines);
  quick(rig, false);
  rig.apply("web", manifestOf("web", lines), 2, 1);
  rig.live(500);
  rig.wallMs += 3_600_000;
  rig.live(20_000);
  assertEquals(phaseOf(rig), "rolling 2");
});

Deno.test("a canary gets its share for its time, and the rest follows", () => {
  const rig = deployed(["replicas 4", ...HEALTH, ...CANARY]);
  const traffic = listen(rig);
  rig.apply("web", manifestOf("web", ["replicas 4", ...HEALTH, ...CANARY]), 2, 1);
  traffic.set(1, 1_000, 2);
  traffic.set(2, 200, 1);
  rig.live(9_000);
  assertEquals(generations(rig), [1, 1, 1, 1, 2]);
  assertEquals(rig.told("rollout-canary").length, 1);
  rig.live(10_000);
  assertEquals([phaseOf(rig), generations(rig)], ["done 2", [2, 2, 2, 2]]);
  assertStringIncludes(rig.told("rollout-promoted")[0]!, "200 answers");
});

Deno.test("a canary's time goes on through the conductor's restart", () => {
  const rig = deployed(["replicas 4", ...HEALTH, ...CANARY]);
  rig.apply("web", manifestOf("web", ["replicas 4", ...HEALTH, ...CANARY]), 2, 1);
  rig.live(7_000);
  rig.restart();
  rig.live(2_000);
  assertEquals(generations(rig), [1, 1, 1, 1, 2]);
  rig.live(4_000);
  assertEquals([phaseOf(rig), generations(rig)], ["done 2", [2, 2, 2, 2]]);
});

for (
  const [what, figures] of [
    ["answers 500", { errors: 100, p95Ms: 5 }],
    ["is slow", { errors: 0, p95Ms: 400 }],
  ] as const
) {
  Deno.test(`a canary that ${what} goes back`, () => {
    const rig = deployed(["replicas 4", ...HEALTH, ...CANARY]);
    const traffic = listen(rig);
    rig.apply("web", manifestOf("web", ["replicas 4", ...HEALTH, ...CANARY]), 2, 1);
    traffic.set(1, 1_000, 2);
    rig.live(2_000);
    traffic.set(2, 20, 20, 400);
    rig.live(2_000);
    assertEquals(phaseOf(rig), "rolling 2", "too few answers to judge by");
    traffic.set(2, 200, figures.errors, figures.p95Ms);
    rig.live(6_000);
    assertEquals([phaseOf(rig), generations(rig)], ["back done 1", [1, 1, 1, 1]]);
  });
}

Deno.test("what too few had asked as a canary is judged once it gets all requests", () => {
  const rig = deployed(["replicas 4", ...HEALTH, ...CANARY]);
  const traffic = listen(rig);
  rig.apply("web", manifestOf("web", ["replicas 4", ...HEALTH, ...CANARY]), 2, 1);
  traffic.set(1, 1_000, 2);
  traffic.set(2, 15, 15);
  rig.live(11_000);
  assertStringIncludes(rig.told("rollout-promoted")[0]!, "15 answers are too few to judge by (50)");
  assertEquals([phaseOf(rig), generations(rig)], ["rolling 2", [2, 2, 2, 2]], "still watched");
  traffic.set(2, 300, 300);
  rig.live(2_000);
  assertEquals([phaseOf(rig), generations(rig)], ["back done 1", [1, 1, 1, 1]]);
});

Deno.test("without a canary a version that answers 500 goes back, while and just after it takes over", () => {
  const rig = deployed(["replicas 3", ...HEALTH]);
  const traffic = listen(rig);
  traffic.set(1, 1_000);
  rig.apply("web", manifestOf("web", ["replicas 3", ...HEALTH]), 2, 1);
  rig.live(1_000);
  assertEquals([phaseOf(rig), generations(rig)], ["rolling 2", [2, 2, 2]], "watched for a moment");
  traffic.set(2, 300, 200);
  rig.live(3_000);
  assertEquals([phaseOf(rig), generations(rig)], ["back done 1", [1, 1, 1]]);
});

Deno.test("changes that no program sees restart nothing", () => {
  const rig = deployed(["replicas 3", ...HEALTH]);
  const before = running(rig).map((each) => each.replica).sort();
  const changed = manifestOf("web", [
    "args 1",
    "replicas 3",
    "port 8001",
    "health {",
    "  check GET /health 200",
    "  retries 5",
    "}",
    "route {",
    "  path /new",
    "}",
  ]);
  rig.apply("web", changed, 2, 1);
  rig.live(2_000);
  assertEquals([phaseOf(rig), generations(rig)], ["done 2", [2, 2, 2]]);
  assertEquals(running(rig).map((each) => each.replica).sort(), before);
  assertEquals(rig.told("decided").filter((text) => text.startsWith("keep web.")).length, 3);
});

Deno.test("a wrong health check ends one new replica, and none that serves", () => {
  const lines = ["args 1", "replicas 2", "port 8001", "rollout {", "  timeout 10s", "}"];
  const health = (path: string) => ["health {", `  check GET ${path} 200`, "}"];
  const rig = deployed([...lines, ...health("/health")]);
  const before = running(rig).map((each) => each.replica).sort();
  quick(rig, false);
  rig.apply("web", manifestOf("web", [...lines, ...health("/haelth")]), 2, 1);
  rig.live(1_000);
  assertEquals(generations(rig), [1, 1, 2]);
  rig.live(12_000);
  settle(rig);
  assertEquals(phaseOf(rig), "back done 1");
  assertEquals(running(rig).map((each) => each.replica).sort(), before);
});

Deno.test("a relabel reaches a node that was away, and one that lost the order", () => {
  const rig = deployed(["replicas 2", ...HEALTH]);
  const lines = ["args 1", "replicas 2", ...HEALTH, "drain 9s"];
  const away = nodesOf(rig)[0]!;
  away.cut = true;
  rig.apply("web", manifestOf("web", lines), 2, 1);
  rig.live(1_000);
  away.cut = false;
  rig.live(4_000);
  assertEquals(generations(rig), [2, 2]);
});

Deno.test("restart replaces every replica of the same generation, one after another", () => {
  const rig = deployed(["replicas 3", ...HEALTH]);
  const before = running(rig).map((each) => each.replica);
  quick(rig, false);
  assertEquals(rig.verb("RESTART", "web"), "OK|RESTARTING|web");
  for (let round = 0; round < 30; round++) {
    settle(rig, 1);
    assert(running(rig).filter((each) => each.state === "ready").length >= 3);
    assert(running(rig).length <= 4);
  }
  assertEquals(phaseOf(rig), "done 1");
  assertEquals(running(rig).filter((each) => before.includes(each.replica)), []);
});

Deno.test("stop keeps the app and its routes, start runs it again", () => {
  const rig = deployed(["replicas 2", ...HEALTH]);
  assertEquals(rig.verb("START", "web"), "ERR|STATE|web is not stopped");
  assertEquals(rig.verb("STOP", "web"), "OK|STOPPED|web");
  rig.live(2_000);
  assertEquals(running(rig), []);
  rig.restart();
  rig.live(5_000);
  assertEquals(running(rig), []);
  assertEquals(rig.verb("START", "web"), "OK|STARTED|web");
  rig.live(2_000);
  assertEquals(generations(rig), [1, 1]);
});

Deno.test("scale holds until the manifest says another number", () => {
  const rig = deployed(["replicas 2", ...HEALTH]);
  assertEquals(rig.scale("web", "4"), "OK|SCALED|web");
  rig.live(2_000);
  assertEquals(generations(rig).length, 4);
  rig.apply("web", manifestOf("web", ["replicas 2", ...HEALTH]), 2, 1);
  rig.live(6_000);
  assertEquals(generations(rig), [2, 2, 2, 2]);
  rig.apply("web", manifestOf("web", ["replicas 3", ...HEALTH]), 3, 2);
  rig.live(6_000);
  assertEquals(generations(rig), [3, 3, 3]);
  rig.scale("web", "0");
  rig.live(2_000);
  assertEquals(running(rig), []);
  rig.scale("web", "-");
  rig.live(2_000);
  assertEquals(generations(rig).length, 3);
  assertEquals(rig.scale("web", "100001"), "ERR|STATE|web can have at most 100000 replicas");
});

Deno.test("a new generation waits for what it needs, the old one serving", () => {
  const rig = deployed(["replicas 2", ...HEALTH]);
  rig.apply("web", manifestOf("web", ["replicas 2", "needs base", ...HEALTH]), 2, 1);
  rig.live(300_000);
  assertEquals([phaseOf(rig), generations(rig)], ["rolling 2", [1, 1]], "waiting is no failure");
  assertEquals(rig.machine.waiting.get("web"), ["needs base first"]);
  rig.apply("base", manifestOf("base", HEALTH));
  rig.live(5_000);
  assertEquals(phaseOf(rig), "done 2");
});

Deno.test("an app that exists once and has a volume never runs twice, whatever its order", () => {
  const volume = ["volume {", "  path data", "}"];
  const rig = deployed(["replicas 1", ...HEALTH, ...volume]);
  quick(rig, false);
  rig.apply("web", manifestOf("web", ["replicas 1", ...HEALTH, ...volume]), 2, 1);
  for (let round = 0; round < 20; round++) {
    settle(rig, 1);
    assert(running(rig).length <= 1);
  }
  assertEquals([phaseOf(rig), generations(rig)], ["done 2", [2]]);
  rig.apply("web", manifestOf("web", ["replicas 1", ...HEALTH, ...volume]), 3, 2);
  rig.live(500);
  settle(rig, 1);
  rig.live(250);
  crash(rig, 3);
  for (let round = 0; round < 20; round++) {
    settle(rig, 1);
    assert(running(rig).length <= 1);
  }
  assertEquals([phaseOf(rig), generations(rig)], ["back done 2", [2]]);
});

Deno.test("every generation keeps its outcome, 50 of them, through a snapshot", () => {
  const rig = deployed(["replicas 1", ...HEALTH]);
  for (let generation = 2; generation <= 60; generation++) {
    rig.apply("web", manifestOf("web", ["replicas 1", ...HEALTH]), generation, generation - 1);
    rig.live(750);
  }
  rig.live(2_000);
  const kept = appOf(rig).generations;
  assertEquals([kept.length, kept[0]!.generation, kept.at(-1)!.generation], [50, 11, 60]);
  assert(kept.every((each) => each.outcome?.result === "done"), JSON.stringify(kept.at(-1)));
  const again = loadState(rig.machine.state.head, saveState(rig.machine.state))!;
  assertEquals(again.apps.get("web")!.generations, kept);
});

// ---- before ---------------------------------------------------------------------------------------

const BEFORE = ["before {", "  exec /bin/migrate", "}"];

/** What runs before, where it runs. */
const beforeOf = (rig: Rig) => {
  const placement = [...appOf(rig).placements.values()].find((each) => each.part === "before");
  const node = nodesOf(rig).find((each) => each.id === placement?.node);
  return placement && node ? { replica: placement.replica, node } : undefined;
};

function endBefore(rig: Rig, code: number): void {
  const { replica, node } = beforeOf(rig)!;
  node.become(replica, "finished", { exit: { why: "exit", code, wallMs: rig.wallMs } });
}

Deno.test("before runs once, alone, before the first replica of a generation", () => {
  const rig = new Rig();
  for (let number = 1; number <= 2; number++) rig.addNode(number).quick = false;
  rig.live(1_000);
  rig.apply("web", manifestOf("web", ["replicas 2", ...HEALTH, ...BEFORE]));
  rig.live(2_000);
  assertEquals(running(rig).length, 1);
  assertEquals(rig.machine.waiting.get("web")?.[0]?.startsWith("`before` runs on node-"), true);
  rig.restart();
  rig.live(5_000);
  assertEquals(running(rig).length, 1, "the conductor's restart runs no second one");
  endBefore(rig, 0);
  settle(rig);
  assertEquals([phaseOf(rig), generations(rig)], ["done 1", [1, 1]]);
  assertEquals(beforeOf(rig), undefined);
  rig.verb("RESTART", "web");
  settle(rig, 20);
  assertEquals(phaseOf(rig), "done 1");
  const runs = rig.told("decided").filter((text) => text.includes("(before)"));
  assertEquals(runs.length, 1, "not again after success");
});

Deno.test("a before that fails replaces nothing", () => {
  const rig = deployed(["replicas 2", ...HEALTH]);
  quick(rig, false);
  rig.apply("web", manifestOf("web", ["replicas 2", ...HEALTH, ...BEFORE]), 2, 1);
  rig.live(1_000);
  endBefore(rig, 1);
  settle(rig);
  assertEquals([phaseOf(rig), generations(rig)], ["back done 1", [1, 1]]);
  assertStringIncludes(appOf(rig).generations[1]!.outcome!.reason, "`before` failed on node-");
  assertEquals([...appOf(rig).placements.values()].length, 2);
});

Deno.test("a before whose outcome nobody knows stops the rollout and says so", () => {
  const rig = deployed(["replicas 1", ...HEALTH], 3);
  quick(rig, false);
  rig.apply("web", manifestOf("web", ["replicas 1", ...HEALTH, ...BEFORE]), 2, 1);
  rig.live(1_000);
  const { node, replica } = beforeOf(rig)!;
  node.cut = true;
  rig.live(30_000);
  assertEquals(phaseOf(rig), "paused 2");
  assertStringIncludes(appOf(rig).rollout!.reason!, "nobody knows whether it was done");
  assertEquals(beforeOf(rig)?.replica, replica, "no second one is started");
  assertEquals(rig.verb("RESUME", "web"), "OK|RESUMED|web");
  rig.live(2_000);
  assert(beforeOf(rig) && beforeOf(rig)!.replica !== replica, "an operator said so");
  endBefore(rig, 0);
  settle(rig);
  assertEquals(phaseOf(rig), "done 2");
});

Deno.test("the before of a newer generation waits for the end of the older one's", () => {
  const rig = deployed(["replicas 1", ...HEALTH]);
  quick(rig, false);
  rig.apply("web", manifestOf("web", ["replicas 1", ...HEALTH, ...BEFORE]), 2, 1);
  rig.live(1_000);
  const first = beforeOf(rig)!;
  rig.apply("web", manifestOf("web", ["replicas 1", ...HEALTH, ...BEFORE]), 3, 1);
  rig.live(3_000);
  const parts = running(rig).filter((each) => each.state !== "ready");
  assertEquals(parts.map((each) => each.replica), [first.replica], "never two at once");
  first.node.become(first.replica, "finished");
  rig.live(1_000);
  endBefore(rig, 0);
  settle(rig);
  assertEquals(phaseOf(rig), "done 3");
});

// ---- Whatever comes when --------------------------------------------------------------------------

const happenings = fc.array(
  fc.record({
    what: fc.constantFrom(
      ...["ready", "ended", "time", "apply", "route", "restart", "reboot", "cut", "crash"],
      ...["PAUSE", "RESUME", "RESTART", "STOP", "START", "500"],
    ),
    who: fc.nat(20),
  }),
  { maxLength: 50 },
);

Deno.test("a rollout never runs what is not signed for it, and comes to its end, whatever comes when", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 3 }),
      fc.boolean(),
      happenings,
      (replicas, canary, story) => {
        const lines = [`replicas ${replicas}`, ...HEALTH, ...(canary ? CANARY : [])];
        const rig = deployed(lines, 3);
        const traffic = listen(rig);
        traffic.rate = 0;
        quick(rig, false);
        const look = () => {
          const app = appOf(rig);
          const newest = app.generations.at(-1)!;
          const wanted = currentOf(app).generation;
          assert(
            wanted === newest.generation || wanted === newest.fallback,
            `generation ${wanted} is wanted; ${newest.generation} names ${newest.fallback}`,
          );
        };
        for (const { what, who } of story) {
          happen(rig, what, who, lines);
          look();
        }
        for (const node of rig.nodes.values()) node.cut = false;
        if (appOf(rig).stopped) rig.verb("START", "web");
        if (appOf(rig).rollout?.phase === "paused") rig.verb("RESUME", "web");
        traffic.counts.clear();
        for (let round = 0; round < 30; round++) {
          settle(rig, 4);
          look();
        }
        const wanted = currentOf(appOf(rig)).generation;
        assertEquals(generations(rig), Array(replicas).fill(wanted));
        assertEquals(appOf(rig).rollout?.phase, "done");
      },
    ),
    {
      numRuns: 60,
      // What was found by chance once.
      examples: ["apply ready RESTART", "apply ready apply", "RESTART restart apply ready"].map(
        (story) => [1, true, story.split(" ").map((what) => ({ what, who: 0 }))],
      ),
    },
  );
});

function happen(rig: Rig, what: string, who: number, lines: string[]): void {
  const nodes = nodesOf(rig);
  const node = nodes[who % nodes.length]!;
  const pick = (state: string) => {
    const all = running(rig).filter((each) => each.state === state);
    return all[who % Math.max(1, all.length)];
  };
  const newest = appOf(rig).generations.at(-1)!;
  switch (what) {
    case "ready": {
      const starting = pick("starting");
      return starting?.node.become(starting.replica, "ready");
    }
    case "ended": {
      const stopping = pick("stopping");
      return stopping?.node.become(stopping.replica, "finished");
    }
    case "crash": {
      const any = pick("starting") ?? pick("ready");
      if (!any) return;
      const exit = { why: "exit", code: 3, wallMs: rig.wallMs } as const;
      return any.node.become(any.replica, "starting", { exit, restarts: any.restarts + 1 });
    }
    case "apply":
      rig.apply("web", manifestOf("web", lines), undefined, who % 3 ? goodOf(rig) : undefined);
      return;
    case "route": {
      const args = /args \d+/.exec(newest.manifest)![0];
      const route = ["route {", `  path /r${who}`, "}"];
      rig.apply("web", manifestOf("web", [...lines, args, ...route]), undefined, goodOf(rig));
      return;
    }
    case "restart": {
      rig.restart();
      listen(rig);
      return;
    }
    case "reboot":
      return node.reboot();
    case "cut":
      node.cut = true;
      rig.live(who > 15 ? 4_000 : 1_000);
      node.cut = false;
      return;
    case "500":
      heard.get(rig)!.set(newest.generation, 200, 150);
      heard.get(rig)!.set(goodOf(rig) ?? 0, 200, 0);
      return;
    case "PAUSE":
    case "RESUME":
    case "RESTART":
    case "STOP":
    case "START":
      rig.verb(what, "web");
      return;
    default:
      return rig.live(100 + who * 50);
  }
}

/** The generation that the CLI would name as the fallback. */
function goodOf(rig: Rig): number | undefined {
  return lastGoodOf(appOf(rig));
}
