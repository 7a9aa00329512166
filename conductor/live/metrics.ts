import { Counter, Gauge, Registry } from "prom-client";
import type { Udp } from "../../core/live/udp.ts";
import { addSealMetrics } from "../../core/live/seal_metrics.ts";
import type { SealMachine } from "../../core/seal/machine.ts";
import type { Instant } from "../../core/instant.ts";
import type { ConductorMachine } from "../machine.ts";
import { appViews } from "../views/views.ts";

/** What the metrics are made of, whenever somebody asks. */
export interface Measured {
  readonly machine: ConductorMachine;
  readonly now: Instant;
  readonly sockets: Readonly<Record<string, Udp["counters"]>>;
  /** Commands that were dropped without an answer. */
  readonly ignored: number;
  /** Absent where the mesh is open. */
  readonly seal?: SealMachine;
  /** Streams that it carries. */
  readonly streams: number;
}

/** The conductor's metrics as Prometheus text. */
export function conductorMetrics(
  { machine, now, sockets, ignored, streams, seal }: Measured,
): Promise<string> {
  const registry = new Registry();
  const registers = [registry];
  const nodes = new Gauge({
    name: "skr8tr_conductor_nodes",
    help: "Nodes by state.",
    labelNames: ["state"],
    registers,
  });
  const replicas = new Gauge({
    name: "skr8tr_conductor_replicas",
    help: "Replicas by app and state.",
    labelNames: ["app", "state"],
    registers,
  });
  for (const node of machine.fleet.values()) {
    nodes.inc({ state: node.state });
    for (const { app, state } of node.statuses.values()) replicas.inc({ app, state });
  }
  const replicasOf = (state: string, help: string) =>
    new Gauge({ name: `skr8tr_conductor_app_${state}`, help, labelNames: ["app"], registers });
  const wanted = replicasOf("wanted_replicas", "Replicas that an app shall have.");
  const ready = replicasOf("ready_replicas", "Replicas of an app's generation that are ready.");
  const apps = new Gauge({
    name: "skr8tr_conductor_apps",
    help: "Apps by how they are, as skr8tr status says it.",
    labelNames: ["state"],
    registers,
  });
  for (const state of ["ready", "deploying", "degraded", "failing", "down"]) apps.set({ state }, 0);
  for (const view of appViews(machine, now)) {
    wanted.set({ app: view.app }, view.wanted);
    ready.set({ app: view.app }, view.ready);
    apps.inc({ state: view.state });
  }
  new Gauge({
    name: "skr8tr_conductor_log_sequence",
    help: "Sequence of the last entry of the log.",
    registers,
  }).set(machine.state.head.sequence);
  const datagrams = new Counter({
    name: "skr8tr_conductor_datagrams_total",
    help: "Datagrams by socket and by what became of them.",
    labelNames: ["socket", "outcome"],
    registers,
  });
  for (const [socket, { received, dropped, sent, sendFailed }] of Object.entries(sockets)) {
    datagrams.inc({ socket, outcome: "taken" }, received - dropped);
    datagrams.inc({ socket, outcome: "dropped" }, dropped);
    datagrams.inc({ socket, outcome: "sent" }, sent);
    datagrams.inc({ socket, outcome: "send_failed" }, sendFailed);
  }
  new Counter({
    name: "skr8tr_conductor_commands_ignored_total",
    help: "Commands that were dropped without an answer.",
    registers,
  }).inc(ignored);
  addSealMetrics("conductor", { Counter, Gauge }, registry, () => seal);
  new Gauge({
    name: "skr8tr_conductor_streams",
    help: "Streams of operators to replicas that it carries.",
    registers,
  }).set(streams);
  return registry.metrics();
}
