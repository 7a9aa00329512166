import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  BACKOFF_MIN_MS,
  FOLLOW_ANEW_MS,
  FOLLOW_STUCK_MS,
  LEASE_RENEW_MS,
  PROBE_MIN_MS,
  STEADY_DATAGRAM_BYTES,
  TOMBSTONE_MS,
} from "../core/limits.ts";
import { digestOf, encodeMesh } from "../core/mesh.ts";
import { FakeWorld, makeRecord, NODE } from "./fake_world.ts";
import type { SavedReplica } from "./saved.ts";

const HEALTH = "  health {\n    check GET /health 200\n    interval 1s\n  }";
const WEB = `  port 8001\n${HEALTH}`;

function ready(lines = WEB, world = new FakeWorld().start()): FakeWorld {
  world.record(1, "web", lines);
  world.run("web-1", "web", 1);
  world.advance(PROBE_MIN_MS);
  assertEquals(world.statuses.get("web-1")?.state, "ready");
  return world;
}

Deno.test("run: the record is there: port, launch, probe, ready, registered", () => {
  const world = ready();
  const order = world.effects.filter((each) => ["send", "save", "log"].includes(each.do) === false);
  assertEquals(order.map((each) => each.do), [
    "verify",
    "keep-record",
    "try-port",
    "launch",
    "probe",
    "check-owner",
  ]);
  assertEquals(world.take("run-ok").length, 1);
  const [page] = world.take("register");
  assertEquals(page?.endpoints, [{
    replica: "web-1",
    app: "web",
    generation: 1,
    node: "node-1",
    host: "10.0.0.5",
    port: 8001,
  }]);
  assertEquals(world.disk.get("web-1")?.stage, "ready");
});

Deno.test("a replica is ready for others once the tower has said that it lists it", () => {
  const world = new FakeWorld().start();
  world.towerAnswers = false;
  world.record(1, "web", WEB);
  world.run("web-1", "web", 1);
  world.advance(PROBE_MIN_MS);
  const status = world.statuses.get("web-1");
  assertEquals([status?.state, status?.reason], ["starting", "waits for the tower to list it"]);
  world.advance(5_000);
  assertEquals(world.statuses.get("web-1")?.state, "starting");
  assertEquals(world.disk.get("web-1")?.stage, "ready", "the next start must drain it");
  world.towerAnswers = true;
  world.advance(2_000);
  assertEquals(world.statuses.get("web-1")?.state, "ready");
  assertEquals(world.statuses.get("web-1")?.reason, undefined);
  assertEquals(world.disk.get("web-1")?.stage, "ready");
});

Deno.test("an answer to a whole registration lists everything that it names", () => {
  const world = new FakeWorld().start();
  world.towerAnswers = false;
  world.record(1, "web", WEB);
  world.run("web-1", "web", 1);
  world.advance(PROBE_MIN_MS + LEASE_RENEW_MS);
  const tower = "d".repeat(16);
  world.mesh({ k: "lease-ok", tower, node: NODE, digest: 0 });
  const [whole] = world.take("register").slice(-1);
  world.mesh({ k: "register-ok", tower, node: NODE, request: whole!.request });
  assertEquals(world.statuses.get("web-1")?.state, "ready");
});

Deno.test("run comes before its record: waiting with the reason, then it starts", () => {
  const world = new FakeWorld().start();
  world.run("web-1", "web", 1);
  const status = world.statuses.get("web-1");
  assertEquals(status?.state, "waiting");
  assertStringIncludes(status?.reason ?? "", "record 1");
  assertEquals(world.take("run-ok").length, 1);
  world.record(1, "web", WEB);
  assertEquals(world.statuses.get("web-1")?.state, "starting");
});

Deno.test("run repeated: answered each time, launched once", () => {
  const world = ready();
  for (let times = 0; times < 3; times++) world.run("web-1", "web", 1);
  assertEquals(world.take("run-ok").length, 4);
  assertEquals(world.effects.filter((each) => each.do === "launch").length, 1);
});

