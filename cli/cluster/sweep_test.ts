import { assertEquals } from "@std/assert";
import { sweepReplicas } from "./sweep.ts";

/** What stands for a replica's launcher: a shell in a group of its own, with a program below it. */
function launcher(words: readonly string[]): Deno.ChildProcess {
  return new Deno.Command("/bin/sh", {
    args: ["-c", "# lines\n# of the launcher\nsleep 300; :", ...words],
    detached: true,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
}

const isGone = (pid: number) => {
  try {
    return /\) [ZX] /.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch {
    return true;
  }
};

Deno.test("sweepReplicas() kills what is left of these nodes, without their folders, and nobody else", async () => {
  if (Deno.build.os !== "linux") return console.log("not run: no /proc here");
  const parent = Deno.makeTempDirSync({ prefix: "skr8tr sweep " });
  const state = `${parent}/node-1`;
  const name = "skr8tr-launcher";
  // Neither folder exists: only the processes speak of it.
  const own = launcher([name, `${state}/replicas/web.1`, "1", "/usr/bin/flock", "", "sleep"]);
  const other = launcher([name, `${parent}/node-2/replicas/web.2`, "1", "/usr/bin/flock", ""]);
  const similar = launcher([name, `${state}-b/replicas/web.3`, "1", "/usr/bin/flock", ""]);
  const reader = launcher(["cat", `${state}/replicas/web.1`]);
  assertEquals(await sweepReplicas([state]), ["web.1"]);
  await own.status;
  assertEquals([other, similar, reader].map(({ pid }) => isGone(pid)), [false, false, false]);
  assertEquals(await sweepReplicas([state]), []);
  for (const each of [other, similar, reader]) {
    Deno.kill(-each.pid, "SIGKILL");
    await each.status;
  }
  Deno.removeSync(parent, { recursive: true });
});
