// startCluster() of mod.ts as others use it: from a project of their own, by the module's URL.

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ClusterError, startCluster } from "../../mod.ts";
import { assertNothingLeft, kill, processesNaming, until, within } from "./cluster_process.ts";
import { ROOT } from "./documents.ts";

const MANIFEST = [
  "app bell",
  "  exec     deno",
  "  args     run --no-prompt --allow-net=${IP} --allow-env=IP,PORT,NODE bell.ts",
  "  port     8100",
  "  replicas 2",
  "  health {",
  "    check GET / 200",
  "  }",
  "  route {",
  "    path  /bell",
  "    strip yes",
  "  }",
].join("\n");

const BELL = `
Deno.serve({ hostname: Deno.env.get("IP"), port: Number(Deno.env.get("PORT")) }, (request) => {
  console.log("rung", new URL(request.url).pathname);
  return new Response(Deno.env.get("NODE"));
});
`;

/** A project outside the tree, without configuration of its own. */
async function project(files: Readonly<Record<string, string>>) {
  const folder = await Deno.makeTempDir({ prefix: "skr8tr-project-" });
  for (const [name, text] of Object.entries({ "bell.ts": BELL, ...files })) {
    await Deno.writeTextFile(`${folder}/${name}`, text);
  }
  return { folder, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

const IMPORT = `import { startCluster } from "${new URL("../../mod.ts", import.meta.url).href}";`;

Deno.test("startCluster() serves the tests of another project, which outlive a node", async () => {
  await using place = await project({
    "bell_test.ts": `${IMPORT}
Deno.test("the bell rings though a node is lost", async () => {
  await using cluster = await startCluster({ nodes: 3 });
  console.log("state " + cluster.key.slice(0, cluster.key.lastIndexOf("/")));
  await cluster.up(${JSON.stringify(MANIFEST)});
  const ring = async () => {
    const response = await cluster.fetch("/bell");
    if (!response.ok) throw new Error(await response.text());
    return await response.text();
  };
  await ring();
  const [lost] = await cluster.replicas("bell");
  await cluster.kill(lost.node);
  for (let i = 0; i < 20; i++) if (await ring() === lost.node) throw new Error("it is not lost");
  const lines = await cluster.logs("bell");
  if (!lines.some(({ line }) => line === "rung /")) throw new Error(JSON.stringify(lines));
  await cluster.start(lost.node);
  const { code, stdout } = await cluster.skr8tr("nodes", "--json");
  const ready = JSON.parse(stdout).nodes.filter((node: { state: string }) => node.state === "ready");
  if (code !== 0 || ready.length !== 3) throw new Error(stdout);
  await cluster.down("bell");
});
`,
  });
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-lock", "bell_test.ts"],
    cwd: place.folder,
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).output();
  const said = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("\n");
  assertEquals(code, 0, said);
  const state = /^state (.+)$/m.exec(said)![1]!;
  assertEquals(await processesNaming(state), []);
  assertEquals(await exists(state), false);
});

Deno.test("startCluster() leaves nothing behind when its test is killed", async () => {
  await using place = await project({
    "crash.ts": `${IMPORT}
const cluster = await startCluster({ nodes: 2 });
await cluster.up(${JSON.stringify(MANIFEST)});
console.log(cluster.key.slice(0, cluster.key.lastIndexOf("/")));
await new Promise((resolve) => setTimeout(resolve, 600_000));
`,
  });
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-lock", "--quiet", "crash.ts"],
    cwd: place.folder,
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await within(60_000, "the cluster", reader.read());
  const state = value!.trim();
  // Tower, conductor, two nodes, the ingress, the launchers of two replicas.
  assert((await processesNaming(state)).length >= 7);
  kill(child.pid, "SIGKILL");
  await child.status;
  await reader.cancel();
  await assertNothingLeft(state);
  await until(15_000, "its folder is gone", async () => !await exists(state));
});

Deno.test("startCluster() twice at once gives two clusters", async () => {
  await using place = await project({});
  const options = { workdir: place.folder };
  const [one, other] = await Promise.all([startCluster(options), startCluster(options)]);
  await using _one = one;
  await using _other = other;
  assert(one.url !== other.url);
  await Promise.all([one.up(MANIFEST), other.up(MANIFEST)]);
  await one.stop();
  const response = await other.fetch("/bell");
  assertEquals([response.status, await response.text()], [200, "node-1"]);
  assertEquals((await refusal(() => one.up(MANIFEST))).code, "ended");
});

Deno.test("TestCluster says what is wrong", async () => {
  await assertRejects(() => startCluster({ nodes: 9 }), ClusterError, "1 to 8 nodes, not 9");
  const lost = await refusal(() => startCluster({ root: "/no/such/clone" }));
  assertEquals(lost.code, "start");
  assertStringIncludes(lost.message, "/no/such/clone/deno.json");

  await using cluster = await startCluster({ root: ROOT });
  const of = async (call: () => Promise<unknown>) => {
    const { code, message } = await refusal(call);
    return [code, message] as const;
  };
  const [wrong, where] = await of(() => cluster.up("app bell\n  exek /bin/true\n"));
  assertEquals(wrong, "manifest");
  assertStringIncludes(where, 'did you mean "exec"?');
  const [failed, why] = await of(() =>
    cluster.up("app brief\n  exec /bin/sh\n  args -c 'echo no database; exit 3'\n")
  );
  assertEquals(failed, "deploy");
  assertStringIncludes(why, "exit code 3");
  assertStringIncludes(why, "no database");
  assertEquals((await of(() => cluster.replicas("nobody")))[0], "not-found");
  assertEquals((await of(() => cluster.down("nobody")))[0], "refused");
  assertEquals((await of(() => cluster.kill("node-2")))[0], "options");
  assertEquals((await of(() => cluster.start("node-1")))[0], "state");
});

async function refusal(call: () => Promise<unknown>): Promise<ClusterError> {
  return await assertRejects(call, ClusterError) as ClusterError;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