Deno.test("run of a record that does not verify is refused, before and after it was accepted", () => {
  const stranger = "f".repeat(64);
  const late = new FakeWorld().start();
  late.run("web-1", "web", 1);
  late.record(1, "web", WEB, stranger);
  assertEquals(late.take("run-refused").map((each) => each.reason), ["signed by a stranger"]);
  assertEquals(late.statuses.get("web-1")?.state, "finished");
  assertEquals(late.processes.size, 0);

  const early = new FakeWorld().start();
  early.record(1, "web", WEB, stranger);
  early.run("web-1", "web", 1);
  assertEquals(early.take("run-refused").length, 1);
  assertEquals(early.statuses.size, 0);
  // The copy is a chain: what does not count is a link of it all the same.
  assertEquals(early.effects.some((each) => each.do === "keep-record"), true);
});

Deno.test("run of a record of another app, of none, or of one past the log's head is refused", () => {
  const world = new FakeWorld().start();
  world.record(1, "web", WEB);
  world.run("a-1", "api", 1);
  world.event({ on: "head", sequence: 5 });
  world.run("a-2", "api", 4);
  world.run("a-3", "api", 9);
  const refused = world.take("run-refused").map((each) => [each.replica, each.reason]);
  assertEquals(refused.map(([replica]) => replica), ["a-1", "a-2"]);
  assertStringIncludes(refused[0]![1]!, "is of web");
  assertEquals(world.statuses.get("a-3")?.state, "waiting");
  assertEquals(world.processes.size, 0);
});

Deno.test("a manifest that this node cannot run is refused with the reason", () => {
  const world = new FakeWorld().start();
  world.record(1, "web", "  sandbox {\n    read /x\n  }");
  world.run("web-1", "web", 1);
  assertStringIncludes(world.take("run-refused")[0]?.reason ?? "", "sandbox");
});

Deno.test("a taken port is stepped around, a fixed one is waited for", () => {
  const world = new FakeWorld();
  world.takenPorts.add(8001);
  ready(WEB, world.start());
  assertEquals(world.statuses.get("web-1")?.port, 20_000);

  const fixed = new FakeWorld().start();
  fixed.takenPorts.add(8001);
  fixed.record(1, "web", `  port 8001 fixed\n${HEALTH}`);
  fixed.run("web-1", "web", 1);
  assertEquals(fixed.statuses.get("web-1")?.state, "waiting");
  assertStringIncludes(fixed.statuses.get("web-1")?.reason ?? "", "port 8001 is fixed");
  fixed.takenPorts.clear();
  fixed.advance(1_100);
  assertEquals(fixed.statuses.get("web-1")?.state, "ready");
});

Deno.test("two replicas of an app on one node get different ports", () => {
  const world = ready();
  world.run("web-2", "web", 1, 1);
  world.advance(PROBE_MIN_MS);
  assertEquals([...world.statuses.values()].map((each) => each.port), [8001, 20_000]);
});

Deno.test("a finished replica's port is handed to the next", () => {
  const world = ready(`${WEB}\n  restart never`);
  world.die("web-1", { code: 0 });
  world.run("web-2", "web", 1, 1);
  world.advance(PROBE_MIN_MS);
  assertEquals(world.statuses.get("web-2")?.port, 8001);
});

Deno.test("news of an earlier start of a replica change nothing", () => {
  const world = ready();
  world.die("web-1");
  const before = world.statuses.get("web-1");
  const late = { replica: "web-1", instance: 1 };
  const ended = { code: 9, lost: false, notLaunched: false, tail: "" };
  world.event({ on: "exited", ...late, ended });
  world.event({ on: "launched", ...late, pid: 7 });
  world.event({ on: "launch-failed", ...late, reason: "late" });
  world.event({ on: "owner", ...late, owner: "other", detail: "late" });
  world.event({
    on: "probed",
    replica: "web-1",
    probe: "web-1#1",
    result: "failed",
    detail: "late",
  });
  world.event({ on: "port-tried", replica: "web-1", port: 1, free: true });
  assertEquals(world.statuses.get("web-1"), before);
});

