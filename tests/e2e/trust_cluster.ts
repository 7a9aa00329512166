// A conductor and nodes in this process, with real keys, real files, real programs and no tower: for
// what is about trust, not about traffic.

import { assert } from "@std/assert";
import { startConductor } from "../../conductor/live/conductor.ts";
import type { ConductorSettings, RunningConductor } from "../../conductor/live/settings.ts";
import type { AppView } from "../../core/view.ts";
import { formatOperatorCommand, type OperatorCommand } from "../../core/command.ts";
import { type KeyPair, keyPairFromSeed, sign } from "../../core/sign.ts";
import { fingerprint } from "../../core/signed.ts";
import { formatSigned } from "../../core/wire.ts";
import { type NodeDaemon, startNode } from "../../node/live/node.ts";
import type { StartOptions } from "../../node/live/start_options.ts";

export const HOST = "127.0.27.1";

/** A key pair of this number. */
export function keysOf(seed: number): KeyPair {
  return keyPairFromSeed(new Uint8Array(32).fill(seed));
}

export const ROOT = keysOf(1);

let ids = 0;
export const id = () => `trust-${String(++ids).padStart(6, "0")}`;

/** A command signed by these keys now, or so many seconds from now. */
export function signedBy(keys: KeyPair, command: OperatorCommand | string, offS = 0): string {
  const plain = typeof command === "string" ? command : formatOperatorCommand(command);
  const text = `${plain}|${Math.floor(Date.now() / 1000) + offS}`;
  return formatSigned(text, sign(keys.secretKey, text));
}

/** Waits for something, and says what never came. */
export async function until<T>(
  what: string,
  find: () => T | null | undefined | false | Promise<T | null | undefined | false>,
  deadlineMs = 20_000,
): Promise<T> {
  const endMs = Date.now() + deadlineMs;
  for (;;) {
    const found = await find();
    if (found !== null && found !== undefined && found !== false) return found;
    if (Date.now() > endMs) throw new Error(`never came: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/**
 * Waits for the next whole second: a node runs no command signed in the second of its own start,
 * since it cannot know whether it ran that one before.
 */
export async function nextSecond(): Promise<void> {
  const second = () => Math.floor(Date.now() / 1000);
  const startS = second();
  await until("the next second", () => second() > startS);
}

export class TrustCluster implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "skr8tr-trust-" });
  conductor: RunningConductor | null = null;
  readonly nodes: NodeDaemon[] = [];
  #ports: { readonly port: number; readonly meshPort: number } = { port: 0, meshPort: 0 };

  get state(): string {
    return `${this.folder}/conductor`;
  }

  get url(): string {
    return `http://${HOST}:${this.#ports.port}`;
  }

  get port(): number {
    return this.#ports.port;
  }

  /** Starts the conductor, at the ports that it had before. */
  async startConductor(settings: Partial<ConductorSettings> = {}): Promise<void> {
    this.conductor = await startConductor({
      bind: HOST,
      ...this.#ports,
      state: this.state,
      operators: new Map([[fingerprint(ROOT.publicKey), ROOT.publicKey]]),
      tower: { hostname: HOST, port: 1 },
      plain: [],
      ...settings,
    });
    const { commands, mesh } = this.conductor;
    this.#ports = { port: commands.port, meshPort: mesh.port };
  }

  async stopConductor(): Promise<void> {
    await this.conductor?.stop("the test wants it");
    this.conductor = null;
  }

  async startNode(name: string, options: Partial<StartOptions> = {}): Promise<NodeDaemon> {
    const node = await startNode({
      bind: HOST,
      host: HOST,
      port: 0,
      name,
      state: `${this.folder}/${name}`,
      conductor: { hostname: HOST, port: this.#ports.meshPort },
      follow: { hostname: HOST, port: this.#ports.port },
      tower: null,
      keys: [ROOT.publicKey],
      path: "/usr/local/bin:/usr/bin:/bin",
      workdir: this.folder,
      ports: { first: 32_000, last: 32_999 },
      gpu: false,
      labels: {},
      plain: [],
      open: false,
      trustPaths: false,
      stopReplicas: true,
      metricsPort: null,
      ...options,
    });
    this.nodes.push(node);
    return node;
  }

  async post(signed: string): Promise<string> {
    const response = await fetch(`${this.url}/command`, { method: "POST", body: signed });
    return (await response.text()).trimEnd();
  }

  async command(command: OperatorCommand | string, keys = ROOT): Promise<string> {
    return await this.post(signedBy(keys, command));
  }

  /** Applies a manifest of one app; the generation must be right. */
  async up(app: string, lines: string, generation = 1, keys = ROOT, fallback?: number) {
    const manifest = `app ${app}\n${lines}\n`;
    const fall = fallback === undefined ? {} : { fallback };
    return await this.command(
      { verb: "APPLY", id: id(), app, generation, ...fall, manifest },
      keys,
    );
  }

  async view(app: string): Promise<AppView | null> {
    const response = await fetch(`${this.url}/api/apps/${app}`);
    const view = await response.json();
    return response.ok ? view : null;
  }

  /** Waits until this many replicas of the app are ready. */
  async ready(app: string, count: number): Promise<AppView> {
    return await until(`${count} ready replicas of ${app}`, async () => {
      const view = await this.view(app);
      const ready = view?.replicas.filter((each) => each.state === "ready").length;
      return ready === count && view!.replicas.length === count ? view : null;
    });
  }

  /** Process ids of the app's replicas on all nodes, sorted. */
  pids(app: string): number[] {
    return this.nodes.flatMap((node) => node.machine.statuses())
      .filter((status) => status.app === app && status.pid !== undefined)
      .map((status) => status.pid!).sort((a, b) => a - b);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.nodes.splice(0)) await node.stop();
    await this.stopConductor();
    assert(this.folder.includes("skr8tr-trust-"));
    await Deno.remove(this.folder, { recursive: true });
  }
}
