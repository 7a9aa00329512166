// Three conductors as processes, one store on NATS: each is killed, frozen and stopped in turn.

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { hasNats } from "../../tests/contract/nats_cluster.ts";
import { apply, post, signed } from "./rig_test.ts";
import { type ConductorProcess, SeveralConductors } from "./testing_several.ts";

const ignore = !hasNats();

async function appsOf(conductor: ConductorProcess): Promise<string[]> {
  const { apps } = await (await fetch(`${conductor.url}/api/apps`)).json();
  return apps.map((each: { app: string }) => each.app).sort();
}

/** Posts a command to whoever leads, the same one again until it is answered, as the CLI does. */
async function command(several: SeveralConductors, text: string): Promise<string> {
  for (let tries = 0;; tries++) {
    const leader = await several.leader();
    const reply = await post(leader.url, text).catch(() => "");
    if (reply.startsWith("OK|") || reply.startsWith("ERR|")) return reply;
    assert(tries < 1_000, `no answer: ${reply}`);
  }
}

async function ask(conductor: ConductorProcess): Promise<Response> {
  return await fetch(`${conductor.url}/api/status`);
}

Deno.test({
  name:
    "several conductors: whoever leads is killed, frozen or stopped; nothing acknowledged is lost",
  ignore,
  async fn(t) {
    await using several = await SeveralConductors.start({
      count: 3,
      servers: 3,
      hostname: "127.0.44.11",
    });
    const acknowledged: string[] = [];
    const deploy = async () => {
      const app = `app-${acknowledged.length}`;
      const reply = await command(several, apply(app));
      assertEquals(reply, `OK|APPLIED|${app}|1`);
      acknowledged.push(app);
    };
    await deploy();

    await t.step("a standby says who leads, and answers nothing else", async () => {
      const leader = await several.leader();
      const standby = several.conductors.find((each) => each !== leader)!;
      const response = await ask(standby);
      assertEquals(response.status, 503);
      const { leader: at } = await response.json();
      assertEquals(`http://${at}`, leader.url);
      const refused = await post(standby.url, signed("PING"));
      assertStringIncludes(refused, `${at} leads`);
    });

    await t.step("SIGKILL in the middle of commands", async () => {
      for (let round = 0; round < 2; round++) {
        const leader = await several.leader();
        const work = Promise.all([deploy(), several.leader().then(() => {})]);
        await leader.end();
        await work;
        await deploy();
        const next = await several.leader();
        assertEquals(await appsOf(next), [...acknowledged].sort());
        await leader.start();
      }
    });

    await t.step(
      "SIGSTOP: another leads; the woken one stands by, and has what was done",
      async () => {
        const leader = await several.leader();
        const before = (await leader.leader())!.term;
        leader.signal("SIGSTOP");
        const next = await several.leader(leader);
        await deploy();
        leader.signal("SIGCONT");
        // Only one says that it leads, as soon as the woken one says anything.
        const after = await several.leader(leader);
        assertEquals(after, next);
        assert((await next.leader())!.term > before);
        await leader.end();
        await leader.start();
        await next.end();
        const third = await several.leader(next);
        assertEquals(await appsOf(third), [...acknowledged].sort());
        await next.start();
      },
    );

    await t.step("SIGTERM gives the lease back", async () => {
      const leader = await several.leader();
      await leader.end("SIGTERM");
      const next = await several.leader(leader);
      await deploy();
      assertEquals(await appsOf(next), [...acknowledged].sort());
      await leader.start();
    });

    await t.step("nothing grows while who leads changes", async () => {
      const change = async () => {
        const leader = await several.leader();
        leader.signal("SIGSTOP");
        await several.leader(leader);
        leader.signal("SIGCONT");
        await several.leader(leader);
      };
      await change();
      const counts = () => Promise.all(several.conductors.map((each) => each.descriptors()));
      const before = await counts();
      for (let round = 0; round < 3; round++) {
        await deploy();
        await change();
      }
      // Connections of this test itself may stand a little longer.
      const after = await counts();
      for (const [at, count] of after.entries()) {
        assert(count <= before[at]! + 6, `${before} ${after}`);
      }
    });

    await t.step("without the store nobody decides, and it goes on when that is back", async () => {
      const leader = await several.leader();
      await Promise.all(several.nats.servers.map((server) => server.pause()));
      let answers = 0;
      for (const untilMs = performance.now() + 10_000; performance.now() < untilMs;) {
        if ((await leader.leader())?.leads === false) break;
        answers++;
      }
      assertEquals((await leader.leader())?.leads, false, `after ${answers} answers`);
      for (const server of several.nats.servers) server.resume();
      await deploy();
      assertEquals(await appsOf(await several.leader()), [...acknowledged].sort());
    });
  },
});

Deno.test({
  name: "a conductor with another identity does not start beside the others, and says what to do",
  ignore,
  async fn() {
    await using several = await SeveralConductors.start({
      count: 1,
      servers: 1,
      hostname: "127.0.44.12",
    });
    const [one] = several.conductors;
    await several.leader();
    await one!.end("SIGTERM");
    await Deno.remove(`${one!.state}/conductor.identity.json`);
    const error = await assertRejects(() => one!.start(), Error);
    assertStringIncludes(error.message, "copy conductor.identity.json and secret.key");
  },
});
