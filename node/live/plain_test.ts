// The node's plain v1 commands over a real socket.

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { openUdp } from "../../core/live/udp.ts";
import { until } from "./fake_cluster.ts";
import { type NodeDaemon, startNode } from "./node.ts";

async function bench(open: boolean) {
  const folder = Deno.makeTempDirSync({ prefix: "skr8tr-plain-" });
  const node: NodeDaemon = await startNode({
    bind: "127.0.0.1",
    host: "127.0.0.1",
    port: 0,
    name: "node-1",
    state: `${folder}/state`,
    conductor: null,
    follow: null,
    tower: null,
    keys: [],
    path: "/usr/bin:/bin",
    workdir: folder,
    ports: { first: 33_000, last: 33_099 },
    gpu: false,
    labels: {},
    plain: [],
    open,
    trustPaths: false,
    stopReplicas: true,
    metricsPort: null,
  });
  const answers: string[] = [];
  const client = openUdp({ hostname: "127.0.0.1", port: 0, receive: (text) => answers.push(text) });
  return {
    node,
    folder,
    send: (text: string) => client.send(text, node.udp.address),
    async ask(text: string) {
      answers.length = 0;
      client.send(text, node.udp.address);
      return await until(`an answer to ${text.slice(0, 40)}`, () => answers[0]);
    },
    answers,
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await node.stop();
      Deno.removeSync(folder, { recursive: true });
    },
  };
}

Deno.test("LAUNCH, STATUS, LOGS, EXEC and KILL with --mesh open", async () => {
  await using all = await bench(true);
  const script = `${all.folder}/program`;
  Deno.writeTextFileSync(script, "#!/bin/sh\necho hello $WORD $1\nexec sleep 600\n", {
    mode: 0o755,
  });
  const launched = await all.ask(`LAUNCH|name=old|bin=${script}|port=0|args=there|env=WORD=my`);
  const pid = /^OK\|LAUNCHED\|old\|([0-9]+)$/.exec(launched)?.[1];
  assertEquals(await all.ask("STATUS"), `OK|STATUS|1|old:${pid}`);
  await until("its line", async () => await all.ask("LOGS|old") === "OK|LOGS|old|1|hello my there");
  assertEquals(
    await all.ask("EXEC|old|echo $WORD; echo oops >&2; exit 3"),
    "OK|EXEC|old|my\noops\n",
  );
  const long = await all.ask("EXEC|old|yes");
  assertEquals(long.length < 16_384, true);
  assertEquals(await all.ask("EXEC|nope|true"), "ERR|not found: nope");
  assertEquals(await all.ask("KILL|old"), "OK|KILLED|old");
  await until("it has ended", async () => await all.ask("STATUS") === "OK|STATUS|0|");
  assertMatch(
    await all.ask("LAUNCH|name=no|bin=/no/such|port=0"),
    /^ERR\|LAUNCH failed: \/no\/such does not exist/,
  );
});

Deno.test("without --mesh open reads are answered on loopback, and nothing that acts", async () => {
  await using all = await bench(false);
  assertMatch(await all.ask("PING"), /^OK\|PONG\|[0-9a-f]{32}$/);
  all.send("LAUNCH|name=old|bin=/bin/sleep|port=0|args=600");
  all.send("KILL|old");
  all.send("EXEC|old|true");
  assertEquals(await all.ask("STATUS"), "OK|STATUS|0|");
  assertEquals(all.answers.length, 1);
  const metrics = await fetch(`http://127.0.0.1:${all.node.udp.address.port}/metrics`);
  assertStringIncludes(
    await metrics.text(),
    'skr8tr_node_plain_commands_total{result="ignored"} 3',
  );
});

Deno.test("noise on the port costs a count and nothing else", async () => {
  await using all = await bench(true);
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const to = { transport: "udp", ...all.node.udp.address } as const;
  const noise = [
    new Uint8Array(0),
    new Uint8Array([0xff, 0xfe]),
    new TextEncoder().encode("PING\0"),
    new Uint8Array(20_000).fill(65),
    new TextEncoder().encode('{"k":"run","node":1}'),
    new TextEncoder().encode("{".repeat(5_000)),
  ];
  for (const each of noise) await socket.send(each, to);
  socket.close();
  assertMatch(await all.ask("PING"), /^OK\|PONG/);
  await until("counted", () => all.node.udp.counters.dropped >= 3);
});
