import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { CONDUCTOR_WARMUP_MS, NODE_DEAD_MS, SNAPSHOT_ENTRIES } from "../core/limits.ts";
import { statusView } from "./views/status_view.ts";
import { appViews } from "./views/views.ts";
import { manifestOf, Rig, type RigNode } from "./rig_test.ts";
import { loadState, saveState } from "./snapshot.ts";

const HEALTH = ["port 8001", "health {", "  check GET /health 200", "}"];

function cluster(nodes: number): Rig {
  const rig = new Rig();
  for (let number = 1; number <= nodes; number++) rig.addNode(number);
  rig.live(1_000);
  return rig;
}

const nodesOf = (rig: Rig): RigNode[] => [...rig.nodes.values()];
const ordersTo = (rig: Rig, kind: "run" | "stop") =>
  rig.sent.filter(({ message }) => message.k === kind).length;

/** What really runs: replicas that have not finished. */
function running(rig: Rig, app: string) {
  return nodesOf(rig).flatMap((node) =>
    [...node.statuses.values()].filter((each) => each.app === app && each.state !== "finished")
  );
}

Deno.test("an APPLY places, a DOWN stops, and nothing stays behind", () => {
  const rig = cluster(2);
  rig.apply("web", manifestOf("web", ["replicas 3"]));
  rig.live(500);
  assertEquals(rig.places("web"), ["web.1@node-1", "web.2@node-2", "web.3@node-1"]);
  assertEquals(running(rig, "web").length, 3);
  rig.down("web");
  rig.live(1_000);
  assertEquals(rig.places("web"), []);
  assertEquals(running(rig, "web"), []);
  for (const node of rig.machine.ledger.all()) assertEquals(node.replicas, 0);
});

Deno.test("nothing is done before it is durable", () => {
  const rig = cluster(1);
  rig.holdAppends = true;
  rig.apply("web", manifestOf("web"));
  assertEquals(rig.machine.state.apps.size, 0);
  rig.release();
  assertEquals(rig.machine.state.apps.size, 1);
  rig.holdAppends = true;
  rig.apply("web", manifestOf("web"));
  rig.live(500);
  const before = ordersTo(rig, "run");
  rig.live(2_000);
  assertEquals(ordersTo(rig, "run"), before, "no order of a decision that is not durable");
  assertEquals(rig.held.filter((effect) => effect.do === "append").length, 1, "one at a time");
});

Deno.test("a decision that could not be written is made again when the store is back", () => {
  const rig = cluster(1);
  rig.apply("web", manifestOf("web", ["replicas 2"]));
  rig.live(500);
  rig.diskError = "database or disk is full";
  const node = nodesOf(rig)[0]!;
  node.become("web.1", "finished", { exit: { why: "stopped", wallMs: 2 } });
  rig.live(3_000);
  assertEquals(rig.places("web"), ["web.1@node-1", "web.2@node-1"]);
  assert(rig.told("store-failed")[0]!.includes("database or disk is full"));
  rig.diskError = null;
  rig.live(2_000);
  assertEquals(rig.places("web"), ["web.2@node-1", "web.3@node-1"]);
});

Deno.test("a node that could not be written down joins when the store is back", () => {
  const rig = new Rig();
  rig.diskError = "full";
  rig.addNode(1);
  rig.live(2_000);
  assertEquals(rig.machine.state.nodes.size, 0);
  rig.diskError = null;
  rig.live(2_000);
  assertEquals(rig.machine.state.nodes.size, 1);
});

Deno.test("orders are repeated with a growing wait until they are answered", () => {
  const rig = cluster(1);
  const node = nodesOf(rig)[0]!;
  const seen: number[] = [];
  const receive = node.receive.bind(node);
  let deaf = true;
  node.receive = (message) => {
    if (message.k === "run") seen.push(rig.monoMs);
    if (message.k !== "run" || !deaf) receive(message);
  };
  rig.apply("web", manifestOf("web"));
  rig.live(10_000);
  const waits = seen.slice(1).map((at, index) => at - seen[index]!);
  assertEquals(waits.slice(0, 5), [100, 200, 400, 800, 1_600]);
  assert(waits.slice(5).every((wait) => wait === 2_000), waits.join());
  deaf = false;
  rig.live(2_000);
  const before = seen.length;
  rig.live(5_000);
  assertEquals(seen.length, before, "answered: not repeated");
  assertEquals(running(rig, "web").length, 1);
});

