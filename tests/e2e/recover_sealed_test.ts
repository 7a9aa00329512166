// A recovered conductor is somebody new, and no daemon of a sealed mesh takes it for the old one: an
// operator's new tokens say so, and what runs goes on over that.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { makeToken } from "../../cli/token.ts";
import { membershipPath, readMembership } from "../../core/live/member_seal.ts";
import { openSealKeys, type SealKeys } from "../../core/live/seal_keys.ts";
import { EMPTY_HEAD } from "../../core/log.ts";
import { parseAnchor } from "../../core/seal/member.ts";
import { sign } from "../../core/sign.ts";
import { HOST, nextSecond, ROOT, TrustCluster, until } from "./trust_cluster.ts";

const PROJECT = new URL("../../", import.meta.url).pathname;
const SLEEP = "  exec /bin/sleep\n  args 600\n  replicas 2\n  grace 1s";

async function tokenOf(cluster: TrustCluster, { introduction }: SealKeys): Promise<string> {
  const said = await (await fetch(`${cluster.url}/identity`)).json();
  const anchor = parseAnchor(said.anchor);
  return await makeToken({
    role: "node",
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
  const pinned = async () =>
    (await readMembership(membershipPath(`${cluster.folder}/one`, "node")))!.conductor.identity;
  let node = await startNode(first);
  assertEquals(await cluster.up("web", SLEEP), "OK|APPLIED|web|1");
  await cluster.ready("web", 2);
  const before = cluster.pids("web");
  await until("the copy is whole", () => node.machine.copy.sequence >= 2);

  await cluster.stopConductor();
  await Deno.remove(cluster.state, { recursive: true });
  Deno.writeFileSync(`${cluster.folder}/root.pub`, ROOT.publicKey);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", `--config=${PROJECT}deno.json`, `${PROJECT}cli/main.ts`, "recover"],
      ...[`${HOST}:${node.udp.address.port}`, "--state", cluster.state, "--pubkey", "root.pub"],
    ],
    cwd: cluster.folder,
    env: { NO_COLOR: "1" },
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  assertStringIncludes(new TextDecoder().decode(stdout), "2 replicas go on");

  const second = await openSealKeys(cluster.state, "conductor");
  await cluster.startConductor({ keys: second });
  // The node goes on calling the conductor that let it in, and nobody else is taken for that one.
  await until("the node is heard, and not known", async () => {
    const metrics = await (await fetch(`${cluster.url}/metrics`)).text();
    return /seal_datagrams_total\{outcome="forged"\} [1-9]/.test(metrics);
  });
  assertEquals(await pinned(), first.identity);
  assertEquals((await cluster.view("web"))?.ready, 0);

  await node.stop();
  cluster.nodes.splice(0);
  node = await startNode(second);
  await cluster.ready("web", 2);
  assertEquals(cluster.pids("web"), before, "the same processes");
  assertEquals(await pinned(), second.identity);
  assertEquals(node.machine.copy.trouble, null);
  await nextSecond();
  assertEquals(await cluster.command("DOWN|recover-00001|web"), "OK|DOWN|web");
  await until("they end", () => cluster.pids("web").length === 0);
});
