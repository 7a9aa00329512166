import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { PROBE_MIN_MS } from "../core/limits.ts";
import { FakeWorld, makeRecord, NODE } from "./fake_world.ts";

const HEALTH = "  health {\n    check GET /health 200\n    interval 1s\n  }";
const WEB = `  port 8001\n${HEALTH}`;

/** A node on which `web-1` is ready by record 1. */
function ready(): FakeWorld {
  const world = new FakeWorld().start();
  world.record(1, "web", WEB);
  world.run("web-1", "web", 1);
  world.advance(PROBE_MIN_MS);
  assertEquals(world.statuses.get("web-1")?.state, "ready");
  world.take("register");
  return world;
}

const record = (world: FakeWorld, sequence: number, lines: string, fallback?: number) =>
  world.event({
    on: "record",
    record: makeRecord(sequence, "web", lines, undefined, fallback),
  });
const launches = (world: FakeWorld) =>
  world.effects.flatMap((each) => each.do === "launch" ? [each.replica] : []);

Deno.test("an older generation than the newest held is not started, unless that one names it", () => {
  const world = ready();
  record(world, 2, `${WEB}\n  args 2`);
  world.run("web-2", "web", 1);
  const [refused] = world.take("run-refused");
  assertStringIncludes(refused!.reason, "generation 1 of web is not to be started any more");
  assertEquals(world.statuses.has("web-2"), false);
  assertEquals(world.statuses.get("web-1")?.state, "ready", "what runs goes on");
  record(world, 3, `${WEB}\n  args 3`, 1);
  world.run("web-3", "web", 1);
  world.run("web-4", "web", 2);
  assertEquals(world.take("run-refused").map((each) => each.replica), ["web-4"]);
  assertEquals(launches(world), ["web-1", "web-3"]);
});

Deno.test("the same after the daemon's restart, from the records on its disk", () => {
  const before = ready();
  record(before, 2, `${WEB}\n  args 2`);
  before.records.push(makeRecord(1, "web", WEB), makeRecord(2, "web", `${WEB}\n  args 2`));
  const world = before.reborn("2".repeat(16));
  world.run("web-2", "web", 1);
  world.advance(10);
  assertEquals(launches(world), []);
  assertEquals(world.statuses.get("web-2")?.state ?? "finished", "finished");
});

Deno.test("a newer record that no operator signed forbids nothing", () => {
  const world = ready();
  const forged = makeRecord(2, "web", `${WEB}\n  args 2`, "f".repeat(64));
  world.event({ on: "record", record: forged });
  world.run("web-2", "web", 1);
  assertEquals(world.take("run-refused"), []);
  assertEquals(launches(world), ["web-1", "web-2"]);
});

Deno.test("an order that calls a record another generation than it is signed for is refused", () => {
  const world = ready();
  record(world, 2, `${WEB}\n  args 2`);
  const order = { k: "run", node: NODE, app: "web", sequence: 1, index: 0 } as const;
  world.mesh({ ...order, replica: "web-2", generation: 9 });
  const [refused] = world.take("run-refused");
  assertEquals(refused!.reason, "record 1 is generation 1, not 9");
});

Deno.test("a replica goes on by another record where its program is the same", () => {
  const world = ready();
  const pid = world.statuses.get("web-1")!.pid;
  record(world, 2, `${WEB}\n  drain 9s\n  route {\n    path /x\n  }`);
  world.run("web-1", "web", 2);
  assertEquals(world.take("run-refused"), []);
  const status = world.statuses.get("web-1")!;
  assertEquals([status.generation, status.state, status.pid], [2, "ready", pid]);
  assertEquals(launches(world), ["web-1"]);
  assertEquals(world.take("register").map((each) => each.endpoints[0]?.generation), [2]);
  assertEquals(world.disk.get("web-1")?.sequence, 2);
  assertEquals(world.effects.some((each) => each.do === "signal"), false);
});

Deno.test("how often it is probed from then on is in the new record", () => {
  const world = ready();
  const patient = HEALTH.replace("1s", "5s");
  record(world, 2, `  port 8001\n${patient}`);
  world.run("web-1", "web", 2);
  // Probed at once, then after the new interval.
  world.advance(100);
  world.effects.length = 0;
  world.advance(4_800);
  assertEquals(world.effects.filter((each) => each.do === "probe"), []);
  world.advance(200);
  assertEquals(world.effects.filter((each) => each.do === "probe").length, 1);
  assertEquals(world.statuses.get("web-1")?.state, "ready");
});

