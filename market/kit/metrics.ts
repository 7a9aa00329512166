// Counters and histograms in the Prometheus text format. The daemons use prom-client; importing it
// takes 80 ms, several times the start of a whole service, and a replica's start is what a shopper
// waits for after a crash. These few lines cost nothing.

/** Upper bounds of the request histogram, in seconds. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

interface Series {
  readonly labels: string;
  readonly counts: number[];
  sum: number;
}

export interface Metrics {
  /** Counts one answered request; `seconds` is what it took. */
  request(method: string, route: string, status: number, seconds: number): void;
  /** Adds to a counter of the service's own, made at its first use. */
  count(name: string, help: string, by?: number): void;
  /** A value read when somebody looks. */
  gauge(name: string, help: string, read: () => number): void;
  /** The Prometheus text format, version 0.0.4. */
  text(): string;
}

/** Creates the metrics of one service; `service` becomes a label of every sample. */
export function createMetrics(service: string): Metrics {
  const own = `service="${service}"`;
  const series = new Map<string, Series>();
  const counters = new Map<string, { help: string; value: number }>();
  const gauges = new Map<string, { help: string; read: () => number }>();
  return {
    request(method, route, status, seconds) {
      const labels = `${own},method="${method}",route="${escape(route)}",status="${status}"`;
      let entry = series.get(labels);
      if (!entry) {
        entry = { labels, counts: new Array(BUCKETS.length + 1).fill(0), sum: 0 };
        series.set(labels, entry);
      }
      const bucket = BUCKETS.findIndex((bound) => seconds <= bound);
      const at = bucket === -1 ? BUCKETS.length : bucket;
      entry.counts[at] = (entry.counts[at] ?? 0) + 1;
      entry.sum += seconds;
    },
    count(name, help, by = 1) {
      const counter = counters.get(name);
      if (counter) counter.value += by;
      else counters.set(name, { help, value: by });
    },
    gauge: (name, help, read) => void gauges.set(name, { help, read }),
    text() {
      const lines = histogramLines("http_request_duration_seconds", series.values());
      for (const [name, { help, value }] of counters) {
        lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} counter`, `${name}{${own}} ${value}`);
      }
      for (const [name, { help, read }] of gauges) {
        lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, `${name}{${own}} ${read()}`);
      }
      return lines.join("\n") + "\n";
    },
  };
}

function histogramLines(name: string, all: Iterable<Series>): string[] {
  const lines = [`# HELP ${name} Time to answer a request.`, `# TYPE ${name} histogram`];
  for (const { labels, counts, sum } of all) {
    let total = 0;
    counts.forEach((count, at) => {
      total += count;
      lines.push(`${name}_bucket{${labels},le="${BUCKETS[at] ?? "+Inf"}"} ${total}`);
    });
    lines.push(`${name}_sum{${labels}} ${sum}`, `${name}_count{${labels}} ${total}`);
  }
  return lines;
}

function escape(label: string): string {
  return label.replace(/[\\"\n]/g, (char) => char === "\n" ? "\\n" : `\\${char}`);
}
