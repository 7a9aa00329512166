// A cluster on a network of its own: conductor and tower on one host, a node on each of three, the
// ingress on another, and the operator, who is a client, too, on the last.

import { assert } from "@std/assert";
import { tokenPath } from "../../cli/cluster/daemons.ts";
import { writeTokens } from "../../cli/cluster/tokens.ts";
import { cacheImports } from "../../cli/cluster/prepare.ts";
import { makeKeys } from "../../cli/keys.ts";
import { denoFolder } from "../../core/live/deno_folder_testing.ts";
import { permissionFlags } from "../../core/permissions.ts";
import type { AppView } from "../../core/view.ts";
import { kill, until, within } from "./cluster_process.ts";
import { type Host, Network } from "./netns.ts";
import type { Answer, LoadResult, Order } from "./netns_client.ts";

export const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname).replace(
  /\/$/,
  "",
);
const HOSTS = { control: 10, "node-1": 11, "node-2": 12, "node-3": 13, edge: 20, operator: 30 };
export const NODES = ["node-1", "node-2", "node-3"] as const;
const HTTP_PORT = 80;

/** A command's end. */
export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A daemon on a host: started, killed, started again. */
export class Daemon {
  #child: Deno.ChildProcess | undefined;
  #log = "";
  #from = 0;
  #read: Promise<void> = Promise.resolve();

  /** @param started what its log says when it serves. */
  constructor(
    readonly name: string,
    readonly command: readonly string[],
    readonly started: string,
  ) {}

  get pid(): number {
    return this.#child!.pid;
  }

  get log(): string {
    return this.#log;
  }

  /** Says whether its log has this, since its last start unless told. */
  said(text: string, from = this.#from): boolean {
    return this.#log.includes(text, from);
  }

  async start(): Promise<void> {
    this.#from = this.#log.length;
    this.#child = new Deno.Command(this.command[0]!, {
      args: this.command.slice(1),
      cwd: ROOT,
      stdin: "piped",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#read = this.#follow(this.#child.stderr);
    try {
      await until(15_000, `${this.name} serves`, () => this.said(this.started));
    } catch (error) {
      throw new Error(`${this.name} does not start:\n${this.#log.slice(this.#from)}`, {
        cause: error,
      });
    }
  }

  async #follow(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const part of stream.pipeThrough(new TextDecoderStream())) this.#log += part;
  }

  /** Kills it with SIGKILL, waits for its end, starts it again. */
  async killAndStartAgain(): Promise<void> {
    await this.kill();
    await this.start();
  }

  /** Kills it with SIGKILL and waits for its end. */
  async kill(): Promise<void> {
    const child = this.#child!;
    kill(child.pid, "SIGKILL");
    await child.status;
    await this.#closed(child);
  }

  async #closed(child: Deno.ChildProcess): Promise<void> {
    await child.stdin.close().catch(() => {});
    await within(10_000, `the end of ${this.name}'s log`, this.#read);
  }

  /** Tells it to stop by the end of its input; its exit code. */
  async stop(): Promise<number> {
    const child = this.#child;
    if (!child) return 0;
    await child.stdin.close().catch(() => {});
    const { code } = await within(20_000, `the end of ${this.name}`, child.status);
    await this.#closed(child);
    return code;
  }
}

