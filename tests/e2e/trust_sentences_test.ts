// What docs/SECURITY.md promises of daemons as they are started, each test under the sentence it is for.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  HOST,
  id,
  keysOf,
  nextSecond,
  ROOT,
  signedBy,
  TrustCluster,
  until,
} from "./trust_cluster.ts";
import { KEM_PUBLIC_BYTES } from "../../core/seal/primitives.ts";
import { NodeFiles } from "../../node/live/files.ts";

const PROJECT = decodeURIComponent(new URL("../../", import.meta.url).pathname);

interface Started {
  readonly code: number | null;
  readonly said: string;
}

/** Starts a daemon, waits for words on its stderr or for its end, and ends it. */
async function start(main: string, args: string[], words: string): Promise<Started> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", `--config=${PROJECT}deno.json`, `${PROJECT}${main}/main.ts`, ...args],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
  let said = "";
  let ended = false;
  const reading = (async () => {
    for await (const part of child.stderr.pipeThrough(new TextDecoderStream())) {
      said += part;
      if (!ended && said.includes(words)) {
        ended = true;
        child.kill("SIGTERM");
      }
    }
  })();
  const timer = setTimeout(() => child.kill("SIGKILL"), 30_000);
  const { code } = await child.status;
  clearTimeout(timer);
  await reading;
  return { code: ended ? null : code, said };
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "skr8tr-trust-" });
  try {
    Deno.writeFileSync(`${folder}/root.pub`, ROOT.publicKey);
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("Without any key the conductor starts only with --insecure, bound to loopback, and says so loudly", async () => {
  await inFolder(async (folder) => {
    const state = ["--state", `${folder}/state`, "--port", "0", "--mesh-port", "0"];
    const bare = await start("conductor", ["--bind", HOST, ...state], "ready");
    assert(bare.code !== null && bare.code !== 0, "it does not start");
    assertStringIncludes(bare.said, "nobody may command this conductor");
    const far = await start("conductor", [
      "--bind",
      "0.0.0.0",
      "--mesh",
      "open",
      "--insecure",
      ...state,
    ], "ready");
    assert(far.code !== null && far.code !== 0, "not beyond loopback");
    assertStringIncludes(far.said, "--insecure is only for loopback");
    const near = await start("conductor", ["--bind", HOST, "--insecure", ...state], "ready");
    assertEquals(near.code, null);
    assertStringIncludes(near.said, "--insecure: this conductor obeys anybody on this machine");
  });
});

Deno.test("A v1 SUBMIT by path signs only the path, not the text: off unless --manifests and --trust-paths; both say so at start", async () => {
  await inFolder(async (folder) => {
    const key = ["--pubkey", `${folder}/root.pub`];
    const conductor = [
      ...["--bind", HOST, "--state", `${folder}/c`, "--port", "0", "--mesh-port", "0", ...key],
      ...["--manifests", folder],
    ];
    const said = await start("conductor", conductor, "ready");
    assertStringIncludes(said.said, "--manifests");
    const node = [
      ...["--bind", HOST, "--state", `${folder}/n`, "--port", "0", "--metrics", "off", ...key],
      ...["--trust-paths"],
    ];
    assertStringIncludes(
      (await start("node", node, "listens at")).said,
      "--trust-paths: what stands",
    );
  });
  await using cluster = new TrustCluster();
  Deno.writeTextFileSync(
    `${cluster.folder}/web.skr8tr`,
    "app web\n  exec /bin/sleep\n  args 600\n",
  );
  await cluster.startConductor();
  const off = await cluster.command(`SUBMIT|${cluster.folder}/web.skr8tr`);
  assertStringIncludes(off, "commands by path are off");
  await cluster.stopConductor();
  await cluster.startConductor({ manifests: cluster.folder });
  const node = await cluster.startNode("one");
  await nextSecond();
  const on = await cluster.command(`SUBMIT|${cluster.folder}/web.skr8tr`);
  assertStringIncludes(on, "OK|SUBMITTED|web|");
  await until("the node will not run it", async () => {
    const text = JSON.stringify(await cluster.view("web"));
    return text.includes("signs only the path");
  });
  assertEquals(node.machine.statuses().some((each) => each.pid !== undefined), false);
});

Deno.test("Limits for strangers: slow and half-open TCP, oversized and endless bodies leave the conductor answering operators", async () => {
  await using cluster = new TrustCluster();
  await cluster.startConductor();
  const connections: Deno.TcpConn[] = [];
  try {
    for (let count = 0; count < 300; count++) {
      const connection = await Deno.connect({ hostname: HOST, port: cluster.port });
      connections.push(connection);
      const begin = [
        "",
        "POST /comm",
        "POST /command HTTP/1.1\r\nhost: x\r\ncontent-length: 999999\r\n\r\nx",
      ];
      await connection.write(new TextEncoder().encode(begin[count % 3]!)).catch(() => {});
    }
    const big = "x".repeat(3_000_000);
    const large = await Promise.all(
      [...Array(8)].map(() =>
        fetch(`${cluster.url}/command`, { method: "POST", body: big }).then(async (response) => {
          await response.body?.cancel();
          return response.status;
        }, () => 413)
      ),
    );
    assertEquals(new Set(large), new Set([413]));
    assertEquals(await cluster.up("web", "  exec /bin/true\n  replicas 0"), "OK|APPLIED|web|1");
    const huge = `app web\n  exec /bin/true\n  env { A ${"x".repeat(300_000)} }\n`;
    const reply = await cluster.command({
      verb: "APPLY",
      id: id(),
      app: "web",
      generation: 2,
      manifest: huge,
    });
    assertStringIncludes(reply, "APPLY needs a manifest in base64");
    assertEquals(await cluster.command({ verb: "DOWN", id: id(), app: "web" }), "OK|DOWN|web");
  } finally {
    for (const connection of connections) connection.close();
  }
});

Deno.test("The replay guard is committed with the effect: nothing is executed twice over a restart, by whoever replays it", async () => {
  await using cluster = new TrustCluster();
  await cluster.startConductor();
  await cluster.up("web", "  exec /bin/true\n  replicas 0");
  const evict = signedBy(ROOT, "EVICT|web");
  const failed = signedBy(ROOT, "EVICT|nobody");
  assertEquals(await cluster.post(failed), "ERR|not found: nobody");
  assertEquals(await cluster.post(evict), "OK|EVICTED|web");
  await cluster.up("web", "  exec /bin/true\n  replicas 0", 2);
  await cluster.up("nobody", "  exec /bin/true\n  replicas 0");
  for (let restart = 0; restart < 2; restart++) {
    assertStringIncludes(await cluster.post(evict), "UNAUTHORIZED");
    assertStringIncludes(await cluster.post(failed), "UNAUTHORIZED");
    const apps = await (await fetch(`${cluster.url}/api/apps`)).json();
    const ended = apps.apps.filter((each: { state: string }) => each.state === "down");
    assertEquals(ended, []);
    await cluster.stopConductor();
    await cluster.startConductor();
  }
});

Deno.test("EXEC, cp and port-forward carry the operator's own signature to the node", async () => {
  await using cluster = new TrustCluster();
  await cluster.startConductor();
  const node = await cluster.startNode("one");
  const [vic, eve] = [keysOf(2), keysOf(9)];
  await cluster.command(`OPERATOR|${id()}|vic|viewer|*|*|-|${vic.publicKey.toBase64()}`);
  await cluster.up("web", "  exec /bin/sleep\n  args 600\n  grace 1s");
  const [{ replica = "" } = {}] = (await cluster.ready("web", 1)).replicas;
  await nextSecond();
  const key = new Uint8Array(KEM_PUBLIC_BYTES).toBase64();
  const details = {
    exec: { key, line: "id" },
    copy: { key, way: "in", path: "x" },
    forward: { key },
  };
  const open = (kind: keyof typeof details, of = replica) =>
    `OPEN|${id()}|${kind}|web|${of}|${btoa(JSON.stringify(details[kind]))}`;
  for (const kind of ["exec", "copy", "forward"] as const) {
    const signed = signedBy(ROOT, open(kind));
    assertStringIncludes(await cluster.post(signed), `OK|OPEN|${replica}|`);
    const opened = await node.openStream(signed);
    assert("plan" in opened, JSON.stringify(opened));
    assertEquals(opened.details, { kind, ...details[kind] } as never);
    assert(!("plan" in await node.openStream(signed)), "once");
  }
  const refused: [string, string][] = [
    ["unsigned", open("exec")],
    ["by nobody known", signedBy(eve, open("exec"))],
    ["by one who may only look", signedBy(vic, open("exec"))],
    ["too old", signedBy(ROOT, open("exec"), -40)],
    ["of another replica", signedBy(ROOT, open("exec", "web.99"))],
    // Signed by the right one, and kept from the log.
    ["in no log", signedBy(ROOT, open("exec"))],
  ];
  for (const [what, body] of refused) {
    const answer = await node.openStream(body);
    assert("status" in answer && answer.status !== 200, what);
  }
  assertStringIncludes(await cluster.post(signedBy(vic, open("exec"))), "UNAUTHORIZED");
});

Deno.test("Every node keeps a copy, and a daemon reads a damaged one without an error", async () => {
  await inFolder((folder) => {
    const files = new NodeFiles(`${folder}/node`);
    for (const text of ["", "{", '{"k":"record"}\n', "\u0000\n", '{"k":"log","log":"x"}\n[]\n']) {
      Deno.writeTextFileSync(`${folder}/node/records.jsonl`, text);
      Deno.writeTextFileSync(`${folder}/node/checkpoints.jsonl`, text);
      Deno.writeTextFileSync(`${folder}/node/log.id`, text);
      assertEquals([files.loadRecords(), files.loadCheckpoints(), files.loadLog()], [
        [],
        [],
        undefined,
      ]);
    }
    files.close();
    return Promise.resolve();
  });
});
