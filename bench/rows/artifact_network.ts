// The part of the row `artifact` that has a network: hosts with a link of 1 Gbit/s each.

import { NetworkCluster, NODES } from "../../tests/e2e/netns_cluster.ts";
import type { Host } from "../../tests/e2e/netns.ts";

const RATE = "1gbit";

/** A cluster of hosts whose links are no faster than that, and a server of files on the operator's. */
export class LinkedHosts implements AsyncDisposable {
  private constructor(
    readonly cluster: NetworkCluster,
    private readonly server: Deno.ChildProcess,
    private readonly url: string,
  ) {}

  static async start(): Promise<LinkedHosts> {
    const cluster = await NetworkCluster.start();
    try {
      for (const { namespace } of cluster.network.hosts.values()) {
        const limit = ["tbf", "rate", RATE, "burst", "1mb", "latency", "100ms"];
        await run(["tc", "-n", namespace, "qdisc", "add", "dev", "eth0", "root", ...limit]);
      }
      const operator = cluster.network.host("operator");
      const program =
        `Deno.serve({ hostname: "${operator.address}", port: 8000, onListen: () => console.log() },
        async () => new Response((await Deno.open("${cluster.folder}/binary")).readable));`;
      const [command, ...args] = operator.command([Deno.execPath(), "eval", program]);
      const options = { args, stdin: "null", stdout: "piped", stderr: "null" } as const;
      const server = new Deno.Command(command!, options).spawn();
      const reader = server.stdout.getReader();
      await reader.read();
      await reader.cancel();
      return new LinkedHosts(cluster, server, `http://${operator.address}:8000/binary`);
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  get binary(): string {
    return `${this.cluster.folder}/binary`;
  }

  /** Three plain copies to the nodes' hosts, as a script would make them, one after another; ms. */
  async copy(): Promise<number> {
    const startedMs = performance.now();
    for (const node of NODES) await run(this.#curl(this.cluster.network.host(node)));
    return performance.now() - startedMs;
  }

  #curl(host: Host): string[] {
    const file = `${this.cluster.folder}/copy-${host.name}`;
    return host.command(["curl", "-sS", "-o", file, this.url]);
  }

  /** `skr8tr up --wait`, from the start of its process to its end; ms. */
  async ship(app: string, manifest: string): Promise<number> {
    const path = `${this.cluster.folder}/${app}.skr8tr`;
    await Deno.writeTextFile(path, manifest);
    const startedMs = performance.now();
    const { code, err } = await this.cluster.skr8tr("up", "--wait", path);
    if (code !== 0) throw new Error(`up ended with ${code}: ${err}`);
    return performance.now() - startedMs;
  }

  async down(app: string): Promise<void> {
    const { code, err } = await this.cluster.skr8tr("down", app);
    if (code !== 0) throw new Error(`down ended with ${code}: ${err}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.kill("SIGKILL");
    await this.server.status;
    await this.cluster[Symbol.asyncDispose]();
  }
}

async function run([program, ...args]: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program!, { args, stdout: "null" }).output();
  if (!success) {
    throw new Error(`${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  }
}
