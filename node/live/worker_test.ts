// A health worker that throws, hangs or eats all memory: no replica may notice.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { DaemonBench } from "./daemon_bench.ts";
import { until } from "./fake_cluster.ts";
import { EXIT_AGAIN } from "./node.ts";

const WORKER = ["--health-worker", "bad.worker.ts"];
const PROGRAM = "node/live/testdata/main_with_worker.ts";

function app(name: string, path: string, port: number): string {
  return `app ${name}
  exec sleep
  args 600
  port ${port}
  health {
    check GET ${path} 200
    interval 1s
  }\n`;
}

/** A daemon with the bad worker and one ready replica. */
async function healthy(
  flags: readonly string[] = [],
): Promise<{ bench: DaemonBench; pid: number }> {
  const bench = new DaemonBench();
  bench.start(WORKER, { program: PROGRAM, flags });
  bench.cluster.run("good-1", "good", bench.cluster.apply("good", app("good", "/good", 32_470)));
  const { pid } = await bench.cluster.state("good-1", "ready", 20_000);
  return { bench, pid: pid! };
}

/** Runs a replica whose probe makes the worker misbehave. */
function provoke(bench: DaemonBench, path: string): void {
  bench.cluster.run("bad-1", "bad", bench.cluster.apply("bad", app("bad", path, 32_471)));
}

/** The daemon has ended; the next one adopts the healthy replica. */
async function adoptedByTheNext(bench: DaemonBench, pid: number): Promise<void> {
  const boot = bench.cluster.beat!.boot;
  assertEquals(bench.programs().get("good-1"), [pid]);
  bench.start();
  const status = await until(() => bench.log, () => {
    const each = bench.cluster.statuses.get("good-1");
    return bench.cluster.beat?.boot !== boot && each?.state === "ready" ? each : null;
  });
  assertEquals([status.pid, status.restarts], [pid, 0]);
}

Deno.test("a worker that throws is replaced; nobody fails for it, and others are probed on", async () => {
  const { bench, pid } = await healthy();
  await using _ = bench;
  const boot = bench.cluster.beat!.boot;
  provoke(bench, "/throw");
  await until(
    "replaced twice",
    () => bench.log.split("the health worker failed and is replaced").length > 2,
    20_000,
  );
  assert(bench.log.includes("thrown by the worker"));
  const { restarts, state } = bench.cluster.statuses.get("good-1")!;
  assertEquals([restarts, state, bench.cluster.beat!.boot], [0, "ready", boot]);
  assertEquals(bench.programs().get("good-1"), [pid]);
  assertEquals(bench.cluster.statuses.get("bad-1")?.restarts, 0);
});

Deno.test("a worker that hangs makes the daemon end with 75, and the next one adopts", async () => {
  const { bench, pid } = await healthy();
  await using _ = bench;
  provoke(bench, "/hang");
  assertEquals((await bench.daemon.status).code, EXIT_AGAIN);
  assertMatch(bench.log, /the health worker has not answered for [0-9]+ ms/);
  await adoptedByTheNext(bench, pid);
});

Deno.test("a worker that runs out of memory takes the daemon along, and the next one adopts", async () => {
  const { bench, pid } = await healthy(["--v8-flags=--max-old-space-size=64"]);
  await using _ = bench;
  provoke(bench, "/eat");
  const { code } = await bench.daemon.status;
  assert(code !== 0, `ended with ${code}`);
  await adoptedByTheNext(bench, pid);
});

Deno.test("a daemon that was stopped for 6 s accuses neither its worker nor its replicas", async () => {
  const { bench, pid } = await healthy();
  await using _ = bench;
  const { boot, beat } = bench.cluster.beat!;
  bench.daemon.kill("SIGSTOP");
  // This is the fault itself, not a wait for something.
  await new Promise((resolve) => setTimeout(resolve, 6_000));
  bench.daemon.kill("SIGCONT");
  await until("it beats on", () => bench.cluster.beat!.beat > beat + 20);
  assertEquals(bench.cluster.beat!.boot, boot);
  const { state, restarts } = bench.cluster.statuses.get("good-1")!;
  assertEquals([state, restarts], ["ready", 0]);
  assertEquals(bench.programs().get("good-1"), [pid]);
});
