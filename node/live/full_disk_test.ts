// A node whose disk is full: nothing is started that could not be adopted, and it recovers.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { DaemonBench } from "./daemon_bench.ts";
import { until } from "./fake_cluster.ts";

/** Mounts a tiny file system; `false` where this may not be done. */
async function mounted(folder: string): Promise<boolean> {
  Deno.mkdirSync(folder, { recursive: true });
  const { success } = await new Deno.Command("mount", {
    args: ["-t", "tmpfs", "-o", "size=256k", "none", folder],
    stderr: "null",
  }).output().catch(() => ({ success: false }));
  return success;
}

Deno.test("a full disk starts nothing, says so, keeps what runs, and recovers by itself", async () => {
  await using bench = new DaemonBench();
  if (!await mounted(bench.state)) {
    return console.log("not root, or no tmpfs: a full disk is not tried");
  }
  try {
    const { cluster } = bench;
    const app = "  exec sleep\n  args 600";
    bench.start();
    cluster.run("old-1", "old", cluster.apply("old", `app old\n${app}\n`));
    const { pid } = await cluster.state("old-1", "ready");
    const filler = `${bench.state}/filler`;
    try {
      using file = Deno.openSync(filler, { write: true, create: true });
      while (file.writeSync(new Uint8Array(4096)) > 0);
    } catch (error) {
      assertStringIncludes((error as Error).message, "No space left");
    }
    cluster.run("new-1", "new", cluster.apply("new", `app new\n${app}\n`));
    const status = await until("it says why", () => {
      const each = cluster.statuses.get("new-1");
      return each?.exit?.why === "launch" ? each : null;
    });
    assertStringIncludes(status.reason!, "its state cannot be written");
    assertEquals([...bench.programs().keys()], ["old-1"]);
    assertEquals(cluster.statuses.get("old-1")?.pid, pid);
    Deno.removeSync(filler);
    await cluster.state("new-1", "ready", 40_000);
    cluster.stop("old-1");
    cluster.stop("new-1");
    await cluster.state("old-1", "finished");
    await cluster.state("new-1", "finished");
    assertEquals(bench.programs().size, 0);
    assert(!bench.log.includes("uncaught"));
  } finally {
    await bench.kill();
    await until("unmounted", async () => {
      return (await new Deno.Command("umount", { args: [bench.state], stderr: "null" }).output())
        .success;
    });
  }
});
