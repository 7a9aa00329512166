// The tower in the world: its sockets, its clock, its streams.

import type { Registry as MetricsRegistry } from "prom-client";
import { type Address, isNetwork } from "../../core/address.ts";
import { Failure } from "../../core/errors.ts";
import { WATCH_BUFFER_BYTES } from "../../core/limits.ts";
import { now, randomHex } from "../../core/live/clock.ts";
import { logger } from "../../core/live/log.ts";
import type { Seal } from "../../core/live/roster_seal.ts";
import { type MeshUdp, openMeshUdp } from "../../core/live/mesh_udp.ts";
import { onOnePort } from "../../core/live/one_port.ts";
import { listenFailure } from "../../core/live/udp.ts";
import type { Peer } from "../../core/seal/primitives.ts";
import { type TowerEffect, type TowerEvent, TowerMachine } from "../machine.ts";
import { type LiveDns, startDns } from "./dns.ts";
import { createHandler, type Handler } from "./http.ts";

/** How long answers under way may take once the tower is told to stop, in ms. */
const STOP_MS = 500;

export interface LiveTowerOptions {
  readonly hostname: string;
  /** UDP and TCP; 0 for one that is free as both. */
  readonly port: number;
  /** UDP and TCP port of DNS; 0 for a free one; none without it. */
  readonly dnsPort?: number;
  /** Networks that may read unsealed, besides loopback: `10.0.0.0/8` or single addresses. */
  readonly plain?: readonly string[];
  /** Whether unsealed daemons beyond loopback may take part. */
  readonly meshOpen?: boolean;
  /** With it only sealed ones do. */
  readonly seal?: Seal;
}

/** A tower that runs. */
export interface LiveTower extends AsyncDisposable {
  /** Its UDP and TCP address. */
  readonly address: Address;
  /** Where it answers DNS, if it does. */
  readonly dnsAddress: Address | null;
  readonly machine: TowerMachine;
  stop(): Promise<void>;
}

/**
 * Starts a tower.
 *
 * @throws {Failure} `port-taken`, `cannot-listen`, or `usage` for a network that is none.
 */
export function startTower(options: LiveTowerOptions): LiveTower {
  checkNetworks(options.plain ?? []);
  return new RunningTower(options);
}

/** @throws {Failure} `usage` for a network that is none. */
export function checkNetworks(plain: readonly string[]): void {
  for (const network of plain) {
    if (!isNetwork(network)) {
      throw new Failure("usage", `--plain needs a network like 10.0.0.0/8, not ${network}`);
    }
  }
}

