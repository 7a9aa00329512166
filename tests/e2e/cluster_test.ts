// `deno task cluster` for real: processes, sockets, signals.

import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import type { AppView } from "../../core/view.ts";
import {
  assertNothingLeft,
  ClusterProcess,
  daemonPid,
  isAlive,
  kill,
  ownCluster,
  type ReadyLine,
  startClusterTask,
  until,
  within,
} from "./cluster_process.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname).replace(/\/$/, "");

async function skr8tr(ready: ReadyLine, ...words: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "task",
      "-q",
      "skr8tr",
      "--conductor",
      ready.conductor,
      "--tower",
      ready.tower,
      ...words,
    ],
    cwd: ROOT,
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assert(success, text(stderr));
  return text(stdout);
}

async function app(ready: ReadyLine, name = "product-svc"): Promise<AppView> {
  return JSON.parse(await skr8tr(ready, "status", name, "--json"));
}

const readyPids = (view: AppView) =>
  new Map(
    view.replicas.filter((replica) => replica.state === "ready")
      .map((replica) => [replica.replica, replica.pid!]),
  );

/** One request through the ingress; who answered. */
async function ask(ready: ReadyLine): Promise<string> {
  const response = await fetch(`${ready.ingress}/api/products?per_page=3`);
  const { items } = await response.json();
  assertEquals([response.status, items.length], [200, 3]);
  return response.headers.get("x-replica") ?? "";
}

/** Requests one after the other until stopped; every one must be answered. */
function load(ready: ReadyLine): { stop(): Promise<{ answered: number; failed: string[] }> } {
  let going = true;
  const failed: string[] = [];
  let answered = 0;
  const loop = (async () => {
    while (going) {
      try {
        await ask(ready);
        answered++;
      } catch (error) {
        failed.push(String(error));
      }
    }
  })();
  return {
    async stop() {
      going = false;
      await loop;
      return { answered, failed };
    },
  };
}

Deno.test("the cluster serves from both replicas in turn, and finds its state again", async (t) => {
  await using first = await startClusterTask();
  const ready = await first.ready();
  assert(ready.ready, ready.error);
  const keys = await Deno.readFile(`${first.state}/skrtrview.pub`);

  await t.step("both replicas answer in turn", async () => {
    const seen: string[] = [];
    for (let count = 0; count < 6; count++) seen.push(await ask(ready));
    assertEquals(new Set(seen).size, 2, seen.join(" "));
    for (let at = 2; at < seen.length; at++) assertEquals(seen[at], seen[at - 2], seen.join(" "));
  });

  await t.step("the CLI knows it", async () => {
    assertStringIncludes(await skr8tr(ready, "ping"), "conductor");
    const nodes = JSON.parse(await skr8tr(ready, "nodes", "--json")).nodes;
    assertEquals(nodes.map((node: { name: string }) => node.name), ["node-1", "node-2", "node-3"]);
    const view = await app(ready);
    assertEquals([view.state, view.ready, view.generation], ["ready", 2, 1]);
    assertEquals(new Set(view.replicas.map((replica) => replica.node)).size, 2);
    assertStringIncludes(await skr8tr(ready, "lookup", "product-svc"), "127.0.0.1");
    assertStringIncludes(await skr8tr(ready, "logs", "product-svc"), '"event":"listening"');
  });

  await t.step("every daemon has metrics, with the permissions it runs with", async () => {
    const base = Number(new URL(ready.ingress).port) - 20;
    const own = [ready.conductor, ready.tower, `127.0.0.1:${base + 6}`, `127.0.0.11:${base + 10}`];
    for (const address of own) {
      const response = await fetch(`http://${address}/metrics`);
      assertStringIncludes(await response.text(), "\n# TYPE skr8tr_", address);
      assertEquals(response.status, 200, address);
    }
  });

  await t.step("a replica killed by SIGKILL is back", async () => {
    const before = readyPids(await app(ready));
    const [replica, pid] = [...before][0]!;
    kill(pid, "SIGKILL");
    await until(10_000, "the replica is back", async () => {
      const now = readyPids(await app(ready));
      return now.size === 2 && now.get(replica) !== undefined && now.get(replica) !== pid;
    });
    const view = await app(ready);
    assertEquals(view.replicas.find((each) => each.replica === replica)?.restarts, 1);
    await ask(ready);
  });

  for (const daemon of ["conductor", "tower", "node-1", "node-2"]) {
    await t.step(
      `${daemon} killed by SIGKILL under load costs no request, no replica`,
      async () => {
        for (let tries = 1;; tries++) {
          const deaths = await deathsOf(ready);
          const before = readyPids(await app(ready));
          await killDaemon(first.state, daemon, ready);
          // On a starved machine a node may take longer to start than it takes to be called dead.
          const died = await deathsOf(ready) > deaths;
          if (!died || tries === 3) return assertEquals(readyPids(await app(ready)), before);
        }
      },
    );
  }

  await t.step("the ingress killed by SIGKILL is back", async () => {
    const pid = await daemonPid(first.state, "ingress");
    kill(pid, "SIGKILL");
    await until(10_000, "it answers again", async () => {
      return await ask(ready).then(() => true, () => false);
    });
    assertNotEquals(await daemonPid(first.state, "ingress"), pid);
  });

  const pids = [...readyPids(await app(ready)).values()];
  const { errors, output } = await first.stop();
  assertEquals(output.trim().split("\n").length, 1);
  assertStringIncludes(errors, "died (SIGKILL) and is started again");
  for (const pid of pids) assert(!isAlive(pid), `replica ${pid} lives`);

  await t.step("a second run finds keys and state", async () => {
    const port = Number(new URL(ready.ingress).port) - 20;
    const flags = [
      ...["--json", "--only=product-svc"],
      ...[`--state=${first.state}`, `--port-base=${port}`],
    ];
    const command = [Deno.execPath(), "task", "-q", "cluster", ...flags];
    const second = new ClusterProcess(first.state, command);
    const again = await second.ready();
    assert(again.ready, again.error);
    assertEquals(await Deno.readFile(`${first.state}/skrtrview.pub`), keys);
    assertEquals((await app(again)).generation, 1);
    await ask(again);
    const events = await skr8tr(again, "events", "--json");
    assertStringIncludes(events, `"text"`);
    assertEquals(events.split("\n").filter((line) => line.includes("apply product-svc")).length, 1);
    await second.stop();
  });
});

