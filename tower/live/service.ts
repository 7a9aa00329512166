// A kit for services that run on skr8tr: where to listen, health, a graceful stop, metrics. Public,
// by mod.ts.

import { type Metrics, RequestMetrics } from "./service_metrics.ts";

/** How a service runs; everything has a default. */
export interface ServiceOptions {
  /** Address to listen on. Default `HOST`, else 127.0.0.1. */
  readonly hostname?: string;
  /** Port to listen on; 0 for a free one. Default `PORT`, else 8000. */
  readonly port?: number;
  /**
   * Says whether the service can do its work now, for `GET /health`: 200 or 503. Not asked while
   * it stops. Default: always.
   */
  readonly healthy?: () => boolean | Promise<boolean>;
  /** Runs after the last request is answered, before the process ends: close what is open. */
  readonly onStop?: () => void | Promise<void>;
  /**
   * How long requests in flight are waited for once it is told to stop, in ms. Default 1500. What
   * takes longer ends with the process.
   */
  readonly graceMs?: number;
  /**
   * Whether SIGTERM and SIGINT stop the service and then end the process with exit code 0.
   * Default true.
   */
  readonly signals?: boolean;
  /**
   * Answers `GET /metrics` with these and counts requests, `/health` and `/metrics` aside. What came
   * through the ingress does not see them: it is for the handler, as any other path. Default: none.
   */
  readonly metrics?: Metrics;
}

/** A service that runs. */
export interface Service extends AsyncDisposable {
  /** Where it listens. */
  readonly hostname: string;
  /** Where it listens; never 0. */
  readonly port: number;
  /** Resolves when it has stopped. */
  readonly finished: Promise<void>;
  /** Takes no more connections, answers what is in flight, runs `onStop`. */
  stop(): Promise<void>;
}

/**
 * Serves HTTP the way a node expects it: at `HOST` and `PORT` (which takes
 * `--allow-env=HOST,PORT`), with `GET /health` for the manifest's `check GET /health 200`, and a
 * stop on SIGTERM that loses no request.
 *
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { serve } from "@skr8tr/skr8tr";
 *
 * await using service = serve(() => new Response("hello"), {
 *   hostname: "127.0.0.1",
 *   port: 0,
 *   signals: false,
 * });
 * const url = `http://${service.hostname}:${service.port}`;
 * assertEquals(await (await fetch(`${url}/`)).text(), "hello");
 * assertEquals(await (await fetch(`${url}/health`)).json(), { status: "ok" });
 * ```
 *
 * @throws {TypeError} when `PORT` is no port.
 */
export function serve(
  handler: Deno.ServeHandler<Deno.NetAddr>,
  options: ServiceOptions = {},
): Service {
  return new RunningService(handler, options);
}

class RunningService implements Service {
  readonly hostname: string;
  readonly port: number;
  readonly finished: Promise<void>;
  readonly #options: ServiceOptions;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #finished = Promise.withResolvers<void>();
  readonly #metrics: RequestMetrics | null;
  #stopping: Promise<void> | null = null;
  #onSignal = () => this.#endProcess();

  constructor(handler: Deno.ServeHandler<Deno.NetAddr>, options: ServiceOptions) {
    this.#options = options;
    this.#metrics = options.metrics ? new RequestMetrics(options.metrics) : null;
    this.hostname = options.hostname ?? Deno.env.get("HOST") ?? "127.0.0.1";
    this.#server = Deno.serve({
      hostname: this.hostname,
      port: options.port ?? portOf(Deno.env.get("PORT") ?? "8000"),
      onListen() {},
    }, (request, info) => {
      const path = request.method === "GET" ? new URL(request.url).pathname : "";
      if (path === "/health") return this.#health();
      if (this.#metrics === null) return handler(request, info);
      if (path === "/metrics" && !isThroughIngress(request)) return this.#metrics.response();
      return this.#metrics.answer(request, () => handler(request, info));
    });
    this.port = this.#server.addr.port;
    this.finished = this.#finished.promise;
    for (const signal of this.#signals()) Deno.addSignalListener(signal, this.#onSignal);
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #stop(): Promise<void> {
    for (const signal of this.#signals()) Deno.removeSignalListener(signal, this.#onSignal);
    const patience = Promise.withResolvers<void>();
    const timer = setTimeout(patience.resolve, this.#options.graceMs ?? 1_500);
    await Promise.race([this.#server.shutdown(), patience.promise]);
    clearTimeout(timer);
    await this.#options.onStop?.();
    this.#finished.resolve();
  }

  async #endProcess(): Promise<void> {
    await this.stop();
    Deno.exit(0);
  }

  async #health(): Promise<Response> {
    if (this.#stopping !== null) return Response.json({ status: "stopping" }, { status: 503 });
    const isHealthy = await (this.#options.healthy?.() ?? true);
    return isHealthy
      ? Response.json({ status: "ok" })
      : Response.json({ status: "unhealthy" }, { status: 503 });
  }

  #signals(): readonly Deno.Signal[] {
    return this.#options.signals === false ? [] : ["SIGTERM", "SIGINT"];
  }
}

/** The ingress says so in each request, whatever the client says. */
function isThroughIngress(request: Request): boolean {
  return request.headers.get("via")?.includes("skr8tr") ?? false;
}

function portOf(text: string): number {
  const port = Number(text);
  if (!/^[0-9]{1,5}$/.test(text) || port > 65_535) {
    throw new TypeError(`PORT must be a number from 0 to 65535, not ${text}`);
  }
  return port;
}
