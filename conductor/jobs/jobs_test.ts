import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { isOver, type Run } from "../../core/job.ts";
import { JOB_LATE_MS, JOB_RUNS, JOB_UNKNOWN_MS } from "../../core/limits.ts";
import { Rig, type RigNode } from "../rig_test.ts";
import { loadState, saveState } from "../snapshot.ts";

const job = (lines = "") => `app backup {\n  type job\n  exec /bin/backup\n${lines}}\n`;
const SCHEDULE = (more = "") => job(`  schedule */10 * * * *\n${more}`);

function ready(nodes = 1): { rig: Rig; nodes: RigNode[] } {
  const rig = new Rig();
  const all = Array.from({ length: nodes }, (_, index) => rig.addNode(index + 1));
  rig.live(4_000);
  return { rig, nodes: all };
}

const runs = (rig: Rig): readonly Run[] => rig.machine.state.apps.get("backup")?.job?.runs ?? [];
const states = (rig: Rig) => runs(rig).map((run) => run.state);

let ids = 0;
const ask = (rig: Rig) =>
  rig.ask(rig.signed({ verb: "RUN", id: `run-${String(++ids).padStart(6, "0")}`, app: "backup" }));

/** The replica of the newest run ends so. */
function end(rig: Rig, nodes: readonly RigNode[], code: number, run = runs(rig).at(-1)!): void {
  for (const { replica, node } of run.replicas) {
    const at = nodes.find((each) => each.id === node)!;
    at.become(replica, "finished", { exit: { code, why: "exit", wallMs: 1 } });
  }
}

/** To the next full ten minutes, with all nodes beating. */
function toTick(rig: Rig): void {
  const leftMs = 600_000 - rig.wallMs % 600_000;
  rig.live(leftMs + 1_000);
}

Deno.test("a job runs when it is applied, once, and is not started again when it has ended", () => {
  const { rig, nodes } = ready();
  rig.apply("backup", job());
  assertEquals(states(rig), ["running"]);
  assertEquals(rig.places("backup"), ["backup.1@node-1"]);
  end(rig, nodes, 0);
  rig.live(5_000);
  assertEquals(states(rig), ["succeeded"]);
  assertEquals([runs(rig)[0]?.code, runs(rig)[0]?.replicas[0]?.replica], [0, "backup.1"]);
  assertEquals(rig.places("backup"), []);
  assertEquals(rig.told("run-succeeded"), ["run 1 of backup: succeeded"]);
});

Deno.test("a failed run keeps its code, and RUN starts another one after it", () => {
  const { rig, nodes } = ready();
  rig.apply("backup", job());
  assertEquals(ask(rig), "OK|RUN|backup|2");
  assertEquals(states(rig), ["running", "waiting"]);
  end(rig, nodes, 3, runs(rig)[0]);
  rig.live(1_000);
  assertEquals(states(rig), ["failed", "running"]);
  assertEquals([runs(rig)[0]?.code, runs(rig)[0]?.reason], [3, "exit code 3"]);
  assertEquals(rig.places("backup"), ["backup.2@node-1"]);
});

Deno.test("RUN is refused for what is no job, and for what is down", () => {
  const { rig } = ready();
  rig.apply("backup", "app backup {\n  exec /bin/backup\n}\n");
  assertMatch(ask(rig) ?? "", /^ERR\|NOT-A-JOB/);
  rig.down("backup");
  assertEquals(ask(rig), "ERR|not found: backup");
});

Deno.test("several replicas are one run: it fails with the first that does, when all have ended", () => {
  const { rig, nodes } = ready(2);
  rig.apply("backup", job("  replicas 2\n"));
  const [run] = runs(rig);
  assertEquals(run?.replicas.length, 2);
  const [first, second] = run!.replicas;
  const on = (id: string) => nodes.find((each) => each.id === id)!;
  on(first!.node).become(first!.replica, "finished", { exit: { code: 4, why: "exit", wallMs: 1 } });
  rig.live(500);
  assertEquals(states(rig), ["running"]);
  on(second!.node).become(second!.replica, "finished", {
    exit: { code: 0, why: "exit", wallMs: 1 },
  });
  rig.live(500);
  assertEquals([states(rig)[0], runs(rig)[0]?.code], ["failed", 4]);
});

Deno.test("a schedule runs once a tick, on the minute, and survives restarts and snapshots", () => {
  const { rig, nodes } = ready();
  rig.apply("backup", SCHEDULE());
  assertEquals(states(rig), []);
  toTick(rig);
  assertEquals(states(rig), ["running"]);
  assertEquals(runs(rig)[0]!.dueWallMs! % 600_000, 0);
  end(rig, nodes, 0);
  rig.live(1_000);
  rig.restart();
  rig.live(10_000);
  assertEquals(states(rig), ["succeeded"]);
  const loaded = loadState(rig.machine.state.head, saveState(rig.machine.state));
  assertEquals(loaded?.apps.get("backup")?.job, rig.machine.state.apps.get("backup")?.job);
  toTick(rig);
  assertEquals(states(rig), ["succeeded", "running"]);
});

