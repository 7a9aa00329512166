import { Counter, Gauge, Registry } from "prom-client";
import type { IngressMachine } from "../machine.ts";
import type { Replica } from "../balance.ts";
import type { Destination } from "../route.ts";

/** Upper bounds of the latency histogram, in seconds. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** The figures of one route at one replica: plain numbers, because they are counted each request. */
export class Stat {
  /** Responses by class of status; index 1 to 5. */
  readonly classes = new Float64Array(6);
  readonly buckets = new Float64Array(BUCKETS.length + 1);
  seconds = 0;
  retries = 0;
  bytesOut = 0;

  constructor(readonly app: string, readonly route: string, readonly replica: string) {}

  count(status: number, elapsedMs: number, bytesOut: number): void {
    this.classes[status < 600 ? (status / 100) | 0 : 5]!++;
    const seconds = elapsedMs / 1000;
    this.seconds += seconds;
    this.bytesOut += bytesOut;
    let bucket = 0;
    while (bucket < BUCKETS.length && seconds > BUCKETS[bucket]!) bucket++;
    this.buckets[bucket]!++;
  }

  get total(): number {
    let total = 0;
    for (const count of this.classes) total += count;
    return total;
  }
}

/** Most pairs of route and replica kept; the oldest replicas' are folded into `replica="past"`. */
const STATS = 5_000;

/** What the ingress counts, and its Prometheus text. */
export class Metrics {
  readonly registry = new Registry();
  /** Answers of our own, by status: no route, no replica, bad request and so on. */
  readonly own = new Map<number, number>();
  connections = 0;
  refusedConnections = 0;
  badResponses = 0;
  tlsFailures = 0;
  /** When each certificate ends, ms since 1970. */
  certificates: () => Iterable<readonly [name: string, validToMs: number]> = () => [];
  private readonly stats = new Map<string, Stat>();

  constructor(private readonly machine: IngressMachine) {
    this.register();
  }

  /** The figures of a route at a replica. */
  statOf(destination: Destination, replica: Replica): Stat {
    let byReplica = destination.attached as Map<Replica, Stat> | undefined;
    if (byReplica === undefined) destination.attached = byReplica = new Map();
    let stat = byReplica.get(replica);
    if (stat === undefined) byReplica.set(replica, stat = this.make(destination, replica));
    return stat;
  }

  private make(destination: Destination, replica: Replica): Stat {
    const { app, host, path } = destination.route;
    const route = `${host ?? ""}${path}`;
    const id = replica.endpoint.replica;
    const key = `${app} ${route} ${id}`;
    let stat = this.stats.get(key);
    if (stat === undefined) {
      if (this.stats.size >= STATS) this.foldOldest();
      this.stats.set(key, stat = new Stat(app, route, id));
    }
    return stat;
  }

  private foldOldest(): void {
    const [key, oldest] = this.stats.entries().next().value!;
    this.stats.delete(key);
    const pastKey = `${oldest.app} ${oldest.route} past`;
    const past = this.stats.get(pastKey) ?? new Stat(oldest.app, oldest.route, "past");
    // Set anew, so that it is the youngest and not folded next.
    this.stats.delete(pastKey);
    this.stats.set(pastKey, past);
    oldest.classes.forEach((count, at) => past.classes[at]! += count);
    oldest.buckets.forEach((count, at) => past.buckets[at]! += count);
    past.seconds += oldest.seconds;
    past.retries += oldest.retries;
    past.bytesOut += oldest.bytesOut;
  }

  /** A replica is gone for good. */
  forget(replica: Replica): void {
    for (const destination of this.machine.routes.destinations) {
      (destination.attached as Map<Replica, Stat> | undefined)?.delete(replica);
    }
  }

  /** We answered by ourselves. */
  answered(status: number): void {
    this.own.set(status, (this.own.get(status) ?? 0) + 1);
  }

  private register(): void {
    const registers = [this.registry];
    const labelNames = ["app", "route", "replica"];
    const { stats, machine, own } = this;
    const labels = (stat: Stat) => ({ app: stat.app, route: stat.route, replica: stat.replica });
    new Counter({
      name: "skr8tr_ingress_requests_total",
      help: "Requests answered by replicas, by class of status.",
      labelNames: [...labelNames, "status"],
      registers,
      collect() {
        this.reset();
        for (const stat of stats.values()) {
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
        for (const stat of stats.values()) this.inc(labels(stat), stat.retries);
      },
    });
    new Counter({
      name: "skr8tr_ingress_sent_bytes_total",
      help: "Bytes of responses sent to clients.",
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const stat of stats.values()) this.inc(labels(stat), stat.bytesOut);
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
    this.gauge("skr8tr_ingress_connections", "Open client connections.", () => this.connections);
    this.gauge(
      "skr8tr_ingress_watch_connected",
      "1 while the tower's watch stream stands.",
      () => machine.summary().connected ? 1 : 0,
    );
    // deno-lint-ignore no-this-alias -- prom-client calls `collect` with its own `this`
    const self = this;
    for (
      const [name, help, value] of [
        ["bad_responses", "Responses of replicas that were not HTTP.", () => self.badResponses],
        ["tls_failures", "TLS handshakes that failed.", () => self.tlsFailures],
        [
          "refused_connections",
          "Connections that could not be taken.",
          () => self.refusedConnections,
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
        for (const [name, validToMs] of self.certificates()) this.set({ name }, validToMs / 1000);
      },
    });
    this.registry.registerMetric(
      new LatencyHistogram(stats, labels) as unknown as Parameters<Registry["registerMetric"]>[0],
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
    private readonly stats: ReadonlyMap<string, Stat>,
    private readonly labels: (stat: Stat) => Record<string, string>,
  ) {}

  reset(): void {}

  get(): Promise<unknown> {
    const values: { value: number; labels: Record<string, string | number>; metricName: string }[] =
      [];
    for (const stat of this.stats.values()) {
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