Deno.test("why a node refuses a replica is shown, and gone when it runs", () => {
  const rig = cluster(1);
  const node = nodesOf(rig)[0]!;
  node.refusal = "port 80 is taken by another program";
  rig.apply("web", manifestOf("web"));
  rig.live(500);
  const [view] = appViews(rig.machine, rig.now);
  assertEquals(view!.state, "failing");
  assertEquals(view!.reasons, ["web.1 on node-1: port 80 is taken by another program"]);
  assertEquals(rig.told("replica-refused").length, 1, "told once, not at each repetition");
  node.refusal = null;
  rig.live(3_000);
  const [later] = appViews(rig.machine, rig.now);
  assertEquals([later!.state, later!.reasons], ["ready", []]);
});

Deno.test("a silent node is dead, its replicas move, and back again it stops what has moved", () => {
  const rig = cluster(2);
  rig.apply("web", manifestOf("web", ["replicas 2"]));
  rig.live(500);
  const lost = nodesOf(rig)[1]!;
  lost.cut = true;
  rig.live(NODE_DEAD_MS + 500);
  assertEquals(rig.told("node-dead").length, 1);
  assertEquals(rig.places("web"), ["web.1@node-1", "web.3@node-1"]);
  assert(statusView(rig.machine, "1", rig.now).problems[0]!.startsWith("node-2 is dead: silent"));
  lost.cut = false;
  rig.live(2_000);
  assertEquals(rig.told("node-back"), ["node-2 is back"]);
  assertEquals(lost.statuses.size, 0, "what has moved was stopped there");
  assertEquals(rig.places("web"), ["web.1@node-1", "web.3@node-1"]);
});

Deno.test("a node that is back before the decision to move its replicas is durable stops them", () => {
  const rig = cluster(2);
  rig.apply("web", manifestOf("web", ["replicas 2"]));
  rig.live(3_000);
  const lost = nodesOf(rig)[1]!;
  rig.holdAppends = true;
  lost.cut = true;
  rig.live(NODE_DEAD_MS + 500);
  lost.cut = false;
  rig.live(500);
  assertEquals(rig.told("node-back"), ["node-2 is back"]);
  rig.holdAppends = false;
  rig.release();
  rig.live(2_000);
  assertEquals(rig.places("web"), ["web.1@node-1", "web.3@node-1"]);
  assertEquals(lost.statuses.size, 0, "what has moved was stopped there");
  assertEquals(running(rig, "web").length, 2);
});

Deno.test("a conductor that was paused accuses nobody", () => {
  const rig = cluster(2);
  rig.apply("web", manifestOf("web", ["replicas 2"]));
  rig.live(500);
  for (const pausedMs of [5_000, 60_000, 600_000]) {
    rig.monoMs += pausedMs;
    rig.wallMs += pausedMs;
    rig.step({ on: "tick" });
    rig.live(1_000);
    assertEquals(rig.told("node-dead"), [], `${pausedMs} ms`);
  }
  nodesOf(rig)[1]!.cut = true;
  rig.live(NODE_DEAD_MS + 500);
  assertEquals(rig.told("node-dead").length, 1, "and still sees one that dies then");
});

Deno.test("a lost beat or ten do not make a node dead", () => {
  const rig = cluster(1);
  for (let round = 0; round < 10; round++) {
    rig.advance(NODE_DEAD_MS - 100);
    nodesOf(rig)[0]!.beat();
  }
  assertEquals(rig.told("node-dead"), []);
});

Deno.test("after a restart nothing is placed or stopped before the nodes have reported", () => {
  const rig = cluster(2);
  rig.apply("web", manifestOf("web", ["replicas 4", ...HEALTH]));
  rig.live(500);
  const before = rig.log.length;
  for (const node of rig.nodes.values()) node.cut = true;
  rig.restart();
  rig.advance(CONDUCTOR_WARMUP_MS - 500);
  rig.apply("late", manifestOf("late"));
  assertEquals(rig.places("late"), []);
  assertEquals(rig.log.length, before + 1, "the command, and no decision");
  for (const node of rig.nodes.values()) node.cut = false;
  rig.live(1_000);
  assertEquals(rig.places("late").length, 1);
  assertEquals(rig.places("web").length, 4);
  assertEquals(ordersTo(rig, "stop"), 0);
});

Deno.test("after a restart a node that never comes back is dead when the warm-up is over", () => {
  const rig = cluster(2);
  rig.apply("web", manifestOf("web", ["replicas 2"]));
  rig.live(500);
  nodesOf(rig)[1]!.cut = true;
  rig.restart();
  rig.live(CONDUCTOR_WARMUP_MS - 250);
  assertEquals(rig.told("node-dead"), []);
  rig.live(1_000);
  assertEquals(rig.told("node-dead").length, 1);
  assertEquals(rig.places("web"), ["web.1@node-1", "web.3@node-1"]);
});

