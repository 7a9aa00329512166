// A cluster without a single point: three conductors, each beside a server of NATS, two towers, four
// nodes and two ingresses, each on a host of its own, and an operator who is a client, too.

import { assertEquals } from "@std/assert";
import { tokenPath } from "../../cli/cluster/daemons.ts";
import { cacheImports } from "../../cli/cluster/prepare.ts";
import { writeTokens } from "../../cli/cluster/tokens.ts";
import { makeKeys } from "../../cli/keys.ts";
import { denoFolder } from "../../core/live/deno_folder_testing.ts";
import { sealKeysPath } from "../../core/live/seal_keys.ts";
import { permissionFlags, type Program } from "../../core/permissions.ts";
import type { AppView } from "../../core/view.ts";
import { natsServer } from "../contract/nats_cluster.ts";
import { within } from "./cluster_process.ts";
import { type Host, Network } from "./netns.ts";
import { Client, Daemon, ROOT, type Said } from "./netns_cluster.ts";

export const CONTROLS = ["control-1", "control-2", "control-3"] as const;
export const TOWERS = ["tower-1", "tower-2"] as const;
export const NODES = ["node-1", "node-2", "node-3", "node-4"] as const;
export const EDGES = ["edge-1", "edge-2"] as const;
const HOSTS = {
  ...{ "control-1": 11, "control-2": 12, "control-3": 13 },
  ...{ "tower-1": 21, "tower-2": 22 },
  ...{ "node-1": 31, "node-2": 32, "node-3": 33, "node-4": 34 },
  ...{ "edge-1": 41, "edge-2": 42, operator: 50 },
};
export const PROGRAM = "market/services/product-svc/main.ts";

/** The cluster. The daemons are called as their hosts, those of NATS `nats-1` and so on. */
export class SeveralCluster implements AsyncDisposable {
  readonly daemons = new Map<string, Daemon>();
  readonly client: Client;

  private constructor(readonly network: Network, readonly folder: string) {
    this.client = new Client(network.host("operator"), network);
    for (const [at, name] of CONTROLS.entries()) {
      this.#add(`nats-${at + 1}`, this.#nats(network.host(name), at));
    }
    for (const name of CONTROLS) this.#add(name, this.#conductor(name));
    for (const name of TOWERS) this.#add(name, this.#tower(name));
    for (const name of NODES) this.#add(name, this.#node(name));
    for (const name of EDGES) this.#add(name, this.#ingress(name));
  }

  static async start(): Promise<SeveralCluster> {
    const entries = ["conductor", "tower", "node", "ingress", "cli", "market/services/product-svc"];
    await cacheImports(ROOT, [
      ...entries.map((entry) => `${ROOT}/${entry}/main.ts`),
      `${ROOT}/node/live/health.worker.ts`,
    ], console.log);
    const folder = await Deno.makeTempDir({ prefix: "skr8tr-several-" });
    const network = await Network.build(HOSTS);
    await prepare(folder, network);
    const cluster = new SeveralCluster(network, folder);
    try {
      const named = (prefix: string) =>
        [...cluster.daemons].filter(([name]) => name.startsWith(prefix)).map(([, each]) => each);
      await Promise.all(named("nats-").map((daemon) => daemon.start()));
      for (const daemon of named("control-")) await daemon.start();
      await Promise.all(
        ["tower-", "node-", "edge-"].flatMap(named).map((daemon) => daemon.start()),
      );
      return cluster;
    } catch (error) {
      const words = cluster.lastWords();
      await cluster[Symbol.asyncDispose]();
      throw new Error(words, { cause: error });
    }
  }

  daemon(name: string): Daemon {
    return this.daemons.get(name)!;
  }

  /** Where requests go: any of the ingresses. */
  get urls(): string {
    return EDGES.map((name) => `http://${this.network.host(name).address}/api/products?per_page=3`)
      .join(" ");
  }

  lastWords(): string {
    const tail = (log: string) => log.trimEnd().split("\n").slice(-15).join("\n");
    return [...this.daemons].map(([name, { log }]) => `--- ${name}\n${tail(log)}`).join("\n");
  }

