// Limits, autoscaling and sleep in a real cluster, under load.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { AppView, EventView } from "../../core/view.ts";
import { type ReadyLine, startClusterTask, until } from "./cluster_process.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname).replace(/\/$/, "");

/** Answers after some work of the CPU; holds what it is told to hold. */
const PROGRAM = `
  const held = [];
  Deno.serve(
    { hostname: Deno.env.get("HOST"), port: Number(Deno.env.get("PORT")), onListen() {} },
    (request) => {
      const { pathname, searchParams } = new URL(request.url);
      for (let count = 0; count < Number(searchParams.get("hold") ?? 0); count++) {
        held.push(new Uint8Array(2 ** 20).fill(count + 1));
      }
      if (pathname === "/work") for (let end = performance.now() + 3; performance.now() < end;);
      return new Response(Deno.env.get("REPLICA_ID"));
    },
  );`;

async function skr8tr(ready: ReadyLine, state: string, ...words: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "task",
      "-q",
      "skr8tr",
      ...["--conductor", ready.conductor, "--tower", ready.tower],
      ...["--key", `${state}/signing.sec`],
      ...words,
    ],
    cwd: ROOT,
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assert(success, text(stderr) + text(stdout));
  return text(stdout);
}

const has = (program: string) =>
  new Deno.Command("sh", { args: ["-c", `command -v ${program}`], stdout: "null" }).outputSync()
    .success;

Deno.test("limits, scaling and sleep: nobody notices but who looks", async (t) => {
  await using cluster = await startClusterTask();
  const ready = await cluster.ready();
  assert(ready.ready, ready.error);
  const { state } = cluster;
  await Deno.writeTextFile(`${state}/program.js`, PROGRAM);
  const view = async (name: string): Promise<AppView> =>
    await (await fetch(`http://${ready.conductor}/api/apps/${name}`)).json();
  const events = async (name: string): Promise<string[]> => {
    const text = await (await fetch(`http://${ready.conductor}/api/events?app=${name}&limit=100`))
      .text();
    return text.trim().split("\n").map((line) => JSON.parse(line) as EventView)
      .filter((event) => event.kind === "scaled").map((event) => event.text);
  };
  const up = async (name: string, lines: string) => {
    const file = `${state}/${name}.skr8tr`;
    await Deno.writeTextFile(
      file,
      `app ${name}
  exec deno
  args run --no-prompt --allow-net --allow-env ${state}/program.js
  port 8${String(name.length).padStart(3, "0")}
  health {
    check GET /health 200
    interval 1s
  }
  route {
    path /${name}
    strip yes
  }
${lines}`,
    );
    await skr8tr(ready, state, "up", "--wait", file);
  };
  const ask = async (path: string) => {
    const response = await fetch(`${ready.ingress}${path}`);
    return { status: response.status, text: await response.text() };
  };

  await t.step("a replica that eats memory is restarted, and status says why", async () => {
    await up("greedy", "  ram 200mb\n");
    await ask("/greedy?hold=240");
    await until(20_000, "it was ended as out of memory", async () => {
      const [replica] = (await view("greedy")).replicas;
      return replica?.exit?.why === "oom" && replica.state === "ready" && replica.restarts === 1;
    });
    assertEquals((await ask("/greedy")).status, 200);
    const said = await skr8tr(ready, state, "events", "greedy");
    assertStringIncludes(said, "out of memory");
    await skr8tr(ready, state, "down", "greedy");
  });

  await t.step("load brings replicas, calm takes them again; no request is lost", async () => {
    if (!has("wrk")) return console.log("not run: wrk is not installed");
    await up(
      "busy",
      "  cpu 0.1\n  scale {\n    max 3\n    cpu-above 60\n    cooldown 2s\n  }\n",
    );
    assertEquals((await view("busy")).wanted, 1);
    const wrk = new Deno.Command("wrk", {
      args: ["-t1", "-c4", "-d20s", `${ready.ingress}/busy/work`],
      stdout: "piped",
    }).spawn();
    await until(20_000, "it has three replicas", async () => (await view("busy")).ready === 3);
    const scale = (await view("busy")).scale;
    assert(scale && scale.max === 3 && (scale.cpuPercent ?? 0) > 0, JSON.stringify(scale));
    const report = new TextDecoder().decode((await wrk.output()).stdout);
    const requests = Number(/(\d+) requests in/.exec(report)?.[1]);
    assert(requests > 100, report);
    assert(!/Non-2xx|Socket errors/.test(report), report);

    // Down again, one by one, with requests all the while.
    let failed = 0;
    await until(40_000, "it has one replica", async () => {
      if ((await ask("/busy/")).status !== 200) failed++;
      const { wanted, replicas } = await view("busy");
      return wanted === 1 && replicas.length === 1;
    });
    assertEquals(failed, 0);
    const told = await events("busy");
    assertEquals(told.map((each) => each.split(":")[0]), [
      "scale busy to 2",
      "scale busy to 3",
      "scale busy to 2",
      "scale busy to 1",
    ], told.join("\n"));
    await skr8tr(ready, state, "down", "busy");
  });

  await t.step("an idle app sleeps, and its first requests wake it and are answered", async () => {
    await up("drowsy", "  scale {\n    min 1\n    max 2\n    idle-after 1s\n  }\n");
    const asleep = () =>
      until(30_000, "it sleeps", async () => {
        const { replicas, scale, wanted } = await view("drowsy");
        return replicas.length === 0 && wanted === 0 && scale?.asleep === true;
      });
    await asleep();
    const listed = await skr8tr(ready, state, "status", "drowsy");
    assertStringIncludes(listed, "asleep");
    const answers = await Promise.all(Array.from({ length: 5 }, () => ask("/drowsy/")));
    assertEquals(answers.map((each) => each.status), [200, 200, 200, 200, 200]);
    assert(answers.every((each) => each.text.startsWith("drowsy.")), JSON.stringify(answers));
    await asleep();
    assertEquals(
      (await events("drowsy")).map((each) => each.split(":")[0]),
      ["scale drowsy to none", "scale drowsy to 1", "scale drowsy to none"],
    );
  });

  await cluster.stop();
});
