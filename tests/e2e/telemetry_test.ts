// What a cluster wrote can be searched in one place: of replicas that are gone, too, once each, and
// over the death of the daemons that gather it.

import { assert, assertEquals } from "@std/assert";
import { daemonPid, kill, type ReadyLine, startClusterTask, until } from "./cluster_process.ts";
import type { TraceSpanView } from "../../core/trace_view.ts";
import { ROOT } from "./documents.ts";

Deno.test("skr8tr logs --all finds what any replica wrote, each line once", async (t) => {
  await using cluster = await startClusterTask(["--only=product-svc"]);
  const line = await cluster.ready();
  assert(line.ready, line.error);
  const ask = async (word: string) => {
    const response = await fetch(`${line.ingress}/api/products?sort=${word}`);
    await response.body?.cancel();
    return response.headers.get("x-request-id")!;
  };
  const found = (...words: string[]) => skr8tr(line, ["logs", ...words]);
  const once = async (id: string) => {
    await until(
      15_000,
      `the line of ${id}`,
      async () => (await found("--all", "--grep", id)).length > 0,
    );
    assertEquals((await found("--all", "--grep", id)).length, 1);
  };

  await t.step("a line is found by its text", async () => once(await ask("name")));
  await t.step(
    "with -f lines are shown as they come, of all apps and those sought only",
    async () => {
      const sought = ["--all", "-f", "-n", "0", "--grep", '"event":"request"'];
      await using following = follow(line, ["logs", ...sought]);
      // Asked for until the first is shown: when the conductor begins to follow, nobody tells.
      await until(20_000, "a line", async () => {
        await ask("name");
        return following.lines().length > 0;
      });
      const id = await ask("name");
      await until(15_000, `the line of ${id}`, () => following.lines().some((l) => l.includes(id)));
      assert(following.lines().every((each) => each.includes('"event":"request"')));
    },
  );
  const trace = crypto.randomUUID().replaceAll("-", "");
  const spans = async () => {
    const response = await fetch(`http://${line.conductor}/api/telemetry/traces/${trace}`);
    return (await response.json()).spans as readonly TraceSpanView[] | undefined;
  };
  await t.step("a line that tells of a span becomes a part of its trace", async () => {
    const headers = { traceparent: `00-${trace}-00f067aa0ba902b7-01` };
    await (await fetch(`${line.ingress}/api/products?page=2`, { headers })).body?.cancel();
    await until(15_000, "the span", async () => await spans() !== undefined);
    const [first, ...more] = (await spans())!;
    assertEquals([first!.app, first!.name, more.length], ["product-svc", "GET /products", 0]);
  });
  const before = await ask("rating");
  await once(before);
  await t.step("lines are taken once over the death of a node's daemon", async () => {
    for (const name of ["node-1", "node-2", "node-3"]) {
      kill(await daemonPid(cluster.state, name), "SIGKILL");
    }
    await once(await ask("name"));
    await once(before);
  });
  await t.step("and over the death of the conductor", async () => {
    kill(await daemonPid(cluster.state, "conductor"), "SIGKILL");
    await until(
      20_000,
      "the conductor is back",
      async () => (await fetch(`http://${line.conductor}/health`).catch(() => null))?.ok === true,
    );
    await once(await ask("name"));
    await once(before);
    assertEquals((await spans())?.length, 1, "the trace is known still, and once");
  });
  await t.step("what a replica wrote is found when it is gone", async () => {
    const env = { SKR8TR_KEY: `${cluster.state}/signing.sec` };
    await skr8tr(line, ["down", "product-svc"], env);
    await until(
      20_000,
      "its replicas are gone",
      async () => (await found("--all", "--grep", before)).length === 1,
    );
    assertEquals((await found("product-svc", "--previous", "--grep", before)).length, 1);
    assertEquals(await found("other-svc", "--previous"), []);
  });
  await cluster.stop();
});

/** A command that goes on until the test has seen enough. */
function follow(line: ReadyLine, words: readonly string[]) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "cli/main.ts", "--conductor", line.conductor, ...words],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let text = "";
  const reading = (async () => {
    for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) text += part;
  })();
  return {
    lines: () => text.split("\n").slice(0, -1),
    async [Symbol.asyncDispose]() {
      kill(child.pid, "SIGTERM");
      await child.status;
      await reading;
    },
  };
}

async function skr8tr(
  line: ReadyLine,
  words: readonly string[],
  env: Record<string, string> = {},
): Promise<string[]> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "cli/main.ts", "--conductor", line.conductor, ...words],
    cwd: ROOT,
    env: { NO_COLOR: "1", ...env },
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).split("\n").filter((each) => each !== "");
}