Deno.test("a replica answered by somebody else's socket is not ready and says whose it is", () => {
  const world = new FakeWorld().start();
  world.owner = "other";
  world.record(1, "web", WEB);
  world.run("web-1", "web", 1);
  world.advance(100);
  const status = world.statuses.get("web-1");
  assertEquals(status?.state, "starting");
  assertStringIncludes(status?.reason ?? "", "pid 77 (nginx)");
  assertEquals(world.take("register").flatMap((each) => each.endpoints), []);
  world.owner = "own";
  world.advance(1_000);
  assertEquals(world.statuses.get("web-1")?.state, "ready");
});

Deno.test("without a port and a check a replica is ready when it has lived a moment", () => {
  const world = ready("  args x");
  assertEquals(world.effects.some((each) => each.do === "probe"), false);
  assertEquals(world.take("register").flatMap((each) => each.endpoints), []);
});

Deno.test("a crash: deregistered and started again within the same step, on the same port", () => {
  const world = ready();
  world.take("register");
  world.die("web-1", { signal: "SIGSEGV", tail: "core dumped" });
  assertEquals(world.take("deregister").map((each) => each.replica), ["web-1"]);
  const status = world.statuses.get("web-1")!;
  assertEquals([status.state, status.restarts, status.port], ["starting", 1, 8001]);
  assertEquals([status.exit?.signal, status.exit?.why, status.exit?.tail], [
    "SIGSEGV",
    "exit",
    "core dumped",
  ]);
  assertEquals(world.processes.get("web-1")?.instance, 2);
  world.advance(PROBE_MIN_MS);
  assertEquals(world.take("register").length, 1);
  assertEquals(world.statuses.get("web-1")?.state, "ready");
});

Deno.test("a program that keeps crashing waits longer each time and says why", () => {
  const world = new FakeWorld().start();
  world.health = "refused";
  world.record(1, "web", WEB);
  world.run("web-1", "web", 1);
  world.die("web-1", { code: 3, tail: "no database" });
  assertEquals(world.statuses.get("web-1")?.state, "starting");
  world.die("web-1", { code: 3, tail: "no database" });
  const status = world.statuses.get("web-1")!;
  assertEquals([status.state, status.exit?.code, status.exit?.tail], ["waiting", 3, "no database"]);
  assertStringIncludes(status.reason ?? "", "exited with code 3; starts again after 0.1 s");
  world.advance(BACKOFF_MIN_MS - 1);
  assertEquals(world.processes.size, 0);
  world.advance(1);
  assertEquals(world.processes.size, 1);
});

Deno.test("restart never and on-failure finish where they should", () => {
  const end = (policy: string, code: number) => {
    const world = ready(`  restart ${policy}`);
    world.die("web-1", { code });
    return world.statuses.get("web-1")?.state;
  };
  assertEquals([end("never", 1), end("on-failure", 0)], ["finished", "finished"]);
  assertEquals([end("on-failure", 1), end("always", 0)], ["starting", "starting"]);
});

Deno.test("an unhealthy replica is deregistered, ended, killed after its grace, started again", () => {
  const world = ready();
  world.health = "failed";
  world.ignored.add("SIGTERM");
  world.advance(3_500);
  assertEquals(world.take("deregister").length > 0, true);
  const signals = () => world.effects.flatMap((each) => each.do === "signal" ? [each.signal] : []);
  assertEquals(signals(), ["SIGTERM"]);
  assertStringIncludes(world.statuses.get("web-1")?.reason ?? "", "GET /health answered 500");
  world.advance(2_000);
  assertEquals(signals(), ["SIGTERM", "SIGKILL"]);
  assertEquals(world.statuses.get("web-1")?.exit?.why, "unhealthy");
  assertEquals(world.processes.get("web-1")?.instance, 2);
});