Deno.test("an app that the log does not know is left alone on its node, and said so", () => {
  const rig = cluster(1);
  const node = nodesOf(rig)[0]!;
  const status = { replica: "old.7", app: "old", generation: 3, version: 1 } as const;
  node.report({ ...status, state: "ready", restarts: 0, sinceWallMs: 1 });
  rig.live(2_000);
  assertEquals(ordersTo(rig, "stop"), 0);
  assertEquals(statusView(rig.machine, "1", rig.now).problems, [
    "node-1 runs old, which this conductor's log does not know: left alone",
  ]);
});

Deno.test("an app waits for the apps that it needs", () => {
  const rig = cluster(1);
  const node = nodesOf(rig)[0]!;
  node.quick = false;
  rig.apply("web", manifestOf("web", ["needs base"]));
  rig.live(500);
  assertEquals(appViews(rig.machine, rig.now)[0]!.reasons, ["needs base first"]);
  rig.apply("base", manifestOf("base"));
  rig.live(500);
  assertEquals(rig.places("web"), [], "base runs, but is not ready");
  node.become("base.1", "ready");
  rig.live(500);
  assertEquals(rig.places("web"), ["web.1@node-1"]);
});

Deno.test("an app with a volume stays pending while its home is lost, and runs nowhere else", () => {
  const rig = cluster(2);
  rig.apply("shop", manifestOf("shop", ["volume {", "  path data", "  env DATA", "}"]));
  rig.live(500);
  const home = nodesOf(rig).find((node) => node.statuses.size > 0)!;
  home.cut = true;
  rig.live(NODE_DEAD_MS + 2_000);
  assertEquals(rig.places("shop").length, 1);
  assertEquals(appViews(rig.machine, rig.now)[0]!.reasons, [
    `shop.1: its volume is on ${home.name}, which is dead`,
  ]);
  home.cut = false;
  rig.live(1_000);
  assertEquals(appViews(rig.machine, rig.now)[0]!.state, "ready");
  rig.apply("shop", manifestOf("shop", ["volume {", "  path data", "  env DATA", "}"]));
  rig.live(10_000);
  assertEquals(rig.places("shop"), [`shop.2@${home.name}`]);
});

Deno.test("a volume that a new generation gives up no longer holds the app at home", () => {
  const rig = cluster(2);
  rig.apply("shop", manifestOf("shop", ["volume {", "  path data", "}"]));
  rig.live(500);
  const home = nodesOf(rig).find((node) => node.statuses.size > 0)!;
  rig.apply("shop", manifestOf("shop"));
  rig.live(10_000);
  home.cut = true;
  rig.live(NODE_DEAD_MS + 1_000);
  assertEquals(rig.places("shop").length, 1);
  assert(!rig.places("shop")[0]!.endsWith(home.name));
});

Deno.test("with a volume no two generations run at once", () => {
  const rig = cluster(1);
  const node = nodesOf(rig)[0]!;
  const manifest = manifestOf("shop", [
    "rollout {",
    "  order stop-first",
    "}",
    "volume {",
    "  path data",
    "}",
  ]);
  rig.apply("shop", manifest);
  rig.live(500);
  node.quick = false;
  rig.apply("shop", manifest);
  rig.live(5_000);
  assertEquals(rig.places("shop"), ["shop.1@node-1 leaving"], "the old one still drains");
  node.become("shop.1", "finished");
  rig.live(1_000);
  assertEquals(rig.places("shop"), ["shop.2@node-1"]);
});

Deno.test("a fixed port falls back to stop-first where the old one holds it", () => {
  const rig = cluster(1);
  rig.apply("web", manifestOf("web", ["port 8001 fixed", ...HEALTH.slice(1)]));
  rig.live(500);
  rig.apply("web", manifestOf("web", ["port 8001 fixed", ...HEALTH.slice(1)]));
  rig.live(2_000);
  assertEquals(rig.places("web"), ["web.2@node-1"]);
  assert(
    rig.told("decided").includes(
      "stop web.1 on node-1: port 8001 is fixed and has to be free first",
    ),
  );
});

Deno.test("a fixed port is not freed for a generation that would not fit anyway", () => {
  const rig = cluster(1);
  rig.apply("web", manifestOf("web", ["port 8001 fixed"]));
  rig.live(500);
  rig.apply("web", manifestOf("web", ["port 8001 fixed", "ram 64gb"]));
  rig.live(3_000);
  assertEquals(rig.places("web"), ["web.1@node-1"], "what serves goes on serving");
  const [view] = appViews(rig.machine, rig.now);
  assertEquals(view!.state, "failing");
  assert(view!.reasons[0]!.includes("cannot place web on node-1: needs port 8001"));
});

