// Limits by cgroup v2, over a tree of plain files that looks like the kernel's; a real one is in
// tests/guest.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Cgroups } from "./cgroups.ts";
import { until } from "./fake_cluster.ts";
import { Helper } from "./helper.ts";

const PATH = "/usr/local/bin:/usr/bin:/bin";
const NAME = "n".repeat(32);

/** A tree whose root gives these controllers; the node's own folders are there already. */
function tree(controllers: string): string {
  const root = Deno.makeTempDirSync({ prefix: "skr8tr-cgroup-" });
  for (const folder of ["", "/skr8tr", `/skr8tr/${NAME}`]) {
    Deno.mkdirSync(`${root}${folder}`, { recursive: true });
    Deno.writeTextFileSync(`${root}${folder}/cgroup.controllers`, `${controllers}\n`);
    Deno.writeTextFileSync(`${root}${folder}/cgroup.subtree_control`, "\n");
    Deno.writeTextFileSync(`${root}${folder}/cgroup.procs`, "");
  }
  return root;
}

const read = (path: string) => Deno.readTextFileSync(path).trimEnd();

Deno.test("Cgroups finds a tree with memory and cpu, and takes its own folder there", async () => {
  const root = tree("cpuset cpu io memory pids");
  await using helper = new Helper(PATH);
  assertEquals(await helper.cgroup(NAME, root), { folder: `${root}/skr8tr/${NAME}` });
  for (const folder of ["", "/skr8tr", `/skr8tr/${NAME}`]) {
    assertEquals(read(`${root}${folder}/cgroup.subtree_control`), "+memory +cpu");
  }
  Deno.removeSync(root, { recursive: true });
});

Deno.test("Cgroups says why there is none: no controllers, no tree", async () => {
  const bare = tree("");
  const half = tree("memory pids");
  await using helper = new Helper(PATH);
  const reason = async (root: string) => {
    const found = await helper.cgroup(NAME, root);
    return "reason" in found ? found.reason : "";
  };
  assertStringIncludes(await reason(bare), "has no memory controller");
  assertStringIncludes(await reason(half), "gives no memory and CPU controllers");
  assertStringIncludes(await reason("/nonexistent"), "has no memory controller");
  const cgroups = await Cgroups.open(helper, NAME, bare);
  assertEquals(cgroups.available, false);
  assertEquals(await cgroups.make("web-1", 1, { ramBytes: 1 }), null);
  assertEquals(await cgroups.find("web-1", 1), null);
  for (const root of [bare, half]) Deno.removeSync(root, { recursive: true });
});

Deno.test("Cgroups writes limits, finds a start's cgroup again, and tells out of memory", async () => {
  const root = tree("memory cpu");
  await using helper = new Helper(PATH);
  const cgroups = await Cgroups.open(helper, NAME, root);
  assert(cgroups.available);
  const path = await cgroups.make("web-1", 3, { ramBytes: 64 * 2 ** 20, cpu: 0.25 });
  assertEquals(path, `${root}/skr8tr/${NAME}/web-1.3`);
  assertEquals(read(`${path}/memory.max`), "67108864");
  assertEquals(read(`${path}/memory.oom.group`), "1");
  assertEquals(read(`${path}/cpu.max`), "25000 100000");
  assertEquals(await cgroups.find("web-1", 3), path);
  assertEquals(await cgroups.find("web-1", 2), null);

  const free = await cgroups.make("web-2", 1, {});
  assertEquals([...Deno.readDirSync(free!)], []);

  Deno.writeTextFileSync(`${path}/memory.events`, "low 0\nhigh 0\nmax 12\noom 1\noom_kill 2\n");
  Deno.writeTextFileSync(`${path}/cgroup.kill`, "");
  // Plain files keep a folder, as processes keep a cgroup: it is asked again until they are gone.
  assertEquals(await cgroups.end(path!), true);
  assertEquals(read(`${path}/cgroup.kill`), "1");
  for (const { name } of [...Deno.readDirSync(path!)]) Deno.removeSync(`${path}/${name}`);
  await until("the cgroup is removed", async () => !await helper.hasLimits(path!));
  assertEquals(await cgroups.end(free!), false);
  assertEquals(await helper.hasLimits(free!), false);
  Deno.removeSync(root, { recursive: true });
});

Deno.test("Cgroups of an earlier daemon are removed, but for what is still to be read", async () => {
  const root = tree("memory cpu");
  await using helper = new Helper(PATH);
  const before = await Cgroups.open(helper, NAME, root);
  for (const start of [1, 2, 3]) await before.make(`web-${start}`, start, {});
  const after = await Cgroups.open(helper, NAME, root);
  await after.tidy([{ replica: "web-2", instance: 2 }, { replica: "web-3", instance: 1 }]);
  const left = [...Deno.readDirSync(`${root}/skr8tr/${NAME}`)].filter((each) => each.isDirectory);
  assertEquals(left.map((each) => each.name), ["web-2.2"]);
  await after.tidy([]);
  assertEquals(await after.find("web-2", 2), null);
  Deno.removeSync(root, { recursive: true });
});

Deno.test("Cgroups ask again where the helper gives no answer", async () => {
  const answers = [null, null, true, null, { oomKills: 1, gone: true }];
  const asked: string[] = [];
  const helper = {
    cgroup: () => Promise.resolve({ folder: "/cgroups" }),
    hasLimits: (path: string) => (asked.push(path), Promise.resolve(answers.shift())),
    unlimit: (path: string) => (asked.push(path), Promise.resolve(answers.shift())),
  };
  const cgroups = await Cgroups.open(helper as unknown as Helper, NAME);
  assertEquals(await cgroups.find("web-1", 1), "/cgroups/web-1.1");
  assertEquals(await cgroups.end("/cgroups/web-1.1"), true);
  assertEquals(asked.length, 5);
});

Deno.test("Cgroups that cannot be made leave the memory watched", async () => {
  const root = tree("memory cpu");
  await using helper = new Helper(PATH);
  const cgroups = await Cgroups.open(helper, NAME, root);
  Deno.writeTextFileSync(`${root}/skr8tr/${NAME}/web-1.1`, "in the way");
  assertEquals(await cgroups.make("web-1", 1, { ramBytes: 1 }), null);
  Deno.removeSync(root, { recursive: true });
});
