import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { MEMORY_BURST, MEMORY_SAMPLES, PROBE_MIN_MS } from "../core/limits.ts";
import { FakeWorld } from "./fake_world.ts";
import { isNearLimit, judgeMemory } from "./memory.ts";

const MIB = 2 ** 20;

Deno.test("judgeMemory() takes three samples in a row above the limit", () => {
  const sample = fc.integer({ min: 0, max: MEMORY_BURST * 100 });
  fc.assert(fc.property(fc.array(sample, { maxLength: 30 }), (samples) => {
    let over = 0;
    samples.forEach((used, at) => {
      const verdict = judgeMemory(over, used * MIB, 100 * MIB);
      over = verdict.over;
      const last = samples.slice(Math.max(0, at - MEMORY_SAMPLES + 1), at + 1);
      const out = last.length === MEMORY_SAMPLES && last.every((each) => each > 100);
      assertEquals(verdict.detail !== undefined, out, `${samples} at ${at}`);
      assertEquals(verdict.atOnce, false);
    });
  }));
});

Deno.test("judgeMemory() does not wait for a program that takes the memory of others", () => {
  assertEquals(judgeMemory(0, (MEMORY_BURST * 100 + 1) * MIB, 100 * MIB), {
    over: 1,
    detail: "it holds 201 of its 100 MiB",
    atOnce: true,
  });
  assertEquals(isNearLimit(81, 100), true);
  assertEquals(isNearLimit(79, 100), false);
});

/** A world with one ready replica of 64 MiB. */
function world(lines = ""): FakeWorld {
  const world = new FakeWorld().start();
  world.record(1, "web", `  port 8001\n  ram 64mb\n  health {\n    check TCP\n  }\n${lines}`);
  world.run("web-1", "web", 1);
  world.advance(PROBE_MIN_MS);
  assertEquals(world.statuses.get("web-1")?.state, "ready");
  return world;
}

function use(world: FakeWorld, mebibytes: number, limited = false, times = 1): void {
  const instance = world.processes.get("web-1")?.instance ?? 0;
  const residentBytes = mebibytes * MIB;
  for (let count = 0; count < times; count++) {
    world.event({ on: "uses", uses: [{ replica: "web-1", instance, residentBytes, limited }] });
  }
}

const signals = (world: FakeWorld) =>
  world.effects.flatMap((each) => each.do === "signal" ? [each.signal] : []);

Deno.test("a replica over its memory leaves the tower, is ended, told as oom and started again", () => {
  const of = world();
  use(of, 65, false, 2);
  use(of, 60);
  use(of, 65, false, 2);
  assertEquals([of.statuses.get("web-1")?.state, signals(of)], ["ready", []]);
  const { pid } = of.processes.get("web-1")!;
  use(of, 70);
  assertEquals(signals(of), ["SIGTERM"]);
  assertEquals(of.take("deregister").map((each) => each.replica), ["web-1"]);
  const status = of.statuses.get("web-1");
  assertEquals([status?.exit?.why, status?.exit?.signal, status?.restarts], ["oom", "SIGTERM", 1]);
  assertStringIncludes(status?.reason ?? "", "out of memory: it holds 70 of its 64 MiB");
  assertEquals(of.processes.get("web-1")!.pid, pid + 1);
  of.advance(PROBE_MIN_MS);
  assertEquals(of.statuses.get("web-1")?.state, "ready");
  // The count begins anew with each start.
  use(of, 70, false, 2);
  assertEquals(signals(of), ["SIGTERM"]);
});

Deno.test("a replica far over its memory gets no time; one that will not end is killed", () => {
  const far = world();
  use(far, 129);
  assertEquals(signals(far), ["SIGKILL"]);
  assertEquals(far.statuses.get("web-1")?.exit?.why, "oom");

  const deaf = world("  grace 5s");
  deaf.ignored.add("SIGTERM");
  use(deaf, 70, false, 3);
  assertEquals(deaf.statuses.get("web-1")?.state, "starting");
  use(deaf, 129);
  assertEquals(signals(deaf), ["SIGTERM", "SIGKILL"]);
  assertEquals(deaf.statuses.get("web-1")?.exit, {
    signal: "SIGKILL",
    why: "oom",
    wallMs: deaf.statuses.get("web-1")!.exit!.wallMs,
  });

  const patient = world("  grace 5s");
  patient.ignored.add("SIGTERM");
  use(patient, 70, false, 3);
  patient.advance(4_900);
  assertEquals(signals(patient), ["SIGTERM"]);
  patient.advance(200);
  assertEquals(signals(patient), ["SIGTERM", "SIGKILL"]);
});

Deno.test("memory that the kernel limits is not judged; its verdict is told as oom", () => {
  const of = world();
  use(of, 500, true, 5);
  assertEquals(signals(of), []);
  of.die("web-1", { signal: "SIGKILL", oom: true });
  const status = of.statuses.get("web-1");
  assertEquals([status?.exit?.why, status?.restarts], ["oom", 1]);
  assertMatch(status?.reason ?? "", /^out of memory \(ended by SIGKILL\)/);
});

Deno.test("what is measured of an earlier start, or without ram in the manifest, says nothing", () => {
  const of = world();
  of.event({
    on: "uses",
    uses: [{ replica: "web-1", instance: 7, residentBytes: 900 * MIB, limited: false }],
  });
  assertEquals(signals(of), []);
  const free = new FakeWorld().start();
  free.record(1, "web", "  port 8001");
  free.run("web-1", "web", 1);
  free.advance(PROBE_MIN_MS);
  use(free, 9_000, false, 5);
  assertEquals(signals(free), []);
});

Deno.test("restart on-failure starts one again that was out of memory; never does not", () => {
  for (const [policy, state] of [["on-failure", "starting"], ["never", "finished"]] as const) {
    const of = world(`  restart ${policy}`);
    use(of, 70, false, 3);
    const status = of.statuses.get("web-1");
    assertEquals([status?.state, status?.exit?.why], [state, "oom"]);
  }
});

Deno.test("a new daemon goes on watching the memory of what it adopted", () => {
  const of = world().reborn("c".repeat(16));
  use(of, 70, false, 3);
  assertEquals(of.statuses.get("web-1")?.exit?.why, "oom");
});
