// `skr8tr exec` on a real cluster: output, exit codes, and what is refused.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { startClusterTask, until } from "./cluster_process.ts";
import { ROOT } from "./documents.ts";

Deno.test("skr8tr exec runs beside a replica and exits as the command does", async (t) => {
  await using cluster = await startClusterTask(["--only=product-svc"]);
  const line = await cluster.ready();
  assert(line.ready, line.error);
  const exec = async (...words: string[]) => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "cli/main.ts", "--conductor", line.conductor, ...words],
      cwd: ROOT,
      env: { NO_COLOR: "1", SKR8TR_KEY: `${cluster.state}/signing.sec` },
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, out: text(stdout), err: text(stderr) };
  };
  await t.step("it sees the replica's environment", async () => {
    // A node takes no command from before its own start, to the second.
    await until(
      10_000,
      "the node is older than a command",
      async () => (await exec("exec", "product-svc", "true")).code === 0,
    );
    const { code, out } = await exec("exec", "product-svc", "echo $APP at $PORT");
    assertEquals([code, /^product-svc at \d+\n$/.test(out)], [0, true], out);
  });
  await t.step("its exit code is the command's, whatever it prints", async () => {
    assertEquals(await exec("exec", "product-svc", "printf 'no end | of line'; exit 7"), {
      ...{ code: 7, out: "no end | of line\n", err: "" },
    });
    assertEquals((await exec("exec", "product-svc", "true")).code, 0);
  });
  await t.step("several words are a program and its arguments, each as it stands", async () => {
    const { out } = await exec(
      "exec",
      "product-svc",
      "--",
      "printf",
      "%s.",
      "a b",
      "$HOME",
      "it's",
    );
    assertEquals(out, "a b.$HOME.it's.\n");
  });
  await t.step("an app that is not there, and a shell that cannot", async () => {
    const nobody = await exec("exec", "nobody", "true");
    assertEquals(nobody.code, 1);
    assertStringIncludes(nobody.err, "not found: nobody");
    assertEquals((await exec("exec", "product-svc", "/no/such/program")).code, 127);
  });
  await cluster.stop();
});