/** Kills a daemon under load, which costs no request, and waits until it is back. */
async function killDaemon(state: string, daemon: string, ready: ReadyLine): Promise<void> {
  const requests = load(ready);
  const pid = await daemonPid(state, daemon);
  kill(pid, "SIGKILL");
  await until(10_000, `${daemon} is back`, async () => {
    try {
      const again = await daemonPid(state, daemon);
      return again !== pid && (await app(ready)).state === "ready";
    } catch {
      return false;
    }
  });
  const { answered, failed } = await requests.stop();
  assertEquals(failed, []);
  assert(answered > 0);
}

/** How often the conductor has called a node dead. */
async function deathsOf(ready: ReadyLine): Promise<number> {
  const events = await skr8tr(ready, "events", "--json", "--lines", "10000");
  return events.split("\n").filter((line) => line.includes('"kind":"node-dead"')).length;
}

Deno.test("two signals to the whole process group end it once, with exit code 0", async () => {
  // A terminal sends SIGINT to every process in the foreground, and deno task passes it on again.
  const { state, flags } = await ownCluster();
  const command = [Deno.execPath(), "task", "-q", "cluster", ...flags];
  await using cluster = new ClusterProcess(state, command, true);
  assert((await cluster.ready()).ready);
  kill(-cluster.child.pid, "SIGINT");
  kill(-cluster.child.pid, "SIGINT");
  const { status, errors } = await cluster.end();
  assertEquals(status.code, 0, errors);
  assertEquals(errors.match(/^stopping: /gm)?.length, 1);
  await assertNothingLeft(state);
});

Deno.test("the cluster ends with its own death by SIGKILL, replicas and all", async () => {
  await using cluster = await startClusterTask();
  const ready = await cluster.ready();
  assert(ready.ready, ready.error);
  const pids = [...readyPids(await app(ready)).values()];
  assertEquals(pids.length, 2);
  kill(await mainPid(cluster.state), "SIGKILL");
  await assertNothingLeft(cluster.state);
  await until(5_000, "the replicas have ended", () => !pids.some(isAlive));
});

Deno.test("replicas of nodes that die while all is stopped are swept", async () => {
  await using cluster = await startClusterTask();
  const ready = await cluster.ready();
  assert(ready.ready, ready.error);
  const pids = [...readyPids(await app(ready)).values()];
  const nodes = await Promise.all(
    ["node-1", "node-2", "node-3"].map((name) => daemonPid(cluster.state, name)),
  );
  const ingress = await daemonPid(cluster.state, "ingress");
  // Frozen, they stop no replica; killed once all is being stopped, they are not started again.
  for (const pid of nodes) kill(pid, "SIGSTOP");
  cluster.child.kill("SIGTERM");
  await until(10_000, "all is being stopped", () => !isAlive(ingress));
  for (const pid of nodes) kill(pid, "SIGKILL");
  const { status, errors } = await cluster.end();
  assertEquals(status.code, 0, errors);
  assertStringIncludes(errors, "killed what was left: product-svc.");
  assertEquals(pids.filter(isAlive), []);
  await assertNothingLeft(cluster.state);
});