Deno.test("a lost prober fails nobody", () => {
  const world = ready();
  world.manual = true;
  for (let round = 0; round < 10; round++) {
    world.advance(1_000);
    world.pending.length = 0;
    world.event({ on: "probes-lost" });
  }
  assertEquals(world.statuses.get("web-1")?.state, "ready");
});

Deno.test("a machine that was asleep holds nothing against its replicas", () => {
  const world = ready();
  world.manual = true;
  for (let round = 0; round < 6; round++) {
    world.advance(1_100);
    const probe = world.pending.findLast((each) => each.do === "probe")!;
    // Stopped for 5 s: the prober's own timeout ran out meanwhile.
    world.monoMs += 5_000;
    world.health = "failed";
    world.answer(probe);
  }
  assertEquals(world.statuses.get("web-1")?.state, "ready");
});

Deno.test("stop: deregistered, drained, then signalled, then finished and dropped when heard", () => {
  const world = ready();
  world.stop("web-1");
  assertEquals(world.take("stop-ok").length, 1);
  assertEquals(world.statuses.get("web-1")?.state, "stopping");
  assertEquals(world.effects.some((each) => each.do === "signal"), false);
  const answer = (drained: boolean) =>
    world.mesh({
      k: "deregister-ok",
      tower: "d".repeat(16),
      node: NODE,
      replica: "web-1",
      drained,
    });
  answer(false);
  world.advance(300);
  assert(world.take("deregister").length >= 2);
  answer(true);
  const status = world.statuses.get("web-1")!;
  assertEquals([status.state, status.exit?.why], ["finished", "stopped"]);
  world.acknowledge();
  assertEquals(world.statuses.size, 0);
  assertEquals(world.disk.get("web-1")?.dropped, true);
});

Deno.test("stop: a tower that never answers delays SIGTERM by the drain time only", () => {
  const world = ready(`${WEB}\n  drain 700ms`);
  world.stop("web-1");
  world.advance(699);
  assertEquals(world.statuses.get("web-1")?.state, "stopping");
  assertEquals(world.processes.size, 1);
  world.advance(1);
  assertEquals(world.processes.size, 0);
});

Deno.test("stop: SIGKILL follows the grace, and again if need be", () => {
  const world = ready("  grace 500ms\n  stop-signal SIGINT");
  world.ignored.add("SIGINT").add("SIGKILL");
  world.stop("web-1");
  world.advance(500);
  world.ignored.clear();
  world.advance(1_000);
  const signals = world.effects.flatMap((each) => each.do === "signal" ? [each.signal] : []);
  assertEquals(signals, ["SIGINT", "SIGKILL", "SIGKILL"]);
  assertEquals(world.statuses.get("web-1")?.state, "finished");
});

Deno.test("stop while its launcher is on its way: signalled as soon as it runs", () => {
  const world = new FakeWorld().start();
  world.record(1, "web", WEB);
  world.manual = true;
  world.launchersAreThere = true;
  world.run("web-1", "web", 1);
  world.stop("web-1");
  assertEquals(world.statuses.get("web-1")?.state, "stopping");
  world.answer(world.pending.find((each) => each.do === "launch")!);
  assertEquals(world.statuses.get("web-1")?.state, "finished");
  assertEquals(world.processes.size, 0);
});

Deno.test("stop before there is a launcher: the start is called off, and nothing runs", () => {
  const world = new FakeWorld().start();
  world.record(1, "web", WEB);
  world.manual = true;
  world.run("web-1", "web", 1);
  world.stop("web-1");
  assertEquals(world.statuses.get("web-1")?.state, "finished");
  assertEquals(world.statuses.get("web-1")?.exit?.why, "stopped");
  assertEquals(world.pending.some((each) => each.do === "launch"), false);
});

Deno.test("stop of an unknown id is answered, and a late run of it starts nothing", () => {
  const world = new FakeWorld().start();
  world.record(1, "web", WEB);
  world.stop("web-9");
  world.stop("web-9");
  assertEquals(world.take("stop-ok").length, 2);
  assertEquals(world.effects.filter((each) => each.do === "tombstone").length, 1);
  world.run("web-9", "web", 1);
  assertEquals(world.take("run-refused").length, 1);
  assertEquals(world.processes.size, 0);
});

