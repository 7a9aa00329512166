// Limits with real programs: memory watched, and handed to cgroups (a tree of plain files here).

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { FakeCluster, until } from "./fake_cluster.ts";
import { startOn } from "./testing.ts";

/**
 * Eats as much memory as its file says, in MiB; looks again all the time. What it has read it takes
 * away first: who is started after it does not eat, too, however late the test hears of its end.
 */
const EATER = `
  const held = [];
  for (;;) {
    const want = Number(Deno.readTextFileSync(Deno.args[0]));
    if (want > 0) Deno.writeTextFileSync(Deno.args[0], "0");
    while (held.length < want) held.push(new Uint8Array(2 ** 20).fill(held.length + 1));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }`;

Deno.test("a program that eats memory is ended as out of memory, again after a restart of the node", async () => {
  await using cluster = new FakeCluster();
  const folder = Deno.makeTempDirSync({ prefix: "skr8tr-limits-" });
  Deno.writeTextFileSync(`${folder}/eater.js`, EATER);
  Deno.writeTextFileSync(`${folder}/want`, "0");
  // Without a tree of its own this machine's may limit it by itself.
  const cgroupTree = "/nonexistent";
  let node = await startOn(cluster, folder, { cgroupTree, stopReplicas: false });
  const manifest = `app web
  exec ${Deno.execPath()}
  args run -A ${folder}/eater.js ${folder}/want
  ram  192mb
  `;
  cluster.run("web-1", "web", cluster.apply("web", manifest));
  await cluster.state("web-1", "ready");
  const oom = async (restarts: number) => {
    Deno.writeTextFileSync(`${folder}/want`, "220");
    return await until(
      () => `out of memory, is ${JSON.stringify(cluster.statuses.get("web-1"))}`,
      () => {
        const status = cluster.statuses.get("web-1");
        return status?.exit?.why === "oom" && status.restarts === restarts && status;
      },
      20_000,
    );
  };
  const first = await oom(1);
  assertStringIncludes(first.reason ?? "", "out of memory: it holds ");
  await cluster.state("web-1", "ready");

  await node.stop();
  node = await startOn(cluster, folder, { cgroupTree });
  const ready = await cluster.state("web-1", "ready");
  await oom(2);
  await until("another process", () => {
    const status = cluster.statuses.get("web-1");
    return status?.state === "ready" && status.pid !== ready.pid;
  });
  await node.stop();
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("a program is put into its cgroup; what the kernel counted there makes its end an oom", async () => {
  await using cluster = new FakeCluster();
  const folder = Deno.makeTempDirSync({ prefix: "skr8tr-limits-" });
  const cgroupTree = `${folder}/tree`;
  const prepared = (node: string) => {
    for (const below of ["", "/skr8tr", `/skr8tr/${node}`]) {
      Deno.mkdirSync(`${cgroupTree}${below}`, { recursive: true });
      Deno.writeTextFileSync(`${cgroupTree}${below}/cgroup.controllers`, "cpu memory\n");
      Deno.writeTextFileSync(`${cgroupTree}${below}/cgroup.procs`, "");
    }
    return `${cgroupTree}/skr8tr/${node}`;
  };
  // The node's id is made at its first start.
  await (await startOn(cluster, folder)).stop();
  const own = prepared(Deno.readTextFileSync(`${folder}/state/node.id`).trim());
  let node = await startOn(cluster, folder, { cgroupTree, stopReplicas: false });
  const sequence = cluster.apply(
    "web",
    "app web\n  exec /bin/sleep\n  args 300\n  ram 1mb\n  cpu 2\n",
  );
  cluster.run("web-1", "web", sequence);
  const { pid } = await cluster.state("web-1", "ready");
  const at = (instance: number, file: string) => `${own}/web-1.${instance}/${file}`;
  assertEquals(Deno.readTextFileSync(at(1, "memory.max")), "1048576\n");
  assertEquals(Deno.readTextFileSync(at(1, "cpu.max")), "200000 100000\n");
  // "0" is what the kernel takes for whoever writes it: the program's own process.
  assertEquals(Deno.readTextFileSync(at(1, "cgroup.procs")), "0\n");

  // The next daemon finds the cgroup of what it adopts.
  await node.stop();
  node = await startOn(cluster, folder, { cgroupTree });
  Deno.writeTextFileSync(at(1, "memory.events"), "oom 1\noom_kill 1\n");
  assert(pid);
  Deno.kill(pid, "SIGKILL");
  const status = await until("it has ended", () => {
    const status = cluster.statuses.get("web-1");
    return status?.exit && status;
  });
  assertEquals([status.exit?.why, status.exit?.signal, status.restarts], ["oom", "SIGKILL", 1]);
  const again = await until("it runs again", () => {
    const status = cluster.statuses.get("web-1");
    return status?.state === "ready" && status.pid !== pid && status;
  });
  assertEquals(Deno.readTextFileSync(at(2, "memory.max")), "1048576\n");

  // An end that the kernel counted nothing for is none.
  Deno.kill(again.pid!, "SIGKILL");
  await until(
    "it has ended by a signal",
    () => cluster.statuses.get("web-1")?.exit?.why === "exit",
  );
  await node.stop();
  Deno.removeSync(folder, { recursive: true });
});
