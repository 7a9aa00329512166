// A cluster for people's own integration tests. Public, by mod.ts.
//
// It runs in processes of its own, started with the project's configuration: whoever imports this
// has another import map, and a test that crashes must leave nothing behind.

import { permissionFlags } from "../../core/permissions.ts";
import type { Deed, ReadyLine, Reply } from "./requests.ts";

/** How a cluster for tests is made; everything has a default. */
export interface ClusterOptions {
  /** How many nodes, named `node-1` and on, from 1 to 8. Default 1. */
  readonly nodes?: number;
  /**
   * The folder in which replicas are started, and that paths in manifests are relative to. Default:
   * the current one.
   */
  readonly workdir?: string;
  /**
   * The folder of a clone or of a copy of the package, whose daemons are run. Default: the one that
   * this module was imported from; needed where that is not a folder of this machine.
   */
  readonly root?: string;
}

/** An app that was deployed. */
export interface DeployedApp {
  /** Its name. */
  readonly app: string;
  /** Its generation, from 1 on. */
  readonly generation: number;
  /** How long it took until all replicas were ready, in ms. */
  readonly ms: number;
}

/** A replica as the conductor knows it. */
export interface ClusterReplica {
  /** Its id; never used again for another. */
  readonly replica: string;
  /** The name of its node. */
  readonly node: string;
  /** The version of the app that it runs. */
  readonly generation: number;
  /** `ready`, `starting`, `unreachable` and so on. */
  readonly state: string;
  /** The address that it listens on. */
  readonly host: string;
  /** Its TCP port; absent for an app without one. */
  readonly port?: number;
  /** How often it was started again. */
  readonly restarts: number;
  /** Why it is not ready. */
  readonly reason?: string;
}

/** One line that a replica wrote. */
export interface LogLine {
  /** When, in ms since 1970. */
  readonly wallMs: number;
  /** Who wrote it. */
  readonly replica: string;
  /** The name of its node. */
  readonly node: string;
  /** The line, without its end. */
  readonly line: string;
  /** Present for what was written to standard error. */
  readonly stream?: "stderr";
}

/** What a command of the CLI came to. */
export interface CommandOutput {
  /** Its exit code: 0 done, 1 refused or failed, 2 nobody answered or wrong usage. */
  readonly code: number;
  /** What it wrote to standard output. */
  readonly stdout: string;
  /** What it wrote to standard error. */
  readonly stderr: string;
}

/** A cluster that runs. Every method throws a `ClusterError`. */
export interface TestCluster extends AsyncDisposable {
  /** Where the ingress listens: `http://127.0.0.1:15020`. */
  readonly url: string;
  /** Where the tower listens, for `new Tower(cluster.tower)`. */
  readonly tower: string;
  /** Where the conductor listens: `HOST:PORT`, for `skr8tr --conductor`. */
  readonly conductor: string;
  /** The file of the operator's secret key, for `skr8tr --key`. */
  readonly key: string;
  /** The names of the nodes. */
  readonly nodes: readonly string[];
  /**
   * Deploys the apps of a manifest. Resolves when all replicas are ready and the ingress sends them
   * requests; rejects as soon as it is known that they will not be, with the reason and the last
   * lines of the replica that shows why.
   */
  up(manifest: string): Promise<readonly DeployedApp[]>;
  /** Takes an app down. Its replicas drain meanwhile. */
  down(app: string): Promise<void>;
  /** Sends a request through the ingress, to a path such as `/api/products`. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** What runs of an app, and where. */
  replicas(app: string): Promise<readonly ClusterReplica[]>;
  /** The last lines that an app's replicas wrote, oldest first; at most `lines` of each (1000). */
  logs(app: string, options?: { readonly lines?: number }): Promise<readonly LogLine[]>;
  /**
   * Ends a node and all that runs on it at once, as if its machine had lost its power. It stays away
   * until `start`; the others take over what it ran.
   */
  kill(node: string): Promise<void>;
  /** Starts a node that was killed. Resolves when it can be given replicas again. */
  start(node: string): Promise<void>;
  /** Runs any command of the CLI, as this cluster's operator: `cluster.skr8tr("status", "shop")`. */
  skr8tr(...words: readonly string[]): Promise<CommandOutput>;
  /** Ends all of it; the same as leaving the block of `await using`. */
  stop(): Promise<void>;
}

