// A disk that fails: system calls of the real daemon are made to return errors by strace.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { DaemonBench } from "./daemon_bench.ts";
import { until } from "./fake_cluster.ts";

const hasStrace = () => {
  try {
    return new Deno.Command("strace", { args: ["-V"], stdout: "null" }).outputSync().success;
  } catch {
    return false;
  }
};

/** Each span begins after the first replica's start and ends after some tries of the second. */
const FAULTS = [
  ["renaming says EIO", "rename,renameat,renameat2:error=EIO:when=9..16"],
  ["renaming says ENOSPC", "rename,renameat,renameat2:error=ENOSPC:when=10..18"],
] as const;

for (const [name, inject] of FAULTS) {
  Deno.test(`${name}: nothing is started that could not be adopted; the node lives and recovers`, async () => {
    if (!hasStrace()) return console.log("not run: strace is not installed");
    await using bench = new DaemonBench();
    const { cluster } = bench;
    const trace = `${bench.folder}/trace`;
    bench.start([], {
      tracer: ["strace", "-D", "-f", "-qq", "-o", trace, "-e", `inject=${inject}`],
    });
    const manifest = (app: string) => `app ${app}\n  exec sleep\n  args 600\n`;
    cluster.run("old-1", "old", cluster.apply("old", manifest("old")));
    const { pid } = await cluster.state("old-1", "ready", 60_000);
    const sequence = cluster.apply("new", manifest("new"));
    // Until the errors begin.
    const started: string[] = [];
    for (let number = 1; !bench.log.includes("cannot be written"); number++) {
      assert(number < 20, "no start met the error: void");
      const replica = `new-${number}`;
      started.push(replica);
      cluster.run(replica, "new", sequence);
      await until(`${replica} has started or not`, () => {
        const status = cluster.statuses.get(replica);
        return status?.state === "ready" || status?.exit?.why === "launch";
      }, 60_000);
    }
    const unlucky = started.at(-1)!;
    assertStringIncludes(bench.log, `${unlucky} is `);
    // What runs runs on, and what could not be started is, once the errors have ended.
    for (const replica of started) await cluster.state(replica, "ready", 60_000);
    assertEquals(cluster.statuses.get("old-1")?.pid, pid);
    const programs = bench.programs();
    for (const replica of ["old-1", ...started]) {
      assertEquals(programs.get(replica), [cluster.statuses.get(replica)!.pid], replica);
    }
    assert(!bench.log.includes("Uncaught"), bench.log);
    // All of it is adopted by the next.
    await bench.kill();
    cluster.forget();
    bench.start(["--stop-replicas"]);
    for (const replica of ["old-1", ...started]) await cluster.state(replica, "ready", 60_000);
    assertEquals([...bench.programs().keys()].sort(), ["old-1", ...started].sort());
    assertEquals(await bench.stop(), 0);
    assertEquals(bench.programs().size, 0);
  });
}
