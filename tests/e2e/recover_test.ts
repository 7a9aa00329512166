// A cluster that loses its store is rebuilt from what a node has kept, and nothing that runs notices.

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

const PROJECT = new URL("../../", import.meta.url).pathname;
const SLEEP = "  exec /bin/sleep\n  args 600\n  replicas 2\n  grace 1s\n  rollout { settle 300ms }";

async function skr8tr(folder: string, ...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", `--config=${PROJECT}deno.json`, `${PROJECT}cli/main.ts`, ...args],
    cwd: folder,
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), error: text(stderr) };
}

Deno.test("A cluster that lost its store is rebuilt from the longest valid copy (skr8tr recover), each record proved by its own signature", async () => {
  await using cluster = new TrustCluster();
  await cluster.startConductor();
  await cluster.startNode("one");
  await cluster.startNode("two");
  const ann = keysOf(2);
  const add = await cluster.command(
    `OPERATOR|${id()}|ann|deployer|*|*|-|${ann.publicKey.toBase64()}`,
  );
  assert(add.startsWith("OK|OPERATOR|ann|"), add);
  assertEquals(await cluster.up("web", SLEEP, 1, ann), "OK|APPLIED|web|1");
  await cluster.ready("web", 2);
  assertEquals(await cluster.up("gone", SLEEP), "OK|APPLIED|gone|1");
  await cluster.ready("gone", 2);
  assertEquals(await cluster.command({ verb: "DOWN", id: id(), app: "gone" }), "OK|DOWN|gone");
  await until("gone is gone", () => cluster.pids("gone").length === 0);
  const old = signedBy(ROOT, { verb: "DOWN", id: id(), app: "web" }, -1);
  const before = cluster.pids("web");
  const ends = () => cluster.nodes.map((node) => node.machine.copy);
  await until("both copies are whole", () => ends()[0]!.sequence === ends()[1]!.sequence);
  const end = ends()[0]!;

  await cluster.stopConductor();
  await Deno.remove(cluster.state, { recursive: true });
  Deno.writeFileSync(`${cluster.folder}/root.pub`, ROOT.publicKey);
  const nodes = cluster.nodes.map((node) => `${HOST}:${node.udp.address.port}`);
  const said = await skr8tr(
    cluster.folder,
    ...["recover", ...nodes, "--state", cluster.state, "--pubkey", "root.pub"],
  );
  assertEquals(said.code, 0, said.error);
  assertStringIncludes(said.out, "2 replicas go on");

  await cluster.startConductor();
  const view = await cluster.ready("web", 2);
  assertEquals(view.generation, 1);
  assertEquals(cluster.pids("web"), before, "the same processes");
  assertEquals((await cluster.view("gone"))?.replicas.length, 0, "what was down stays down");
  // The nodes go on from where they were: the chain is the old one.
  const { log, chain } = await until("a node follows", () => {
    const now = cluster.nodes[0]!.machine.copy;
    return now.trouble === null ? now : null;
  });
  assertEquals([log, chain], [end.log, end.chain]);
  // Nothing from before is taken again, and work goes on.
  assert((await cluster.post(old)).startsWith("ERR|UNAUTHORIZED"));
  await nextSecond();
  assertEquals(await cluster.up("web", `${SLEEP}\n  env { V 2 }`, 2, ann, 1), "OK|APPLIED|web|2");
  await until("the new generation", async () => {
    const replicas = (await cluster.view("web"))?.replicas ?? [];
    return replicas.length === 2 && replicas.every((each) => each.generation === 2);
  });
  assertEquals(cluster.nodes.map((node) => node.machine.copy.trouble), [null, null]);
});

Deno.test("recover takes nothing that a signature does not prove", async () => {
  await using cluster = new TrustCluster();
  await cluster.startConductor();
  const node = await cluster.startNode("one", { stopReplicas: false });
  await cluster.up("web", "  exec /bin/true\n  replicas 0");
  await cluster.up("two", "  exec /bin/true\n  replicas 0");
  await until("the copy is whole", () => node.machine.copy.sequence >= 3);
  await cluster.stopConductor();
  const folder = `${cluster.folder}/one`;
  await until(
    "kept",
    () => Deno.readTextFileSync(`${folder}/records.jsonl`).split("\n").length > 2,
  );
  Deno.writeFileSync(`${cluster.folder}/root.pub`, ROOT.publicKey);
  Deno.writeFileSync(`${cluster.folder}/other.pub`, keysOf(9).publicKey);
  const recover = (state: string, key: string) =>
    skr8tr(
      cluster.folder,
      "recover",
      folder,
      "--state",
      `${cluster.folder}/${state}`,
      "--pubkey",
      key,
    );
  const stranger = await recover("a", "other.pub");
  assertEquals(stranger.code, 1);
  assertStringIncludes(stranger.error, "no copy has a record that one of these keys proves");
  const path = `${folder}/records.jsonl`;
  const lines = Deno.readTextFileSync(path).split("\n");
  const changed = JSON.parse(lines[1]!);
  changed.text = changed.text.replace("|two|", "|evil|");
  delete changed.chain;
  Deno.writeTextFileSync(path, [lines[0], JSON.stringify(changed), ""].join("\n"));
  const forged = await recover("b", "root.pub");
  assertStringIncludes(forged.out, "1 records of");
  assertStringIncludes(forged.out, "does not verify");
  const again = await recover("b", "root.pub");
  assertEquals(again.code, 1, "an existing log is never overwritten");
});