/** What went wrong with a cluster for tests, told in its message. */
export class ClusterError extends Error {
  /** `ClusterError`. */
  override readonly name = "ClusterError";

  /** Made by `startCluster()` and its cluster. */
  constructor(
    /**
     * For programs: `options` (these cannot be), `start` (it does not come up), `ended` (it is not
     * there any more), or a code of the cluster, such as `manifest`, `deploy` or `refused`.
     */
    readonly code: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

const MOST_NODES = 8;
const LOG_LINES = 1_000;
/** How many of the cluster's own lines are told with a failure. */
const LAST_WORDS = 10;

/**
 * Starts a real cluster on this machine: tower, conductor, nodes and ingress as processes, sealed,
 * with a key, a folder and ports of its own, so that several may run at once. It takes a second
 * or two, and leaves nothing behind: when it is disposed of, and also when the test that started it
 * crashes or is killed.
 *
 * The daemons are started from files, those of the package beside this module: a clone or a copy of
 * the package's files, imported by its path or by an import map. Imported by a URL of a registry it
 * needs the option `root`, since then there are none: the daemons run by `--no-remote`, so that no
 * network can give them code, and find their workers and runners as files beside them.
 *
 * The test needs `--allow-run`, `--allow-read`, and for requests `--allow-net=127.0.0.0/8`.
 *
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { startCluster } from "@skr8tr/skr8tr";
 *
 * await using cluster = await startCluster({ nodes: 2 });
 * await cluster.up(`
 *   app hello
 *     exec     deno
 *     args     run --no-prompt --allow-net=\${IP} --allow-env docs/examples/hello.ts
 *     port     8100
 *     replicas 2
 *     health {
 *       check GET /health 200
 *     }
 *     route {
 *       path  /hello
 *       strip yes
 *     }
 * `);
 * await cluster.kill("node-1");
 * const response = await cluster.fetch("/hello");
 * assertEquals(response.status, 200);
 * await response.body?.cancel();
 * ```
 *
 * @throws {ClusterError} `options` or `start`.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<TestCluster> {
  const { nodes = 1, workdir = Deno.cwd() } = options;
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > MOST_NODES) {
    throw new ClusterError("options", `a cluster has 1 to ${MOST_NODES} nodes, not ${nodes}`);
  }
  const program = new Program(rootOf(options), nodes, workdir);
  try {
    return new RunningCluster(program, await program.ready());
  } catch (error) {
    await program.stop();
    throw error;
  }
}

function rootOf({ root }: ClusterOptions): string {
  if (root !== undefined) return root.replace(/(?<=.)\/+$/, "");
  const { protocol, pathname } = new URL("../../", import.meta.url);
  if (protocol === "file:") return decodeURIComponent(pathname).replace(/\/$/, "");
  throw new ClusterError(
    "options",
    `startCluster() starts the daemons from files, and ${import.meta.url} is none: name the folder ` +
      "of a clone or of a copy of the package by the option root",
  );
}

class RunningCluster implements TestCluster {
  readonly url: string;
  readonly tower: string;
  readonly conductor: string;
  readonly key: string;
  readonly nodes: readonly string[];
  readonly #program: Program;
  readonly #state: string;

  constructor(program: Program, ready: ReadyLine & { readonly ready: true }) {
    this.#program = program;
    ({
      url: this.url,
      tower: this.tower,
      conductor: this.conductor,
      key: this.key,
      nodes: this.nodes,
    } = ready);
    this.#state = ready.state;
  }

  up(manifest: string): Promise<readonly DeployedApp[]> {
    return this.#program.ask({ do: "up", manifest });
  }

  async down(app: string): Promise<void> {
    const { code, stderr } = await this.skr8tr("down", app);
    if (code !== 0) throw new ClusterError("refused", `cannot take ${app} down: ${stderr.trim()}`);
  }

  fetch(path: string, init?: RequestInit): Promise<Response> {
    return fetch(new URL(path, this.url), init);
  }

  replicas(app: string): Promise<readonly ClusterReplica[]> {
    return this.#program.ask({ do: "replicas", app });
  }

  logs(app: string, { lines = LOG_LINES } = {}): Promise<readonly LogLine[]> {
    return this.#program.ask({ do: "logs", app, lines });
  }

  async kill(node: string): Promise<void> {
    await this.#program.ask({ do: "kill", node: this.#known(node) });
  }

  async start(node: string): Promise<void> {
    await this.#program.ask({ do: "start", node: this.#known(node) });
  }

  #known(node: string): string {
    if (this.nodes.includes(node)) return node;
    throw new ClusterError("options", `no node is named ${node}: ${this.nodes.join(", ")} are`);
  }

  async skr8tr(...words: readonly string[]): Promise<CommandOutput> {
    const { root, workdir } = this.#program;
    // Nothing of the tester's own ~/.skr8tr is written.
    const permissions = permissionFlags("skr8tr", { home: this.#state });
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", `--config=${root}/deno.json`, ...permissions, `${root}/cli/main.ts`],
        ...["--conductor", this.conductor, "--tower", this.tower.slice("http://".length)],
        ...["--key", this.key],
        ...words,
      ],
      cwd: workdir,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, stdout: text(stdout), stderr: text(stderr) };
  }

  stop(): Promise<void> {
    return this.#program.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#program.stop();
  }
}

/** The process that the cluster lives in. */
class Program {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #ready = Promise.withResolvers<ReadyLine>();
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #over: Promise<void>;
  readonly #words: string[] = [];
  #asked = 0;
  #stopped: Promise<void> | null = null;

  constructor(readonly root: string, nodes: number, readonly workdir: string) {
    const permissions = permissionFlags("cluster", { networks: ["127.0.0.0/8"] });
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", `--config=${root}/deno.json`, ...permissions],
        ...[`${root}/cli/testkit/main.ts`, String(nodes), workdir],
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      // A Ctrl-C at the terminal is for the test; the cluster ends with its standard input.
      detached: true,
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#over = this.#follow();
  }

  /** Resolves when it is up. */
  async ready(): Promise<ReadyLine & { readonly ready: true }> {
    const line = await this.#ready.promise;
    if (line.ready) return line;
    throw new ClusterError("start", `the cluster does not start: ${line.error}`);
  }

  async ask<T>(deed: Deed): Promise<T> {
    if (this.#stopped) throw this.#ended();
    const id = ++this.#asked;
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(id, answer);
    // Should the process be gone, `#follow` says so.
    const line = new TextEncoder().encode(`${JSON.stringify({ ...deed, id })}\n`);
    this.#input.write(line).catch(() => {});
    return await answer.promise as T;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    await this.#input.close().catch(() => {}); // it has ended already
    await this.#over;
  }

  async #follow(): Promise<void> {
    await Promise.all([
      eachLine(this.#child.stdout, (line) => this.#hear(JSON.parse(line))),
      eachLine(this.#child.stderr, (line) => {
        this.#words.push(line);
        if (this.#words.length > LAST_WORDS) this.#words.shift();
      }),
      this.#child.status,
    ]);
    this.#ready.resolve({ ready: false, error: ["it ended", ...this.#words].join("\n  | ") });
    for (const answer of this.#waiting.values()) answer.reject(this.#ended());
    this.#waiting.clear();
  }

  #hear(line: ReadyLine | Reply): void {
    if ("ready" in line) return this.#ready.resolve(line);
    const answer = this.#waiting.get(line.id);
    this.#waiting.delete(line.id);
    if (line.ok) answer?.resolve(line.value);
    else answer?.reject(new ClusterError(line.code, line.error));
  }

  #ended(): ClusterError {
    return new ClusterError("ended", ["the cluster has ended", ...this.#words].join("\n  | "));
  }
}

async function eachLine(
  bytes: ReadableStream<Uint8Array<ArrayBuffer>>,
  hear: (line: string) => void,
): Promise<void> {
  let rest = "";
  for await (const part of bytes.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + part).split("\n");
    rest = lines.pop()!;
    lines.forEach(hear);
  }
}
