// Metrics for services that run on skr8tr, by prom-client. Public, by mod.ts.

/** Values of a metric's labels, by name. */
export type Labels = Readonly<Record<string, string>>;

/** A number that only grows. */
export interface Counter {
  /** Adds to it; 1 unless said otherwise. */
  add(by?: number, labels?: Labels): void;
}

/** How often values were how large. */
export interface Histogram {
  /** Counts a value, in the unit of the metric's name: seconds, bytes. */
  observe(value: number, labels?: Labels): void;
}

/** The metrics of one program. */
export interface Metrics {
  /**
   * A counter. Its name ends in `_total`.
   *
   * @param labels the names of its labels
   * @throws {TypeError} when the name is taken or none.
   */
  counter(name: string, help: string, labels?: readonly string[]): Counter;
  /**
   * A histogram. Its name ends in its unit: `_seconds`, `_bytes`.
   *
   * @throws {TypeError} when the name is taken or none.
   */
  histogram(name: string, help: string, options?: HistogramOptions): Histogram;
  /**
   * A value that goes up and down, read whenever somebody looks.
   *
   * @throws {TypeError} when the name is taken or none.
   */
  gauge(name: string, help: string, read: () => number): void;
  /** All of them in Prometheus' text format. */
  text(): Promise<string>;
}

/** How a histogram is divided. */
export interface HistogramOptions {
  /** Upper bounds, growing. Default: 1 ms to 10 s, for seconds. */
  readonly buckets?: readonly number[];
  /** The names of its labels. */
  readonly labels?: readonly string[];
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * Makes metrics for a service. `serve()` takes them by its option `metrics`: then `GET /metrics`
 * answers with them, for Prometheus, and requests are counted by themselves, as
 * `http_requests_total`, `http_request_duration_seconds` and `http_requests_in_flight`.
 *
 * ```ts
 * import { assertMatch } from "@std/assert";
 * import { openMetrics, serve } from "@skr8tr/skr8tr";
 *
 * const metrics = await openMetrics();
 * const orders = metrics.counter("shop_orders_total", "Orders taken.", ["paid_by"]);
 *
 * await using service = serve(() => {
 *   orders.add(1, { paid_by: "card" });
 *   return new Response("thanks");
 * }, { hostname: "127.0.0.1", port: 0, signals: false, metrics });
 *
 * const url = `http://127.0.0.1:${service.port}`;
 * await (await fetch(`${url}/orders`)).text();
 * const text = await (await fetch(`${url}/metrics`)).text();
 * assertMatch(text, /^shop_orders_total\{paid_by="card"\} 1$/m);
 * assertMatch(text, /^http_requests_total\{method="GET",status="200"\} 1$/m);
 * ```
 */
export async function openMetrics(): Promise<Metrics> {
  // By its whole name, since whoever imports this from a clone has no import map that knows the
  // short one; and only here, since it takes longer than a whole service to load.
  // deno-lint-ignore no-import-prefix
  const client = (await import("npm:prom-client@15.1.3")).default;
  const registers = [new client.Registry()];
  return {
    counter(name, help, labels = []) {
      const counter = made(() =>
        new client.Counter({ name, help, labelNames: [...labels], registers })
      );
      return { add: (by = 1, of = {}) => counter.inc({ ...of }, by) };
    },
    histogram(name, help, { buckets = SECONDS, labels = [] } = {}) {
      const histogram = made(() =>
        new client.Histogram({
          ...{ name, help, registers },
          ...{ buckets: [...buckets], labelNames: [...labels] },
        })
      );
      return { observe: (value, of = {}) => histogram.observe({ ...of }, value) };
    },
    gauge(name, help, read) {
      made(() =>
        new client.Gauge({
          ...{ name, help, registers },
          collect() {
            this.set(read());
          },
        })
      );
    },
    text: () => registers[0]!.metrics(),
  };
}

/** prom-client throws plain errors, with a text that says what is wrong. */
function made<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw new TypeError((error as Error).message, { cause: error });
  }
}

/** Counts the requests of a service. */
export class RequestMetrics {
  readonly #total: Counter;
  readonly #seconds: Histogram;
  #inFlight = 0;

  constructor(readonly metrics: Metrics) {
    this.#total = metrics.counter("http_requests_total", "Requests answered.", [
      "method",
      "status",
    ]);
    this.#seconds = metrics.histogram(
      "http_request_duration_seconds",
      "From a request's head to its response's.",
      { labels: ["method"] },
    );
    metrics.gauge("http_requests_in_flight", "Requests not answered yet.", () => this.#inFlight);
  }

  /** Answers a request and counts it; one whose handler throws counts as 500. */
  async answer(
    request: Request,
    handle: () => Response | Promise<Response>,
  ): Promise<Response> {
    const begunMs = performance.now();
    const method = METHODS.has(request.method) ? request.method : "other";
    let status = 500;
    this.#inFlight++;
    try {
      const response = await handle();
      status = response.status;
      return response;
    } finally {
      this.#inFlight--;
      this.#total.add(1, { method, status: String(status) });
      this.#seconds.observe((performance.now() - begunMs) / 1_000, { method });
    }
  }

  /** What `GET /metrics` is answered with. */
  async response(): Promise<Response> {
    return new Response(await this.metrics.text(), {
      headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
    });
  }
}

/** Methods may be any word; labels must be few. */
const METHODS: ReadonlySet<string> = new Set([
  ...["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
]);
