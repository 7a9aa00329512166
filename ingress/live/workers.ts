import type { MetricObjectWithValues, MetricValue } from "prom-client";
import type { LogLevel } from "@logtape/logtape";
import { Failure } from "../../core/errors.ts";
import { logger } from "../../core/live/log.ts";
import { type Ingress, type IngressSettings, startIngress } from "./ingress.ts";

/** How workers log. */
export interface WorkerLog {
  readonly format: "text" | "json";
  readonly level: LogLevel;
}

type MetricsJson = MetricObjectWithValues<MetricValue<string>>[];

export type ToWorker =
  | { readonly k: "start"; readonly settings: IngressSettings; readonly log: WorkerLog }
  | { readonly k: "metrics"; readonly id: number }
  | { readonly k: "stop" };

export type FromWorker =
  | { readonly k: "started" }
  | { readonly k: "metrics"; readonly id: number; readonly json: MetricsJson }
  | { readonly k: "stopped" };

/** A worker that throws is replaced after this long, in ms. */
const REPLACE_MS = 500;
/** A worker that does not say its figures within this time is left out of them, in ms. */
const METRICS_MS = 1_000;

/** One further ingress on a thread of its own. */
class IngressThread {
  private worker: Worker | null = null;
  private open = true;
  private served = false;
  private next = 0;
  private readonly asked = new Map<number, (json: MetricsJson | null) => void>();
  private stopped: (() => void) | null = null;

  constructor(private readonly settings: IngressSettings, private readonly log: WorkerLog) {}

  /**
   * Starts the thread; resolves when it serves.
   *
   * @throws {Failure} `worker-failed`, if it fails before it ever served.
   */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
      this.worker = worker;
      worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
        if (data.k === "started") {
          this.served = true;
          resolve();
        }
        if (data.k === "stopped") this.stopped?.();
        if (data.k === "metrics") this.answer(data.id, data.json);
      };
      worker.onerror = (event) => {
        // Not handled here it would end the whole process and every other worker's connections.
        event.preventDefault();
        worker.terminate();
        if (!this.served) {
          const { message } = event;
          const remedy = "with --workers above 1 it must be allowed to read ingress/ and core/";
          return reject(
            new Failure("worker-failed", `a worker did not start: ${message}; ${remedy}`),
          );
        }
        logger("ingress").error("worker {name} failed and is replaced: {reason}", {
          name: this.settings.name,
          reason: event.message,
        });
        this.stopped?.();
        for (const id of [...this.asked.keys()]) this.answer(id, null);
        if (this.open) setTimeout(() => this.open && this.start().catch(() => {}), REPLACE_MS);
      };
      this.tell({ k: "start", settings: this.settings, log: this.log });
    });
  }

  private tell(message: ToWorker): void {
    this.worker!.postMessage(message);
  }

  private answer(id: number, json: MetricsJson | null): void {
    this.asked.get(id)?.(json);
    this.asked.delete(id);
  }

  /** Its figures; `null` if it does not say. */
  metrics(): Promise<MetricsJson | null> {
    return new Promise((resolve) => {
      const id = this.next++;
      this.asked.set(id, resolve);
      setTimeout(() => this.answer(id, null), METRICS_MS);
      this.tell({ k: "metrics", id });
    });
  }

  async stop(): Promise<void> {
    this.open = false;
    const ended = new Promise<void>((resolve) => this.stopped = resolve);
    this.tell({ k: "stop" });
    await ended;
    this.worker!.terminate();
  }
}

/**
 * Starts `count` ingresses on the same ports, the first on this thread, the others on threads of
 * their own. The admin port is the first one's and adds up the figures of all.
 *
 * @throws {Failure} as `startIngress`.
 */
export async function startIngressWorkers(
  settings: IngressSettings,
  count: number,
  log: WorkerLog,
): Promise<Ingress> {
  if (count === 1) return startIngress(settings);
  const workers: IngressThread[] = [];
  const first = await startIngress({
    ...settings,
    reusePort: true,
    metricsText: async (registry) => {
      const parts = await Promise.all([
        registry.getMetricsAsJSON(),
        ...workers.map((each) => each.metrics()),
      ]);
      const known = parts.filter((each) => each !== null);
      const { AggregatorRegistry } = await import("prom-client");
      return await AggregatorRegistry.aggregate(known as MetricsJson[]).metrics();
    },
  });
  const { adminPort: _admin, tls, ...shared } = settings;
  for (let number = 2; number <= count; number++) {
    workers.push(
      new IngressThread({
        ...shared,
        name: `${settings.name ?? "ingress"}-${number}`,
        httpPort: first.httpPort,
        reusePort: true,
        ...(tls === undefined ? {} : {
          tls: {
            ...tls,
            port: first.httpsPort!,
            ...(tls.acme === undefined ? {} : { acme: { ...tls.acme, keeper: false } }),
          },
        }),
      }, log),
    );
  }
  await Promise.all(workers.map((each) => each.start()));
  return {
    ...first,
    async stop() {
      await Promise.all([first.stop(), ...workers.map((each) => each.stop())]);
    },
  };
}