Deno.test("a late run of a replica that was stopped and dropped starts nothing", () => {
  const world = ready("");
  world.stop("web-1");
  world.acknowledge();
  world.run("web-1", "web", 1);
  assertEquals(world.take("run-refused").length, 1);
  assertEquals(world.processes.size, 0);
});

Deno.test("tombstones are remembered across a restart, and not for ever", () => {
  const wallMs = 1_700_000_000_000;
  const world = new FakeWorld().start({ tombstones: [["web-1", wallMs]] });
  world.record(1, "web", WEB);
  world.run("web-1", "web", 1);
  assertEquals(world.take("run-refused").length, 1);
  world.monoMs += TOMBSTONE_MS;
  world.stop("web-2");
  world.run("web-1", "web", 1);
  assertEquals(world.take("run-refused").length, 0);
});

Deno.test("finished by itself: listed until a stop comes, dropped then", () => {
  const world = ready("  restart never");
  world.die("web-1", { code: 0 });
  world.acknowledge();
  assertEquals(world.statuses.get("web-1")?.state, "finished");
  world.stop("web-1");
  assertEquals(world.statuses.size, 0);
});

Deno.test("run of what has finished by itself starts nothing and tells the outcome again", () => {
  const world = ready("  restart never");
  world.die("web-1", { code: 0 });
  world.acknowledge();
  world.take("status");
  world.run("web-1", "web", 1);
  assertEquals(world.take("status").map((each) => each.status.state), ["finished"]);
  assertEquals(world.take("run-refused"), []);
  assertEquals(world.processes.size, 0);
});

Deno.test("statuses are repeated until they are acknowledged, with backoff", () => {
  const world = new FakeWorld().start();
  world.run("web-1", "web", 1);
  world.advance(1_000);
  const sent = world.take("status").length;
  assert(sent >= 3 && sent <= 6, `sent ${sent} times`);
  world.acknowledge();
  world.advance(10_000);
  assertEquals(world.take("status"), []);
});

Deno.test("an acknowledgement of an older version does not count", () => {
  const world = new FakeWorld().start();
  world.run("web-1", "web", 1);
  const { version } = world.statuses.get("web-1")!;
  world.record(1, "web", WEB);
  world.mesh({ k: "status-ok", node: NODE, replica: "web-1", version });
  world.take("status");
  world.advance(5_000);
  assert(world.take("status").length > 0);
});

Deno.test("beats carry the digest of what is listed, at the conductor's pace", () => {
  const world = ready();
  world.take("beat");
  world.mesh({ k: "beat-ok", conductor: "c".repeat(16), node: NODE, beat: 1, everyMs: 1_000 });
  world.advance(5_000);
  const beats = world.take("beat");
  assert(beats.length >= 5 && beats.length <= 6, `${beats.length} beats`);
  const digest = digestOf(world.machine.statuses().map((each) => [each.replica, each.version]));
  assertEquals([beats.at(-1)?.digest, beats.at(-1)?.replicas], [digest, 1]);
  assertEquals(beats.at(-1)?.sequence, 1);
});

Deno.test("a report lists everything in steady datagrams", () => {
  const world = new FakeWorld({ ports: { first: 20_000, last: 29_999 } }).start();
  world.record(1, "web", WEB);
  for (let index = 0; index < 100; index++) world.run(`web-${index}`, "web", 1, index);
  world.mesh({
    k: "beat-ok",
    conductor: "c".repeat(16),
    node: NODE,
    beat: 1,
    everyMs: 250,
    reportPlease: "r1",
  });
  const pages = world.take("report");
  assertEquals(new Set(pages.map((each) => each.page)).size, pages[0]?.pages);
  assertEquals(pages.flatMap((each) => each.statuses).length, 100);
  for (const page of pages) assert(encodeMesh(page).length <= STEADY_DATAGRAM_BYTES);
});