Deno.test("a fixed port is freed one at a time, and not before the last one is ready", () => {
  const rig = cluster(3);
  const manifest = manifestOf("web", ["port 8001 fixed", "replicas 3", ...HEALTH.slice(1)]);
  rig.apply("web", manifest);
  rig.live(500);
  for (const node of rig.nodes.values()) node.quick = false;
  rig.apply("web", manifest);
  for (let round = 0; round < 40; round++) {
    rig.live(250);
    const all = running(rig, "web");
    assert(all.filter((each) => each.state === "ready").length >= 2, JSON.stringify(all));
    for (const node of rig.nodes.values()) {
      for (const each of node.statuses.values()) {
        if (round % 5 !== 4) continue;
        if (each.state === "starting") node.become(each.replica, "ready");
        else if (each.state === "stopping") node.become(each.replica, "finished");
      }
    }
  }
  assert(running(rig, "web").every((each) => each.generation === 2));
});

/** What happens next in a rollout: by whom, and what. */
const happenings = fc.array(
  fc.record({
    what: fc.constantFrom("ready", "ended", "time", "apply", "restart", "reboot", "cut", "heal"),
    who: fc.nat(20),
  }),
  { maxLength: 60 },
);

for (const order of ["start-first", "stop-first"] as const) {
  Deno.test(`a ${order} rollout keeps to its numbers, whatever comes when`, () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 2 }),
        happenings,
        (replicas, batch, story) => {
          const rig = cluster(3);
          const manifest = manifestOf("web", [
            `replicas ${replicas}`,
            ...HEALTH,
            "rollout {",
            `  order ${order}`,
            `  batch ${batch}`,
            "}",
          ]);
          rig.apply("web", manifest);
          rig.live(1_000);
          for (const node of rig.nodes.values()) node.quick = false;
          rig.apply("web", manifest);
          const most = order === "start-first" ? replicas + batch : replicas;
          const least = order === "start-first" ? replicas : replicas - batch;
          const look = () => {
            const all = running(rig, "web");
            const ready = all.filter((each) => each.state === "ready").length;
            assert(all.length <= most, `${all.length} run: ${JSON.stringify(all)}`);
            assert(ready >= least, `${ready} are ready: ${JSON.stringify(all)}`);
          };
          for (const { what, who } of story) {
            happen(rig, what, who, manifest);
            look();
          }
          // At rest, it ends with the new generation alone.
          for (const node of rig.nodes.values()) node.cut = false;
          for (let round = 0; round < 60; round++) {
            rig.live(500);
            look();
            for (const what of ["ready", "ended"]) happen(rig, what, 0, manifest);
          }
          const generation = rig.machine.state.apps.get("web")!.generations.at(-1)!.generation;
          assertEquals(
            running(rig, "web").map((each) => each.generation),
            Array(replicas).fill(generation),
          );
        },
      ),
      { numRuns: 60 },
    );
  });
}

function happen(rig: Rig, what: string, who: number, manifest: string): void {
  const nodes = nodesOf(rig);
  const pick = (state: string) => {
    const all = nodes.flatMap((node) =>
      [...node.statuses.values()].filter((each) => each.state === state)
        .map((each) => ({ node, replica: each.replica }))
    );
    return all[who % Math.max(1, all.length)];
  };
  const node = nodes[who % nodes.length]!;
  switch (what) {
    case "ready": {
      const starting = pick("starting");
      return starting?.node.become(starting.replica, "ready");
    }
    case "ended": {
      const stopping = pick("stopping");
      return stopping?.node.become(stopping.replica, "finished");
    }
    case "apply":
      return void rig.apply("web", manifest);
    case "restart":
      return rig.restart();
    case "reboot":
      return node.reboot();
    // Shorter than it takes to be called dead: then it may be replaced, which is no rollout.
    case "cut":
      node.cut = true;
      rig.live(1_000);
      node.cut = false;
      // Two in a row are two silences, not one that is long enough.
      return node.beat();
    default:
      return rig.live(100 + who * 50);
  }
}

Deno.test("a snapshot is taken now and then and is the state", () => {
  const rig = cluster(1);
  for (let count = 0; rig.log.length < SNAPSHOT_ENTRIES + 50; count++) {
    rig.apply(`app-${count % 20}`, manifestOf(`app-${count % 20}`));
    rig.live(250);
  }
  const snapshots = rig.effects.filter((effect) => effect.do === "snapshot");
  assertEquals(snapshots.length, 1);
  assert(loadState(rig.machine.state.head, saveState(rig.machine.state)) !== null);
});

Deno.test("mesh datagrams of any kind and of nobody known do nothing", () => {
  const rig = cluster(1);
  const from = { hostname: "10.9.9.9", port: 1 };
  const before = rig.effects.length;
  for (const text of ["", "{", "{}", "[]", '{"k":"run-ok"}', "PING", "HEARTBEAT|x"]) {
    rig.step({ on: "mesh", text, from });
  }
  assertEquals(rig.effects.length, before);
});
