// The shop on a real cluster: where its replicas are, and what can befall them.

import { assert } from "@std/assert";
import { type Conductor, conductorAt } from "../../cli/conductor.ts";
import type { AppView, ReplicaView, StatusView } from "../../core/view.ts";
import { type Shape, SHAPES } from "../../market/launch.ts";
import {
  type ClusterProcess,
  daemonPid,
  kill,
  startClusterTask,
  until,
} from "../e2e/cluster_process.ts";

import { type Mailbox, mailboxIn } from "./mailbox.ts";

/** How long the conductor may take to answer, ms. */
const ANSWER_MS = 10_000;
/** How long the cluster may take to be as wanted again after something died, ms. */
const RECOVER_MS = 60_000;

/** `deno task cluster` with all of the market, seen from outside. */
export class ClusterShop implements AsyncDisposable {
  private constructor(
    private readonly cluster: ClusterProcess,
    private readonly conductor: Conductor,
    /** Of the ingress, without a slash at the end. */
    readonly url: string,
    readonly shape: Shape,
  ) {}

  /** Starts the cluster; resolves when the ingress serves all of the shop. */
  static async start(shape: Shape): Promise<ClusterShop> {
    const cluster = await startClusterTask([`--shape=${shape}`, "--only=all"]);
    const line = await cluster.ready();
    assert(line.ready, line.error);
    const [hostname, port] = line.conductor.split(":");
    const address = { hostname: hostname!, port: Number(port) };
    return new ClusterShop(cluster, conductorAt(address, ANSWER_MS), line.ingress, shape);
  }

  async apps(): Promise<readonly AppView[]> {
    return (await this.conductor.get<StatusView>("/api/status")).apps;
  }

  async replicas(): Promise<ReplicaView[]> {
    return (await this.apps()).flatMap((app) => app.replicas);
  }

  /** The node on which all replicas of an app with a volume run. */
  async homeOf(app: string): Promise<string> {
    const found = (await this.apps()).find((each) => each.app === app);
    const homes = new Set(found?.replicas.map((replica) => replica.node));
    assert(homes.size === 1, `${app} runs on ${[...homes].join(" and ")}, not on one node`);
    return [...homes][0]!;
  }

  /** What the shop has sent. */
  get mails(): Mailbox {
    const sender = this.shape === "nine" ? "user-svc" : "async-worker";
    return mailboxIn(() =>
      ["node-1", "node-2", "node-3"].map((node) =>
        `${this.cluster.state}/${node}/volumes/market/${sender}/outbox`
      )
    );
  }

  /** Kills replicas' programs, their pids; the cluster starts them again by itself. */
  async killReplicas(names: readonly string[]): Promise<number[]> {
    const replicas = await this.replicas();
    return names.map((name) => {
      const pid = replicas.find((replica) => replica.replica === name)?.pid;
      assert(pid, `${name} does not run`);
      kill(pid, "SIGKILL");
      return pid;
    });
  }

  /**
   * Kills a node: its daemon and everything it runs, whose pids it answers. The supervisor starts
   * the daemon again.
   */
  killNode(node: string): Promise<number[]> {
    return this.#endNode(node, "SIGKILL");
  }

  /**
   * Takes a node away: what it runs is killed, its daemon neither answers nor starts anything.
   * `bringBack` ends that.
   */
  takeAway(node: string): Promise<number[]> {
    return this.#endNode(node, "SIGSTOP");
  }

  async #endNode(node: string, signal: Deno.Signal): Promise<number[]> {
    const replicas = (await this.replicas()).filter((replica) => replica.node === node);
    const pids = replicas.flatMap((replica) => replica.pid ?? []);
    assert(pids.length > 0, `nothing runs on ${node}`);
    kill(await daemonPid(this.cluster.state, node), signal);
    for (const pid of pids) kill(pid, "SIGKILL");
    return pids;
  }

  /** Ends the silent daemon of a node that was taken away: the supervisor starts a new one. */
  async bringBack(node: string): Promise<void> {
    kill(await daemonPid(this.cluster.state, node), "SIGKILL");
  }

  /** Waits until every service has its replicas, all ready, and other processes than `gone`. */
  async recovered(gone: ReadonlySet<number>): Promise<void> {
    await until(RECOVER_MS, "every service has its replicas again", async () => {
      const apps = await this.apps();
      const replicas = apps.flatMap((app) => app.replicas);
      return apps.length === SHAPES[this.shape].length &&
        apps.every((app) => app.state === "ready" && app.ready === app.wanted) &&
        replicas.every((replica) => replica.pid !== undefined && !gone.has(replica.pid));
    });
  }

  /** Ends the cluster and checks that nothing is left of it. */
  async stop(): Promise<void> {
    await this.cluster.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster[Symbol.asyncDispose]();
  }
}
