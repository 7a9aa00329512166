import { assertEquals } from "@std/assert";
import { BACKOFF_MAX_MS, JOB_RETRIES } from "../core/limits.ts";
import { FakeWorld } from "./fake_world.ts";

function started(lines: string): FakeWorld {
  const world = new FakeWorld().start();
  world.record(1, "backup", `  type job\n${lines}`);
  world.run("backup.1", "backup", 1);
  world.advance(100);
  return world;
}

const ended = (code: number, instance: number) =>
  ({
    on: "exited",
    replica: "backup.1",
    instance,
    ended: { code, lost: false, notLaunched: false, tail: "" },
  }) as const;

Deno.test("a job that succeeds is finished at once", () => {
  const world = started("");
  world.processes.clear();
  world.event(ended(0, 1));
  const status = world.statuses.get("backup.1");
  assertEquals([status?.state, status?.exit?.code, status?.restarts], ["finished", 0, 0]);
});

Deno.test("a job that fails is tried again as often as it may, and then finished", () => {
  for (
    const [lines, retries] of [["", JOB_RETRIES], ["  retries 1", 1], ["  retries 0", 0]] as const
  ) {
    const world = started(lines);
    for (let attempt = 1; attempt <= retries + 1; attempt++) {
      world.processes.clear();
      world.event(ended(3, attempt));
      world.advance(BACKOFF_MAX_MS);
    }
    const status = world.statuses.get("backup.1");
    assertEquals([status?.state, status?.exit?.code, status?.restarts], ["finished", 3, retries]);
    assertEquals(world.effects.filter((each) => each.do === "launch").length, retries + 1);
  }
});