class RunningTower implements LiveTower {
  readonly address: Address;
  readonly machine: TowerMachine;
  #metrics: () => Promise<MetricsRegistry>;
  readonly dnsAddress: Address | null;
  readonly #udp: MeshUdp;
  readonly #dns: LiveDns | null;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #streams = new Map<number, Stream>();
  readonly #log = logger("tower");
  #nextWatcher = 1;
  #slowWatchers = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  constructor(options: LiveTowerOptions) {
    const started = now();
    const sealed = options.seal !== undefined;
    this.machine = new TowerMachine({ ...options, sealed, boot: randomHex(16) }, started);
    this.#metrics = async () => {
      // Loaded when somebody asks first: prom-client takes a fifth of the tower's memory.
      const { createMetrics } = await import("./metrics.ts");
      const metrics = createMetrics({
        machine: this.machine,
        udp: () => this.#udp.counters,
        seal: () => this.#udp.machine,
        dns: () => this.#dns?.answered ?? new Map(),
        slowWatchers: () => this.#slowWatchers,
        startedWallMs: started.wallMs,
      });
      this.#metrics = () => Promise.resolve(metrics);
      return metrics;
    };
    const handler = createHandler({
      machine: this.machine,
      metrics: () => this.#metrics(),
      watch: (socket, host, app, peer) => this.#open(socket, host, app, peer),
      ...(options.seal ? { seal: options.seal } : {}),
    });
    const { server, udp } = listenBoth(
      options,
      handler,
      (text, from) => this.#step({ k: "datagram", text, from }),
    );
    this.#server = server;
    this.#udp = udp;
    this.address = { hostname: options.hostname, port: server.addr.port };
    this.#dns = this.#startDns(options);
    this.dnsAddress = this.#dns?.address ?? null;
    this.#step({ k: "start" });
  }

  #startDns({ hostname, dnsPort }: LiveTowerOptions): LiveDns | null {
    if (dnsPort === undefined) return null;
    try {
      return startDns({ hostname, port: dnsPort }, this.machine);
    } catch (error) {
      this.#udp[Symbol.asyncDispose]();
      this.#server.shutdown();
      throw error;
    }
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const { socket } of this.#streams.values()) closeSocket(socket, 1001, "the tower stops");
    // A client that reads a long list slowly is not waited for: it ends with the process. (Aborting
    // the server's signal while it shuts down throws past every handler in Deno 2.9.)
    const patience = Promise.withResolvers<void>();
    const timer = setTimeout(patience.resolve, STOP_MS);
    await Promise.all([
      this.#udp[Symbol.asyncDispose](),
      this.#dns?.[Symbol.asyncDispose](),
      Promise.race([this.#server.shutdown(), patience.promise]),
    ]);
    clearTimeout(timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #step(event: TowerEvent): void {
    for (const effect of this.machine.step(event, now())) this.#run(effect);
  }

  #run(effect: TowerEffect): void {
    switch (effect.k) {
      case "datagram":
        return this.#udp.send(effect.text, effect.to);
      case "send":
        return this.#send(effect.watcher, effect.text, effect.whole);
      case "close":
        return this.#close(effect.watcher, effect.code, effect.reason);
      case "wake":
        return this.#wake(effect.atMonoMs);
      case "log":
        return this.#log[effect.level](effect.message, effect.fields);
      default:
        effect satisfies never;
    }
  }

  #wake(atMonoMs: number): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    const waitMs = Math.max(0, Math.min(atMonoMs - now().monoMs, 2 ** 31 - 1));
    this.#timer = setTimeout(() => this.#step({ k: "tick" }), waitMs);
  }

  // ---- Watch streams --------------------------------------------------------------------------

  #open(socket: WebSocket, host: string, app: string | null, peer?: Peer): void {
    const watcher = this.#nextWatcher++;
    this.#streams.set(watcher, { socket, allowance: WATCH_BUFFER_BYTES });
    socket.addEventListener("open", () => {
      this.#step({ k: "watcher-connected", watcher, host, app, ...(peer ? { peer } : {}) });
    });
    socket.addEventListener("message", ({ data }) => {
      if (!this.#streams.has(watcher)) return;
      const text = typeof data === "string" ? data : "";
      this.#step({ k: "watcher-message", watcher, text });
    });
    // An error is followed by a close.
    socket.addEventListener("error", () => {});
    socket.addEventListener("close", () => this.#gone(watcher));
  }

  /** A stream is gone, by whichever side. */
  #gone(watcher: number): void {
    this.#streams.delete(watcher);
    this.#step({ k: "watcher-closed", watcher });
  }

  #send(watcher: number, text: string, whole: boolean): void {
    const stream = this.#streams.get(watcher);
    if (stream === undefined || stream.socket.readyState !== WebSocket.OPEN) return;
    if (stream.socket.bufferedAmount > stream.allowance) {
      // It does not read. It may come back and get a snapshot; our memory stays bounded.
      this.#slowWatchers++;
      this.#log.warn("watcher {watcher} does not keep up: closed", { watcher });
      closeSocket(stream.socket, 1013, "too slow");
      this.#streams.delete(watcher);
      queueMicrotask(() => this.#step({ k: "watcher-closed", watcher }));
      return;
    }
    // However large a snapshot is, it must be allowed to be on its way.
    if (whole) stream.allowance = WATCH_BUFFER_BYTES + text.length;
    stream.socket.send(text);
  }

  #close(watcher: number, code: number, reason: string): void {
    const stream = this.#streams.get(watcher);
    if (stream !== undefined) closeSocket(stream.socket, code, reason);
    this.#streams.delete(watcher);
  }
}

interface Stream {
  readonly socket: WebSocket;
  /** Bytes that may lie unread before the stream is closed. */
  allowance: number;
}

function closeSocket(socket: WebSocket, code: number, reason: string): void {
  // Codes of the protocol itself may not be sent by an application (RFC 6455, 7.4.1).
  const sendable = code === 1000 || code >= 3000;
  socket.close(sendable ? code : 3000 + code, reason);
}

/** Binds TCP and UDP to one port. */
function listenBoth(
  options: Address & { readonly seal?: Seal },
  handler: Handler,
  receive: (text: string, from: Address) => void,
): { readonly server: Deno.HttpServer<Deno.NetAddr>; readonly udp: MeshUdp } {
  return onOnePort(options.port, () => {
    const server = serve(options, handler);
    try {
      const { hostname, seal } = options;
      const where = { hostname, port: server.addr.port };
      return { server, udp: openMeshUdp({ ...where, receive }, seal) };
    } catch (error) {
      server.shutdown();
      throw error;
    }
  });
}

function serve(
  options: Address,
  handler: Handler,
): Deno.HttpServer<Deno.NetAddr> {
  const log = logger("tower", "http");
  try {
    return Deno.serve({
      hostname: options.hostname,
      port: options.port,
      onListen() {},
      onError(error) {
        log.error("a request failed: {error}", { error: String(error) });
        return new Response("internal error\n", { status: 500 });
      },
    }, (request, info) => handler(request, { remoteAddr: info.remoteAddr as Deno.NetAddr }));
  } catch (error) {
    throw listenFailure("TCP", options.hostname, options.port, error);
  }
}
