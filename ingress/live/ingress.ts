import { logger } from "../../core/live/log.ts";
import type { JoinOptions } from "../../core/live/join.ts";
import { now as clock, randomHex } from "../../core/live/clock.ts";
import { CLIENT_CONNECTIONS, INGRESS_ALIVE_MS } from "../../core/limits.ts";
import type { Endpoint, Route } from "../../core/mesh.ts";
import type { Cidr } from "../../core/address.ts";
import { type IngressEffect, type IngressEvent, IngressMachine } from "../machine.ts";
import type { Registry } from "prom-client";
import { AccessLog } from "./access_log.ts";
import { openAdmin } from "./admin.ts";
import { ClientSet } from "./client_set.ts";
import { openListener } from "./listener.ts";
import type { TlsSettings } from "./secure.ts";
import { Metrics } from "./metrics.ts";
import { DEFAULT_TIMEOUTS, Proxy, type Timeouts } from "./proxy.ts";
import type { Exchange } from "./exchange.ts";
import { UpstreamPool } from "./upstream.ts";
import { openWatch, type Watch } from "./watch.ts";

/** How an ingress is set up. */
export interface IngressSettings {
  /** Where the admin port listens, and HTTP and HTTPS unless they have an address of their own. */
  readonly hostname: string;
  readonly httpHostname?: string;
  /** 0 for any free one. */
  readonly httpPort: number;
  /** `host:port` of the tower; absent: only the static routes and endpoints. */
  readonly tower?: string;
  readonly name?: string;
  /** How it comes into the sealed mesh; absent: the mesh is open. */
  readonly join?: JoinOptions;
  readonly routes?: readonly Route[];
  readonly endpoints?: readonly Endpoint[];
  /** Absent: no admin port. */
  readonly adminPort?: number;
  readonly accessLog?: "none" | "combined" | "json";
  /** Where the access log goes; standard output unless given. */
  readonly writeLog?: (bytes: Uint8Array) => Promise<unknown>;
  /** Share of the requests that is recorded as spans, from 0 to 1; absent: none. */
  readonly traceRatio?: number;
  readonly timeouts?: Partial<Timeouts>;
  readonly maxConnections?: number;
  readonly maxBodyBytes?: number;
  /** Peers whose X-Forwarded-* stand. */
  readonly trusted?: readonly Cidr[];
  /** Trusted peers begin with a PROXY header. */
  readonly proxyProtocol?: boolean;
  /** On the HTTP port clients may speak HTTP/2 from their first byte on, without TLS. */
  readonly h2c?: boolean;
  /** Other processes may take connections from the same ports. */
  readonly reusePort?: boolean;
  /** Makes the text of /metrics; by default the registry's own. */
  readonly metricsText?: (registry: Registry) => Promise<string>;
  /** Absent: no HTTPS. */
  readonly tls?: TlsSettings;
}

/** An ingress that serves. */
export interface Ingress {
  readonly httpPort: number;
  readonly httpsPort: number | null;
  readonly adminPort: number | null;
  readonly machine: IngressMachine;
  readonly metrics: Metrics;
  /** Stops taking connections, finishes what is under way (bounded), closes. */
  stop(): Promise<void>;
}

/** How often timeouts are looked for, in ms. */
const CHECK_MS = 100;
/** Connections to replicas are closed after resting this long, in ms. */
const UPSTREAM_IDLE_MS = 60_000;

/**
 * Starts an ingress.
 *
 * @throws {Failure} `port-taken`, `cannot-listen` or `bad-certificate` (rejection).
 */
