// The node over HTTP: logs as they come, what runs here, whether it lives, figures for Prometheus.

import { inNetworks, isLoopback } from "../../core/address.ts";
import { DATAGRAM_BYTES, LOG_RING_LINES, TELEMETRY_PAST_LINES } from "../../core/limits.ts";
import type { Seal } from "../../core/live/roster_seal.ts";
import { acceptSealed, isSealRequest, peerOf } from "../../core/live/sealed_http.ts";
import { listenFailure } from "../../core/live/udp.ts";
import { REPLICA_ID } from "../../core/replica_id.ts";
import type { NodeMachine } from "../machine.ts";
import type { LogLine } from "../logs.ts";
import type { Logs } from "./logs.ts";
import type { Answer } from "./requests.ts";

/** What the HTTP surface shows. */
export interface NodeView {
  readonly machine: NodeMachine;
  readonly logs: Logs;
  /** Whether the replica has a log file here, finished ones included. */
  hasLog(replica: string): boolean;
  metrics(): Promise<string>;
  /** Sends an artifact that is here to another node. */
  artifact(request: Request, sha256: string): Response;
  /** Runs a signed EXEC beside a replica. */
  exec(replica: string, body: string): Promise<Answer>;
  /** Takes over a stream to a replica here. */
  stream(request: Request): Response;
  /** The copy of the log, a line each (core/copy.ts). */
  copy(): string;
  /** Networks that may read, beside loopback. */
  readonly plain: readonly string[];
  /** Everybody may read. */
  readonly open: boolean;
  /** With it the conductor asks in sealed sessions. */
  readonly seal?: Seal;
}

/**
 * Answers one request.
 *
 * | request | answer |
 * |---|---|
 * | `GET /logs/<replica>?lines=N&follow=1` | `{"at": wallMs, "line": "..."}` a line, oldest first; with `follow` an empty line before what comes |
 * | `GET /logs?follow=1` | `{"replica", "number", "at", "line"}` a line: the last of each replica, an empty line, then what comes |
 * | `GET /replicas` | `{ "node": id, "name": name, "replicas": ReplicaStatus[] }` |
 * | `GET /copy` | its copy of the log (core/copy.ts) |
 * | `GET /artifacts/<sha256>` | its bytes, for another node |
 * | `GET /health` | `{ "ok": true }` |
 * | `GET /metrics` | Prometheus text |
 * | `GET /stream` | a WebSocket: first a signed OPEN, then what it is for (docs/PROTOCOL.md) |
 * | `POST /exec/<replica>` body: a signed EXEC | what it printed, as text; from anywhere |
 *
 * @param from the client's address
 */
export async function handleHttp(
  request: Request,
  from: string,
  node: NodeView,
): Promise<Response> {
  const { seal } = node;
  if (seal && isSealRequest(request)) {
    return acceptSealed(request, seal, (inner) => handleHttp(inner, from, node));
  }
  const url = new URL(request.url);
  const [, first, second, ...more] = url.pathname.split("/");
  if (first === "exec" && second && more.length === 0 && request.method === "POST") {
    const { status, text } = await node.exec(decoded(second), await shortBody(request));
    return new Response(text, { status });
  }
  const role = peerOf(request)?.role;
  const isPeer = role === "conductor" || (role === "node" && first === "artifacts");
  if (!node.open && !isPeer && !isLoopback(from) && !inNetworks(from, node.plain)) {
    return Response.json({ error: "only loopback and --plain networks may read" }, { status: 403 });
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    return Response.json({ error: "only GET" }, { status: 405, headers: { allow: "GET, HEAD" } });
  }
  if (first === "logs" && !second && url.searchParams.get("follow") === "1") return allLogs(node);
  if (first === "logs" && second && more.length === 0) {
    return logs(decoded(second), url.searchParams, node);
  }
  if (first === "artifacts" && second && more.length === 0) {
    return node.artifact(request, second);
  }
  if (second !== undefined) return Response.json({ error: "no such path" }, { status: 404 });
  switch (first) {
    case "stream":
      return node.stream(request);
    case "replicas":
      return Response.json({
        node: node.machine.node,
        name: node.machine.around.name,
        replicas: node.machine.statuses(),
      });
    case "copy":
      return new Response(node.copy(), { headers: { "content-type": "application/x-ndjson" } });
    case "health":
      return Response.json({ ok: true });
    case "metrics":
      return new Response(await node.metrics(), {
        headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
      });
    default:
      return Response.json({ error: "no such path" }, { status: 404 });
  }
}

