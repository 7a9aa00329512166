// Real nats-servers for tests: one, or a cluster of three, each with its own folder and ports.

import { assert } from "@std/assert";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { freePort } from "../../core/live/free_port_testing.ts";
import type { NatsTarget } from "../../conductor/leading/store_target.ts";

/** Where tests find nats-server; `null` where it is not installed. */
export function natsServer(): string | null {
  for (const path of ["/usr/sbin/nats-server", "/usr/bin/nats-server"]) {
    try {
      if (Deno.statSync(path).isFile) return path;
    } catch {
      // Not there.
    }
  }
  return null;
}

/** Says that NATS's tests are not run, and why. */
export function hasNats(): boolean {
  if (natsServer() !== null) return true;
  console.log("not run: tests of the store on NATS; nats-server is not installed");
  return false;
}

export class NatsTestServer {
  #child: Deno.ChildProcess | null = null;

  constructor(
    readonly hostname: string,
    readonly port: number,
    private readonly args: readonly string[],
    private readonly log: string,
  ) {}

  get address(): string {
    return `${this.hostname}:${this.port}`;
  }

  get pid(): number {
    assert(this.#child, "the server runs");
    return this.#child.pid;
  }

  start(): void {
    this.#child = new Deno.Command(natsServer()!, {
      args: [...this.args, "--log", this.log],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
  }

  /** SIGSTOP; resolves when all its threads stand still. */
  async pause(): Promise<void> {
    Deno.kill(this.pid, "SIGSTOP");
    for (;;) {
      const threads = await Array.fromAsync(Deno.readDir(`/proc/${this.pid}/task`));
      const states = await Promise.all(threads.map(async ({ name }) => {
        const stat = await Deno.readTextFile(`/proc/${this.pid}/task/${name}/stat`);
        return stat.slice(stat.lastIndexOf(")") + 2)[0];
      }));
      if (states.every((state) => state === "T")) return;
    }
  }

  resume(): void {
    Deno.kill(this.pid, "SIGCONT");
  }

  /** SIGKILL, or what is given, and wait for the end. */
  async end(signal: Deno.Signal = "SIGKILL"): Promise<void> {
    const child = this.#child;
    if (!child) return;
    this.#child = null;
    child.kill(signal);
    await child.status;
  }
}

export interface NatsClusterOptions {
  /** 1 or 3. */
  readonly size: number;
  /** A loopback address of this test's own. */
  readonly hostname?: string;
  /** Lines for the servers' configuration. */
  readonly settings?: string;
}

/** Servers that end with the test. */
export class NatsCluster implements AsyncDisposable {
  private constructor(
    readonly servers: readonly NatsTestServer[],
    private readonly folder: string,
  ) {}

  static async start({ size, hostname = "127.0.0.1", settings = "" }: NatsClusterOptions) {
    const folder = await Deno.makeTempDir({ prefix: "skr8tr-nats-" });
    const routes = Array.from({ length: size }, () => freePort(hostname));
    const servers = await Promise.all(routes.map(async (route, index) => {
      const port = freePort(hostname);
      const at = `${folder}/${index}`;
      await Deno.mkdir(at);
      const others = routes.filter((each) => each !== route)
        .map((each) => `nats-route://${hostname}:${each}`);
      const cluster = size === 1 ? "" : `
        cluster { name: test, listen: "${hostname}:${route}", routes: ${JSON.stringify(others)} }`;
      await Deno.writeTextFile(
        `${at}/server.conf`,
        `listen: "${hostname}:${port}"
        server_name: nats-${index}
        jetstream { store_dir: "${at}/data", max_mem: 64MB, max_file: 1GB }
        ${cluster}
        ${settings}`,
      );
      return new NatsTestServer(hostname, port, ["-c", `${at}/server.conf`], `${at}/log`);
    }));
    const started = new NatsCluster(servers, folder);
    for (const server of servers) server.start();
    return started;
  }

  /** Where a store is, under a name of its own. */
  target(name: string, more: Partial<NatsTarget> = {}): NatsTarget {
    return {
      kind: "nats",
      servers: this.servers.map((server) => server.address),
      tls: false,
      name,
      copies: this.servers.length,
      ...more,
    };
  }

  /** The server that leads the group of this stream's copies. */
  async leaderOf(stream: string): Promise<NatsTestServer> {
    const connection = await connect({ servers: this.servers.map((server) => server.address) });
    try {
      const { cluster } = await (await jetstreamManager(connection)).streams.info(stream);
      const index = Number(cluster?.leader?.replace("nats-", ""));
      assert(this.servers[index], `nobody leads ${stream}`);
      return this.servers[index];
    } finally {
      await connection.close();
    }
  }

  /** Makes of a stream what it was so many messages ago, as servers do that lose some. */
  async lose(stream: string, count: number): Promise<void> {
    const connection = await connect({ servers: this.servers.map((server) => server.address) });
    try {
      const { streams } = await jetstreamManager(connection);
      const { config, state } = await streams.info(stream);
      const kept = [];
      for (let seq = 1; seq <= state.last_seq - count; seq++) {
        kept.push(await streams.getMessage(stream, { seq }));
      }
      await streams.delete(stream);
      await streams.add(config);
      for (const message of kept) {
        await jetstream(connection).publish(message!.subject, message!.data);
      }
    } finally {
      await connection.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.servers.map((server) => server.end()));
    await Deno.remove(this.folder, { recursive: true });
  }
}
