import { listenFailure } from "../../core/live/udp.ts";
import type { IngressMachine } from "../machine.ts";

/** The admin port: `/metrics`, `/health`, `/status`. */
export interface Admin {
  readonly port: number;
  close(): Promise<void>;
}

export interface AdminOptions {
  readonly hostname: string;
  readonly port: number;
  readonly machine: IngressMachine;
  metricsText(): Promise<string>;
  draining(): boolean;
  connections(): number;
}

/** Answers one request of the admin port. */
export async function answerAdmin(request: Request, options: AdminOptions): Promise<Response> {
  const { machine } = options;
  const { pathname } = new URL(request.url);
  if (request.method !== "GET" && request.method !== "HEAD") {
    return new Response("only GET\n", { status: 405, headers: { allow: "GET, HEAD" } });
  }
  switch (pathname) {
    case "/metrics":
      return new Response(await options.metricsText(), {
        headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
      });
    case "/health":
      return options.draining()
        ? new Response("draining\n", { status: 503 })
        : new Response("ok\n");
    case "/status":
      return Response.json({
        ...machine.summary(),
        draining: options.draining(),
        connections: options.connections(),
        replicas: [...machine.allReplicas()].map(({ endpoint, outstanding, gone, circuit }) => ({
          replica: endpoint.replica,
          app: endpoint.app,
          address: `${endpoint.host}:${endpoint.port}`,
          inFlight: outstanding,
          leaving: gone,
          ejected: circuit.ejected,
        })),
      });
    default:
      return new Response("here are /metrics, /health and /status\n", { status: 404 });
  }
}

/** Opens the admin port. @throws {Failure} `port-taken` or `cannot-listen`. */
export function openAdmin(options: AdminOptions): Admin {
  const { hostname, port } = options;
  try {
    const server = Deno.serve(
      { hostname, port, onListen: () => {} },
      (request) => answerAdmin(request, options),
    );
    return { port: server.addr.port, close: () => server.shutdown() };
  } catch (error) {
    throw listenFailure("TCP", hostname, port, error);
  }
}
