// A cluster of real daemons for one row: started, watched, killed by hand, and gone at the end.

import { showAddress } from "../core/address.ts";
import { Failure } from "../core/errors.ts";
import { permissionFlags } from "../core/permissions.ts";
import type { AppView, EventView, NodeView } from "../core/view.ts";
import { type DaemonSpec } from "../cli/cluster/supervisor.ts";
import { daemonSpecs, nodeState, type Places } from "../cli/cluster/daemons.ts";
import { findLayout, type Layout } from "../cli/cluster/layout.ts";
import { findKeys } from "../cli/cluster/prepare.ts";
import { prepareTokens } from "../cli/cluster/tokens.ts";
import { sweepReplicas } from "../cli/cluster/sweep.ts";
import { type ClaimedPorts, claimPorts } from "../cli/testkit/ports.ts";
import { type Conductor, conductorAt } from "../cli/conductor.ts";
import { request } from "../cli/http.ts";
import { type FurtherConductor, furtherConductors, withConductors } from "./conductors.ts";
import { groupMembers, isAlive, kill } from "./processes.ts";

export const ROOT = decodeURIComponent(new URL("../", import.meta.url).pathname).replace(/\/$/, "");

const NODES = 3;
/** How long anything that is waited for may take, ms. */
const PATIENCE_MS = 30_000;

/** What the ingress's own port says, as far as we look at it. */
interface IngressStatus {
  readonly replicas: readonly { readonly app: string; readonly leaving: boolean }[];
}

/** A `skr8tr` that has been started. */
export interface Skr8tr {
  /** `performance.now()` just before its process was made. */
  readonly startedMs: number;
  /** Resolves to the same clock when it has ended well; rejects with its words where it has not. */
  readonly ended: Promise<number>;
}

export class World implements AsyncDisposable {
  readonly conductor: Conductor;
  /** Further flags of Deno's for each daemon that is started from now on. */
  flags: readonly string[] = [];
  readonly #daemons = new Map<string, Deno.ChildProcess>();
  /** Daemons that have ended, as `code 2` or `SIGKILL`. */
  readonly #ended = new Map<string, string>();
  readonly #specs: ReadonlyMap<string, DaemonSpec>;

  private constructor(
    /** Its own folder, removed at the end. */
    readonly folder: string,
    readonly layout: Layout,
    readonly keyPath: string,
    private readonly places: Places,
    /** Held until the world has ended: no other cluster for tests finds these ports free meanwhile. */
    private readonly claim: ClaimedPorts,
    further: Readonly<Record<string, readonly string[]>>,
    /** Those beside the first; none leads for good. */
    readonly conductors: readonly FurtherConductor[],
  ) {
    const others = conductors.map(({ commands }) => commands);
    const more = others.length === 0 ? {} : { others };
    this.conductor = conductorAt({ ...layout.conductor, ...more, seal: {} }, 5_000);
    const own = daemonSpecs(layout, places).map(({ name, args, ...spec }) => (
      { name, ...spec, args: [...args, ...further[name] ?? []] }
    ));
    const specs = withConductors(own, layout, places.state, conductors);
    this.#specs = new Map(specs.map((spec) => [spec.name, spec]));
  }

  /**
   * A world in which nothing runs yet.
   *
   * @param further flags of daemons, by their names
   * @param conductors how many; several need a `--store` that they share
   */
  static async make(
    further: Readonly<Record<string, readonly string[]>> = {},
    conductors = 1,
  ): Promise<World> {
    const claim = claimPorts(NODES);
    const folder = await Deno.makeTempDir({ prefix: "skr8tr-bench-" });
    const state = `${folder}/state`;
    await Deno.mkdir(`${state}/logs`, { recursive: true, mode: 0o700 });
    const keys = await findKeys(state);
    const layout = findLayout(claim.ports, () => {}, claim.addresses);
    await prepareTokens(state, layout, keys);
    const deno = Deno.execPath();
    const path = [deno.slice(0, deno.lastIndexOf("/")), "/usr/local/bin", "/usr/bin", "/bin"];
    const places = { root: ROOT, state, publicKey: keys.public, path: path.join(":") };
    const more = await furtherConductors(layout, state, conductors - 1);
    return new World(folder, layout, keys.secret, places, claim, further, more);
  }