/** The process of cli/cluster/main.ts itself, below `deno task`. */
async function mainPid(state: string): Promise<number> {
  return await daemonPid(state, "cluster");
}

const DENO = Deno.execPath();
const NPX = await new Deno.Command("npx", { args: ["--version"], stdout: "null" }).output()
  .then(({ success }) => success, () => false);
if (!NPX) console.log("npx is not installed: the cluster is not tried under it");

// Where npx has it already no registry is asked: how fast one answers is no matter here.
const BY_NPX = "exec npx --prefer-offline -y deno@2.9.6 task cluster";

for (
  const { name, command, signal, ignore = false } of [
    {
      name: "SIGTERM to npx",
      command: BY_NPX,
      signal: "SIGTERM",
      ignore: !NPX,
    },
    {
      name: "SIGKILL to npx",
      command: BY_NPX,
      signal: "SIGKILL",
      ignore: !NPX,
    },
    { name: "SIGKILL to deno task", command: `exec ${DENO} task cluster`, signal: "SIGKILL" },
    {
      name: "the death of a script that runs it",
      command: `echo wrapped >&2\n${DENO} task cluster`,
      signal: "SIGKILL",
    },
  ] as const
) {
  Deno.test({
    name: `the cluster ends with ${name}`,
    ignore,
    async fn() {
      const { state, flags } = await ownCluster();
      const script = `${state}/start.sh`;
      await Deno.writeTextFile(script, `${command} ${flags.join(" ")}\nexit 0\n`);
      await using cluster = new ClusterProcess(state, ["sh", script]);
      const ready = await cluster.ready();
      assert(ready.ready, ready.error);
      cluster.child.kill(signal);
      await cluster.child.status;
      await assertNothingLeft(state);
    },
  });
}

Deno.test("with --stay the cluster outlives the script that started it", async () => {
  const { state, flags } = await ownCluster();
  const script = `${state}/start.sh`;
  await Deno.writeTextFile(script, `${DENO} task cluster --stay ${flags.join(" ")}\nexit 0\n`);
  await using cluster = new ClusterProcess(state, ["sh", script]);
  const ready = await cluster.ready();
  assert(ready.ready, ready.error);
  const main = await mainPid(state);
  cluster.child.kill("SIGKILL");
  await cluster.child.status;
  // Longer than the watch takes to notice; there is no event for what does not happen.
  const noticed = until(1_000, "it ends", () => !isAlive(main)).then(() => true, () => false);
  assertEquals(await noticed, false);
  await ask(ready);
  kill(main, "SIGTERM");
  await assertNothingLeft(state);
});

Deno.test("a taken port is stepped around and named", async () => {
  const { state, flags } = await ownCluster();
  const base = Number(flags.find((flag) => flag.startsWith("--port-base="))!.split("=")[1]);
  const http = Deno.listen({ hostname: "127.0.0.1", port: base + 20 });
  const commands = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: base + 1 });
  try {
    const command = [Deno.execPath(), "task", "-q", "cluster", ...flags];
    await using cluster = new ClusterProcess(state, command);
    const ready = await cluster.ready();
    assert(ready.ready, ready.error);
    assertNotEquals(ready.ingress, `http://127.0.0.1:${base + 20}`);
    await ask(ready);
    const { errors } = await cluster.stop();
    assertStringIncludes(errors, `port ${base + 20} is taken: the ingress listens at 127.0.0.1:`);
    assertStringIncludes(errors, `port ${base + 1} is taken: the conductor listens at 127.0.0.1:`);
  } finally {
    http.close();
    commands.close();
  }
});

Deno.test("what cannot be brought up ends in one line of JSON and exit code 1", async () => {
  await using cluster = await startClusterTask(["--only=no-such-svc"]);
  const line = await cluster.ready();
  assertEquals(line.ready, false);
  assertStringIncludes(line.error!, "market/manifests/no-such-svc.skr8tr: there is no such file");
  const { status, output } = await cluster.end();
  assertEquals([status.code, output.trim().split("\n").length], [1, 1]);
  await assertNothingLeft(cluster.state);
});

Deno.test("a second cluster over the same state is refused", async () => {
  await using first = await startClusterTask();
  assert((await first.ready()).ready);
  const flags = ["--json", `--state=${first.state}`, "--port-base=19100"];
  const second = new Deno.Command(Deno.execPath(), {
    args: ["task", "-q", "cluster", ...flags],
    cwd: ROOT,
    stdout: "piped",
    stderr: "null",
  });
  const { code, stdout } = await within(20_000, "the refusal", second.output());
  assertEquals(code, 1);
  const line: ReadyLine = JSON.parse(new TextDecoder().decode(stdout));
  assertStringIncludes(line.error!, `another cluster runs with the state folder ${first.state}`);
  await first.stop();
});
