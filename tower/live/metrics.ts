import { Counter, Gauge, Registry } from "prom-client";
import { addSealMetrics } from "../../core/live/seal_metrics.ts";
import type { SealMachine } from "../../core/seal/machine.ts";
import type { Udp } from "../../core/live/udp.ts";
import type { TowerMachine } from "../machine.ts";

/** What `/metrics` reports beyond the machine itself. */
export interface MetricSources {
  readonly machine: TowerMachine;
  readonly udp: () => Udp["counters"];
  /** Nothing where the mesh is open. */
  readonly seal: () => SealMachine | undefined;
  /** DNS questions answered so far, by response code. */
  readonly dns: () => ReadonlyMap<string, number>;
  /** Watchers closed because they did not read. */
  readonly slowWatchers: () => number;
  readonly startedWallMs: number;
}

/** The tower's Prometheus metrics; values are read when they are asked for. */
export function createMetrics(sources: MetricSources): Registry {
  const register = new Registry();
  gauges(register, sources);
  counters(register, sources);
  addSealMetrics("tower", { Counter, Gauge }, register, sources.seal);
  return register;
}

function gauges(register: Registry, { machine, startedWallMs }: MetricSources): void {
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers: [register],
      collect() {
        this.set(read());
      },
    });
  const { registry, watch, drains } = machine;
  gauge("skr8tr_tower_endpoints", "Ready replicas listed.", () => registry.size);
  gauge("skr8tr_tower_apps", "Apps with at least one ready replica.", () => registry.appCount);
  gauge("skr8tr_tower_nodes", "Nodes that hold a lease.", () => registry.nodeCount);
  gauge("skr8tr_tower_routes", "Routes in the published table.", () => watch.routes.length);
  gauge("skr8tr_tower_revision", "Revision of the watch stream.", () => watch.revision);
  gauge(
    "skr8tr_tower_complete",
    "1 once every live node has had time to register since the tower started.",
    () => watch.isComplete ? 1 : 0,
  );
  gauge("skr8tr_tower_draining", "Replicas leaving and not drained yet.", () => drains.waiting);
  gauge(
    "skr8tr_tower_live_ingresses",
    "Ingresses within their lease, which draining waits for.",
    () => drains.liveIngresses,
  );
  new Gauge({
    name: "skr8tr_tower_watchers",
    help: "Open watch streams.",
    labelNames: ["role"],
    registers: [register],
    collect() {
      for (const role of ["ingress", "conductor", "client"] as const) {
        this.set({ role }, watch.count(role));
      }
    },
  });
  gauge(
    "process_resident_memory_bytes",
    "Resident memory of the process.",
    () => Deno.memoryUsage().rss,
  );
  gauge(
    "process_start_time_seconds",
    "Unix time at which the process started.",
    () => startedWallMs / 1_000,
  );
}

function counters(register: Registry, sources: MetricSources): void {
  const { machine } = sources;
  const counter = (name: string, help: string, read: () => number) =>
    new Counter({
      name,
      help,
      registers: [register],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  const labelled = (
    name: string,
    help: string,
    label: string,
    read: () => Iterable<readonly [string, number]>,
  ) =>
    new Counter({
      name,
      help,
      labelNames: [label],
      registers: [register],
      collect() {
        this.reset();
        for (const [value, count] of read()) this.inc({ [label]: value }, count);
      },
    });
  const udp = sources.udp;
  counter(
    "skr8tr_tower_datagrams_received_total",
    "Datagrams received.",
    () => udp().received,
  );
  counter("skr8tr_tower_datagrams_sent_total", "Datagrams sent.", () => udp().sent);
  labelled(
    "skr8tr_tower_datagrams_dropped_total",
    "Datagrams dropped, by reason.",
    "reason",
    () => [
      ["malformed", udp().dropped],
      ["garbage", machine.counters.garbage],
      ["refused", machine.counters.refused],
      ["stale", machine.counters.stale],
      ["full", machine.counters.full],
      ["unsendable", udp().sendFailed],
    ],
  );
  labelled(
    "skr8tr_tower_messages_total",
    "Messages handled, by v1 verb or mesh kind.",
    "kind",
    () => machine.counters.handled,
  );
  counter(
    "skr8tr_tower_nodes_lapsed_total",
    "Nodes whose lease ran out.",
    () => machine.counters.nodesLapsed,
  );
  counter(
    "skr8tr_tower_drained_total",
    "Replicas that every live ingress has let go.",
    () => machine.counters.drained,
  );
  counter(
    "skr8tr_tower_slow_watchers_total",
    "Watch streams closed because their reader was too slow.",
    sources.slowWatchers,
  );
  labelled(
    "skr8tr_tower_dns_answers_total",
    "DNS answers, by response code.",
    "rcode",
    sources.dns,
  );
}
