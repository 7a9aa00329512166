// For tests: a conductor and a tower of a few lines, which speak core/mesh.ts over real sockets and
// keep the log that a node follows. An operator's key signs its records.

import { formatOperatorCommand } from "../../core/command.ts";
import type { Address } from "../../core/address.ts";
import { openUdp, type Udp } from "../../core/live/udp.ts";
import {
  decodeMesh,
  encodeMesh,
  type Endpoint,
  type Mesh,
  type MeshMessage,
  type ReplicaStatus,
} from "../../core/mesh.ts";
import { type KeyPair, keyPairFromSeed, sign } from "../../core/sign.ts";
import { fingerprint } from "../../core/signed.ts";
import { genesisOf, linkOf } from "../../core/chain.ts";
import type { LogRecord } from "../records.ts";

const BOOT = "c".repeat(16);

/** Waits until the condition holds; fails with what was waited for after the deadline. */
export async function until<T>(
  what: string | (() => string),
  condition: () => T | null | undefined | false | Promise<T | null | undefined | false>,
  deadlineMs = 10_000,
): Promise<T> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > end) {
      const text = typeof what === "string" ? what : what();
      throw new Error(`not within ${deadlineMs} ms: ${text}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** The name of its log. */
const LOG = "c".repeat(64);

export class FakeCluster implements AsyncDisposable {
  readonly operator: KeyPair = keyPairFromSeed(new Uint8Array(32).fill(7));
  readonly records: LogRecord[] = [];
  #chain = genesisOf(LOG);
  readonly statuses = new Map<string, ReplicaStatus>();
  /** Every status heard, in order, without repetitions. */
  readonly history: ReplicaStatus[] = [];
  readonly endpoints = new Map<string, Endpoint>();
  readonly refusals = new Map<string, string>();
  readonly heard: MeshMessage[] = [];
  /** Replicas whose drain the tower does not confirm yet. */
  readonly undrained = new Set<string>();
  beat: Mesh<"beat"> | null = null;
  /** The start of a node that has ended: what it said last may still arrive. */
  #ended: string | null = null;
  towerBoot = "d".repeat(16);

  /** Answers who asks for an artifact. */
  artifact: (request: Request) => Response = () => new Response("{}", { status: 404 });

  readonly #conductor: Udp;
  readonly #tower: Udp;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #followers = new Set<WebSocket>();
  readonly #wanted = new Map<string, MeshMessage>();
  readonly #timer: ReturnType<typeof setInterval>;
  #node: Address | null = null;
  #reports = 0;

  constructor(readonly hostname = "127.0.0.1") {
    this.#conductor = openUdp({
      hostname,
      port: 0,
      receive: (text, from) => this.#toConductor(text, from),
    });
    this.#tower = openUdp({
      hostname,
      port: 0,
      receive: (text, from) => this.#toTower(text, from),
    });
    this.#server = Deno.serve(
      { hostname, port: 0, onListen: () => {} },
      (request) => this.#follow(request),
    );
    this.#timer = setInterval(() => this.#repeat(), 50);
  }

  get conductor(): Address {
    return this.#conductor.address;
  }

  get tower(): Address {
    return this.#tower.address;
  }

  get follow(): Address {
    return { hostname: this.hostname, port: this.#server.addr.port };
  }

  /** A file with the operator's public key. */
  writeKey(path: string): void {
    Deno.writeFileSync(path, this.operator.publicKey);
  }

  // ---- The log ------------------------------------------------------------------------------------

  /** Signs a manifest of one app into the log; its sequence comes back. */
  apply(app: string, manifest: string, key: KeyPair = this.operator): number {
    const command = formatOperatorCommand({
      verb: "APPLY",
      id: `id-${crypto.randomUUID()}`,
      app,
      generation: this.records.length + 1,
      manifest,
    });
    const text = `${command}|${Math.floor(Date.now() / 1000)}`;
    return this.append({
      sequence: this.records.length + 1,
      text,
      signatureHex: sign(key.secretKey, text),
      key: fingerprint(key.publicKey),
    });
  }

  append(bare: LogRecord): number {
    this.#chain = linkOf(this.#chain, bare);
    const record = { ...bare, chain: this.#chain };
    this.records.push(record);
    for (const socket of this.#followers) socket.send(JSON.stringify({ k: "record", ...record }));
    return record.sequence;
  }

  #follow(request: Request): Response {
    if (new URL(request.url).pathname.startsWith("/artifacts/")) return this.artifact(request);
    const from = Number(new URL(request.url).searchParams.get("from"));
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onopen = () => {
      socket.send(JSON.stringify({ k: "log", log: LOG }));
      for (const record of this.records) {
        if (record.sequence > from) socket.send(JSON.stringify({ k: "record", ...record }));
      }
      const sequence = this.records.at(-1)?.sequence ?? 0;
      socket.send(JSON.stringify({ k: "head", sequence, chain: this.#chain }));
      this.#followers.add(socket);
    };
    socket.onclose = () => this.#followers.delete(socket);
    return response;
  }

  // ---- Orders -------------------------------------------------------------------------------------

  run(replica: string, app: string, sequence: number, index = 0, sources?: string[]): void {
    const more = sources ? { sources } : {};
    this.#want(replica, { k: "run", replica, app, generation: sequence, sequence, index, ...more });
  }

  stop(replica: string): void {
    this.#want(replica, { k: "stop", replica });
  }

  #want(replica: string, order: Without<Mesh<"run">> | Without<Mesh<"stop">>): void {
    this.#wanted.set(replica, { ...order, node: "" });
    this.#repeat();
  }

  #repeat(): void {
    if (!this.#node || !this.beat) return;
    for (const order of this.#wanted.values()) {
      this.#conductor.send(
        encodeMesh({ ...order, node: this.beat.node } as MeshMessage),
        this.#node,
      );
    }
  }

  #toConductor(text: string, from: Address): void {
    const message = decodeMesh(text);
    if (!message) return;
    this.heard.push(message);
    // What another boot of the node says counts only after its first beat.
    if (message.k !== "beat" && "boot" in message && message.boot !== this.beat?.boot) return;
    if ("boot" in message && message.boot === this.#ended) return;
    const answer = (reply: MeshMessage) => this.#conductor.send(encodeMesh(reply), from);
    switch (message.k) {
      case "beat": {
        if (this.beat?.boot !== message.boot) this.statuses.clear();
        const first = this.#node === null;
        this.beat = message;
        this.#node = from;
        const reportPlease = message.replicas === this.statuses.size
          ? {}
          : { reportPlease: `r${++this.#reports}` };
        answer({
          k: "beat-ok",
          conductor: BOOT,
          node: message.node,
          beat: message.beat,
          everyMs: 100,
          ...reportPlease,
        });
        if (first) this.#repeat();
        return;
      }
      case "status":
        answer({
          k: "status-ok",
          node: message.node,
          replica: message.status.replica,
          version: message.status.version,
        });
        return this.#learn(message.status);
      case "report":
        for (const status of message.statuses) this.#learn(status);
        return;
      case "run-refused":
        this.refusals.set(message.replica, message.reason);
        this.#wanted.delete(message.replica);
        return;
      case "run-ok":
        if (this.#wanted.get(message.replica)?.k === "run") this.#wanted.delete(message.replica);
        return;
      case "stop-ok":
        if (this.#wanted.get(message.replica)?.k === "stop") this.#wanted.delete(message.replica);
        return;
      default:
    }
  }

  #learn(status: ReplicaStatus): void {
    const known = this.statuses.get(status.replica);
    if (known && known.version >= status.version) return;
    this.statuses.set(status.replica, status);
    this.history.push(status);
  }

  #toTower(text: string, from: Address): void {
    const message = decodeMesh(text);
    if (!message) return;
    this.heard.push(message);
    const answer = (reply: MeshMessage) => this.#tower.send(encodeMesh(reply), from);
    switch (message.k) {
      case "lease":
        return answer({
          k: "lease-ok",
          tower: this.towerBoot,
          node: message.node,
          digest: message.digest,
        });
      case "register":
        if (message.whole?.page === 0) this.endpoints.clear();
        for (const each of message.endpoints) this.endpoints.set(each.replica, each);
        return answer({
          k: "register-ok",
          tower: this.towerBoot,
          node: message.node,
          request: message.request,
        });
      case "deregister":
        this.endpoints.delete(message.replica);
        return answer({
          k: "deregister-ok",
          tower: this.towerBoot,
          node: message.node,
          replica: message.replica,
          drained: !this.undrained.has(message.replica),
        });
      default:
    }
  }

  // ---- What tests wait for ------------------------------------------------------------------------

  /** Forgets what the node said: it has ended. */
  forget(): void {
    this.statuses.clear();
    this.#ended = this.beat?.boot ?? null;
  }

  state(replica: string, state: ReplicaStatus["state"], deadlineMs?: number) {
    return until(
      () => `${replica} ${state}, is ${JSON.stringify(this.statuses.get(replica))}`,
      () => {
        const status = this.statuses.get(replica);
        return status?.state === state ? status : null;
      },
      deadlineMs,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    for (const socket of this.#followers) socket.close();
    await this.#conductor[Symbol.asyncDispose]();
    await this.#tower[Symbol.asyncDispose]();
    await this.#server.shutdown();
  }
}

type Without<M extends MeshMessage> = Omit<M, "node">;