Deno.test("a check that it has not passed is not put upon a replica that serves", () => {
  const world = ready();
  const pid = world.statuses.get("web-1")!.pid;
  record(world, 2, WEB.replace("/health", "/no-such-path"));
  world.run("web-1", "web", 2);
  const [refused] = world.take("run-refused");
  assertStringIncludes(refused!.reason, "its health.check is another one");
  const { state, generation } = world.statuses.get("web-1")!;
  assertEquals([state, generation, world.statuses.get("web-1")!.pid], ["ready", 1, pid]);
});

Deno.test("a relabel waits for its record, and is refused where the program differs", () => {
  const world = ready();
  world.run("web-1", "web", 2);
  assertEquals(world.statuses.get("web-1")?.generation, 1);
  record(world, 2, `${WEB}\n  drain 9s`);
  assertEquals(world.statuses.get("web-1")?.generation, 2);
  record(world, 3, `${WEB}\n  args other`);
  world.run("web-1", "web", 3);
  const [refused] = world.take("run-refused");
  assertEquals(refused!.reason, "web-1 cannot go on as generation 3: its args is another one");
  assertEquals(world.statuses.get("web-1")?.generation, 2);
});

Deno.test("a relabelled replica is adopted as what it has become", () => {
  const before = ready();
  record(before, 2, `${WEB}\n  drain 9s`);
  before.run("web-1", "web", 2);
  before.records.push(makeRecord(1, "web", WEB), makeRecord(2, "web", `${WEB}\n  drain 9s`));
  const world = before.reborn("2".repeat(16));
  world.advance(2_000);
  const status = world.statuses.get("web-1")!;
  assertEquals([status.generation, status.state], [2, "ready"]);
  assertEquals(launches(world), []);
});

const BEFORE = `${WEB}\n  before {\n    exec /bin/migrate\n    args --all\n    timeout 30s\n  }`;

Deno.test("before is run once and to its end: no port, no probes, no tower", () => {
  const world = new FakeWorld().start();
  world.record(1, "web", BEFORE);
  world.run("web-1", "web", 1, 0, "before");
  world.advance(10_000);
  const launch = world.effects.find((each) => each.do === "launch");
  assert(launch?.do === "launch");
  assertEquals([launch.plan.exec, launch.plan.args], ["/bin/migrate", ["--all"]]);
  assertEquals(launch.plan.env.PORT, undefined);
  assertEquals(world.statuses.get("web-1")?.state, "starting");
  world.die("web-1", { code: 0 });
  const status = world.statuses.get("web-1")!;
  assertEquals([status.state, status.exit?.code, status.exit?.why], ["finished", 0, "exit"]);
  assertEquals(world.take("register"), []);
  assertEquals(world.effects.some((each) => each.do === "probe"), false);
});

Deno.test("a before that takes longer than it may is ended, and is not run again", () => {
  const world = new FakeWorld().start();
  world.record(1, "web", BEFORE);
  world.run("web-1", "web", 1, 0, "before");
  world.advance(29_000);
  assertEquals(world.statuses.get("web-1")?.state, "starting");
  world.advance(5_000);
  const status = world.statuses.get("web-1")!;
  assertEquals([status.state, status.exit?.why], ["finished", "timeout"]);
  assertEquals(launches(world), ["web-1"]);
});

Deno.test("the before of a record that has none is refused", () => {
  const world = new FakeWorld().start();
  world.record(1, "web", WEB);
  world.run("web-1", "web", 1, 0, "before");
  assertEquals(world.take("run-refused").map((each) => each.reason), ["record 1 has no before"]);
});

Deno.test("an order that comes before the START it follows is held until that record is there", () => {
  const before = new FakeWorld().start();
  const verb = (sequence: number, name: "STOP" | "START") => ({
    ...makeRecord(sequence, "web", WEB),
    text: `${name}|id-${sequence}-web-x|web|1700000000`,
  });
  before.records.push(makeRecord(1, "web", WEB), verb(2, "STOP"));
  const world = before.reborn("2".repeat(16));
  // Its record lies on the disk and is verified only now: the order is accepted before.
  world.run("web-1", "web", 1);
  world.advance(10);
  assertEquals(launches(world), []);
  assertEquals(world.statuses.get("web-1")?.state, "waiting");
  assertStringIncludes(world.statuses.get("web-1")?.reason ?? "", "an operator has ended it");
  world.event({ on: "record", record: verb(3, "START") });
  world.advance(10);
  assertEquals(launches(world), ["web-1"]);
});