  /** A world with conductor, tower, ingress and these nodes, all ready. */
  static async start(nodes: readonly string[] = ["node-1", "node-2", "node-3"]): Promise<World> {
    const world = await World.make();
    try {
      await world.startControl();
      world.daemon("ingress");
      for (const node of nodes) world.daemon(node);
      await world.nodesReady(nodes.length);
      await world.#comesUp("the ingress answers", async () => {
        await world.ingressStatus();
        return true;
      });
      return world;
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts conductor and tower; resolves when the conductor answers. */
  async startControl(): Promise<void> {
    this.daemon("conductor");
    for (const { name } of this.conductors) this.daemon(name);
    this.daemon("tower");
    await this.#comesUp("the conductor listens", async () => {
      await this.conductor.get("/api/nodes");
      return true;
    });
  }

  /** Waits until it is so; not for a daemon that has ended, and says what the daemons' logs say. */
  async #comesUp(what: string, isSo: () => Promise<boolean>): Promise<void> {
    try {
      await until(what, async () => {
        for (const name of this.running) {
          const how = this.#ended.get(name);
          if (how) throw new Error(`${name} ended by itself before ${what}: ${how}`);
        }
        return await isSo();
      });
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${this.#lastWords()}`, { cause: error });
    }
  }

  /** Starts one daemon. */
  daemon(name: string): void {
    const spec = this.#specs.get(name)!;
    // As the cluster's supervisor does it, but nobody starts it again. It ends with this process.
    const child = new Deno.Command("sh", {
      args: [
        ...["-c", 'log=$1; shift; exec "$@" 2>>"$log" >&2', "sh"],
        ...[spec.log, Deno.execPath(), spec.args[0]!, ...this.flags, ...spec.args.slice(1)],
      ],
      env: spec.environment,
      stdin: "piped",
      stdout: "null",
      stderr: "null",
      detached: true,
    }).spawn();
    this.#daemons.set(name, child);
    this.#ended.delete(name);
    child.status.then(({ code, signal }) => this.#ended.set(name, signal ?? `code ${code}`));
  }

  /** Where all conductors are, for `--conductor`. */
  get commands(): string {
    return [this.layout.conductor, ...this.conductors.map(({ commands }) => commands)]
      .map(showAddress).join(",");
  }

  pidOf(name: string): number {
    return this.#daemons.get(name)!.pid;
  }

  /** Names of the daemons that were started and not killed. */
  get running(): string[] {
    return [...this.#daemons.keys()];
  }

  logOf(name: string): string {
    return this.#specs.get(name)!.log;
  }

  /** Ends a daemon alone by SIGKILL. */
  async kill(name: string): Promise<void> {
    const child = this.#daemons.get(name)!;
    this.#daemons.delete(name);
    kill(child.pid, "SIGKILL");
    await child.status;
    await child.stdin.close().catch(() => {});
  }

  /** Ends a daemon by SIGKILL, and with it, at once, everything of its node. */
  async killNode(name: string): Promise<number> {
    const child = this.#daemons.get(name)!;
    const pids = await groupMembers(nodeState(this.places, name), child.pid);
    const killedMs = performance.now();
    for (const pid of pids) kill(pid, "SIGKILL");
    await child.status;
    await child.stdin.close().catch(() => {});
    this.#daemons.delete(name);
    return killedMs;
  }

  /** Starts a `skr8tr` process as an installed one is started. */
  skr8tr(...words: string[]): Skr8tr {
    const command = skr8trCommand(
      ["--conductor", this.commands, "--tower", showAddress(this.layout.tower)].concat(words),
      { SKR8TR_KEY: this.keyPath },
    );
    const startedMs = performance.now();
    const child = command.spawn();
    const ended = looseEnd(
      child.output().then(({ success, stdout, stderr }) => {
        const endedMs = performance.now();
        if (success) return endedMs;
        const said = [stderr, stdout].map((bytes) => new TextDecoder().decode(bytes)).join("");
        throw new Error(`skr8tr ${words.join(" ")}: ${said}\n${this.#lastWords()}`);
      }),
    );
    return { startedMs, ended };
  }

  /** Writes a manifest and gives its path. */
  async manifest(name: string, text: string): Promise<string> {
    const path = `${this.folder}/${name}.skr8tr`;
    await Deno.writeTextFile(path, text);
    return path;
  }

  /**
   * Follows an app until its view is as wanted; resolves to when that was heard.
   * Call it before what changes the view, so that nothing is missed.
   */
  seen(app: string, isSo: (view: AppView) => boolean): Promise<number> {
    return looseEnd(this.#follow(app, isSo));
  }

  async #follow(app: string, isSo: (view: AppView) => boolean): Promise<number> {
    const path = `/api/apps/${app}?watch=1`;
    const signal = AbortSignal.timeout(PATIENCE_MS);
    let last: AppView | undefined;
    for await (const view of this.conductor.lines<AppView>(path, signal)) {
      const nowMs = performance.now();
      last = view;
      if (isSo(view)) return nowMs;
    }
    throw new Error(`waited in vain; the last view was ${JSON.stringify(last)}`);
  }

  /** All apps now. */
  async apps(): Promise<readonly AppView[]> {
    return (await this.conductor.get<{ apps: readonly AppView[] }>("/api/status")).apps;
  }

  /** The app's view now. */
  async view(app: string): Promise<AppView> {
    return await this.conductor.get<AppView>(`/api/apps/${app}`);
  }

  /** The history, of one app or of all, oldest first. */
  async events(app?: string): Promise<EventView[]> {
    const events: EventView[] = [];
    const path = `/api/events?${app === undefined ? "" : `app=${app}&`}limit=1000`;
    for await (const event of this.conductor.lines<EventView>(path)) events.push(event);
    return events;
  }

  /** Takes an app down and waits until nothing of it is left. */
  async down(app: string): Promise<void> {
    await this.skr8tr("down", app).ended;
    await this.seen(app, (view) => view.replicas.length === 0);
  }

  async nodesReady(count: number): Promise<void> {
    await this.#comesUp("the nodes have joined", async () => {
      const { nodes } = await this.conductor.get<{ nodes: readonly NodeView[] }>("/api/nodes");
      const able = nodes.filter((node) => node.state === "ready" && node.ramTotalBytes > 0);
      return able.length >= count;
    });
  }

  async ingressStatus(): Promise<IngressStatus> {
    const signal = AbortSignal.timeout(5_000);
    const options = { method: "GET", path: "/status", signal } as const;
    const { body } = await request(this.layout.ingressState, options);
    return JSON.parse((await Array.fromAsync(body)).join(""));
  }

  /** Asks the ingress for a path until it answers 200; resolves to when it did. */
  async served(path: string): Promise<number> {
    return await answers(this.layout.ingress, path);
  }

  /** The ends of the daemons' logs, for a row that failed. */
  #lastWords(): string {
    return [...this.#specs.values()].map(({ name, log }) => {
      try {
        return `${name}: ${
          Deno.readTextFileSync(log).trimEnd().split("\n").slice(-5).join("\n  ")
        }`;
      } catch {
        return `${name}: no log`;
      }
    }).join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const late = setTimeout(() => {
      for (const { pid } of this.#daemons.values()) kill(pid, "SIGKILL");
    }, 15_000);
    // Nodes first: with a conductor, a tower and an ingress they need wait for nobody.
    const all = [...this.#daemons];
    const nodes = all.filter(([name]) => name.startsWith("node-"));
    for (const group of [nodes, all.filter((each) => !nodes.includes(each))]) {
      for (const [, child] of group) if (isAlive(child.pid)) kill(child.pid, "SIGTERM");
      await Promise.all(group.map(async ([, child]) => {
        await child.status;
        await child.stdin.close().catch(() => {});
      }));
    }
    clearTimeout(late);
    await sweepReplicas(this.layout.nodes.map(({ name }) => nodeState(this.places, name)));
    await Deno.remove(this.folder, { recursive: true });
    this.claim[Symbol.dispose]();
  }
}