/** The operator's host as a client. */
export class Client implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #waiting = new Map<number, (value: unknown) => void>();
  readonly #read: Promise<void>;
  #next = 0;

  constructor(host: Host, network: Network) {
    const [program, ...args] = host.command([
      ...[Deno.execPath(), "run", "--quiet", "--cached-only", `--config=${ROOT}/deno.json`],
      ...["--no-prompt", `--allow-net=${network.cidr}`, `${ROOT}/tests/e2e/netns_client.ts`],
    ]);
    this.#child = new Deno.Command(program!, { args, stdin: "piped", stdout: "piped" }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#read = this.#follow();
  }

  async #follow(): Promise<void> {
    let rest = "";
    for await (const part of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + part).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        const { id, value } = JSON.parse(line);
        this.#waiting.get(id)?.(value);
        this.#waiting.delete(id);
      }
    }
  }

  async #order<T>(order: Omit<Order, "id"> & Record<string, unknown>): Promise<T> {
    const id = this.#next++;
    const answer = new Promise<T>((resolve) =>
      this.#waiting.set(id, (value) => resolve(value as T))
    );
    await this.#writer.write(new TextEncoder().encode(`${JSON.stringify({ ...order, id })}\n`));
    return await within(30_000, `the client's ${order.k}`, answer);
  }

  async ask(url: string): Promise<Answer> {
    return await this.#order({ k: "ask", url });
  }

  /** Requests in so many loops while `act` runs; what they came to. */
  async load(url: string, loops: number, act: () => Promise<void>): Promise<LoadResult> {
    await this.#order({ k: "load", url, loops });
    try {
      await act();
    } catch (error) {
      await this.#order({ k: "stop" });
      throw error;
    }
    return await this.#order({ k: "stop" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close().catch(() => {});
    await this.#child.status;
    await this.#read;
  }
}

/** The cluster. */
export class NetworkCluster implements AsyncDisposable {
  readonly daemons = new Map<string, Daemon>();
  readonly ingress: string;
  readonly client: Client;

