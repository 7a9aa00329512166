import { Counter, Gauge, Registry } from "prom-client";
import type { Udp } from "../../core/live/udp.ts";
import type { ConductorMachine } from "../machine.ts";

/** What the metrics are made of, whenever somebody asks. */
export interface Measured {
  readonly machine: ConductorMachine;
  readonly sockets: Readonly<Record<string, Udp["counters"]>>;
  /** Commands that were dropped without an answer. */
  readonly ignored: number;
}

/** The conductor's metrics as Prometheus text. */
export function conductorMetrics({ machine, sockets, ignored }: Measured): Promise<string> {
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
  return registry.metrics();
}
