// The operator of a cluster on a network: deploys, looks, sends requests.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { AppView, EventView, NodeView, ReplicaView } from "../../core/view.ts";
import { until } from "./cluster_process.ts";
import { type Daemon, type NetworkCluster, ROOT } from "./netns_cluster.ts";
import type { Failed } from "./netns_client.ts";

const APP = "product-svc";
const PROGRAM = `market/services/${APP}/main.ts`;
export const PORT = 8001;
/** Requests at once while something is killed. */
export const LOOPS = 4;
/** By then every replica takes its whole share again (`SLOW_START_MS`), ms. */
const SHARED_MS = 10_000;

export class Operator {
  readonly #products: string;
  #generation = 0;

  constructor(readonly cluster: NetworkCluster) {
    this.#products = `${cluster.ingress}/api/products?per_page=3`;
  }

  /** Signs and deploys the product service once more, changed a little, and waits until it is ready. */
  async deploy(): Promise<void> {
    const file = `${this.cluster.folder}/${APP}.skr8tr`;
    await Deno.writeTextFile(file, await manifest(160 + this.#generation++));
    const { code, out, err } = await this.cluster.skr8tr("up", "--wait", file);
    assertEquals(code, 0, out + err);
    assertMatch(out, new RegExp(`^${APP} generation ${this.#generation} ready in `), err);
    console.log(out.trim());
  }

  /** The nodes as `skr8tr nodes` tells them: name, address, state. */
  async nodes(): Promise<string[]> {
    const { code, out, err } = await this.cluster.skr8tr("nodes", "--json");
    assertEquals(code, 0, err);
    const nodes: NodeView[] = JSON.parse(out).nodes;
    return nodes.map((node) => `${node.name} ${node.host} ${node.state}`);
  }

  /** What the conductor has said of nodes that it called dead, oldest first. */
  async deaths(): Promise<string[]> {
    const { code, out, err } = await this.cluster.skr8tr("events", "--json", "--lines", "10000");
    assertEquals(code, 0, err);
    const events: EventView[] = out.trim().split("\n").map((line) => JSON.parse(line));
    return events.filter(({ kind }) => kind === "node-dead").map(({ text }) => text);
  }

  async app(): Promise<AppView> {
    return await this.cluster.app(APP);
  }

  async ready(): Promise<readonly ReplicaView[]> {
    return (await this.app()).replicas.filter(({ state }) => state === "ready");
  }

  /** The pids of the ready replicas, by replica. */
  async pids(): Promise<Map<string, number | undefined>> {
    return new Map((await this.ready()).map(({ replica, pid }) => [replica, pid]));
  }

  /** The names of the nodes that hold ready replicas. */
  async nodesInUse(): Promise<string[]> {
    return (await this.ready()).map(({ node }) => node).sort();
  }

  /** Says whether both replicas are ready, and no other is there. */
  async isWhole(): Promise<boolean> {
    const { state, ready } = await this.app();
    return state === "ready" && ready === 2;
  }

  /** The replicas' processes on one node, or on all. */
  async processes(node?: string): Promise<number[]> {
    const running = await this.cluster.running(PROGRAM);
    return node === undefined ? [...running.values()].flat() : running.get(node)!;
  }

  /** One request through the ingress; who answered. */
  async ask(): Promise<string> {
    const { status, replica, body } = await this.cluster.client.ask(this.#products);
    assertEquals(status, 200, body);
    assertEquals(JSON.parse(body).items.length, 3);
    return replica;
  }

  /** One request to the replica itself, at its node's address. */
  async askReplica({ host, port, replica }: ReplicaView): Promise<void> {
    const url = `http://${host}:${port}/products?per_page=1`;
    const answer = await this.cluster.client.ask(url);
    assertEquals([answer.status, answer.replica], [200, replica], answer.body);
  }

  /** Waits until six requests are answered by two replicas in turn. */
  async bothAnswerInTurn(): Promise<void> {
    let seen: string[] = [];
    try {
      await until(SHARED_MS, "both replicas answer in turn", async () => {
        seen = [];
        for (let count = 0; count < 6; count++) seen.push(await this.ask());
        const inTurn = seen.every((replica, at) => at < 2 || replica === seen[at - 2]);
        return inTurn && new Set(seen).size === 2;
      });
    } catch (cause) {
      throw new Error(`answered: ${seen.join(" ")}`, { cause });
    }
  }

  /** Requests in `LOOPS` loops while `act` runs; all but `lost` must be answered. */
  async underLoad(
    what: string,
    lost: number,
    act: () => Promise<void>,
  ): Promise<readonly Failed[]> {
    const result = await this.cluster.client.load(this.#products, LOOPS, act);
    const { answered, failed, slowestMs } = result;
    console.log(`${what}: ${answered} answered, ${failed.length} lost, slowest ${slowestMs} ms`);
    assert(failed.length <= lost, `${what}: ${JSON.stringify(failed, null, 1)}`);
    assert(answered > 0, `${what}: no request was answered`);
    return failed;
  }

  /**
   * Kills a daemon under load and starts it again, which costs no request and no replica.
   *
   * @param back says when it has taken up its work
   */
  async killDaemon(name: string, back: (daemon: Daemon) => boolean): Promise<void> {
    const before = await this.pids();
    const died = await this.tryKillDaemon(name, back);
    assert(!died, `${name} was called dead before it was back`);
    assertEquals(await this.pids(), before);
  }

  /** The same; says whether a node was called dead over it, and its replicas were moved. */
  async tryKillDaemon(name: string, back: (daemon: Daemon) => boolean): Promise<boolean> {
    const deaths = await this.deaths();
    const daemon = this.cluster.daemon(name);
    await this.underLoad(`${name} killed`, 0, async () => {
      await daemon.killAndStartAgain();
      await until(10_000, `${name} works again`, async () => back(daemon) && await this.isWhole());
    });
    await this.ask();
    return (await this.deaths()).length > deaths.length;
  }
}

/** The product service with a fixed port; another `ramMb` is another generation. */
async function manifest(ramMb: number): Promise<string> {
  const text = await Deno.readTextFile(`${ROOT}/market/manifests/${APP}.skr8tr`);
  const changed = text.replace(/^ {2}port .*$/m, `  port ${PORT} fixed`)
    .replace(/^ {2}ram .*$/m, `  ram ${ramMb}mb`);
  assertStringIncludes(changed, `port ${PORT} fixed`);
  assertStringIncludes(changed, `ram ${ramMb}mb`);
  return changed;
}