Deno.test("every datagram stays a steady one, whatever a program wrote", () => {
  const world = ready();
  for (const tail of ["€".repeat(4_000), '"\\'.repeat(2_000), "\x1b[31m\x00\x01".repeat(900)]) {
    world.die("web-1", { code: 1, tail });
    world.advance(40_000);
  }
  for (const effect of world.effects) {
    if (effect.do !== "send") continue;
    const bytes = new TextEncoder().encode(effect.text).length;
    assert(bytes <= STEADY_DATAGRAM_BYTES, `${bytes} bytes: ${effect.text}`);
  }
});

Deno.test("a new conductor is followed anew", () => {
  const world = new FakeWorld().start();
  const hear = (conductor: string) =>
    world.mesh({ k: "beat-ok", conductor, node: NODE, beat: 1, everyMs: 250 });
  hear("c".repeat(16));
  hear("c".repeat(16));
  assertEquals(world.effects.some((each) => each.do === "follow"), false);
  hear("e".repeat(16));
  assertEquals(world.effects.filter((each) => each.do === "follow").length, 1);
});

Deno.test("after a long silence the log is followed anew, since nobody knows what became of the stream", () => {
  const world = new FakeWorld().start();
  const hear = () =>
    world.mesh({ k: "beat-ok", conductor: "c".repeat(16), node: NODE, beat: 1, everyMs: 250 });
  const follows = () => world.effects.filter((each) => each.do === "follow").length;
  hear();
  world.advance(FOLLOW_ANEW_MS - 1_000);
  hear();
  assertEquals(follows(), 0, "a stream outlasts a short silence");
  world.advance(FOLLOW_ANEW_MS);
  hear();
  hear();
  assertEquals(follows(), 1);
});

Deno.test("the log is followed anew while a record does not come that something is to run by", () => {
  const world = new FakeWorld().start();
  const follows = () => {
    world.mesh({ k: "beat-ok", conductor: "c".repeat(16), node: NODE, beat: 1, everyMs: 250 });
    return world.effects.filter((each) => each.do === "follow").length;
  };
  world.record(1, "web", WEB);
  world.run("web-1", "web", 1);
  world.run("web-2", "web", 2);
  follows();
  world.advance(FOLLOW_STUCK_MS - 1);
  assertEquals(follows(), 0, "it may be on its way");
  world.advance(1);
  assertEquals([follows(), follows()], [1, 1]);
  world.advance(FOLLOW_STUCK_MS);
  assertEquals(follows(), 2, "until it comes");
  world.record(2, "web", WEB);
  world.advance(FOLLOW_STUCK_MS);
  assertEquals([follows(), world.advance(FOLLOW_STUCK_MS), follows()], [2, undefined, 2]);
});

Deno.test("messages for another node and garbage are ignored", () => {
  const world = new FakeWorld().start();
  world.mesh({ k: "stop", node: "0".repeat(32), replica: "web-1" });
  for (const text of ["{", "{}", '{"k":"run"}', '{"k":"stop","node":1}']) {
    world.event({ on: "mesh", text, from: { hostname: "10.0.0.9", port: 1 } });
  }
  assertEquals(world.take("stop-ok"), []);
});

// ---- Adoption -------------------------------------------------------------------------------------

function restarted(saved: SavedReplica, running: boolean, lines = WEB): FakeWorld {
  const world = new FakeWorld({ boot: "9".repeat(16) });
  if (running) {
    const { replica, instance } = saved;
    world.processes.set(replica, { replica, instance, pid: 4_000 });
  }
  world.start({
    adopted: [{ saved, running, ...(running ? { pid: 4_000 } : {}) }],
    records: [makeRecord(1, "web", lines)],
  });
  return world;
}

