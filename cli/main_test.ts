// Whole commands, run in this process against a stand-in conductor.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { keyPairFromSeed } from "../core/sign.ts";
import { makeKeys } from "./keys.ts";
import { main } from "./main.ts";
import {
  appView,
  type FakeConductor,
  fakeConductor,
  type FakeOptions,
  replicaView,
} from "./testing/conductor.ts";
import { keptOutput } from "./testing/output.ts";

interface Stage extends AsyncDisposable {
  readonly folder: string;
  readonly fake: FakeConductor;
  run(line: string, columns?: number): Promise<{ code: number; out: string; err: string }>;
}

/** A folder with keys and manifests, and a conductor that knows the key. */
async function stage(options: FakeOptions = {}): Promise<Stage> {
  const folder = await Deno.makeTempDir({ prefix: "skr8tr-cli-" });
  const key = `${folder}/signing.sec`;
  await makeKeys(key, `${folder}/skrtrview.pub`);
  const publicKey = await Deno.readFile(`${folder}/skrtrview.pub`);
  const fake = fakeConductor({ publicKey, ...options });
  await Deno.writeTextFile(`${folder}/good.skr8tr`, "app api\n  exec /bin/api\n  port 8001\n");
  await Deno.writeTextFile(
    `${folder}/two.skr8tr`,
    "app one\n  exec /bin/one\napp two\n  exec /bin/two\n  needs one\n",
  );
  await Deno.writeTextFile(
    `${folder}/bad.skr8tr`,
    "app api\n  exec /bin/api\n  replcas 2\n  port 99999\n",
  );
  return {
    folder,
    fake,
    async run(line, columns) {
      const output = keptOutput(columns);
      const conductor = ["--conductor", `127.0.0.1:${fake.port}`, "--key", key];
      const words = line.split(" ").map((word) => word.replace(/^@/, `${folder}/`));
      const code = await main([...conductor, ...words], output);
      return {
        code,
        out: output.printed.join("\n"),
        err: output.noted.join("\n") + output.raws,
      };
    },
    async [Symbol.asyncDispose]() {
      await fake[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

Deno.test("up sends one signed APPLY for each app", async () => {
  await using cli = await stage();
  const { code, out } = await cli.run("up @two.skr8tr");
  assertEquals([code, out], [0, "one generation 1 accepted\ntwo generation 1 accepted"]);
  assertEquals(cli.fake.executed.length, 2);
  for (const command of cli.fake.executed) assertMatch(command, /^APPLY\|[0-9a-f-]{36}\|/);
});

Deno.test("up prints every error of every file and sends nothing", async () => {
  await using cli = await stage();
  const { code, err } = await cli.run("up @good.skr8tr @bad.skr8tr");
  assertEquals(code, 1);
  assertStringIncludes(err, 'bad.skr8tr:3:3: unknown key "replcas" in app "api": did you mean');
  assertStringIncludes(err, "bad.skr8tr:4:8");
  assertStringIncludes(err, "^^^^^^^");
  assertStringIncludes(err, "2 errors, nothing was done");
  assertEquals([cli.fake.planned, cli.fake.received], [[], []]);
});

Deno.test("up refuses an app that stands in two files", async () => {
  await using cli = await stage();
  const { code, err } = await cli.run("up @good.skr8tr @good.skr8tr");
  assertEquals(code, 1);
  assertStringIncludes(err, "app api stands in more than one of these files");
  assertEquals(cli.fake.received, []);
});

Deno.test("up --dry-run prints the plan and sends nothing", async () => {
  await using cli = await stage();
  const { code, out } = await cli.run("up --dry-run @good.skr8tr");
  assertEquals([code, out], [0, "api generation 1\n  place api.1 on node-1: most room"]);
  const json = await cli.run("up --dry-run --json @good.skr8tr");
  assertEquals(JSON.parse(json.out).apps[0].operations, ["place api.1 on node-1: most room"]);
  assertEquals(cli.fake.received, []);
});

Deno.test("up --dry-run says what would be refused, and why", async () => {
  const noRoom = "namespace shop may have 2 replicas";
  await using cli = await stage({ noRoom });
  const { code, out } = await cli.run("up --dry-run @good.skr8tr");
  assertEquals([code, out], [1, `api generation 1\n  refused: ${noRoom}`]);
});

Deno.test("up plans again, once, when somebody else deployed meanwhile", async () => {
  await using cli = await stage({ conflictOnce: true });
  const { code, out } = await cli.run("up @good.skr8tr");
  assertEquals([code, out], [0, "api generation 2 accepted"]);
  assertEquals(cli.fake.planned.length, 2);
});

Deno.test("up leaves alone what does not change", async () => {
  await using cli = await stage();
  await Deno.writeTextFile(
    `${cli.folder}/same.skr8tr`,
    "app api\n  exec /bin/api\n  x-note unchanged-marker\n  args unchanged-marker\n",
  );
  const { code, out } = await cli.run("up @same.skr8tr");
  assertEquals([code, out], [0, "api unchanged (generation 0)"]);
  assertEquals(cli.fake.received, []);
});

Deno.test("up --wait shows the way and says when it is ready", async () => {
  await using cli = await stage({
    story: (app, generation) => [
      appView(app, { generation, replicas: [replicaView("api.1", { generation })] }),
      appView(app, {
        generation,
        state: "ready",
        ready: 1,
        replicas: [replicaView("api.1", { generation, state: "ready", port: 8001 })],
      }),
    ],
  });
  const plain = await cli.run("up --wait @good.skr8tr");
  assertEquals(plain.code, 0);
  assertMatch(plain.out, /^api generation 1 ready in /);
  assertStringIncludes(plain.err, "api.1 on node-1: starting\n");
  assertStringIncludes(plain.err, "api.1 on node-1: ready at 127.0.0.11:8001");
  const terminal = await cli.run("up --wait @good.skr8tr", 60);
  assertStringIncludes(terminal.err, "\x1b[2A\x1b[2Kapi generation 2: 1 of 1 ready");
});

Deno.test("up --wait says which replica failed on which node, why, with its last lines", async () => {
  const log = (replica: string, line: string) =>
    JSON.stringify({ wallMs: 1, app: "api", replica, node: "node-2", line });
  await using cli = await stage({
    story: (app, generation) => [
      appView(app, {
        generation,
        state: "failing",
        replicas: [
          replicaView("api.1", { generation, state: "ready" }),
          replicaView("api.2", {
            generation,
            node: "node-2",
            state: "waiting",
            restarts: 3,
            exit: { why: "exit", code: 3, wallMs: 1 },
          }),
        ],
      }),
    ],
    pages: {
      "/api/logs/api": [log("api.1", "fine"), log("api.2", "no database\x1b[2J")].join("\n"),
    },
  });
  const { code, out } = await cli.run("up --wait @good.skr8tr");
  assertEquals(code, 1);
  assertEquals(
    out,
    "api generation 1 failed: api.2 on node-2: exit code 3, restarted 3 times\n" +
      "  | no database\u00b7[2J",
  );
  const json = await cli.run("up --wait --json @good.skr8tr");
  assertEquals(json.code, 1);
  const [app] = JSON.parse(json.out).apps;
  assertEquals([app.result, app.replica, app.node], ["failed", "api.2", "node-2"]);
});

Deno.test("up --wait does not take a moment's life for readiness without a health check", async () => {
  const up = (generation: number, restarts: number) =>
    appView("api", {
      generation,
      state: "ready",
      ready: 1,
      replicas: [replicaView("api.1", { generation, state: "ready", restarts })],
    });
  await using cli = await stage({
    story: (app, generation) => [
      up(generation, 0),
      up(generation, 3),
      appView(app, {
        generation,
        state: "failing",
        replicas: [
          replicaView("api.1", {
            generation,
            state: "waiting",
            restarts: 3,
            exit: { why: "exit", code: 3, wallMs: 1 },
          }),
        ],
      }),
    ],
  });
  const { code, out } = await cli.run("up --wait @good.skr8tr");
  assertEquals(code, 1);
  assertStringIncludes(out, "api.1 on node-1: exit code 3, restarted 3 times");
});

Deno.test("up --wait gives up when its time is over", async () => {
  await using cli = await stage({
    story: (app, generation) => [
      appView(app, {
        generation,
        replicas: [replicaView("api.1", { generation, reason: "GET /health answered 500" })],
      }),
    ],
  });
  const { code, out } = await cli.run("up --wait --timeout 700ms @good.skr8tr");
  assertEquals(code, 1);
  assertStringIncludes(
    out,
    "generation 1 not in place yet: api.1 on node-1: not ready in time: GET /health answered 500",
  );
  assertStringIncludes(out, "it goes on: skr8tr status api");
});

Deno.test("a key that the conductor does not know ends in what to check", async () => {
  await using cli = await stage({ publicKey: keyPairFromSeed(new Uint8Array(32)).publicKey });
  for (const line of ["up @good.skr8tr", "down api"]) {
    const { code, err } = await cli.run(line);
    assertEquals(code, 1);
    assertStringIncludes(err, "does not accept the signature");
    assertStringIncludes(err, "--pubkey");
  }
});

Deno.test("every command refuses a key that others can read", async () => {
  await using cli = await stage();
  await Deno.chmod(`${cli.folder}/signing.sec`, 0o644);
  for (const line of ["up @good.skr8tr", "down api"]) {
    const { code, err } = await cli.run(line);
    assertEquals(code, 1);
    assertStringIncludes(err, "chmod 600");
  }
  assertEquals(cli.fake.received, []);
});

Deno.test("down takes names and files, a file's apps in reverse", async () => {
  await using cli = await stage();
  await cli.run("up @two.skr8tr");
  const { code, out } = await cli.run("down @two.skr8tr");
  assertEquals([code, out], [0, "two down\none down"]);
  const again = await cli.run("down one");
  assertEquals(again.code, 1);
  assertStringIncludes(again.err, "one: no such app is up");
});

Deno.test({
  name: "what skr8tr is not permitted to do is said in one line, with where to do it",
  permissions: { read: true, env: true },
  async fn() {
    const output = keptOutput();
    const code = await main(["store", "restore", "cluster.backup", "/elsewhere/log.db"], output);
    assertEquals(code, 1);
    assertMatch(
      output.noted.join("\n"),
      /^error: skr8tr is not permitted to do that: Requires write access to .*: run it where that is/,
    );
  },
});

Deno.test("nobody there: one line, exit code 2", async () => {
  const cli = await stage();
  await cli.fake[Symbol.asyncDispose]();
  const lines = ["list", "nodes", "status", "logs api", "events", "up @good.skr8tr", "down api"];
  for (const line of [...lines, "up --dry-run @good.skr8tr", "status api"]) {
    const { code, out, err } = await cli.run(`--timeout 400ms ${line}`);
    assertEquals([code, out], [2, ""], line);
    assertMatch(err, /^error: the conductor does not answer: 127\.0\.0\.1:[0-9]+: .*[^\n]$/, line);
  }
  const lookup = await cli.run(`--timeout 300ms --tower 127.0.0.1:${cli.fake.port} lookup api`);
  assertEquals(lookup.code, 2);
  assertMatch(lookup.err, /^error: the tower does not answer: .*[^\n]$/);
  await Deno.remove(cli.folder, { recursive: true });
});

Deno.test("list, nodes, status and logs fall back to the original's datagrams", async () => {
  const node = "0".repeat(31) + "1";
  await using cli = await stage({
    noHttp: true,
    datagrams: {
      LIST: `OK|LIST|2|api:${node}:41,web:${node}:42`,
      NODES: `OK|NODES|1|${node}:10.0.0.7:12.5:900:GPU`,
      "LOGS|api": "OK|LOGS|api|2|one | two\nthree",
    },
  });
  const list = await cli.run("list --json");
  assertEquals(JSON.parse(list.out).replicas[1], { app: "web", node, pid: 42 });
  const nodes = await cli.run("nodes");
  assertStringIncludes(nodes.out, `${node}  10.0.0.7  12.5 %   900 MiB  yes`);
  const status = await cli.run("status");
  assertEquals(status.code, 0);
  assertStringIncludes(status.out, "10.0.0.7");
  assertStringIncludes(status.out, "web");
  const logs = await cli.run("logs api");
  assertEquals([logs.code, logs.out], [0, "one | two\nthree"]);
});

Deno.test("ping and lookup speak to the tower", async () => {
  await using cli = await stage({
    datagrams: {
      PING: "OK|PONG|tower",
      "LOOKUP|api": "OK|LOOKUP|api|127.0.0.11|8001",
      "LOOKUP|web": "ERR|NOT_FOUND|web",
    },
  });
  const tower = `--tower 127.0.0.1:${cli.fake.port}`;
  assertEquals((await cli.run(`${tower} lookup api`)).out, "127.0.0.11:8001");
  const json = await cli.run(`${tower} lookup api --json`);
  assertEquals(JSON.parse(json.out), { name: "api", host: "127.0.0.11", port: 8001 });
  assertEquals((await cli.run(`${tower} lookup web`)).code, 1);
  // The same stand-in is no conductor: that half fails, and the exit code says so.
  const ping = await cli.run(`${tower} --timeout 300ms ping --json`);
  assertEquals(ping.code, 2);
  const [conductor, towerPong] = JSON.parse(ping.out).pongs;
  assertEquals(conductor.ms, null);
  assert(towerPong.ms >= 0);
});

Deno.test("status prints apps, nodes and problems within the width", async () => {
  const app = appView("api", {
    wanted: 2,
    ready: 1,
    state: "degraded",
    reasons: ["api.2 on node-2: GET /health answered 500"],
    replicas: [replicaView("api.1", { state: "ready", port: 8001, pid: 4711 })],
  });
  const node = {
    id: "1".repeat(32),
    name: "node-1",
    host: "127.0.0.11",
    port: 7775,
    state: "ready",
    cpuPercent: 12.4,
    cores: 2,
    ramTotalBytes: 4 * 2 ** 30,
    ramFreeBytes: 2 ** 30,
    gpu: false,
    labels: { zone: "a" },
    replicas: 1,
    silentMs: 20,
  };
  const status = {
    conductor: { version: "0.1.0", boot: "0".repeat(16), upMs: 65_000 },
    sequence: 12,
    nodes: [node],
    apps: [app],
    problems: ["api.2 on node-2: GET /health answered 500"],
  };
  await using cli = await stage({
    pages: {
      "/api/status": JSON.stringify(status),
      "/api/apps/api": JSON.stringify(app),
      "/api/apps": JSON.stringify({ apps: [app] }),
    },
  });
  const whole = await cli.run("status");
  assertStringIncludes(whole.out, "conductor 0.1.0, up 1m 5s, log at 12");
  assertMatch(whole.out, /^node-1 {2}ready {2}127\.0\.0\.11:7775 +12 % +2 +1\.0 GiB {2}4\.0 GiB/m);
  assertMatch(whole.out, /^! api\.2 on node-2: GET \/health answered 500$/m);
  assertEquals(JSON.parse((await cli.run("status --json")).out), status);
  const narrow = await cli.run("status", 40);
  for (const line of narrow.out.split("\n")) {
    if (!line.startsWith("!") && !line.startsWith("conductor")) assert(line.length <= 40, line);
  }
  const one = await cli.run("status api");
  assertMatch(one.out, /^api is degraded: 1 of 2 ready, generation 1/);
  assertMatch(one.out, /^api\.1 +ready +node-1 +127\.0\.0\.11:8001 +4711/m);
  const list = await cli.run("list");
  assertMatch(list.out, /^api +api\.1 +ready +node-1/m);
  assertEquals((await cli.run("status web")).code, 1);
});

Deno.test("check and fmt work without a cluster", async () => {
  await using cli = await stage();
  const good = await cli.run("check @good.skr8tr @two.skr8tr");
  assertEquals([good.code, good.out], [0, "3 apps: no errors"]);
  const bad = await cli.run("check @bad.skr8tr");
  assertEquals(bad.code, 1);
  assertStringIncludes(bad.err, "2 errors in 1 file");
  const json = await cli.run("check --json @bad.skr8tr");
  assertEquals(JSON.parse(json.out).errors.length, 2);
  const missing = await cli.run("check @none.skr8tr");
  assertEquals(missing.code, 2);
  assertStringIncludes(missing.err, "there is no such file");

  const wanted = "app api\n  exec /bin/api\n  port 8001\n";
  const path = `${cli.folder}/ragged.skr8tr`;
  await Deno.writeTextFile(path, "app api\n  exec    /bin/api\n  port   8001");
  assertEquals((await cli.run("fmt @ragged.skr8tr")).out, wanted.trimEnd());
  assertEquals((await cli.run("fmt --write @ragged.skr8tr")).code, 0);
  assertEquals(await Deno.readTextFile(path), wanted);
});

Deno.test("up names keys that are not acted on yet, and explain explains them", async () => {
  await using cli = await stage();
  const { unbuiltKeys } = await import("../core/manifest/unbuilt.ts");
  const { parseManifest } = await import("../core/manifest/parse.ts");
  const text = 'app api\n  exec /bin/api\n  schedule "0 3 * * *"\n  type job\n';
  const parsed = parseManifest(text);
  assert(parsed.ok);
  const unbuilt = unbuiltKeys(parsed.apps[0]!);
  await Deno.writeTextFile(`${cli.folder}/job.skr8tr`, text);
  const { err } = await cli.run("up @job.skr8tr");
  for (const key of unbuilt) assertStringIncludes(err, `note: api: ${key} is not acted on yet`);
  const explained = await cli.run("explain health.interval");
  assertStringIncludes(explained.out, "health.interval");
  const wrong = await cli.run("explain helth");
  assertEquals(wrong.code, 1);
  assertStringIncludes(wrong.err, "did you mean health?");
});

const NODE = {
  ...{ id: "1".repeat(32), name: "node-1", host: "127.0.0.11", port: 7775, state: "ready" },
  ...{ cpuPercent: 5, cores: 2, ramTotalBytes: 2 ** 32, ramFreeBytes: 2 ** 31, gpu: false },
  ...{ labels: { room: "cellar" }, replicas: 1, silentMs: 3 },
};

function described(): Readonly<Record<string, string>> {
  const exit = { code: 3, why: "exit", wallMs: 1_790_000_000_000, tail: "no database" } as const;
  const apps = [appView("api", {
    ready: 0,
    state: "failing",
    reasons: ["api.1 on node-1: exit code 3"],
    replicas: [replicaView("api.1", { restarts: 4, exit })],
  })];
  const event = { sequence: 1, wallMs: 1, kind: "replica-exited", app: "api", node: "node-1" };
  const line = JSON.stringify({ ...event, replica: "api.1", text: "api.1 on node-1: exit code 3" });
  return {
    "/api/apps/api": JSON.stringify(apps[0]),
    "/api/apps": JSON.stringify({ apps }),
    "/api/nodes/node-1": JSON.stringify({ node: NODE, placed: [] }),
    "/api/apps/api/manifest": JSON.stringify({ manifest: "app api {\n  exec /bin/api\n}\n" }),
    "/api/events": `${line}\n`,
  };
}

Deno.test("describe tells all of an app, a node or a replica", async () => {
  await using cli = await stage({ pages: described() });
  const app = await cli.run("describe api");
  assertEquals(app.code, 0);
  for (const part of ["api is failing", "  exec /bin/api", "replica-exited"]) {
    assertStringIncludes(app.out, part);
  }
  const node = await cli.run("describe node-1");
  for (const part of ["node-1 is ready", "room=cellar", "2.0 GiB free of 4.0 GiB", "api.1"]) {
    assertStringIncludes(node.out, part);
  }
  const replica = await cli.run("describe api.1");
  for (const part of ["api.1 is starting", "exit code 3", "| no database", "restarts"]) {
    assertStringIncludes(replica.out, part);
  }
  const nobody = await cli.run("describe nobody");
  assertEquals(nobody.code, 1);
  assertStringIncludes(nobody.err, "no app, node or replica is named nobody");
  const json = JSON.parse((await cli.run("describe api --json")).out);
  assertEquals([json.app, json.events.length], ["api", 1]);
});

Deno.test("traces asks for what its options say, and names an app that is none", async () => {
  const id = "0af7651916cd43dd8448eb211c80319c";
  const trace = {
    ...{ trace: id, app: "api", name: "GET /slow", startWallMs: 0, ms: 30, spans: 1 },
    ...{ failed: 1, apps: ["api"] },
  };
  const call = {
    ...{ trace: id, span: "b7ad6b7169203331", app: "api", replica: "api.1", node: "node-1" },
    ...{ name: "GET /slow", startWallMs: 0, ms: 30, failed: true, depth: 0 },
  };
  const none = JSON.stringify({ traces: [] });
  const pages = {
    "/api/telemetry/traces?limit=20": JSON.stringify({ traces: [trace, trace] }),
    "/api/telemetry/traces?limit=3&app=api&failed=1&since=600000": JSON.stringify({
      traces: [trace],
    }),
    [`/api/telemetry/traces/${id}`]: JSON.stringify({ spans: [call] }),
    "/api/telemetry/traces?limit=20&app=calm": none,
    "/api/apps/calm": "{}",
    "/api/telemetry/traces?limit=20&app=nobody": none,
  };
  await using cli = await stage({ pages });
  assertEquals((await cli.run("traces")).out.split("\n").length, 3);
  const narrow = await cli.run("traces api --failed --since 10m -n 3");
  assertEquals(narrow.out.split("\n").length, 2, narrow.err);
  assertStringIncludes((await cli.run(`traces ${id}`)).out, "GET /slow failed");
  assertStringIncludes((await cli.run("traces calm")).out, "calm has told of no request");
  assertEquals((await cli.run("traces nobody")).code, 1);
});

Deno.test("diff shows what a file would change, and exits as diff does", async () => {
  const manifest = "app api {\n  exec     /bin/api\n  port     8001\n  replicas 3\n}\n";
  const pages = { "/api/apps/api/manifest": JSON.stringify({ manifest }) };
  await using cli = await stage({ pages });
  const { code, out } = await cli.run("diff @good.skr8tr");
  assertEquals(code, 1);
  assertMatch(out, /^- +replicas 3$/m);
  const fresh = await cli.run("diff @two.skr8tr");
  assertEquals(fresh.code, 1);
  assert(fresh.out.split("\n").every((line) => line.startsWith("+")), fresh.out);
});

Deno.test("diff of what runs as the file says has nothing to show", async () => {
  const { canonical } = await import("../core/manifest/format.ts");
  const { parseManifest } = await import("../core/manifest/parse.ts");
  const parsed = parseManifest("app api\n  exec /bin/api\n  port 8001\n");
  assert(parsed.ok);
  const manifest = canonical(parsed.apps[0]!);
  const pages = { "/api/apps/api/manifest": JSON.stringify({ manifest }) };
  await using cli = await stage({ pages });
  assertEquals(await cli.run("diff @good.skr8tr"), {
    ...{ code: 0, out: "api runs as the file says", err: "" },
  });
});
