import { Hono } from "hono";
import type { Context as HonoContext } from "hono";
import type { Measure } from "./exporter.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import { Problem, problemResponse, unavailable } from "./problem.ts";
import { spanOf, within } from "./trace.ts";

/** What a service is given from outside; tests give their own. */
export interface Surroundings {
  /** The app's name: `product-svc`. */
  readonly name: string;
  /** Who answers, for `x-replica` and the log. */
  readonly replica: string;
  readonly node: string;
  /** An environment variable; one that the program may not read is an error. */
  env(name: string): string | undefined;
  /** Takes one finished log line. */
  log(line: string): void;
  /** Wall-clock time in ms. */
  now(): number;
  fetch: typeof fetch;
  /** Has values told to a telemetry sink; absent where there is none. */
  measure?(read: Measure): void;
}

/** A running service: its handler, and what has to be released when it stops. */
export interface Service {
  fetch(request: Request): Response | Promise<Response>;
  /** Every route as `GET /products/:id`. */
  readonly routes: readonly string[];
  close(): void | Promise<void>;
}

/** What `createService` hands to the code that adds the routes. */
export interface Kit {
  readonly app: Hono;
  readonly metrics: Metrics;
  /** Has values told to a telemetry sink, where there is one. */
  measure(read: Measure): void;
  /** Writes one structured line that belongs to no request. */
  note(event: string, more?: Record<string, unknown>): void;
  /** Until every `check` answers undefined `/health` is 503 with its text. */
  readyWhen(check: () => string | undefined): void;
  onClose(close: () => void | Promise<void>): void;
}

/** Writes structured lines that belong to no request. */
export function noteTo(
  around: Pick<Surroundings, "name" | "replica" | "node" | "log" | "now">,
): (event: string, more?: Record<string, unknown>) => void {
  const { name: app, replica, node } = around;
  return (event, more = {}) => {
    const time = new Date(around.now()).toISOString();
    around.log(JSON.stringify({ time, app, replica, node, level: "info", event, ...more }));
  };
}

const REQUEST_ID = /^[\w-]{1,64}$/;

/**
 * Creates a service: `/health`, `/metrics`, `x-replica`, one log line a request, errors as JSON.
 * `build` adds the routes. Paths are logged as their route (`/cart/:session`), never as they came:
 * a cart's session is a key.
 */
export function createService(around: Surroundings, build: (kit: Kit) => void): Service {
  const app = new Hono();
  const metrics = createMetrics(around.name);
  const closers: (() => void | Promise<void>)[] = [];
  const readiness: (() => string | undefined)[] = [];
  let underWay = 0;
  metrics.gauge("http_requests_under_way", "Requests not yet answered.", () => underWay);
  const line = (more: Record<string, unknown>) =>
    around.log(JSON.stringify({
      time: new Date(around.now()).toISOString(),
      app: around.name,
      replica: around.replica,
      node: around.node,
      ...more,
    }));
  const answerError = (error: unknown): Response => {
    if (error instanceof Problem) return problemResponse(error);
    line({ level: "error", event: "bug", error: String((error as Error)?.stack ?? error) });
    return Response.json({ error: "something went wrong here", field: "server" }, { status: 500 });
  };
  app.use(async (c, next) => {
    const began = performance.now();
    const given = c.req.header("x-request-id") ?? "";
    const id = REQUEST_ID.test(given) ? given : crypto.randomUUID();
    const span = spanOf(c.req.header("traceparent"));
    underWay++;
    await within(span, next);
    underWay--;
    finish(c, around.replica, id);
    const seconds = (performance.now() - began) / 1_000;
    const route = routeOf(c);
    metrics.request(c.req.method, route, c.res.status, seconds);
    if (route === "/health" || route === "/metrics") return;
    line({
      level: c.res.status >= 500 ? "error" : "info",
      event: "request",
      id,
      trace: span.traceId,
      span: span.spanId,
      parent: span.parentId,
      method: c.req.method,
      route,
      status: c.res.status,
      ms: Math.round(seconds * 1e6) / 1e3,
    });
  });
  app.onError((error) => answerError(error));
  app.notFound((c) =>
    c.json({ error: "there is nothing at this path with this method", field: "path" }, 404)
  );
  app.get("/health", (c) => {
    for (const check of readiness) {
      const reason = check();
      if (reason !== undefined) throw unavailable("health", reason);
    }
    return c.text("ok");
  });
  app.get("/metrics", (c) => c.text(metrics.text()));
  build({
    app,
    metrics,
    measure: (read) => around.measure?.(read),
    note: noteTo(around),
    readyWhen: (check) => void readiness.push(check),
    onClose: (close) => void closers.push(close),
  });
  return {
    fetch: (request) => app.fetch(request),
    routes: app.routes.filter((each) => each.method !== "ALL")
      .map((each) => `${each.method} ${each.path}`),
    async close() {
      for (const close of closers.reverse()) await close();
    },
  };
}

function finish(c: HonoContext, replica: string, id: string): void {
  const headers = c.res.headers;
  headers.set("x-request-id", id);
  headers.set("x-content-type-options", "nosniff");
  if (replica) headers.set("x-replica", replica);
  if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
}

function routeOf(c: HonoContext): string {
  const path = c.req.routePath;
  return path === "/*" || path === "*" ? "other" : path;
}