/** The body, if it is no longer than a datagram may be; else nothing. */
async function shortBody(request: Request): Promise<string> {
  let body = "";
  for await (const part of request.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    body += part;
    if (body.length > DATAGRAM_BYTES) return "";
  }
  return body.trimEnd();
}

/** A part of a path in plain characters; empty where it is malformed. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    if (error instanceof URIError) return "";
    throw error;
  }
}

function logs(replica: string, query: URLSearchParams, node: NodeView): Response {
  if (!REPLICA_ID.test(replica) || !node.hasLog(replica)) {
    return Response.json({ error: `${replica} has no log on this node` }, { status: 404 });
  }
  const wish = Number(query.get("lines") ?? "100");
  if (!Number.isInteger(wish) || wish < 0) {
    return Response.json({ error: "lines must be a whole number" }, { status: 400 });
  }
  const past = node.logs.lines(replica, Math.min(wish, LOG_RING_LINES));
  const headers = { "content-type": "application/x-ndjson" };
  if (query.get("follow") !== "1") return new Response(asText(past), { headers });
  let end = () => {};
  const stream = new ReadableStream<string>({
    start(controller) {
      // Whoever merges the lines of several replicas knows by the empty line what has been.
      controller.enqueue(`${asText(past)}\n`);
      end = node.logs.follow(replica, (lines) => {
        // A reader that does not keep up misses lines; it never makes the node grow.
        if ((controller.desiredSize ?? 0) > -LOG_RING_LINES) controller.enqueue(asText(lines));
      });
    },
    cancel: () => end(),
  });
  return new Response(stream.pipeThrough(new TextEncoderStream()), { headers });
}

/** The lines of all replicas, for whoever gathers them. */
function allLogs({ logs, machine }: NodeView): Response {
  const asText = (replica: string, lines: readonly LogLine[]) =>
    lines.map((line) => `${JSON.stringify({ replica, ...line })}\n`).join("");
  let end = () => {};
  const stream = new ReadableStream<string>({
    start(controller) {
      // What an earlier daemon started may have written while there was none.
      for (const replica of new Set([...machine.replicas.keys(), ...logs.replicas()])) {
        controller.enqueue(asText(replica, logs.lines(replica, TELEMETRY_PAST_LINES)));
      }
      controller.enqueue("\n");
      end = logs.followAll((replica, lines) => {
        if ((controller.desiredSize ?? 0) > -LOG_RING_LINES) {
          controller.enqueue(asText(replica, lines));
        }
      });
    },
    cancel: () => end(),
  });
  return new Response(stream.pipeThrough(new TextEncoderStream()), {
    headers: { "content-type": "application/x-ndjson", "skr8tr-boot": machine.boot },
  });
}

function asText(lines: readonly LogLine[]): string {
  return lines.map(({ at, line, stream }) =>
    `${JSON.stringify(stream === "stderr" ? { at, line, stream } : { at, line })}\n`
  ).join("");
}

/** Serves the node's HTTP at an address. @throws {Failure} `port-taken`, `cannot-listen`. */
export function serveHttp(
  where: { readonly hostname: string; readonly port: number },
  handler: (request: Request, from: string) => Promise<Response>,
): AsyncDisposable {
  const abort = new AbortController();
  try {
    const server = Deno.serve(
      { ...where, signal: abort.signal, onListen: () => {} },
      (request, info) => handler(request, info.remoteAddr.hostname),
    );
    return {
      async [Symbol.asyncDispose]() {
        // Streams that are followed never end by themselves.
        abort.abort();
        await server.finished;
      },
    };
  } catch (error) {
    throw listenFailure("TCP", where.hostname, where.port, error);
  }
}
