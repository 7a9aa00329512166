// Commands beside replicas of a node, as it starts them.

import { assertEquals } from "@std/assert";
import { autoUid } from "../sandbox.ts";
import { spawnBeside } from "./beside.ts";
import { type Bench, bench } from "./testing.ts";

async function beside(all: Bench, line: string): Promise<{ code: number; out: string }> {
  const { plan } = all.node.machine.replicas.get("web-1")!;
  const words = ["/bin/sh", "-c", line];
  const child = await spawnBeside(all.node.processes, "web-1", plan!, { words, stdin: "null" });
  const { code, stdout } = await child.output();
  return { code, out: new TextDecoder().decode(stdout) };
}

Deno.test("a command beside a fenced replica sees what the replica sees", async () => {
  await using all = await bench();
  const { fence } = all.node.machine.around;
  if (!fence?.bwrap || !fence.root) return console.log("not run: it needs bubblewrap and root");
  Deno.chmodSync(all.folder, 0o755);
  Deno.writeTextFileSync(`${all.folder}/secret`, "secret");
  all.run("  exec /bin/sleep\n  args 600\n  sandbox {\n    net *\n  }");
  await all.cluster.state("web-1", "ready");
  const seen = "id -u; cat /root/.profile 2>/dev/null; cat " + all.folder +
    "/secret 2>/dev/null; touch $HOME/mine && echo home; grep NoNewPrivs /proc/self/status";
  assertEquals(await beside(all, seen), {
    code: 0,
    out: `${autoUid("web")}\nhome\nNoNewPrivs:\t1\n`,
  });
});

Deno.test("a command beside a replica of another user is that user's", async () => {
  await using all = await bench();
  if (!all.node.machine.around.fence?.root) return console.log("not run: it needs root");
  Deno.chmodSync(all.folder, 0o755);
  all.run("  exec /bin/sleep\n  args 600\n  user nobody\n  cwd /");
  await all.cluster.state("web-1", "ready");
  assertEquals(await beside(all, "id -un; exit 3"), { code: 3, out: "nobody\n" });
});
