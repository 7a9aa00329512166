// The tower over HTTP: lookups, the whole list, the watch stream, metrics.

import type { Registry as MetricsRegistry } from "prom-client";
import type { Endpoint } from "../../core/mesh.ts";
import { now } from "../../core/live/clock.ts";
import type { Seal } from "../../core/live/roster_seal.ts";
import { acceptSealed, isSealRequest, peerOf, upgradeStream } from "../../core/live/sealed_http.ts";
import type { Peer } from "../../core/seal/primitives.ts";
import type { TowerMachine } from "../machine.ts";
import type { Entry } from "../registry.ts";

export interface HttpOptions {
  readonly machine: TowerMachine;
  readonly metrics: () => Promise<MetricsRegistry>;
  /** Takes over an upgraded watch stream; `app` if it is for one app only. */
  watch(socket: WebSocket, host: string, app: string | null, peer?: Peer): void;
  /** With it the daemons' streams are sealed. */
  readonly seal?: Seal;
}

/** Where a request came from. */
export interface From {
  readonly remoteAddr: { readonly hostname: string };
}

/** Answers one request. */
export type Handler = (request: Request, from: From) => Response | Promise<Response>;

/** The endpoint as `/lookup` gives it: the app stands beside it. */
export type LookupEndpoint = Omit<Endpoint, "app">;

/** Entries of a list that are written at once. */
const LIST_CHUNK = 500;

/**
 * Answers the tower's HTTP requests:
 * - `GET /lookup/<app>`: `{"app", "endpoints": [{"replica", "host", "port", "node", "generation"}]}`;
 *   404 and an empty list for an app without a ready replica.
 * - `GET /list`: `{"count", "revision", "complete", "endpoints": [...]}`, each as the tower holds it
 *   with `ttlMs`, the time its lease still has. Streamed: `endpoints` may differ from `count` by
 *   what changed meanwhile.
 * - `GET /routes`: `{"revision", "routes"}`, the table published last.
 * - `GET /watch`: the watch stream of core/mesh.ts; `?app=<app>` for the endpoints of one app.
 * - `GET /health`, `GET /metrics`.
 *
 * The header `skr8tr-complete: false` says that the tower has just started and may not know every
 * replica yet.
 */
export function createHandler(options: HttpOptions): Handler {
  const { machine, seal } = options;
  const handler: Handler = (request, from) => {
    if (seal && isSealRequest(request)) {
      return acceptSealed(request, seal, (inner) => handler(inner, from));
    }
    const host = from.remoteAddr.hostname;
    const url = new URL(request.url);
    if (request.method !== "GET" && request.method !== "HEAD") {
      return fail(405, `${request.method} is not for the tower: it answers GET`, {
        allow: "GET, HEAD",
      });
    }
    if (url.pathname === "/health") {
      return json({ status: "ok", complete: machine.watch.isComplete });
    }
    const isWatch = url.pathname === "/watch";
    const { mayRead, mayWrite } = machine.access;
    const isMember = Boolean(peerOf(request));
    if (!isMember && !mayRead(host) && !(isWatch && mayWrite(host))) {
      machine.counters.refused++;
      return fail(403, "this address may not read here; the tower's --plain CIDR lets it");
    }
    if (isWatch) return upgrade(options, request, url, host);
    if (url.pathname === "/list") return list(machine);
    if (url.pathname === "/routes") {
      return json({ revision: machine.watch.revision, routes: machine.watch.routes });
    }
    if (url.pathname === "/metrics") return metrics(options.metrics);
    const app = /^\/lookup\/([^/]+)$/.exec(url.pathname)?.[1];
    if (app !== undefined) return lookup(machine, app);
    return fail(404, "the tower has /lookup/<app>, /list, /routes, /watch, /health and /metrics");
  };
  return handler;
}

function lookup(machine: TowerMachine, encoded: string): Response {
  let app: string;
  try {
    app = decodeURIComponent(encoded);
  } catch {
    return fail(400, "the app's name is not percent-encoded UTF-8");
  }
  const endpoints = machine.registry.placesOf(app).map(
    ({ replica, host, port, node, generation }) => {
      return { replica, host, port, node, generation } satisfies LookupEndpoint;
    },
  );
  return json({ app, endpoints }, {
    status: endpoints.length > 0 ? 200 : 404,
    headers: { "skr8tr-complete": String(machine.watch.isComplete) },
  });
}

function list(machine: TowerMachine): Response {
  const { registry, watch } = machine;
  const head = { count: registry.size, revision: watch.revision, complete: watch.isComplete };
  const rest = entriesAsJson(registry.entries());
  const encoder = new TextEncoder();
  const start = `${JSON.stringify(head).slice(0, -1)},"endpoints":[`;
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(encoder.encode(start)),
    pull(controller) {
      const chunk = rest.next();
      controller.enqueue(encoder.encode(chunk.done ? "]}\n" : chunk.value));
      if (chunk.done) controller.close();
    },
  });
  return new Response(body, { headers: { "content-type": "application/json" } });
}

function* entriesAsJson(entries: Iterable<Entry>): Generator<string> {
  let chunk: string[] = [];
  let comma = "";
  for (const { endpoint, lease } of entries) {
    const ttlMs = Math.max(0, Math.round(lease.dueMs - now().monoMs));
    chunk.push(JSON.stringify({ ...endpoint, ttlMs }));
    if (chunk.length < LIST_CHUNK) continue;
    yield comma + chunk.join(",");
    comma = ",";
    chunk = [];
  }
  if (chunk.length > 0) yield comma + chunk.join(",");
}

function upgrade(options: HttpOptions, request: Request, url: URL, host: string): Response {
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return fail(426, "/watch is a WebSocket", { upgrade: "websocket" });
  }
  // Only browsers send Origin, and no page that an operator opens may publish routes from there.
  if (request.headers.has("origin")) {
    options.machine.counters.refused++;
    return fail(403, "the watch stream is not for web pages");
  }
  const { socket, response } = upgradeStream(request, { idleTimeout: 30 });
  options.watch(socket, host, url.searchParams.get("app"), peerOf(request) ?? undefined);
  return response;
}

async function metrics(load: HttpOptions["metrics"]): Promise<Response> {
  const registry = await load();
  return new Response(await registry.metrics(), {
    headers: { "content-type": registry.contentType },
  });
}

function json(value: unknown, init: ResponseInit = {}): Response {
  return new Response(`${JSON.stringify(value)}\n`, {
    ...init,
    headers: { "content-type": "application/json", "cache-control": "no-store", ...init.headers },
  });
}

function fail(status: number, error: string, headers: Record<string, string> = {}): Response {
  return json({ error }, { status, headers });
}
