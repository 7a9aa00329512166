// A cluster of hosts with addresses, ports and wires of their own. On loopback all nodes share
// these, and datagrams are neither split nor lost.

import { assert, assertEquals } from "@std/assert";
import { NODE_DEAD_MS } from "../../core/limits.ts";
import { isAlive, kill, until } from "./cluster_process.ts";
import { type Fault, whyNoNetworks } from "./netns.ts";
import { type Daemon, NetworkCluster, NODES } from "./netns_cluster.ts";
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
  await operator.deploy();
  await operator.bothAnswerInTurn();
};

const streams: Step = async (operator) => {
  for (const { replica, node } of await operator.ready()) {
    const words = ["exec", `product-svc/${replica}`, "printf %s $NODE"];
    const { code, out, err } = await operator.cluster.skr8tr(...words);
    assertEquals([code, out], [0, node], err);
  }
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
  const back = (daemon: Daemon) => daemon.said(" 1 replicas adopted");
  for (let tries = 1;; tries++) {
    const before = await operator.pids();
    const { node } = (await operator.ready())[0]!;
    if (!await operator.tryKillDaemon(node, back)) {
      return assertEquals(await operator.pids(), before);
    }
    // On a starved machine a node may take longer to start than it takes to be called dead.
    assert(tries < 4, `${node} never starts in time`);
    console.log(`${node} was called dead before it was back: once more`);
    await nodesReport(operator);
  }
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
        // The conductor's word may reach the tower before its own lease has lapsed, or not.
        await until(10_000, "the tower gives the node up", () => {
          return tower.said("gone silent", from) || tower.said("is lost", from);
        });
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

/**
 * Row 10: a node that stands still for some seconds is replaced. On waking it accuses nobody, though
 * it was asked about others meanwhile, and stops what has moved.
 */
const nodePaused: Step = async (operator) => {
  const { node } = (await operator.ready())[0]!;
  const others = NODES.filter((name) => name !== node);
  const { pid } = operator.cluster.daemon(node);
  const deaths = await operator.deaths();
  kill(pid, "SIGSTOP");
  const begun = performance.now();
  await replaced(operator, others);
  await until(10_000, "five seconds have passed", () => performance.now() - begun >= 5_000);
  assertEquals((await operator.processes(node)).length, 1, "what it runs runs on");
  kill(pid, "SIGCONT");
  await until(15_000, `${node} stops what is no longer its own`, async () => {
    return (await operator.processes(node)).length === 0;
  });
  await until(10_000, `${node} reports again`, async () => {
    return (await operator.nodes()).every((each) => each.endsWith(" ready"));
  });
  assert(await operator.isWhole());
  assertEquals((await operator.deaths()).slice(deaths.length).map((text) => text.split(" ")[0]), [
    node,
  ]);
};

/** Rows 9 and 10: nobody dies of lost beats, not even on machines that are busy with other things. */
const busyWithLoss: Step = async (operator) => {
  const deaths = await operator.deaths();
  await using loss = await operator.cluster.network.loseUdp(20);
  const loops = Array.from(
    { length: 6 },
    () => new Deno.Command("sh", { args: ["-c", "while :; do :; done"], stdout: "null" }).spawn(),
  );
  try {
    await operator.underLoad("20 % lost, six busy loops", 0, async () => {
      for (let count = 0; count < ROLLOUTS; count++) await operator.deploy();
    });
  } finally {
    for (const loop of loops) kill(loop.pid, "SIGKILL");
    await Promise.all(loops.map((loop) => loop.status));
  }
  assert(await loss.packets() > 100, `only ${await loss.packets()} packets were lost`);
  assertEquals((await operator.deaths()).slice(deaths.length), []);
};

/** A node is drained under load: the replacement is ready before the old replica leaves. */
const nodeDrained: Step = async (operator) => {
  const { cluster } = operator;
  const { node } = (await operator.ready())[0]!;
  await operator.underLoad(`${node} drained`, 0, async () => {
    const { code, out, err } = await cluster.skr8tr("node", "drain", node, "--wait");
    assertEquals([code, out.trim()], [0, `${node} is drained: nothing runs there`], err);
  });
  assertEquals((await operator.processes(node)).length, 0);
  assertEquals(await operator.nodesInUse(), NODES.filter((name) => name !== node));
  const lose = NODES.find((name) => name !== node)!;
  const { code, out } = await cluster.skr8tr("what-if", "--lose", lose, "--json");
  const { unplaced, interrupted } = JSON.parse(out);
  assertEquals([code, unplaced.length > 0, interrupted], [1, true, []], out);
  const uncordon = await cluster.skr8tr("node", "uncordon", node);
  assertEquals([uncordon.code, uncordon.out.trim()], [0, `${node} takes replicas again`]);
  const answer = await cluster.skr8tr("what-if", "--lose", lose);
  assertEquals(answer.code, 0, answer.out + answer.err);
  assert(answer.out.includes(` on ${node}: `), answer.out);
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
  ["a signed command deploys, and both replicas serve in turn", firstDeploy],
  ["two hosts serve the same fixed port, each at its own address", samePort],
  ["an operator's stream goes to each of the two, sealed from host to host", streams],
  ["a replica killed under load costs the requests in flight on it", replicaKilled],
  ["a node killed under load adopts its replica and costs no request", nodeKilled],
  ["the tower killed under load knows both replicas again and costs no request", towerKilled],
  ["the conductor killed under load costs no replica and no request", conductorKilled],
  ["rollouts with 5 % of UDP lost lose no request", rolloutsWithLoss(5)],
  ["rollouts with 10 % of UDP lost lose no request", rolloutsWithLoss(10)],
  ["20 % of UDP lost: nobody is called dead who lives", lossOfBeats],
  ["a node that the conductor cannot hear keeps what it runs, since others see it", oneWayCut],
  ["a node cut off for a moment is replaced and gives up what it lost", nodeCutOff(false)],
  ["a node cut off for longer is replaced and gives up what it lost", nodeCutOff(true)],
  ["a node paused for 5 s is replaced, accuses nobody and gives up what it lost", nodePaused],
  ["with 20 % of UDP lost and busy machines nobody is called dead", busyWithLoss],
  ["a node drained under load costs no request", nodeDrained],
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
