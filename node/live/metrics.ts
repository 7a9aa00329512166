// The node's figures for Prometheus, made when they are asked for.

import { REPLICA_STATES } from "../../core/mesh.ts";
import type { MeshUdp } from "../../core/live/mesh_udp.ts";
import { addSealMetrics } from "../../core/live/seal_metrics.ts";
import type { NodeMachine } from "../machine.ts";

/** What the figures are made of. */
export interface MetricsSource {
  readonly machine: NodeMachine;
  readonly udp: MeshUdp;
  readonly plain: { readonly counters: { readonly answered: number; readonly ignored: number } };
  readonly prober: { readonly replacements: number };
  readonly streams: { readonly open: number };
  readonly autoscaler: { readonly replacements: number };
  /** What running replicas use now. */
  uses(): Promise<readonly ReplicaUse[]>;
}

export interface ReplicaUse {
  readonly app: string;
  readonly replica: string;
  readonly cpuS: number;
  readonly residentBytes: number;
}

/** The node's figures as Prometheus text. */
export async function nodeMetrics(source: MetricsSource): Promise<string> {
  // Loaded only where somebody scrapes: it costs memory that most nodes can keep.
  const { Registry, Gauge, Counter } = (await import("prom-client")).default;
  const registry = new Registry();
  const registers = [registry];
  const statuses = source.machine.statuses();
  const replicas = new Gauge({
    name: "skr8tr_node_replicas",
    help: "Replicas on this node by state",
    labelNames: ["state"],
    registers,
  });
  for (const state of REPLICA_STATES) {
    replicas.set({ state }, statuses.filter((each) => each.state === state).length);
  }
  const restarts = new Counter({
    name: "skr8tr_node_restarts_total",
    help: "Restarts of the replicas that are on this node",
    labelNames: ["app", "replica"],
    registers,
  });
  for (const { app, replica, restarts: count } of statuses) restarts.inc({ app, replica }, count);
  new Gauge({
    name: "skr8tr_node_streams",
    help: "Streams of operators to replicas on this node that are open",
    registers,
  }).set(source.streams.open);
  const { counters } = source.udp;
  const datagrams = new Counter({
    name: "skr8tr_node_datagrams_total",
    help: "Datagrams by what became of them",
    labelNames: ["result"],
    registers,
  });
  datagrams.inc({ result: "received" }, counters.received);
  datagrams.inc({ result: "dropped" }, counters.dropped);
  datagrams.inc({ result: "sent" }, counters.sent);
  datagrams.inc({ result: "send-failed" }, counters.sendFailed);
  const plain = new Counter({
    name: "skr8tr_node_plain_commands_total",
    help: "Plain v1 commands by what became of them",
    labelNames: ["result"],
    registers,
  });
  plain.inc({ result: "answered" }, source.plain.counters.answered);
  plain.inc({ result: "ignored" }, source.plain.counters.ignored);
  new Counter({
    name: "skr8tr_node_health_workers_replaced_total",
    help: "Health workers that failed and were replaced",
    registers,
  }).inc(source.prober.replacements);
  new Counter({
    name: "skr8tr_node_autoscale_workers_replaced_total",
    help: "Autoscale workers that failed and were replaced",
    registers,
  }).inc(source.autoscaler.replacements);
  const labelNames = ["app", "replica"];
  const cpu = new Counter({
    name: "skr8tr_node_replica_cpu_seconds_total",
    help: "CPU that a replica's process group has used since its start",
    labelNames,
    registers,
  });
  const resident = new Gauge({
    name: "skr8tr_node_replica_resident_bytes",
    help: "Resident memory of a replica's process group",
    labelNames,
    registers,
  });
  for (const { app, replica, cpuS, residentBytes } of await source.uses()) {
    cpu.inc({ app, replica }, cpuS);
    resident.set({ app, replica }, residentBytes);
  }
  const { cpuPercent, ramTotalBytes, ramFreeBytes } = source.machine.load;
  const gauge = (name: string, help: string, value: number) =>
    new Gauge({ name, help, registers }).set(value);
  gauge("skr8tr_node_cpu_percent", "CPU use of the machine", cpuPercent);
  gauge("skr8tr_node_ram_bytes", "RAM of the machine", ramTotalBytes);
  gauge("skr8tr_node_ram_free_bytes", "RAM available on the machine", ramFreeBytes);
  gauge("skr8tr_node_log_sequence", "Last record of the log known here", source.machine.sequence);
  addSealMetrics("node", { Counter, Gauge }, registry, () => source.udp.machine);
  return await registry.metrics();
}