  private constructor(readonly network: Network, readonly folder: string) {
    this.ingress = `http://${network.host("edge").address}:${HTTP_PORT}`;
    this.client = new Client(network.host("operator"), network);
    for (const daemon of this.#specify()) this.daemons.set(daemon.name, daemon);
  }

  /** Builds the network and starts every daemon with the permissions it is meant to have. */
  static async start(): Promise<NetworkCluster> {
    const entries = ["conductor", "tower", "node", "ingress", "cli", "market/services/product-svc"];
    // On their hosts the programs reach no registry.
    await cacheImports(ROOT, [
      ...entries.map((entry) => `${ROOT}/${entry}/main.ts`),
      `${ROOT}/node/live/health.worker.ts`,
    ], console.log);
    const folder = await Deno.makeTempDir({ prefix: "skr8tr-netns-" });
    const keys = { secret: `${folder}/signing.sec`, public: `${folder}/skrtrview.pub` };
    await makeKeys(keys.secret, keys.public);
    const cluster = new NetworkCluster(await Network.build(HOSTS), folder);
    const hostname = cluster.network.host("control").address;
    await writeTokens(`${folder}/conductor`, { hostname, port: 7771 }, keys, [
      [`${folder}/tower`, "tower"],
      [`${folder}/ingress`, "ingress"],
      ...NODES.map((name) => [`${folder}/${name}`, "node"] as const),
    ]);
    try {
      await Promise.all([...cluster.daemons.values()].map((daemon) => daemon.start()));
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The end of every daemon's log, for a failed test. */
  lastWords(): string {
    const tail = (log: string) => log.trimEnd().split("\n").slice(-25).join("\n");
    return [...this.daemons.values()].map(({ name, log }) => `--- ${name}\n${tail(log)}`).join(
      "\n",
    );
  }

  daemon(name: string): Daemon {
    return this.daemons.get(name)!;
  }

  #specify(): Daemon[] {
    const control = this.network.host("control");
    const networks = [this.network.cidr];
    const key = `${this.folder}/skrtrview.pub`;
    const state = (name: string) => `${this.folder}/${name}`;
    const [conductor, tower] = [`${control.address}:7770`, `${control.address}:7772`];
    const plain = `--plain=${this.network.cidr}`;
    const of = (host: Host) => ({ bind: host.address, networks });
    const edge = this.network.host("edge");
    return [
      this.#spec(
        "conductor",
        control,
        "ready:",
        permissionFlags("conductor", {
          ...of(control),
          state: state("conductor"),
          pubkeys: [key],
        }),
        [`--tower=${tower}`, `--pubkey=${key}`, plain],
      ),
      this.#spec(
        "tower",
        control,
        "listening on",
        permissionFlags("tower", {
          ...of(control),
          state: state("tower"),
        }),
        [plain, `--join=${tokenPath(state("tower"))}`],
      ),
      ...NODES.map((name) => {
        const host = this.network.host(name);
        return this.#spec(
          name,
          host,
          "listens at",
          permissionFlags("node", {
            ...of(host),
            state: state(name),
            pubkeys: [],
            root: `${ROOT}/`,
          }),
          [
            ...[
              `--name=${name}`,
              `--conductor=${conductor}`,
              `--tower=${tower}`,
              `--join=${tokenPath(state(name))}`,
            ],
            ...[`--workdir=${ROOT}`, "--cpus=2", "--stop-replicas", plain],
          ],
        );
      }),
      this.#spec(
        "ingress",
        edge,
        "serving",
        permissionFlags("ingress", {
          ...of(edge),
          state: state("ingress"),
        }),
        [
          ...[`--http=${HTTP_PORT}`, `--tower=${tower}`],
          `--join=${tokenPath(state("ingress"))}`,
        ],
      ),
    ];
  }

  #spec(
    name: string,
    host: Host,
    started: string,
    permissions: readonly string[],
    flags: readonly string[],
  ): Daemon {
    const entry = name.startsWith("node-") ? "node" : name;
    const command = host.command([
      ...[Deno.execPath(), "run", "--quiet", "--cached-only", `--config=${ROOT}/deno.json`],
      ...permissions,
      `${ROOT}/${entry}/main.ts`,
      ...["--stop-with-stdin", `--bind=${host.address}`],
      `--state=${this.folder}/${name}`,
      ...flags,
    ]);
    return new Daemon(name, command, started);
  }

  /** Runs `skr8tr` on the operator's host, with the CLI's own permissions. */
  async skr8tr(...words: string[]): Promise<Said> {
    const [program, ...args] = this.network.host("operator").command([
      ...[Deno.execPath(), "run", "--quiet", "--cached-only", `--config=${ROOT}/deno.json`],
      ...permissionFlags("skr8tr", { home: this.folder }),
      `${ROOT}/cli/main.ts`,
      ...["--conductor", this.network.host("control").address],
      ...["--key", `${this.folder}/signing.sec`],
      ...words,
    ]);
    const command = new Deno.Command(program!, {
      args,
      cwd: this.folder,
      // A home of its own: what the CLI keeps there is not to be found by the next run.
      env: { HOME: this.folder, DENO_DIR: denoFolder() },
      stdout: "piped",
    });
    const { code, stdout, stderr } = await within(60_000, `skr8tr ${words[0]}`, command.output());
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, out: text(stdout), err: text(stderr) };
  }

  /** The app as the conductor tells it to the operator's host. */
  async app(name: string): Promise<AppView> {
    const control = this.network.host("control").address;
    const { status, body } = await this.client.ask(`http://${control}:7771/api/apps/${name}`);
    assert(status === 200, `${status} ${body}`);
    return JSON.parse(body);
  }

  /** Every process that runs this file with Deno, by node. */
  async running(file: string): Promise<Map<string, number[]>> {
    return new Map(
      await Promise.all(
        NODES.map(async (name) =>
          [name, await this.network.host(name).processes("deno", file)] as const
        ),
      ),
    );
  }

  /** Stops all, as told by the end of their input; the exit codes by name. */
  async stop(): Promise<Map<string, number>> {
    const ends = [...this.daemons.values()].map(async (each) => [each.name, await each.stop()]);
    return new Map(await Promise.all(ends) as [string, number][]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.network[Symbol.asyncDispose]();
    await this.client[Symbol.asyncDispose]();
    await Promise.allSettled([...this.daemons.values()].map((daemon) => daemon.stop()));
    await Deno.remove(this.folder, { recursive: true });
  }
}
