// A cluster of hosts with addresses, ports and wires of their own. On loopback all nodes share
// these, and datagrams are neither split nor lost.

import { assert, assertEquals } from "@std/assert";
import { NODE_DEAD_MS } from "../../core/limits.ts";
import { isAlive, kill, until } from "./cluster_process.ts";
import { type Fault, whyNoNetworks } from "./netns.ts";
import { NetworkCluster, NODES } from "./netns_cluster.ts";
import { LOOPS, Operator, PORT } from "./netns_operator.ts";

/** So many that losing nothing, at 5 %, is out of the question: each takes some 70 packets. */
const ROLLOUTS = 5;

const why = await whyNoNetworks();
if (why !== null) console.log(`not run: ${why}: the cluster in network namespaces`);

type Step = (operator: Operator) => Promise<void>;

const nodesReport: Step = async (operator) => {
  const { network } = operator.cluster;
  const wanted = NODES.map((name) => `${name} ${network.host(name).address} ready`);
  await until(5_000, "the nodes report", async () => {
    return (await operator.nodes()).join() === wanted.join();
  });
};

const firstDeploy: Step = async (operator) => {
  await using fragments = await operator.cluster.network.host("control").countFragments();
  await operator.deploy();
  assert(await fragments.packets() >= 5, `${await fragments.packets()} fragments`);
  await operator.bothAnswerInTurn();
};

const samePort: Step = async (operator) => {
  const replicas = await operator.ready();
  assertEquals(replicas.map(({ port }) => port), [PORT, PORT]);
  assertEquals(new Set(replicas.map(({ node }) => node)).size, 2);
  for (const each of replicas) {
    assertEquals(each.host, operator.cluster.network.host(each.node).address);
    await operator.askReplica(each);
  }
};

const replicaKilled: Step = async (operator) => {
  const { replica, pid, node } = (await operator.ready())[0]!;
  await operator.underLoad(`${replica} killed`, LOOPS, async () => {
    kill(pid!, "SIGKILL");
    await until(10_000, `${replica} is back`, async () => {
      const now = (await operator.ready()).find((each) => each.replica === replica);
      return now !== undefined && now.pid !== pid && now.node === node;
    });
  });
  await operator.bothAnswerInTurn();
};

const nodeKilled: Step = async (operator) => {
  const { node } = (await operator.ready())[0]!;
  await operator.killDaemon(node, (daemon) => daemon.said(" 1 replicas adopted"));
};

const towerKilled: Step = async (operator) => {
  const known = "the list is complete: 2 endpoints on 3 nodes";
  await operator.killDaemon("tower", (daemon) => daemon.said(known));
};

const conductorKilled: Step = async (operator) => {
  await operator.killDaemon("conductor", (daemon) => daemon.said(" 1 apps"));
};

const rolloutsWithLoss = (percent: number): Step => async (operator) => {
  await using loss = await operator.cluster.network.loseUdp(percent);
  await operator.underLoad(`rollouts at ${percent} % loss`, 0, async () => {
    for (let count = 0; count < ROLLOUTS; count++) await operator.deploy();
  });
  console.log(`${await loss.packets()} packets lost`);
  assert(await loss.packets() > 0, "nothing was lost");
};

const deployByTcp: Step = async (operator) => {
  await using loss = await operator.cluster.network.host("control").loseFragments();
  await operator.deploy();
  assert(await loss.packets() > 0, "no fragment was lost");
  await operator.ask();
};

/** @param forgotten whether the tower, too, has given the node up before it is back */
const nodeCutOff = (forgotten: boolean): Step => async (operator) => {
  const { cluster } = operator;
  const { node } = (await operator.ready())[0]!;
  const others = NODES.filter((name) => name !== node);
  const begun = performance.now();
  const elapsedMs = () => Math.round(performance.now() - begun);
  const tower = cluster.daemon("tower");
  const from = tower.log.length;
  let healedMs = Infinity;
  // A request that the lost node never answers is lost; no loop loses more than one.
  const failed = await operator.underLoad(`${node} cut off`, LOOPS, async () => {
    {
      await using _ = await cluster.network.host(node).cut();
      await replaced(operator, others);
      console.log(`replaced after ${elapsedMs()} ms`);
      if (forgotten) {
        await until(10_000, "the tower gives the node up", () => tower.said("gone silent", from));
      }
      assertEquals((await operator.processes(node)).length, 1, "the cut node keeps what it runs");
    }
    healedMs = elapsedMs();
    await until(15_000, `${node} stops what is no longer its own`, async () => {
      return (await operator.processes(node)).length === 0;
    });
    await until(10_000, `${node} reports again`, async () => {
      return (await operator.nodes()).every((each) => each.endsWith(" ready"));
    });
    console.log(`cut for ${healedMs} ms, in order ${elapsedMs() - healedMs} ms later`);
  });
  assertEquals(failed.filter(({ atMs }) => atMs > healedMs), [], "lost after the wire was mended");
  assert(await operator.isWhole());
  assertEquals(await operator.nodesInUse(), others);
  assertEquals((await operator.processes()).length, 2);
  await operator.bothAnswerInTurn();
};