Deno.test("an adopted ready replica stays ready and registered, is probed at once, restarts nothing", () => {
  const world = restarted(ready().disk.get("web-1")!, true);
  const status = world.statuses.get("web-1")!;
  assertEquals([status.state, status.pid, status.port], ["ready", 4_000, 8001]);
  assertEquals(world.effects.some((each) => each.do === "launch"), false);
  assertEquals(world.effects.filter((each) => each.do === "probe").length, 1);
  const [lease] = world.take("lease");
  assertEquals([lease?.count, lease?.digest], [1, digestOf([["web-1", 8001]])]);
  world.mesh({ k: "lease-ok", tower: "d".repeat(16), node: NODE, digest: 0 });
  assertEquals(world.take("register").flatMap((each) => each.endpoints).length, 1);
  assertEquals(world.take("deregister"), []);
});

Deno.test("an adopted replica whose record must be fetched again keeps running meanwhile", () => {
  const world = new FakeWorld();
  const saved = ready().disk.get("web-1")!;
  world.processes.set("web-1", { replica: "web-1", instance: 1, pid: 4_000 });
  world.start({ adopted: [{ saved, running: true, pid: 4_000 }] });
  assertEquals(world.statuses.get("web-1")?.state, "ready");
  world.record(1, "web", WEB);
  assertEquals(world.statuses.get("web-1")?.state, "ready");
  assertEquals(world.effects.filter((each) => each.do === "probe").length, 1);
  world.die("web-1", { code: 1 });
  assertEquals(world.processes.get("web-1")?.instance, 2);
});

Deno.test("a replica that ended while the daemon was away is treated as its policy says", () => {
  const again = restarted(ready().disk.get("web-1")!, false);
  assertEquals(again.processes.size, 0);
  const ended = { code: 2, lost: false, notLaunched: false, tail: "bye" };
  again.event({ on: "exited", replica: "web-1", instance: 1, ended });
  assertEquals(again.statuses.get("web-1")?.exit?.code, 2);
  assertEquals(again.processes.get("web-1")?.instance, 2);

  const never = restarted(ready("  restart never").disk.get("web-1")!, false, "  restart never");
  never.event({ on: "exited", replica: "web-1", instance: 1, ended });
  assertEquals(never.statuses.get("web-1")?.state, "finished");
  assertEquals(never.processes.size, 0);
});

Deno.test("after a restart a fallback is started once the record that names it is verified", () => {
  const first = makeRecord(1, "web", WEB);
  const second = makeRecord(2, "web", WEB);
  const named = { ...second, text: second.text.replace("|web|2|-|", "|web|2|1|") };
  assert(named.text !== second.text);
  const before = ready();
  const saved = before.disk.get("web-1")!;
  const world = new FakeWorld();
  world.start({ adopted: [{ saved, running: true, pid: 7 }], records: [first, named] });
  world.run("web-9", "web", 1);
  world.advance(PROBE_MIN_MS);
  assertEquals(world.statuses.get("web-9")?.state, "ready");
});

Deno.test("an order to stop survives the daemon", () => {
  const before = ready();
  before.ignored.add("SIGTERM");
  before.stop("web-1");
  const saved = before.disk.get("web-1")!;
  assertEquals([saved.stage, saved.stopOrdered], ["stopping", true]);
  const world = restarted(saved, true);
  // The start before may not have got to hear that no ingress sends there any more.
  assertEquals(world.statuses.get("web-1")?.state, "stopping");
  assertEquals(world.processes.size, 1);
  world.mesh({
    k: "deregister-ok",
    tower: "f".repeat(16),
    node: NODE,
    replica: "web-1",
    drained: true,
  });
  assertEquals(world.statuses.get("web-1")?.state, "finished");
  assertEquals(world.processes.size, 0);
});

Deno.test("a replica that waited when the daemon died is started by the next", () => {
  const before = new FakeWorld().start();
  before.run("web-1", "web", 1);
  const world = restarted(before.disk.get("web-1")!, false);
  assertEquals(world.processes.get("web-1")?.instance, 1);
});

Deno.test("a finished replica is not started again by the next daemon", () => {
  const before = ready("  restart never");
  before.die("web-1", { code: 0 });
  const world = restarted(before.disk.get("web-1")!, false);
  assertEquals(world.statuses.get("web-1")?.state, "finished");
  assertEquals(world.processes.size, 0);
  world.stop("web-1");
  world.acknowledge();
  const dropped = restarted(world.disk.get("web-1")!, false);
  assertEquals(dropped.statuses.size, 0);
  dropped.run("web-1", "web", 1);
  assertEquals(dropped.take("run-refused").length, 1);
});

