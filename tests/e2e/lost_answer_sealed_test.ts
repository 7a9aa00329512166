// Answers that are lost in a sealed session, where nobody on the way sees what is a command: what comes
// back is held up until the conductor's log has the command, and is lost then, with the connection.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { makeKeys } from "../../cli/keys.ts";
import { Way } from "../../cli/testing/way.ts";
import { SeveralConductors } from "../../conductor/live/testing_several.ts";
import { keys } from "../../conductor/live/rig_test.ts";
import type { AppView, AuditView } from "../../core/view.ts";
import { hasNats } from "../contract/nats_cluster.ts";
import { endConductor, startConductor } from "./lone_conductor.ts";

const HOST = "127.0.24.18";
const SEVERAL_HOST = "127.0.44.14";
const CLI = new URL("../../cli/main.ts", import.meta.url).pathname;
const MANIFEST = "app api\n  exec sleep\n  args 600\n";

/** The CLI as a process, to its end. */
async function skr8tr(folder: string, ...words: string[]) {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "-A", CLI, "--key", `${folder}/signing.sec`, ...words],
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  return { code, err: new TextDecoder().decode(stderr) };
}

/** How often this was executed for the app, as the log of whoever leads says. */
async function executed(url: string, verb: string): Promise<number> {
  const response = await fetch(`${url}/api/audit?limit=1000`);
  const lines = (await response.text()).trim().split("\n");
  const views = lines.filter((line) => line !== "").map((line) => JSON.parse(line) as AuditView);
  return views.filter((each) => each.kind === "command" && each.verb === verb).length;
}

async function appOf(url: string): Promise<AppView> {
  return await (await fetch(`${url}/api/apps/api`)).json();
}

/** What came through was sealed. */
function assertSealed(way: Way): void {
  const requests = way.requests.splice(0);
  assert(requests.some((line) => line.startsWith("GET /seal ")), requests.join("\n"));
  assert(requests.every((line) => !line.startsWith("POST ")), requests.join("\n"));
}

Deno.test("an answer that is lost in a sealed session: the command is executed once, and the CLI says the truth", async (t) => {
  const folder = await Deno.makeTempDir({ prefix: "skr8tr-lost-" });
  await makeKeys(`${folder}/signing.sec`, `${folder}/key.pub`);
  Deno.writeTextFileSync(`${folder}/api.skr8tr`, MANIFEST);
  const conductor = await startConductor(folder, HOST);
  const url = `http://${HOST}:${conductor.port}`;
  const way = new Way({ hostname: HOST, port: conductor.port });
  const run = (...words: string[]) => skr8tr(folder, "--conductor", way.address, ...words);
  /** So many answers to what is executed from here on are lost. */
  const lose = (verb: string, count: number, before: number) => {
    way.passes = async () => {
      if (count === 0 || await executed(url, verb) === before) return true;
      count--;
      return false;
    };
  };
  try {
    for (
      const [verb, ...words] of [
        ["APPLY", "up", `${folder}/api.skr8tr`],
        ["SCALE", "scale", "api=3"],
        ["STOP", "stop", "api"],
      ] as const
    ) {
      await t.step(`${verb}: two answers are lost, the third comes`, async () => {
        lose(verb, 2, 0);
        const { code, err } = await run("--timeout", "60s", ...words);
        assertEquals(code, 0, err);
        assertEquals(await executed(url, verb), 1);
        assertSealed(way);
      });
    }
    await t.step("no answer comes at all: exit code 2, and nobody knows", async () => {
      lose("START", Infinity, 0);
      const { code, err } = await run("--timeout", "3s", "start", "api");
      assertEquals(code, 2, err);
      assertMatch(err, /nobody knows whether api was started: /);
      assertStringIncludes(
        err,
        "; skr8tr status api tells when the conductor is back, and the same",
      );
      assertEquals(await executed(url, "START"), 1);
      assertSealed(way);
      way.passes = () => Promise.resolve(true);
      const said = await run("status", "api");
      assertEquals(said.code, 0, said.err);
      assert((await appOf(url)).state !== "stopped");
    });
  } finally {
    await way[Symbol.asyncDispose]();
    await endConductor(conductor);
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test({
  name:
    "whoever leads is killed between executing and answering: another one answers, and the command is executed once",
  ignore: !hasNats(),
  async fn(t) {
    await using several = await SeveralConductors.start({
      count: 3,
      servers: 1,
      hostname: SEVERAL_HOST,
    });
    const { folder } = several;
    await Deno.writeFile(`${folder}/signing.sec`, keys.secretKey, { mode: 0o600 });
    Deno.writeTextFileSync(`${folder}/api.skr8tr`, MANIFEST);
    for (
      const [verb, ...words] of [
        ["APPLY", "up", `${folder}/api.skr8tr`],
        ["SCALE", "scale", "api=3"],
        ["STOP", "stop", "api"],
      ] as const
    ) {
      await t.step(verb, async () => {
        const leader = await several.leader();
        const { url } = leader;
        const ways = several.conductors.map((each) => new Way(addressOf(each.url)));
        let killed = 0;
        const [way] = ways.filter((_, at) => several.conductors[at] === leader);
        way!.passes = async () => {
          if (killed > 0 || await executed(url, verb) === 0) return true;
          killed++;
          await leader.end();
          return false;
        };
        try {
          const all = ways.map((each) => each.address).join(",");
          const { code, err } = await skr8tr(folder, "--conductor", all, ...words);
          assertEquals(code, 0, err);
          assertEquals(killed, 1, "it was executed, and nobody was told");
          const next = await several.leader(leader);
          assertEquals(await executed(next.url, verb), 1);
          assertSealed(way!);
          const app = await appOf(next.url);
          if (verb === "SCALE") assertEquals(app.wanted, 3);
          if (verb === "STOP") assertEquals(app.state, "stopped");
        } finally {
          for (const each of ways) await each[Symbol.asyncDispose]();
        }
        await leader.start();
      });
    }
  },
});

function addressOf(url: string): { readonly hostname: string; readonly port: number } {
  const { hostname, port } = new URL(url);
  return { hostname, port: Number(port) };
}