/** So long a silence is more than enough to be called dead. */
const SILENT_MS = NODE_DEAD_MS + 3_000;

/** Says whether the conductor has called a node dead since then. */
function deathsSince(operator: Operator, from: number): string[] {
  return operator.cluster.daemon("conductor").log.slice(from).split("\n")
    .filter((line) => / is dead: /.test(line));
}

/** What is wrong with the network must kill nobody. */
const harmless =
  (what: string, fault: (operator: Operator) => Promise<Fault>): Step => async (operator) => {
    const from = operator.cluster.daemon("conductor").log.length;
    const pids = await operator.pids();
    const begun = performance.now();
    await operator.underLoad(what, 0, async () => {
      await using wrong = await fault(operator);
      await until(SILENT_MS + 5_000, "the time of trouble is over", () => {
        return performance.now() - begun > SILENT_MS;
      });
      assert(await wrong.packets() > 0, "nothing was lost");
    });
    assertEquals(deathsSince(operator, from), []);
    assertEquals(await operator.pids(), pids);
    await nodesReport(operator);
  };

const lossOfBeats = harmless("20 % of UDP lost", async ({ cluster }) => {
  return await cluster.network.loseUdp(20);
});

const oneWayCut = harmless("the conductor does not hear a node", async (operator) => {
  const { network } = operator.cluster;
  const { node } = (await operator.ready())[0]!;
  return await network.host("control").deafTo(network.host(node), 7770);
});

async function replaced(operator: Operator, nodes: readonly string[]): Promise<void> {
  await until(10_000, "both replicas run elsewhere", async () => {
    return await operator.isWhole() && (await operator.nodesInUse()).join() === nodes.join();
  });
}

const allStop: Step = async (operator) => {
  const pids = await operator.processes();
  const codes = await operator.cluster.stop();
  assertEquals([...codes].filter(([, code]) => code !== 0), []);
  assertEquals([pids.length, pids.filter(isAlive)], [2, []]);
};

/** Each stands on the ones before. */
const STEPS: readonly (readonly [name: string, step: Step])[] = [
  ["three nodes report from their own addresses", nodesReport],
  ["a signed command comes in fragments, and both replicas serve in turn", firstDeploy],
  ["two hosts serve the same fixed port, each at its own address", samePort],
  ["a replica killed under load costs the requests in flight on it", replicaKilled],
  ["a node killed under load adopts its replica and costs no request", nodeKilled],
  ["the tower killed under load knows both replicas again and costs no request", towerKilled],
  ["the conductor killed under load costs no replica and no request", conductorKilled],
  ["rollouts with 5 % of UDP lost lose no request", rolloutsWithLoss(5)],
  ["rollouts with 10 % of UDP lost lose no request", rolloutsWithLoss(10)],
  ["a signed command goes by TCP where no large datagram arrives", deployByTcp],
  ["20 % of UDP lost: nobody is called dead who lives", lossOfBeats],
  ["a node that the conductor cannot hear keeps what it runs, since others see it", oneWayCut],
  ["a node cut off for a moment is replaced and gives up what it lost", nodeCutOff(false)],
  ["a node cut off for longer is replaced and gives up what it lost", nodeCutOff(true)],
  ["all stop as told, with their replicas", allStop],
];

Deno.test({
  name: "the cluster works in network namespaces, one for each host",
  ignore: why !== null,
  async fn(t) {
    await using cluster = await NetworkCluster.start();
    const operator = new Operator(cluster);
    for (const [name, step] of STEPS) {
      if (!await t.step(name, () => step(operator))) {
        throw new Error(`${name}\n${cluster.lastWords()}`);
      }
    }
  },
});
