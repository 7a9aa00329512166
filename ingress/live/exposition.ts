import { Counter, Gauge, Registry } from "prom-client";
import type { IngressMachine } from "../machine.ts";
import { BUCKETS, type Metrics, type Stat } from "./metrics.ts";

/** The ingress's figures as prom-client's metrics, read from our own counters when scraped. */
export class Exposition {
  readonly registry = new Registry();

  constructor(metrics: Metrics, machine: IngressMachine) {
    const registers = [this.registry];
    const labelNames = ["app", "route", "replica"];
    const { own } = metrics;
    const labels = (stat: Stat) => ({ app: stat.app, route: stat.route, replica: stat.replica });
    new Counter({
      name: "skr8tr_ingress_requests_total",
      help: "Requests answered by replicas, by class of status.",
      labelNames: [...labelNames, "status"],
      registers,
      collect() {
        this.reset();
        for (const stat of metrics.allStats()) {
          stat.classes.forEach((count, at) => {
            if (count > 0) this.inc({ ...labels(stat), status: `${at}xx` }, count);
          });
        }
      },
    });
    new Counter({
      name: "skr8tr_ingress_retries_total",
      help: "Attempts at a replica that failed and were made again elsewhere.",
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const stat of metrics.allStats()) this.inc(labels(stat), stat.retries);
      },
    });
    new Counter({
      name: "skr8tr_ingress_sent_bytes_total",
      help: "Bytes of responses sent to clients.",
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const stat of metrics.allStats()) this.inc(labels(stat), stat.bytesOut);
      },
    });
    new Counter({
      name: "skr8tr_ingress_own_answers_total",
      help: "Requests that the ingress answered by itself, by status.",
      labelNames: ["status"],
      registers,
      collect() {
        this.reset();
        for (const [status, count] of own) this.inc({ status: String(status) }, count);
      },
    });
    new Gauge({
      name: "skr8tr_ingress_in_flight",
      help: "Requests that are on a replica now.",
      labelNames: ["app", "replica"],
      registers,
      collect() {
        this.reset();
        for (const { endpoint, outstanding } of machine.allReplicas()) {
          this.set({ app: endpoint.app, replica: endpoint.replica }, outstanding);
        }
      },
    });
    new Counter({
      name: "skr8tr_ingress_ejections_total",
      help: "Times that a replica was left out because it failed.",
      labelNames: ["app", "replica"],
      registers,
      collect() {
        this.reset();
        for (const { endpoint, circuit } of machine.allReplicas()) {
          this.inc({ app: endpoint.app, replica: endpoint.replica }, circuit.ejections);
        }
      },
    });
    this.gauge("skr8tr_ingress_connections", "Open client connections.", () => metrics.connections);
    this.gauge(
      "skr8tr_ingress_watch_connected",
      "1 while the tower's watch stream stands.",
      () => machine.summary().connected ? 1 : 0,
    );
    for (
      const [name, help, value] of [
        ["bad_responses", "Responses of replicas that were not HTTP.", () => metrics.badResponses],
        ["tls_failures", "TLS handshakes that failed.", () => metrics.tlsFailures],
        [
          "refused_connections",
          "Connections that could not be taken.",
          () => metrics.refusedConnections,
        ],
      ] as const
    ) {
      new Counter({
        name: `skr8tr_ingress_${name}_total`,
        help,
        registers,
        collect() {
          this.reset();
          this.inc(value());
        },
      });
    }
    new Gauge({
      name: "skr8tr_ingress_certificate_expiry_seconds",
      help: "When a certificate ends, seconds since 1970.",
      labelNames: ["name"],
      registers,
      collect() {
        this.reset();
        for (const [name, validToMs] of metrics.certificates()) {
          this.set({ name }, validToMs / 1000);
        }
      },
    });
    this.registry.registerMetric(
      new LatencyHistogram(metrics, labels) as unknown as Parameters<Registry["registerMetric"]>[0],
    );
  }

  private gauge(name: string, help: string, value: () => number): void {
    new Gauge({
      name,
      help,
      // Several workers: connections add up, the watch stands if it stands for all.
      aggregator: name.endsWith("connected") ? "min" : "sum",
      registers: [this.registry],
      collect() {
        this.set(value());
      },
    });
  }
}

// prom-client's own histogram is observed value by value; this one is read from our buckets.
class LatencyHistogram {
  readonly name = "skr8tr_ingress_request_seconds";
  readonly help = "Time from a request's head to the end of its response.";
  readonly type = "histogram";
  readonly aggregator = "sum";

  constructor(
    private readonly metrics: Metrics,
    private readonly labels: (stat: Stat) => Record<string, string>,
  ) {}

  reset(): void {}

  get(): Promise<unknown> {
    const values: { value: number; labels: Record<string, string | number>; metricName: string }[] =
      [];
    for (const stat of this.metrics.allStats()) {
      const labels = this.labels(stat);
      let below = 0;
      BUCKETS.forEach((le, at) => {
        below += stat.buckets[at]!;
        values.push({ value: below, labels: { le, ...labels }, metricName: `${this.name}_bucket` });
      });
      below += stat.buckets[BUCKETS.length]!;
      values.push({
        value: below,
        labels: { le: "+Inf", ...labels },
        metricName: `${this.name}_bucket`,
      });
      values.push({ value: stat.seconds, labels, metricName: `${this.name}_sum` });
      values.push({ value: below, labels, metricName: `${this.name}_count` });
    }
    const { name, help, type, aggregator } = this;
    return Promise.resolve({ name, help, type, aggregator, values });
  }
}