Deno.test("overlap: skip leaves a line, allow starts beside, replace ends the one before", () => {
  for (
    const [overlap, expected] of [
      ["skip", ["running", "skipped"]],
      ["allow", ["running", "running"]],
      ["replace", ["replaced", "running"]],
    ] as const
  ) {
    const { rig } = ready();
    rig.apply("backup", SCHEDULE(`  overlap ${overlap}\n`));
    toTick(rig);
    toTick(rig);
    rig.live(2_000);
    assertEquals(states(rig), [...expected], overlap);
    if (overlap === "skip") assertEquals(runs(rig)[1]?.reason, "run 1 is still running");
  }
});

Deno.test("replace waits until the one before has really ended", () => {
  const { rig, nodes } = ready();
  nodes[0]!.quick = false;
  rig.apply("backup", SCHEDULE("  overlap replace\n"));
  toTick(rig);
  toTick(rig);
  assertEquals(states(rig), ["replaced", "waiting"]);
  nodes[0]!.become("backup.1", "finished", { exit: { why: "stopped", wallMs: 1 } });
  rig.live(1_000);
  assertEquals(states(rig), ["replaced", "running"]);
});

Deno.test("ticks while no conductor was there are told, and made up for once, or not", () => {
  for (
    const [missed, expected] of [
      ["once", ["missed", "running"]],
      ["skip", ["missed"]],
    ] as const
  ) {
    const { rig } = ready();
    rig.apply("backup", SCHEDULE().replace("* *\n", `* * {\n    missed ${missed}\n  }\n`));
    const downMs = 3_600_000 - rig.wallMs % 600_000 + JOB_LATE_MS * 2;
    rig.monoMs += downMs;
    rig.wallMs += downMs;
    rig.restart();
    rig.live(5_000);
    assertEquals(states(rig), [...expected], missed);
    assertEquals(runs(rig)[0]?.ticks, missed === "once" ? 5 : 6);
    assertMatch(runs(rig)[0]?.reason ?? "", /^[56] ticks passed with nobody to start it$/);
  }
});

Deno.test("a schedule keeps its zone's hours when clocks are changed: one run a day, restarts included", () => {
  const rig = new Rig();
  const nodes = [rig.addNode(1)];
  /** The conductor is away until half a minute before this, and there for a minute. */
  const around = (time: string) => {
    const ms = Date.parse(time) - 30_000 - rig.wallMs;
    rig.monoMs += ms;
    rig.wallMs += ms;
    rig.restart();
    rig.live(30_500);
    rig.restart();
    rig.live(30_000);
    if (states(rig).at(-1) === "running") end(rig, nodes, 0);
    rig.live(500);
  };
  rig.wallMs = Date.parse("2026-10-23T12:00:00Z");
  rig.live(4_000);
  rig.apply("backup", job("  schedule 30 2 * * * {\n    timezone Europe/Berlin\n  }\n"));
  // On the 25th it is half past two twice in Berlin.
  const times = ["2026-10-24T00:30", "2026-10-25T00:30", "2026-10-25T01:30", "2026-10-26T01:30"];
  for (const time of times) around(`${time}:00Z`);
  const due = () => runs(rig).map((run) => new Date(run.dueWallMs!).toISOString().slice(0, 16));
  assertEquals(due(), ["2026-10-24T00:30", "2026-10-25T00:30", "2026-10-26T01:30"]);
  assertEquals(states(rig), ["succeeded", "succeeded", "succeeded"]);

  // On the 28th of March there is no half past two.
  rig.down("backup");
  rig.live(1_000);
  const left = Date.parse("2027-03-26T12:00:00Z") - rig.wallMs;
  rig.monoMs += left;
  rig.wallMs += left;
  rig.restart();
  rig.live(4_000);
  rig.apply("backup", job("  schedule 30 2 * * * {\n    timezone Europe/Berlin\n  }\n"));
  const spring = ["2027-03-27T01:30", "2027-03-28T01:30", "2027-03-29T00:30"];
  for (const time of spring) around(`${time}:00Z`);
  assertEquals(due().slice(-3), spring);
});

Deno.test("a clock that is set back runs no tick again", () => {
  const { rig, nodes } = ready();
  rig.apply("backup", SCHEDULE());
  toTick(rig);
  end(rig, nodes, 0);
  rig.live(1_000);
  rig.wallMs -= 120_000;
  rig.live(180_000);
  assertEquals(states(rig), ["succeeded"]);
});