// ---- stop-all ------------------------------------------------------------------------------------

Deno.test("stop-all ends everything without draining and says when all are gone", () => {
  const world = ready();
  world.run("web-2", "web", 1, 1);
  world.ignored.add("SIGTERM");
  world.event({ on: "stop-all" });
  assertEquals(world.effects.some((each) => each.do === "stopped"), false);
  world.advance(2_000);
  assertEquals(world.processes.size, 0);
  assert(world.effects.some((each) => each.do === "stopped"));
  world.run("web-3", "web", 1);
  assertEquals(world.take("run-refused").length, 1);
});

Deno.test("stop-all without replicas is over at once", () => {
  const world = new FakeWorld().start();
  world.event({ on: "stop-all" });
  assert(world.effects.some((each) => each.do === "stopped"));
});

Deno.test("a node without conductor and tower is never due without work", () => {
  const world = new FakeWorld({ conductor: null, tower: null }).start();
  assertEquals(world.machine.dueMonoMs, Infinity);
  assertEquals(world.sent, []);
});

Deno.test("leases go out at their pace", () => {
  const world = ready();
  world.take("lease");
  world.advance(10 * LEASE_RENEW_MS);
  assertEquals(world.take("lease").length, 10);
});

Deno.test("a replica that died unwatched is taken off the tower's list by the next start", () => {
  const world = restarted(ready().disk.get("web-1")!, false);
  assertEquals(world.take("deregister").map((each) => each.replica), ["web-1"]);
});

Deno.test("a restarted replica is drained while ingresses may have its address from before", () => {
  const world = ready();
  world.health = "failed";
  world.die("web-1");
  assertEquals(world.statuses.get("web-1")?.state, "starting");
  world.stop("web-1");
  // The tower has not confirmed yet that nobody is sent there any more.
  assertEquals(world.statuses.get("web-1")?.state, "stopping");
  assertEquals(world.effects.some((each) => each.do === "signal"), false);
  world.mesh({
    k: "deregister-ok",
    tower: "d".repeat(16),
    node: NODE,
    replica: "web-1",
    drained: true,
  });
  assertEquals(world.effects.some((each) => each.do === "signal"), true);
});

Deno.test("a stop while it waits to be started again is told as its end, not passed over", () => {
  const world = ready("");
  for (let times = 0; times < 2; times++) {
    world.advance(PROBE_MIN_MS);
    world.die("web-1");
  }
  assertEquals(world.statuses.get("web-1")?.state, "waiting");
  world.acknowledge();
  world.take("status");
  world.stop("web-1");
  assertEquals(world.take("status").map((each) => each.status.state), ["finished"]);
  world.acknowledge();
  assertEquals(world.statuses.size, 0);
});

Deno.test("orders are answered only after what came of them is to be saved", () => {
  const world = new FakeWorld().start();
  world.record(1, "web", "");
  const order = (give: () => void) => {
    const from = world.effects.length;
    give();
    return world.effects.slice(from).flatMap((each) => {
      if (each.do !== "send") return each.do === "log" ? [] : [each.do];
      const k = (JSON.parse(each.text) as { k: string }).k;
      return k.endsWith("-ok") ? [k] : [];
    });
  };
  const run = order(() => world.run("web-1", "web", 1));
  assert(run.indexOf("launch") >= 0 && run.indexOf("launch") < run.indexOf("run-ok"), `${run}`);
  const stop = order(() => world.stop("web-1"));
  assert(stop.indexOf("save") >= 0 && stop.indexOf("save") < stop.indexOf("stop-ok"), `${stop}`);
  const never = order(() => world.stop("web-2"));
  assertEquals(never.filter((each) => each !== "signal"), ["tombstone", "stop-ok"]);
});
