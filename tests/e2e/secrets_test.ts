// Secrets, from the operator's machine to the program and nowhere else.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { HOST, ROOT, TrustCluster, until } from "./trust_cluster.ts";

const PROJECT = new URL("../../", import.meta.url).pathname;

async function skr8tr(cluster: TrustCluster, input: string, ...args: string[]) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", `--config=${PROJECT}deno.json`, `${PROJECT}cli/main.ts`, ...args],
    cwd: cluster.folder,
    env: {
      NO_COLOR: "1",
      SKR8TR_CONDUCTOR: `${HOST}:${cluster.port}`,
      SKR8TR_KEY: `${cluster.folder}/root.sec`,
    },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), error: text(stderr) };
}

/** Every file below the folder that has the text in it. */
async function filesWith(folder: string, text: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) found.push(...await filesWith(path, text));
    else if (entry.isFile) {
      const bytes = await Deno.readFile(path);
      if (new TextDecoder("latin1").decode(bytes).includes(text)) found.push(path);
    }
  }
  return found;
}

async function lines(cluster: TrustCluster, app: string): Promise<string> {
  const response = await fetch(`${cluster.url}/api/logs/${app}?lines=1000`);
  return await response.text();
}

const SAY = `  exec /bin/sh
  args -c 'printf "it is %s.\\n" "$$TOKEN"; echo "file $$(cat "$$CERT")"; printenv >&2; [ "$$FAIL" ] && exit 3; sleep 600'
  grace 1s
  rollout { settle 300ms }
  secret {
    TOKEN shop/token
    CERT  file shop/cert
  }`;

Deno.test("Secrets: encrypted on the operator's machine, stored encrypted, re-sealed only to a node that runs a replica that names them, given by environment or by a private file, redacted in logs and errors", async () => {
  await using cluster = new TrustCluster();
  Deno.writeFileSync(`${cluster.folder}/root.sec`, ROOT.secretKey, { mode: 0o600 });
  await cluster.startConductor();
  await cluster.startNode("one");
  const first = `first-${crypto.randomUUID()}`;
  const second = `second.*/[x]$^\\${crypto.randomUUID()}`;
  const cert = `-----BEGIN-----\nline-${crypto.randomUUID()}\n-----END-----`;

  await cluster.up("early", SAY);
  const why = await until("the reason", async () => {
    const text = JSON.stringify(await cluster.view("early"));
    return text.includes("there is no secret") ? text : null;
  });
  assertStringIncludes(why, "there is no secret shop/token in namespace default");
  await cluster.command(`DOWN|down-early|early`);

  const set = await skr8tr(cluster, `${first}\n`, "secret", "set", "shop/token");
  assertEquals(set.code, 0, set.error);
  assertEquals((await skr8tr(cluster, cert, "secret", "set", "shop/cert")).code, 0);
  assertEquals(await cluster.up("web", SAY), "OK|APPLIED|web|1");
  await cluster.ready("web", 1);
  const log = await until("the program's lines", async () => {
    const text = await lines(cluster, "web");
    return text.includes("TOKEN=") ? text : null;
  });
  assertStringIncludes(log, "it is [secret].");
  assertStringIncludes(log, "TOKEN=[secret]");
  // The program itself has it: its environment says so to root alone.
  const environ = await Deno.readTextFile(`/proc/${cluster.pids("web")[0]}/environ`);
  assertStringIncludes(environ, `TOKEN=${first}`);
  const path = /CERT=([^\0]+)/.exec(environ)![1]!;
  assertEquals(await Deno.readTextFile(path), cert);
  assertEquals((await Deno.stat(path)).mode! & 0o777, 0o400);

  const list = await skr8tr(cluster, "", "secret", "list");
  assert(/default +shop\/token .* web/.test(list.out), list.out);

  // Another value: the replica is replaced, one after another as a rollout does.
  const before = cluster.pids("web");
  assertEquals((await skr8tr(cluster, second, "secret", "set", "shop/token")).code, 0);
  await until("a replica with the new value", async () => {
    const [pid, ...more] = cluster.pids("web");
    if (pid === undefined || pid === before[0] || more.length > 0) return false;
    return (await Deno.readTextFile(`/proc/${pid}/environ`)).includes(`TOKEN=${second}`);
  });
  await until("its lines", async () => (await lines(cluster, "web")).includes("it is [secret]"));

  // One that fails with its secret on its lips.
  await cluster.up("web", `${SAY}\n  env { FAIL 1 }`, 2);
  await until("the failure is told", async () => {
    const events = await (await fetch(`${cluster.url}/api/events?limit=1000`)).text();
    return events.includes("exit code 3");
  });

  // Nobody is shown a value, wherever one asks.
  for (const page of ["status", "apps", "apps/web", "secrets", "events?limit=10000", "logs/web"]) {
    const text = await (await fetch(`${cluster.url}/api/${page}`)).text();
    for (const value of [first, second]) assert(!text.includes(value), page);
  }
  const copy = await (await fetch(`http://${HOST}:${cluster.nodes[0]!.udp.address.port}/copy`))
    .text();
  const [certLine] = cert.split("\n").slice(1);
  for (const value of [first, second, certLine!]) {
    assert(!copy.includes(value));
    // Everything the cluster wrote, its databases included; but for what only the program may read.
    const files = await filesWith(cluster.folder, value);
    const seen = files.filter((each) => !/\/secrets\/[^/]+\/(CERT|filter)$/.test(each));
    assertEquals(seen, [], "a secret was written");
  }
  assertEquals((await skr8tr(cluster, "", "secret", "rm", "shop/token")).code, 0);
});

Deno.test("a node gets no secret of a replica that is another's, nor with another key", async () => {
  await using cluster = new TrustCluster();
  Deno.writeFileSync(`${cluster.folder}/root.sec`, ROOT.secretKey, { mode: 0o600 });
  await cluster.startConductor();
  const node = await cluster.startNode("one");
  assertEquals((await skr8tr(cluster, "hush-hush", "secret", "set", "token")).code, 0);
  const run = "  exec /bin/sleep\n  args 600\n  grace 1s";
  await cluster.up("web", `${run}\n  secret { T token }`);
  await cluster.up("plain", run);
  await cluster.ready("web", 1);
  await cluster.ready("plain", 1);
  const ask = async (id: string, replica: string) => {
    const socket = new WebSocket(`ws://${HOST}:${cluster.port}/follow?from=0`);
    const publicKey = new Uint8Array(1_184).fill(1).toBase64();
    const answer = Promise.withResolvers<Record<string, unknown>>();
    socket.onopen = () =>
      socket.send(JSON.stringify({ k: "want-secrets", node: id, replica, publicKey }));
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (/secrets$/.test(message.k)) answer.resolve(message);
    };
    const heard = await answer.promise;
    const closed = Promise.withResolvers<void>();
    socket.onclose = () => closed.resolve();
    socket.close();
    await closed.promise;
    return heard;
  };
  const [web] = (await cluster.view("web"))!.replicas;
  const other = "f".repeat(32);
  assertStringIncludes(String((await ask(node.machine.node, web!.replica)).reason), "another key");
  assertEquals((await ask(other, web!.replica)).again, true);
  // One that never joined stays unknown, however often it asks.
  assertEquals((await ask(other, web!.replica)).k, "no-secrets");
});
