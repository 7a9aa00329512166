// A deploy as a trace: a conductor and a node with Deno's OpenTelemetry, and a collector that takes
// what they export.

import { assert, assertEquals } from "@std/assert";
import { freePort } from "../../core/live/free_port_testing.ts";
import { keyPairFromSeed, sign } from "../../core/sign.ts";
import { formatSigned } from "../../core/wire.ts";
import { kill, until } from "./cluster_process.ts";
import { collector, type ExportedSpan } from "./collector.ts";
import { ROOT } from "./documents.ts";

const HOST = "127.0.0.27";

Deno.test("a deploy is told of as one trace, replica by replica, and says why it failed", async () => {
  const folder = await Deno.makeTempDir({ prefix: "skr8tr-trace-" });
  await using telemetry = collector(HOST);
  const { spans } = telemetry;
  const keys = keyPairFromSeed(crypto.getRandomValues(new Uint8Array(32)));
  await Deno.writeFile(`${folder}/operator.pub`, keys.publicKey);
  const daemons: Deno.ChildProcess[] = [];
  try {
    const [port, mesh] = [freePort(HOST), freePort(HOST)];
    const start = (name: string, flags: readonly string[], env: Record<string, string>) =>
      daemons.push(
        new Deno.Command(Deno.execPath(), {
          args: [
            "run",
            "-A",
            "--quiet",
            `${name}/main.ts`,
            `--bind=${HOST}`,
            "--mesh=open",
            ...flags,
          ],
          cwd: ROOT,
          env: { NO_COLOR: "1", ...env },
          stdout: "null",
          stderr: "null",
        }).spawn(),
      );
    start("conductor", [
      ...["--trace", `--port=${port}`, `--mesh-port=${mesh}`, `--tower=${HOST}:1`],
      ...[`--pubkey=${folder}/operator.pub`, `--state=${folder}/conductor`],
    ], telemetry.env);
    start("node", [
      ...["--name=traced", "--port=0", "--metrics=0", `--conductor=${HOST}:${mesh}`],
      ...[`--follow=${HOST}:${port}`, `--tower=${HOST}:1`, "--stop-replicas"],
      ...[`--pubkey=${folder}/operator.pub`, `--state=${folder}/node`, "--path=/usr/bin:/bin"],
    ], {});
    const url = `http://${HOST}:${port}`;
    await until(20_000, "the node has joined", async () => {
      const response = await fetch(`${url}/api/nodes`).catch(() => null);
      return (await response?.json())?.nodes.length === 1;
    });
    const apply = async (generation: number, exec: string) => {
      const manifest = btoa(`app sleeper {\n  ${exec}\n}\n`);
      const id = crypto.randomUUID();
      const text = `APPLY|${id}|sleeper|${generation}|-|${manifest}|${
        Math.floor(Date.now() / 1e3)
      }`;
      const signed = formatSigned(text, sign(keys.secretKey, text));
      const reply = await (await fetch(`${url}/command`, { method: "POST", body: signed })).text();
      assertEquals(reply.trim(), `OK|APPLIED|sleeper|${generation}`);
    };
    await apply(1, "exec sleep\n  args 1000");
    await until(20_000, "the trace of the deploy", () => spans.some(isDeploy));
    const root = spans.find(isDeploy)!;
    assertEquals(root.status?.code, 1);
    const replica = spans.find((span) => span.name === "replica sleeper.1");
    assert(replica, JSON.stringify(spans.map((span) => span.name)));
    assertEquals([replica.traceId, replica.parentSpanId], [root.traceId, root.spanId]);
    assertEquals(replica.events?.at(-1)?.name, "ready");
    await apply(2, "exec /no/such/program");
    await until(20_000, "the trace of the failure", () => spans.filter(isDeploy).length === 2);
    const failed = spans.filter(isDeploy)[1]!;
    assertEquals(failed.status?.code, 2);
    assert(failed.status?.message?.includes("/no/such/program"), failed.status?.message);
    assert(failed.events?.some(({ name }) => name === "failed"), JSON.stringify(failed.events));
  } finally {
    for (const daemon of daemons.toReversed()) kill(daemon.pid, "SIGTERM");
    await Promise.all(daemons.map((daemon) => daemon.status));
    await Deno.remove(folder, { recursive: true });
  }
});

const isDeploy = (span: ExportedSpan) => span.name === "deploy sleeper";
