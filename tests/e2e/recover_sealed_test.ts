// A recovered conductor is somebody new, and no daemon of a sealed mesh takes it for the old one: an
// operator's new tokens say so, and what runs goes on over that.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { makeToken } from "../../cli/token.ts";
import { MemberSeal } from "../../core/live/member_seal.ts";
import { membershipPath, readMembership } from "../../core/live/membership_file.ts";
import { openSealKeys, type SealKeys } from "../../core/live/seal_keys.ts";
import { EMPTY_HEAD } from "../../core/log.ts";
import { type JoinRole, parseAnchor } from "../../core/seal/member.ts";
import { sign } from "../../core/sign.ts";
import type { NodeDaemon } from "../../node/live/node.ts";
import { HOST, nextSecond, ROOT, TrustCluster, until } from "./trust_cluster.ts";

const PROJECT = new URL("../../", import.meta.url).pathname;
const SLEEP = "  exec /bin/sleep\n  args 600\n  replicas 2\n  grace 1s";

async function tokenOf(
  cluster: TrustCluster,
  { introduction }: SealKeys,
  role: JoinRole = "node",
): Promise<string> {
  const said = await (await fetch(`${cluster.url}/identity`)).json();
  const anchor = parseAnchor(said.anchor);
  return await makeToken({
    role,
    ttlS: 60,
    conductor: introduction,
    address: `${HOST}:${cluster.port}`,
    head: said.head ?? EMPTY_HEAD,
    ...(anchor ? { anchor } : {}),
    publicKey: ROOT.publicKey,
    signer: { provider: "noble", sign: (text) => Promise.resolve(sign(ROOT.secretKey, text)) },
    wallMs: Date.now(),
  });
}

async function recover(cluster: TrustCluster, node: NodeDaemon, ...more: string[]) {
  await cluster.stopConductor();
  await Deno.remove(cluster.state, { recursive: true });
  Deno.writeFileSync(`${cluster.folder}/root.pub`, ROOT.publicKey);
  Deno.writeFileSync(`${cluster.folder}/root.sec`, ROOT.secretKey, { mode: 0o600 });
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", `--config=${PROJECT}deno.json`, `${PROJECT}cli/main.ts`, "recover"],
      ...[`${HOST}:${node.udp.address.port}`, "--state", cluster.state, "--pubkey", "root.pub"],
      ...more,
    ],
    cwd: cluster.folder,
    env: { NO_COLOR: "1" },
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  assertStringIncludes(new TextDecoder().decode(stdout), "2 replicas go on");
  // What was signed up to the second of the recovery is not taken: it may have been executed before.
  await nextSecond();
}

async function pinned(cluster: TrustCluster): Promise<string> {
  const path = membershipPath(`${cluster.folder}/one`, "node");
  return (await readMembership(path))!.conductor.identity;
}

Deno.test("A recovered conductor is followed by those whom an operator gives a new token, and what runs goes on", async () => {
  await using cluster = new TrustCluster();
  const first = await openSealKeys(cluster.state, "conductor");
  await cluster.startConductor({ keys: first });
  const startNode = async (keys: SealKeys) =>
    await cluster.startNode("one", {
      keys: [],
      seal: { join: await tokenOf(cluster, keys), trustOperator: true },
      stopReplicas: false,
    });
  let node = await startNode(first);
  assertEquals(await cluster.up("web", SLEEP), "OK|APPLIED|web|1");
  await cluster.ready("web", 2);
  const before = cluster.pids("web");
  await until("the copy is whole", () => node.machine.copy.sequence >= 2);

  await recover(cluster, node);
  const second = await openSealKeys(cluster.state, "conductor");
  await cluster.startConductor({ keys: second });
  // The node goes on calling the conductor that let it in, and nobody else is taken for that one.
  await until("the node is heard, and not known", async () => {
    const metrics = await (await fetch(`${cluster.url}/metrics`)).text();
    return /seal_datagrams_total\{outcome="forged"\} [1-9]/.test(metrics);
  });
  assertEquals(await pinned(cluster), first.identity);
  assertEquals((await cluster.view("web"))?.ready, 0);

  await node.stop();
  cluster.nodes.splice(0);
  node = await startNode(second);
  await cluster.ready("web", 2);
  assertEquals(cluster.pids("web"), before, "the same processes");
  assertEquals(await pinned(cluster), second.identity);
  assertEquals(node.machine.copy.trouble, null);
  await nextSecond();
  assertEquals(await cluster.command("DOWN|recover-00001|web"), "OK|DOWN|web");
  await until("they end", () => cluster.pids("web").length === 0);
});

Deno.test("with --succeed an operator names the recovered conductor, and the daemons of the lost one come over", async () => {
  await using cluster = new TrustCluster();
  const first = await openSealKeys(cluster.state, "conductor");
  await cluster.startConductor({ keys: first });
  await cluster.command(`QUOTA|quota-000001|shop|5|-|-`);
  const node = await cluster.startNode("one", {
    keys: [],
    seal: { join: await tokenOf(cluster, first), trustOperator: true },
  });
  const joinTower = async (name: string) =>
    await MemberSeal.open({
      state: `${cluster.folder}/${name}`,
      role: "tower",
      name,
      join: await tokenOf(cluster, first, "tower"),
    });
  using tower = await joinTower("tower");
  using gone = await joinTower("gone");
  assertEquals(await cluster.command("FORGET|forget-000001|gone"), "OK|FORGOTTEN|gone");
  assertEquals(await cluster.up("web", SLEEP), "OK|APPLIED|web|1");
  await cluster.ready("web", 2);
  const before = cluster.pids("web");
  await until("the copy is whole", () => node.machine.copy.sequence >= 5);
  await nextSecond();

  await recover(cluster, node, "--succeed", "--key", "root.sec");
  const second = await openSealKeys(cluster.state, "conductor");
  await cluster.startConductor({ keys: second });
  await cluster.ready("web", 2);
  assertEquals(cluster.pids("web"), before, "the same processes, and the same daemon");
  assertEquals(await pinned(cluster), second.identity);
  await until("the tower comes over", () => tower.conductor === second.identity);
  assertEquals(node.machine.copy.trouble, null);
  assertEquals(await cluster.command("DOWN|recover-00002|web"), "OK|DOWN|web");
  await until("they end", () => cluster.pids("web").length === 0);
  assertEquals(gone.conductor, first.identity, "who was forgotten does not come back");
});
