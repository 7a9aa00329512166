// For tests: a node with real programs, in this process, against a fake conductor and tower.

import { FakeCluster, until } from "./fake_cluster.ts";
import { type NodeDaemon, startNode } from "./node.ts";
import type { StartOptions } from "./start_options.ts";

export interface Bench extends AsyncDisposable {
  readonly cluster: FakeCluster;
  readonly folder: string;
  readonly node: NodeDaemon;
  /** Applies `app web` with these lines and runs one replica of it. */
  run(lines: string, replica?: string): void;
}

/** Starts a node named node-1 against a fake cluster, with its state below a folder. */
export function startOn(
  cluster: FakeCluster,
  folder: string,
  options: Partial<StartOptions> = {},
): Promise<NodeDaemon> {
  return startNode({
    bind: "127.0.0.1",
    host: "127.0.0.1",
    port: 0,
    name: "node-1",
    state: `${folder}/state`,
    conductor: cluster.conductor,
    follow: cluster.follow,
    tower: cluster.tower,
    keys: [cluster.operator.publicKey],
    path: "/usr/local/bin:/usr/bin:/bin",
    workdir: folder,
    ports: { first: 31_000, last: 31_999 },
    gpu: false,
    labels: {},
    plain: [],
    open: false,
    trustPaths: false,
    stopReplicas: true,
    metricsPort: null,
    ...options,
  });
}

export async function bench(options: Partial<StartOptions> = {}): Promise<Bench> {
  const cluster = new FakeCluster();
  const folder = Deno.makeTempDirSync({ prefix: "skr8tr-node-" });
  const node = await startOn(cluster, folder, options);
  return {
    cluster,
    folder,
    node,
    run(lines, replica = "web-1") {
      const sequence = cluster.apply("web", `app web\n${lines}\n`);
      cluster.run(replica, "web", sequence);
    },
    async [Symbol.asyncDispose]() {
      await node.stop();
      await cluster[Symbol.asyncDispose]();
      Deno.removeSync(folder, { recursive: true });
    },
  };
}

/** The last lines of a replica's log, once they satisfy. */
export function logOf({ node }: Bench, replica: string, wanted: (lines: string[]) => boolean) {
  return until(`the log of ${replica}`, () => {
    const lines = node.logs.lines(replica, 1_000).map((each) => each.line);
    return wanted(lines) ? lines : null;
  });
}

/** Why the node will not run a replica, whether it knew that at the order or a moment later. */
export function refusalOf({ cluster }: Bench, replica: string): Promise<string> {
  return until(`${replica} is refused`, () => {
    const status = cluster.statuses.get(replica);
    return cluster.refusals.get(replica) ?? (status?.state === "finished" ? status.reason : null);
  });
}