/** A promise that may be awaited late, or never where something else has failed first. */
function looseEnd<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/** `skr8tr WORDS` as `deno install` starts it: with its permissions and nothing else. */
export function skr8trCommand(
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Deno.Command {
  const home = Deno.env.get("HOME") ?? "/";
  return new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", `--config=${ROOT}/deno.json`],
      ...[...permissionFlags("skr8tr", { home }), `${ROOT}/cli/main.ts`, ...words],
    ],
    env: { ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Asks at an address until it answers 200; resolves to when it did. */
export async function answers(
  address: { readonly hostname: string; readonly port: number },
  path: string,
): Promise<number> {
  const endMs = performance.now() + PATIENCE_MS;
  let last = "nothing";
  while (performance.now() < endMs) {
    try {
      const signal = AbortSignal.timeout(5_000);
      const { status, body } = await request(address, { method: "GET", path, signal });
      await Array.fromAsync(body);
      if (status === 200) return performance.now();
      last = `status ${status}`;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      last = error.message;
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  throw new Error(`${showAddress(address)}${path} does not answer: ${last}`);
}

/** Asks until it is so; a peer that does not answer yet is asked again. */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  let last = "it is not so";
  while (performance.now() < endMs) {
    try {
      if (await isSo()) return;
      last = "it is not so";
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      last = error.message;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`waited ${PATIENCE_MS / 1000} s until ${what}, in vain: ${last}`);
}
