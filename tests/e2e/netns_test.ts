// A cluster of hosts with addresses, ports and wires of their own. On loopback all nodes share
// these, and datagrams are neither split nor lost.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { AppView, NodeView, ReplicaView } from "../../core/view.ts";
import { isAlive, kill, until } from "./cluster_process.ts";
import { whyNoNetworks } from "./netns.ts";
import { type Daemon, NetworkCluster, NODES } from "./netns_cluster.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname).replace(/\/$/, "");
const APP = "product-svc";
const PROGRAM = "market/services/product-svc/main.ts";
const PORT = 8001;
/** Requests at once while something is killed. */
const LOOPS = 4;
/** So many that losing nothing, at 5 %, is out of the question: each takes over 40 packets. */
const ROLLOUTS = 5;

const why = await whyNoNetworks();
if (why !== null) console.log(`the cluster in network namespaces is not run: ${why}`);

/** The product service with a fixed port; another `ramMb` is another generation. */
async function manifest(ramMb: number): Promise<string> {
  const text = await Deno.readTextFile(`${ROOT}/market/manifests/${APP}.skr8tr`);
  const changed = text.replace(/^ {2}port .*$/m, `  port ${PORT} fixed`)
    .replace(/^ {2}ram .*$/m, `  ram ${ramMb}mb`);
  assertStringIncludes(changed, "fixed");
  return changed;
}

const readyOf = (view: AppView) => view.replicas.filter(({ state }) => state === "ready");
const pidsOf = (view: AppView) =>
  new Map(readyOf(view).map(({ replica, pid }) => [replica, pid] as const));
const nodesOf = (view: AppView) => readyOf(view).map(({ node }) => node).sort();

