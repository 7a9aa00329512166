import { Counter, Gauge, Registry } from "prom-client";
import type { ConductorMachine } from "../machine.ts";

/** The conductor's Prometheus metrics. */
export class Metrics {
  readonly #registry = new Registry();
  readonly ignored: Counter;

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
    this.ignored = new Counter({
      name: "skr8tr_conductor_commands_ignored_total",
      help: "Commands that were dropped without an answer.",
      registers,
    });
  }

  /** Adds a socket's counters. */
  count(
    socket: string,
    counters: { readonly received: number; readonly dropped: number; readonly sendFailed: number },
  ): void {
    for (const kind of ["received", "dropped", "sendFailed"] as const) {
      const name = kind === "sendFailed" ? "send_failures" : kind;
      new Counter({
        name: `skr8tr_conductor_${socket}_datagrams_${name}_total`,
        help: `Datagrams ${kind === "sendFailed" ? "that could not be sent" : kind} (${socket}).`,
        registers: [this.#registry],
        collect() {
          this.reset();
          this.inc(counters[kind]);
        },
      });
    }
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