export async function startIngress(settings: IngressSettings): Promise<Ingress> {
  // Loaded only where wanted: who needs no tower, or an open mesh, does without its keys.
  const seal = settings.join === undefined
    ? undefined
    : await (await import("../../core/live/member_seal.ts")).MemberSeal.open(settings.join);
  const timeouts = { ...DEFAULT_TIMEOUTS, ...settings.timeouts };
  const machine = new IngressMachine({
    name: settings.name ?? "ingress",
    boot: randomHex(16),
    staticRoutes: settings.routes,
    staticEndpoints: settings.endpoints,
  }, clock());
  const metrics = new Metrics(machine);
  const accessLog = settings.accessLog === undefined || settings.accessLog === "none"
    ? null
    : new AccessLog(settings.accessLog, settings.writeLog ?? writeStdout);
  const proxy = new Proxy(
    machine,
    metrics,
    accessLog,
    timeouts,
    settings.maxBodyBytes ?? Infinity,
    settings.trusted,
  );
  if (settings.traceRatio !== undefined) {
    const { RequestTracer } = await import("./tracer.ts");
    proxy.tracer = RequestTracer.open(settings.traceRatio, proxy.nextRandom);
  }
  const maxConnections = settings.maxConnections ?? CLIENT_CONNECTIONS;
  const { hostname } = settings;
  const clients = new ClientSet(proxy);
  const listener = openListener(proxy, clients, {
    hostname: settings.httpHostname ?? hostname,
    port: settings.httpPort,
    maxConnections,
    reusePort: settings.reusePort ?? false,
    proxyProtocol: settings.proxyProtocol ?? false,
    h2c: settings.h2c ?? false,
  });
  // Loaded only where wanted: node:tls and node:http2 take their share of memory.
  const secure = settings.tls === undefined ? null : await import("./secure.ts").then(
    ({ openSecure }) =>
      openSecure(proxy, clients, settings.tls!, {
        hostname: settings.tls!.hostname ?? hostname,
        maxConnections,
        reusePort: settings.reusePort ?? false,
        proxyProtocol: settings.proxyProtocol ?? false,
      }),
  ).catch((error) => {
    listener.close();
    throw error;
  });
  proxy.httpsPort = secure?.port ?? null;
  proxy.redirectToHttps = settings.tls?.redirect ?? false;
  let watch: Watch | null = null;
  const perform = (effects: readonly IngressEffect[]) => {
    for (const effect of effects) {
      switch (effect.k) {
        case "send":
          watch?.send(effect.message);
          break;
        case "forget":
          if (effect.replica.attached instanceof UpstreamPool) effect.replica.attached.clear();
          metrics.forget(effect.replica);
          break;
        case "lost":
          if (effect.replica.attached instanceof UpstreamPool) effect.replica.attached.lose();
          break;
        case "awake":
          for (const holds of [machine.holds, machine.recovering]) {
            for (const held of holds.take(effect.app)) (held as Exchange).awake();
          }
          break;
        case "routes":
          logger("ingress").info("{count} routes", { count: machine.routes.destinations.length });
          break;
        default:
          effect satisfies never;
      }
    }
  };
  proxy.perform = perform;
  let stopping: Promise<void> | null = null;
  const admin = settings.adminPort === undefined ? null : openAdmin({
    hostname,
    port: settings.adminPort,
    machine,
    metricsText: async () => {
      const { registry } = await metrics.expose();
      return await (settings.metricsText?.(registry) ?? registry.metrics());
    },
    draining: () => stopping !== null,
    connections: () => clients.size,
  });
  if (settings.tower !== undefined) {
    watch = openWatch(
      settings.tower,
      (event: IngressEvent) => perform(machine.step(event, proxy.tick())),
      seal,
    );
  }
  let checkedMs = proxy.nowMs;
  let passedOver = false;
  const checks = setInterval(() => {
    proxy.tick();
    // Who was late itself calls nobody late: what has come meanwhile is read first.
    passedOver = !passedOver && proxy.nowMs - checkedMs > 3 * CHECK_MS;
    checkedMs = proxy.nowMs;
    if (!passedOver) {
      clients.check(proxy.nowMs);
      listener.check(proxy.nowMs);
      secure?.check(proxy.nowMs);
    }
    accessLog?.flush().catch(() => {});
  }, CHECK_MS);
  const ticks = setInterval(() => {
    const now = proxy.tick();
    perform(machine.step({ k: "tick" }, now));
    for (const { attached } of machine.allReplicas()) {
      if (attached instanceof UpstreamPool) attached.expire(now.monoMs, UPSTREAM_IDLE_MS);
    }
  }, INGRESS_ALIVE_MS / 2);

  const stop = async () => {
    proxy.draining = true;
    listener.close();
    secure?.drain();
    await clients.drain(timeouts.drainMs);
    secure?.close();
    clearInterval(checks);
    clearInterval(ticks);
    watch?.close();
    seal?.[Symbol.dispose]();
    for (const { attached } of machine.allReplicas()) {
      if (attached instanceof UpstreamPool) attached.clear();
    }
    await accessLog?.flush();
    await admin?.close();
  };
  return {
    httpPort: listener.port,
    httpsPort: secure?.port ?? null,
    adminPort: admin?.port ?? null,
    machine,
    metrics,
    stop: () => stopping ??= stop(),
  };
}

async function writeStdout(bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
}