Deno.test({
  name: "the cluster works on a network, a namespace for each host",
  ignore: why !== null,
  async fn(t) {
    await using cluster = await NetworkCluster.start();
    const { client, network } = cluster;
    // Each step stands on the one before.
    const step = async (name: string, act: () => Promise<void>) => {
      if (!await t.step(name, act)) throw new Error(`${name}\n${cluster.lastWords()}`);
    };
    const products = `${cluster.ingress}/api/products?per_page=3`;
    const app = () => cluster.app(APP);
    const whole = async (view: Promise<AppView>) => {
      const { state, ready } = await view;
      return state === "ready" && ready === 2;
    };

    /** What the operator sees of the nodes. */
    const nodes = async (): Promise<string[]> => {
      const { code, out, err } = await cluster.skr8tr("nodes", "--json");
      assertEquals(code, 0, err);
      return JSON.parse(out).nodes.map(
        (node: NodeView) => `${node.name} ${node.host} ${node.state}`,
      );
    };
    const ask = async (): Promise<string> => {
      const { status, replica, body } = await client.ask(products);
      assertEquals([status, JSON.parse(body).items?.length], [200, 3], body);
      return replica;
    };
    let ramMb = 160;
    /** Signs and deploys another generation, and waits for it; all must be well. */
    const deploy = async (ramMb: number): Promise<string> => {
      const file = `${cluster.folder}/${APP}.skr8tr`;
      await Deno.writeTextFile(file, await manifest(ramMb));
      const { code, out, err } = await cluster.skr8tr("up", "--wait", file);
      assertEquals(code, 0, out + err);
      assertMatch(out, new RegExp(`^${APP} generation [0-9]+ ready in `), err);
      console.log(out.trim());
      return out;
    };
    /** Requests while `act` runs: all are answered but at most so many. */
    const underLoad = async (what: string, lost: number, act: () => Promise<void>) => {
      const { answered, failed, slowestMs } = await client.load(products, LOOPS, act);
      console.log(`${what}: ${answered} answered, ${failed.length} lost, slowest ${slowestMs} ms`);
      assert(failed.length <= lost, `${what}: ${failed.length} lost\n${failed.join("\n")}`);
      assert(answered > 0, `${what}: no request was answered`);
    };
    const bothAnswer = async () => {
      const seen: string[] = [];
      for (let count = 0; count < 6; count++) seen.push(await ask());
      assertEquals(new Set(seen).size, 2, seen.join(" "));
      for (let at = 2; at < seen.length; at++) assertEquals(seen[at], seen[at - 2], seen.join(" "));
    };
    /** The node's replica, asked at the node's own address. */
    const askReplica = async ({ host, port, replica }: ReplicaView) => {
      const answer = await client.ask(`http://${host}:${port}/products?per_page=1`);
      assertEquals([answer.status, answer.replica], [200, replica], answer.body);
    };

    await step("three nodes report from their own addresses", async () => {
      const wanted = NODES.map((name) => `${name} ${network.host(name).address} ready`);
      await until(5_000, "the nodes report", async () => {
        return (await nodes()).join() === wanted.join();
      });
    });

    await step("a signed command comes in fragments, and both replicas serve", async () => {
      await using fragments = await network.host("control").countFragments();
      await deploy(ramMb);
      assert(await fragments.packets() >= 5, `${await fragments.packets()} fragments`);
      await bothAnswer();
    });

    await step("two hosts serve the same fixed port, each at its own address", async () => {
      const replicas = readyOf(await app());
      assertEquals(replicas.map(({ port }) => port), [PORT, PORT]);
      assertEquals(new Set(replicas.map(({ node }) => node)).size, 2);
      for (const each of replicas) {
        assertEquals(each.host, network.host(each.node).address);
        await askReplica(each);
      }
    });

    await step("a replica killed under load costs the requests in flight on it", async () => {
      const { replica, pid, node } = readyOf(await app())[0]!;
      await underLoad("a replica killed", LOOPS, async () => {
        kill(pid!, "SIGKILL");
        await until(10_000, `${replica} is back`, async () => {
          const now = readyOf(await app()).find((each) => each.replica === replica);
          return now !== undefined && now.pid !== pid && now.node === node;
        });
      });
      await bothAnswer();
    });

    /** Kills a daemon under load and starts it again; `back` says when it has taken up its work. */
    const killDaemon = async (name: string, back: (daemon: Daemon) => boolean) => {
      const before = await app();
      const daemon = cluster.daemon(name);
      await underLoad(`${name} killed`, 0, async () => {
        await daemon.killAndStartAgain();
        await until(10_000, `${name} works again`, async () => {
          return back(daemon) && await whole(app());
        });
      });
      assertEquals(pidsOf(await app()), pidsOf(before));
      await bothAnswer();
    };

    await step("a node killed under load adopts its replica and costs no request", async () => {
      const { node } = readyOf(await app())[0]!;
      await killDaemon(node, (daemon) => daemon.said(" 1 replicas adopted"));
    });

    await step("the tower killed under load knows both replicas again", async () => {
      const known = "the list is complete: 2 endpoints on 3 nodes";
      await killDaemon("tower", (daemon) => daemon.said(known));
    });

    await step("the conductor killed under load moves no replica", async () => {
      await killDaemon("conductor", (daemon) => daemon.said(" 1 apps"));
    });

    for (const percent of [5, 10]) {
      await step(`rollouts with ${percent} % of UDP lost lose no request`, async () => {
        await using loss = await network.loseUdp(percent);
        await underLoad(`rollouts at ${percent} % loss`, 0, async () => {
          for (let count = 0; count < ROLLOUTS; count++) await deploy(++ramMb);
        });
        const lost = await loss.packets();
        console.log(`${lost} packets lost`);
        assert(lost >= ROLLOUTS, `only ${lost} packets were lost`);
      });
    }

    await step("a signed command goes by TCP where no large datagram arrives", async () => {
      await using loss = await network.host("control").loseFragments();
      await deploy(++ramMb);
      assert(await loss.packets() > 0, "no fragment was lost");
      await bothAnswer();
    });

    await step(
      "a node cut off is replaced, and gives up what it lost once it is back",
      async () => {
        const before = await app();
        const { node } = readyOf(before)[0]!;
        const others = NODES.filter((name) => name !== node).sort();
        {
          await using _ = await network.host(node).cut();
          await underLoad(`${node} cut off`, LOOPS, async () => {
            await until(10_000, "both replicas run elsewhere", async () => {
              const view = await app();
              return await whole(Promise.resolve(view)) && nodesOf(view).join() === others.join();
            });
          });
          await bothAnswer();
        }
        await underLoad(`${node} healed`, 0, async () => {
          await until(15_000, `${node} has stopped its replica`, async () => {
            return (await cluster.running(PROGRAM)).get(node)!.length === 0;
          });
          await until(10_000, `${node} reports again`, async () => {
            const { out } = await cluster.skr8tr("nodes", "--json");
            return JSON.parse(out).nodes.every((each: { state: string }) => each.state === "ready");
          });
        });
        const after = await app();
        assertEquals([after.ready, nodesOf(after)], [2, others]);
        assertEquals([...(await cluster.running(PROGRAM)).values()].flat().length, 2);
        await bothAnswer();
      },
    );

    await step("all stop as told, with their replicas", async () => {
      const pids = [...(await cluster.running(PROGRAM)).values()].flat();
      const codes = await cluster.stop();
      assertEquals([...codes].filter(([, code]) => code !== 0), []);
      assertEquals(pids.filter(isAlive), []);
    });
  },
});
