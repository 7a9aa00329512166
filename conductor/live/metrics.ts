import { Counter, Gauge, Registry } from "prom-client";
import type { Udp } from "../../core/live/udp.ts";
import type { ConductorMachine } from "../machine.ts";

/** The conductor's Prometheus metrics. */
export class Metrics {
  readonly #registry = new Registry();
  readonly ignored: Counter;
  readonly #sockets = new Map<string, Udp["counters"]>();

  constructor(machine: ConductorMachine) {
    const registers = [this.#registry];
    new Gauge({
      name: "skr8tr_conductor_nodes",
      help: "Nodes by state.",
      labelNames: ["state"],
      registers,
      collect() {
        this.reset();
        for (const node of machine.fleet.values()) this.inc({ state: node.state });
      },
    });
    new Gauge({
      name: "skr8tr_conductor_replicas",
      help: "Replicas by app and state.",
      labelNames: ["app", "state"],
      registers,
      collect() {
        this.reset();
        for (const node of machine.fleet.values()) {
          for (const { app, state } of node.statuses.values()) this.inc({ app, state });
        }
      },
    });
    new Gauge({
      name: "skr8tr_conductor_log_sequence",
      help: "Sequence of the last entry of the log.",
      registers,
      collect() {
        this.set(machine.state.head.sequence);
      },
    });
    const datagrams = new Counter({
      name: "skr8tr_conductor_datagrams_total",
      help: "Datagrams by socket and by what became of them.",
      labelNames: ["socket", "outcome"],
      registers,
      collect: () => {
        datagrams.reset();
        for (const [socket, counters] of this.#sockets) {
          const { received, dropped, sent, sendFailed } = counters;
          datagrams.inc({ socket, outcome: "taken" }, received - dropped);
          datagrams.inc({ socket, outcome: "dropped" }, dropped);
          datagrams.inc({ socket, outcome: "sent" }, sent);
          datagrams.inc({ socket, outcome: "send_failed" }, sendFailed);
        }
      },
    });
    this.ignored = new Counter({
      name: "skr8tr_conductor_commands_ignored_total",
      help: "Commands that were dropped without an answer.",
      registers,
    });
  }

  /** Adds a socket's counters. */
  count(socket: string, counters: Udp["counters"]): void {
    this.#sockets.set(socket, counters);
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