  /** Runs `skr8tr` on the operator's host, which knows all conductors. */
  async skr8tr(...words: string[]): Promise<Said> {
    const conductors = CONTROLS.map((name) => this.network.host(name).address).join(",");
    const [program, ...args] = this.network.host("operator").command([
      ...[Deno.execPath(), "run", "--quiet", "--cached-only", `--config=${ROOT}/deno.json`],
      ...permissionFlags("skr8tr", { home: this.folder }),
      `${ROOT}/cli/main.ts`,
      ...["--conductor", conductors, "--key", `${this.folder}/signing.sec`, "--timeout", "30s"],
      ...words,
    ]);
    const command = new Deno.Command(program!, {
      args,
      cwd: this.folder,
      env: { HOME: this.folder, DENO_DIR: denoFolder() },
      stdout: "piped",
    });
    const { code, stdout, stderr } = await within(90_000, `skr8tr ${words[0]}`, command.output());
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, out: text(stdout), err: text(stderr) };
  }

  /** The app as whoever leads tells it. */
  async app(name: string): Promise<AppView> {
    const { code, out, err } = await this.skr8tr("status", name, "--json");
    assertEquals(code, 0, err);
    return JSON.parse(out);
  }

  /** The name of the host whose conductor leads; `null` where nobody says so. */
  async leader(): Promise<string | null> {
    const asked = await Promise.all(CONTROLS.map(async (name) => {
      const url = `http://${this.network.host(name).address}:7771/leader`;
      const { status, body } = await this.client.ask(url);
      return status === 200 && JSON.parse(body).leads ? [name] : [];
    }));
    return asked.flat()[0] ?? null;
  }

  /** The pids of the service's processes, on all nodes. */
  async processes(): Promise<number[]> {
    const pids = await Promise.all(
      NODES.map((name) => this.network.host(name).processes("deno", PROGRAM)),
    );
    return pids.flat();
  }

  #add(name: string, [command, started]: readonly [string[], string]): void {
    this.daemons.set(name, new Daemon(name, command, started));
  }

  #address(name: string, port: number): string {
    return `${this.network.host(name).address}:${port}`;
  }

  #nats(host: Host, at: number): readonly [string[], string] {
    const config = `${this.folder}/nats-${at + 1}/server.conf`;
    return [host.command([natsServer()!, "-c", config]), "Server is ready"];
  }

  #conductor(name: string): readonly [string[], string] {
    const key = `${this.folder}/skrtrview.pub`;
    const stores = CONTROLS.map((each) => this.#address(each, 4222)).join(",");
    const towers = TOWERS.map((each) => this.#address(each, 7772)).join(",");
    return this.#deno("conductor", name, { pubkeys: [key] }, "ready:", [
      ...[`--store=nats://${stores}`, `--tower=${towers}`, `--name=${name}`, `--pubkey=${key}`],
      `--plain=${this.network.cidr}`,
    ]);
  }

  #tower(name: string): readonly [string[], string] {
    return this.#deno("tower", name, {}, "listening on", [
      ...[`--plain=${this.network.cidr}`, `--join=${tokenPath(`${this.folder}/${name}`)}`],
      `--name=${name}`,
      `--conductor=${CONTROLS.map((each) => this.#address(each, 7771)).join(",")}`,
    ]);
  }

  #node(name: string): readonly [string[], string] {
    return this.#deno("node", name, { pubkeys: [], root: `${ROOT}/` }, "listens at", [
      ...[`--name=${name}`, `--join=${tokenPath(`${this.folder}/${name}`)}`],
      `--conductor=${CONTROLS.map((each) => this.#address(each, 7770)).join(",")}`,
      `--tower=${TOWERS.map((each) => this.#address(each, 7772)).join(",")}`,
      ...[`--workdir=${ROOT}`, "--cpus=2", `--plain=${this.network.cidr}`],
    ]);
  }

  #ingress(name: string): readonly [string[], string] {
    return this.#deno("ingress", name, {}, "serving", [
      ...["--http=80", `--name=${name}`, `--join=${tokenPath(`${this.folder}/${name}`)}`],
      `--conductor=${CONTROLS.map((each) => this.#address(each, 7771)).join(",")}`,
      `--tower=${TOWERS.map((each) => this.#address(each, 7772)).join(",")}`,
    ]);
  }

  #deno(
    program: Program & ("conductor" | "tower" | "node" | "ingress"),
    name: string,
    more: { readonly pubkeys?: readonly string[]; readonly root?: string },
    started: string,
    flags: readonly string[],
  ): readonly [string[], string] {
    const host = this.network.host(name);
    const state = `${this.folder}/${name}`;
    const parameters = { bind: host.address, networks: [this.network.cidr], state, ...more };
    const command = host.command([
      ...[Deno.execPath(), "run", "--quiet", "--cached-only", `--config=${ROOT}/deno.json`],
      ...permissionFlags(program, { pubkeys: [], ...parameters }),
      `${ROOT}/${program}/main.ts`,
      ...["--stop-with-stdin", `--bind=${host.address}`, `--state=${state}`],
      ...flags,
    ]);
    return [command, started];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.network[Symbol.asyncDispose]();
    await this.client[Symbol.asyncDispose]();
    await Promise.allSettled([...this.daemons.values()].map((daemon) => daemon.stop()));
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** Keys, tokens and the servers' settings. */
async function prepare(folder: string, network: Network): Promise<void> {
  const keys = { secret: `${folder}/signing.sec`, public: `${folder}/skrtrview.pub` };
  await makeKeys(keys.secret, keys.public);
  const [first, ...others] = CONTROLS;
  const hostname = network.host(first).address;
  await writeTokens(`${folder}/${first}`, { hostname, port: 7771 }, keys, [
    ...TOWERS.map((name) => [`${folder}/${name}`, "tower"] as const),
    ...EDGES.map((name) => [`${folder}/${name}`, "ingress"] as const),
    ...NODES.map((name) => [`${folder}/${name}`, "node"] as const),
  ]);
  for (const name of others) {
    await Deno.mkdir(`${folder}/${name}`, { mode: 0o700 });
    const file = sealKeysPath(`${folder}/${name}`, "conductor");
    await Deno.copyFile(sealKeysPath(`${folder}/${first}`, "conductor"), file);
    await Deno.chmod(file, 0o600);
  }
  const routes = CONTROLS.map((name) => `nats-route://${network.host(name).address}:6222`);
  for (const [at, name] of CONTROLS.entries()) {
    const { address } = network.host(name);
    await Deno.mkdir(`${folder}/nats-${at + 1}`);
    await Deno.writeTextFile(
      `${folder}/nats-${at + 1}/server.conf`,
      `listen: "${address}:4222"
      server_name: nats-${at + 1}
      jetstream { store_dir: "${folder}/nats-${at + 1}/data", max_mem: 64MB, max_file: 1GB }
      cluster { name: test, listen: "${address}:6222", routes: ${JSON.stringify(routes)} }`,
    );
  }
}