Deno.test("a run whose node vanished is unknown, runs nowhere else, and is told when it is back", () => {
  const { rig, nodes } = ready(2);
  rig.apply("backup", job());
  const [run] = runs(rig);
  const node = nodes.find((each) => each.id === run!.replicas[0]!.node)!;
  node.cut = true;
  rig.live(20_000);
  assertEquals(states(rig), ["unknown"]);
  assertMatch(runs(rig)[0]!.reason!, /^node-[12] is dead: nobody knows how backup\.1 ended$/);
  rig.restart();
  rig.live(20_000);
  assertEquals(states(rig), ["unknown"]);
  assertEquals(runs(rig)[0]!.replicas.length, 1);
  node.statuses.set("backup.1", {
    ...node.statuses.get("backup.1")!,
    state: "finished",
    version: 9,
    exit: { code: 0, why: "exit", wallMs: 1 },
  });
  node.cut = false;
  rig.live(10_000);
  assertEquals([states(rig)[0], runs(rig)[0]?.code], ["succeeded", 0]);
});

Deno.test("a run whose node never comes back is over after a day", () => {
  const { rig, nodes } = ready(2);
  rig.apply("backup", job());
  const node = nodes.find((each) => each.id === runs(rig)[0]!.replicas[0]!.node)!;
  node.cut = true;
  rig.live(20_000);
  rig.monoMs += JOB_UNKNOWN_MS;
  rig.wallMs += JOB_UNKNOWN_MS;
  rig.live(60_000);
  assert(isOver(runs(rig)[0]!));
  assertEquals([states(rig)[0], rig.places("backup")], ["unknown", []]);
});

Deno.test("a run that takes too long is ended, and so says", () => {
  const { rig, nodes } = ready();
  rig.apply("backup", job("  timeout 30s\n"));
  rig.live(29_000);
  assertEquals(states(rig), ["running"]);
  rig.live(3_000);
  assertEquals([states(rig)[0], runs(rig)[0]?.reason], ["timeout", "it took longer than 30 s"]);
  assertEquals([...nodes[0]!.stopped], ["backup.1"]);
  assertEquals(rig.places("backup"), []);
});

Deno.test("a run that ended in time while no conductor was there has not taken too long", () => {
  for (const [ended, expected] of [[true, "succeeded"], [false, "timeout"]] as const) {
    const { rig, nodes } = ready();
    rig.apply("backup", job("  timeout 30s\n"));
    rig.live(1_000);
    rig.monoMs += 60_000;
    rig.wallMs += 60_000;
    const { statuses } = nodes[0]!;
    if (ended) {
      const exit = { code: 0, why: "exit", wallMs: 1 } as const;
      statuses.set("backup.1", {
        ...statuses.get("backup.1")!,
        state: "finished",
        version: 9,
        exit,
      });
    }
    rig.restart();
    rig.live(10_000);
    assertEquals(states(rig), [expected]);
    assertEquals([...nodes[0]!.stopped], ["backup.1"]);
  }
});

Deno.test("a run on a vanished node is unknown past its time, also after a restart, and then told", () => {
  const { rig, nodes } = ready(2);
  rig.apply("backup", job("  timeout 30s\n"));
  const node = nodes.find((each) => each.id === runs(rig)[0]!.replicas[0]!.node)!;
  node.cut = true;
  rig.restart();
  rig.live(60_000);
  assertEquals([states(rig), runs(rig)[0]!.replicas.length], [["unknown"], 1]);
  assert(!isOver(runs(rig)[0]!));
  node.cut = false;
  rig.live(10_000);
  assertEquals([states(rig)[0], runs(rig)[0]?.reason], ["timeout", "it took longer than 30 s"]);
  assertEquals([...node.stopped], ["backup.1"]);
});

Deno.test("of a run on a vanished node the other replicas take no longer than they may", () => {
  const { rig, nodes } = ready(2);
  rig.apply("backup", job("  replicas 2\n  timeout 30s\n"));
  nodes[0]!.cut = true;
  rig.live(60_000);
  assertEquals(states(rig), ["unknown"]);
  assertEquals(nodes.map(({ stopped }) => stopped.size), [0, 1]);
  nodes[0]!.cut = false;
  rig.live(10_000);
  assertEquals([states(rig), rig.places("backup")], [["timeout"], []]);
});

Deno.test("a run that its node refuses has failed, with the reason", () => {
  const { rig, nodes } = ready();
  nodes[0]!.refusal = "its artifact has no digest";
  rig.apply("backup", job());
  rig.live(1_000);
  assertEquals([states(rig)[0], runs(rig)[0]?.reason], ["failed", "its artifact has no digest"]);
  rig.live(5_000);
  assertEquals(rig.places("backup"), []);
});

