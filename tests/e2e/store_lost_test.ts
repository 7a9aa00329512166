// The servers of the conductor's store are killed under a whole cluster: nothing is decided, and all
// else goes on. With real daemons and a real nats-server.

import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import { skr8trCommand, World } from "../../bench/world.ts";
import { showAddress } from "../../core/address.ts";
import { hasNats, NatsCluster } from "../contract/nats_cluster.ts";
import { kill, until } from "./cluster_process.ts";

const PROGRAM = `
  const { serve, env, pid } = Deno;
  serve(
    { hostname: env.get("HOST"), port: Number(env.get("PORT")), onListen() {} },
    () => new Response(env.get("REPLICA_ID") + " " + pid),
  );`;

/** A service at a path of its own. */
function manifestOf(app: string, program: string, lines: readonly string[]): string {
  return [
    `app ${app}`,
    "  exec deno",
    `  args run --no-prompt --allow-net --allow-env ${program}`,
    ...lines.map((line) => `  ${line}`),
    "  health { check GET /health 200; interval 1s }",
    `  route { path /${app}; strip yes }`,
    "",
  ].join("\n");
}

const SLEEPER = ["port 8101", "scale { min 1; max 2; idle-after 1s }"];
const steady = (ram: number) => ["port 8102", "replicas 2", `ram ${ram}mb`];

interface Tally {
  sent: number;
  readonly failed: string[];
}

/** One request after another, until told to stop. */
async function requests(url: string, running: () => boolean, to: Tally): Promise<void> {
  while (running()) {
    to.sent++;
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(20_000) });
      const text = await response.text();
      if (response.status !== 200) to.failed.push(`${response.status} ${text}`);
    } catch (error) {
      to.failed.push(String(error));
    }
  }
}

Deno.test({
  name:
    "without NATS nothing is decided; programs run, are restarted, reached and woken by requests",
  ignore: !hasNats(),
  async fn(t) {
    await using nats = await NatsCluster.start({ size: 1, hostname: "127.0.44.21" });
    const [server] = nats.servers;
    await using world = await World.make({
      conductor: [`--store=nats://${server!.address}/lost`],
    });
    await world.startControl();
    for (const name of ["ingress", "node-1", "node-2"]) world.daemon(name);
    await world.nodesReady(2);
    const program = `${world.folder}/program.js`;
    await Deno.writeTextFile(program, PROGRAM);
    const manifest = (app: string, lines: readonly string[]) =>
      world.manifest(app, manifestOf(app, program, lines));
    await world.skr8tr(
      ...["up", "--wait", await manifest("steady", steady(160)), await manifest("drowsy", SLEEPER)],
    ).ended;
    await world.served("/steady");
    const origin = `http://${showAddress(world.layout.ingress)}`;
    const ask = async (path: string) => {
      const response = await fetch(`${origin}${path}`, { signal: AbortSignal.timeout(30_000) });
      const [replica = "", pid = ""] = (await response.text()).split(" ");
      return { status: response.status, replica, pid: Number(pid) };
    };
    await until(30_000, "drowsy sleeps", async () => {
      const { replicas, scale } = await world.view("drowsy");
      return replicas.length === 0 && scale?.asleep === true;
    });

    let running = true;
    const tally: Tally = { sent: 0, failed: [] };
    const load = Promise.all(
      Array.from({ length: 2 }, () => requests(`${origin}/steady`, () => running, tally)),
    );
    const before = (await world.view("steady")).replicas;
    try {
      await t.step("its server is killed: the conductor stands by", async () => {
        await server!.end();
        const url = `http://${showAddress(world.layout.conductor)}/leader`;
        await until(20_000, "the conductor stands by", async () => {
          return (await (await fetch(url)).json()).leads === false;
        });
      });

      await t.step("a deploy is not taken, and it is said why", async () => {
        const words = ["up", "--timeout", "2s", await manifest("steady", steady(161))];
        const { code, stderr } = await skr8trCommand(
          ["--conductor", showAddress(world.layout.conductor), ...words],
          { SKR8TR_KEY: world.keyPath },
        ).output();
        const said = new TextDecoder().decode(stderr);
        assertEquals(code, 2, said);
        assertStringIncludes(said, "can the conductors reach their store?");
      });

      await t.step("a program that is killed is started again by its node", async () => {
        const [victim] = before;
        assert(victim?.pid !== undefined, JSON.stringify(before));
        kill(victim.pid, "SIGKILL");
        await until(20_000, "it answers again", async () => {
          const { replica, pid } = await ask("/steady");
          return replica === victim.replica && pid !== victim.pid;
        });
      });

      await t.step(
        "an app that sleeps is woken by a request, on the node it slept on",
        async () => {
          const { status, replica } = await ask("/drowsy");
          assertEquals(status, 200);
          assertMatch(replica, /^drowsy\.w/);
        },
      );

      await t.step("NATS is back: deploys go on, and what stood in is replaced", async () => {
        server!.start();
        await world.skr8tr(
          "up",
          "--wait",
          "--timeout",
          "60s",
          await manifest("steady", steady(162)),
        )
          .ended;
        const { generation, ready } = await world.view("steady");
        assertEquals([generation, ready], [2, 2]);
        await until(30_000, "a replica of the log's answers for drowsy", async () => {
          const { status, replica } = await ask("/drowsy");
          assertEquals(status, 200);
          return !/^drowsy\.w/.test(replica);
        });
      });
    } finally {
      running = false;
      await load;
    }
    assertEquals(tally.failed, []);
    assert(tally.sent > 50, `${tally.sent} requests`);
    assertNotEquals((await world.view("steady")).replicas[0]?.replica, before[0]?.replica);
  },
});
