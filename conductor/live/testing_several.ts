// For tests: several conductors as processes around one store on NATS.

import { assert } from "@std/assert";
import { NatsCluster } from "../../tests/contract/nats_cluster.ts";
import { keyPairFromSeed } from "../../core/sign.ts";
import { sealKeysPath } from "../../core/live/seal_keys.ts";

const MAIN = new URL("../main.ts", import.meta.url).pathname;

/** One conductor, through all its starts. */
export class ConductorProcess {
  /** Empty while it does not run. */
  url = "";
  #child: Deno.ChildProcess | null = null;
  #drained: Promise<void> = Promise.resolve();
  readonly told: string[] = [];

  constructor(
    readonly name: string,
    readonly state: string,
    private readonly args: readonly string[],
    private readonly hostname: string,
  ) {}

  /** Resolves when it answers. @throws what it said where it ends instead */
  async start(): Promise<void> {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "-A", MAIN, ...this.args],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#child = child;
    const from = this.told.length;
    const ready = Promise.withResolvers<string>();
    const line = new RegExp(`ready: commands at ${this.hostname}:(\\d+)`);
    this.#drained = (async () => {
      for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
        this.told.push(chunk);
        const port = this.told.slice(from).join("").match(line)?.[1];
        if (port !== undefined) ready.resolve(`http://${this.hostname}:${port}`);
      }
      ready.reject(new Error(`the conductor ended: ${this.told.slice(from).join("")}`));
    })();
    this.url = await ready.promise;
  }

  signal(signal: Deno.Signal): void {
    assert(this.#child, `${this.name} runs`);
    Deno.kill(this.#child.pid, signal);
  }

  /** Ends it by this signal and waits until it is gone. */
  async end(signal: Deno.Signal = "SIGKILL"): Promise<void> {
    const child = this.#child;
    if (!child) return await this.#drained;
    this.#child = null;
    this.url = "";
    try {
      Deno.kill(child.pid, signal);
    } catch (error) {
      // It has ended by itself.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    await child.status;
    await this.#drained;
  }

  /** How many files and sockets it holds open. */
  async descriptors(): Promise<number> {
    assert(this.#child, `${this.name} runs`);
    return (await Array.fromAsync(Deno.readDir(`/proc/${this.#child.pid}/fd`))).length;
  }

  /** What it says of who leads; `null` where it does not answer. */
  async leader(): Promise<{ leads: boolean; term: number; leader: string | null } | null> {
    if (this.url === "") return null;
    try {
      const signal = AbortSignal.timeout(200);
      return await (await fetch(`${this.url}/leader`, { signal })).json();
    } catch {
      return null;
    }
  }
}

/** Conductors and the servers of their store; all end with the test. */
export class SeveralConductors implements AsyncDisposable {
  private constructor(
    readonly nats: NatsCluster,
    readonly folder: string,
    readonly conductors: readonly ConductorProcess[],
  ) {}

  /** @param hostname a loopback address of this test's own */
  static async start(options: {
    readonly count: number;
    readonly servers: number;
    readonly hostname: string;
    readonly args?: readonly string[];
  }): Promise<SeveralConductors> {
    const { count, servers, hostname, args = [] } = options;
    const folder = await Deno.makeTempDir({ prefix: "skr8tr-several-" });
    const nats = await NatsCluster.start({ size: servers, hostname });
    const { publicKey } = keyPairFromSeed(new Uint8Array(32).fill(7));
    await Deno.writeFile(`${folder}/key.pub`, publicKey);
    const store = `nats://${nats.servers.map((server) => server.address).join(",")}/several`;
    const conductors = Array.from({ length: count }, (_, index) => {
      const state = `${folder}/${index}`;
      return new ConductorProcess(`conductor-${index}`, state, [
        `--bind=${hostname}`,
        "--port=0",
        "--mesh-port=0",
        `--tower=${hostname}:1`,
        `--state=${state}`,
        `--pubkey=${folder}/key.pub`,
        `--store=${store}`,
        `--name=conductor-${index}`,
        "--telemetry=0",
        ...args,
      ], hostname);
    });
    const several = new SeveralConductors(nats, folder, conductors);
    try {
      const [first, ...others] = conductors;
      await first!.start();
      await Promise.all(others.map(async (each) => {
        await several.copyIdentity(first!, each);
        await each.start();
      }));
      return several;
    } catch (error) {
      await several[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** All conductors of a cluster hold one identity. */
  async copyIdentity(from: ConductorProcess, to: ConductorProcess): Promise<void> {
    await Deno.mkdir(to.state, { recursive: true, mode: 0o700 });
    const file = sealKeysPath(to.state, "conductor");
    await Deno.copyFile(sealKeysPath(from.state, "conductor"), file);
    await Deno.chmod(file, 0o600);
  }

  /** Waits until exactly one says that it leads, and not this one. */
  async leader(not?: ConductorProcess, deadlineMs = 30_000): Promise<ConductorProcess> {
    const untilMs = performance.now() + deadlineMs;
    for (;;) {
      const asked = await Promise.all(
        this.conductors.map(async (each) => ((await each.leader())?.leads ? [each] : [])),
      );
      const [leader, second] = asked.flat();
      if (leader && !second && leader !== not) return leader;
      if (performance.now() > untilMs) {
        const told = this.conductors.map((each) => `${each.name}: ${each.told.join("")}`);
        throw new Error(`nobody leads: ${told.join("\n")}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.conductors) {
      try {
        each.signal("SIGCONT");
      } catch {
        // It does not run.
      }
    }
    await Promise.all(this.conductors.map((each) => each.end()));
    await this.nats[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}