Deno.test("down ends what runs; a new schedule starts with its own ticks", () => {
  const { rig } = ready();
  rig.apply("backup", job());
  rig.down("backup");
  rig.live(2_000);
  assertEquals([states(rig), rig.places("backup")], [["stopped"], []]);
  rig.wallMs += 3_600_000;
  rig.monoMs += 3_600_000;
  rig.apply("backup", SCHEDULE());
  rig.live(2_000);
  assertEquals(states(rig), ["stopped"]);
});

Deno.test("ticks while the app was down or stopped are nobody's", () => {
  for (const how of ["down", "stopped"] as const) {
    const { rig } = ready();
    rig.apply("backup", SCHEDULE());
    if (how === "down") rig.down("backup");
    else rig.verb("STOP", "backup");
    // One long past, and one that would only be late.
    rig.live(600_000 - rig.wallMs % 600_000 + 600_000 + 30_000);
    if (how === "down") rig.apply("backup", SCHEDULE());
    else rig.verb("START", "backup");
    rig.live(5_000);
    assertEquals(states(rig), [], how);
    toTick(rig);
    assertEquals(states(rig), ["running"], how);
  }
});

Deno.test("a job waits for what it needs, and for a node", () => {
  const rig = new Rig();
  rig.apply("backup", job("  needs base\n"));
  const node = rig.addNode(1);
  rig.live(5_000);
  assertEquals(states(rig), ["waiting"]);
  assertEquals(rig.machine.waiting.get("backup"), ["needs base first"]);
  rig.apply("base", "app base {\n  exec /bin/base\n}\n");
  rig.live(2_000);
  assertEquals(states(rig), ["running"]);
  assert(node.statuses.has("backup.1"));
});

Deno.test("the history is bounded, and never forgets what is not over", () => {
  const { rig, nodes } = ready();
  rig.apply("backup", job());
  for (let run = 0; run < JOB_RUNS + 20; run++) {
    end(rig, nodes, 0);
    rig.live(500);
    ask(rig);
    rig.live(500);
  }
  assertEquals(runs(rig).length, JOB_RUNS);
  assertEquals(states(rig).at(-1), "running");
});

Deno.test("whatever dies when, no tick runs twice and none is lost", () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("live" as const), ms: fc.integer({ min: 250, max: 400_000 }) }),
    fc.record({ do: fc.constant("end" as const), code: fc.integer({ min: 0, max: 2 }) }),
    fc.record({ do: fc.constant("restart" as const) }),
    fc.record({ do: fc.constant("away" as const), ms: fc.integer({ min: 1_000, max: 4_000_000 }) }),
    fc.record({ do: fc.constant("cut" as const), node: fc.integer({ min: 0, max: 1 }) }),
  );
  const overlap = fc.constantFrom("skip", "allow", "replace");
  fc.assert(
    fc.property(overlap, fc.array(step, { maxLength: 14 }), (rule, steps) => {
      const { rig, nodes } = ready(2);
      rig.apply("backup", SCHEDULE(`  overlap ${rule}\n`));
      const begunMs = rig.wallMs;
      for (const each of steps) {
        if (each.do === "live") rig.live(each.ms);
        else if (each.do === "end") {
          const run = runs(rig).find((one) => one.state === "running");
          if (run) {
            end(rig, nodes.filter((node) => !node.cut), each.code, {
              ...run,
              replicas: run.replicas.filter(({ node }) =>
                nodes.some((n) => n.id === node && !n.cut)
              ),
            });
          }
        } else if (each.do === "restart") rig.restart();
        else if (each.do === "cut") nodes[each.node]!.cut = !nodes[each.node]!.cut;
        else {
          rig.monoMs += each.ms;
          rig.wallMs += each.ms;
          rig.restart();
        }
      }
      for (const node of nodes) node.cut = false;
      rig.live(90_000);
      const all = rig.log.flatMap(({ body }) =>
        body.kind === "decision" ? (body.runs ?? []).map(({ run }) => run) : []
      );
      const known = new Map(all.map((run) => [run.run, run]));
      const due = [...known.values()].flatMap((run) => Array(run.ticks ?? 1).fill(run.dueWallMs));
      const ticks = Math.floor(rig.wallMs / 600_000) - Math.floor(begunMs / 600_000);
      assertEquals(due.length, ticks, "each tick is one line of history");
      const single = [...known.values()].filter((run) => run.ticks === undefined);
      assertEquals(new Set(single.map((run) => run.dueWallMs)).size, single.length);
    }),
    { numRuns: 40 },
  );
});
