// What happened to the sealed datagrams of a daemon, as Prometheus has it.

import type { Counter, Gauge, Registry } from "prom-client";
import type { SealMachine } from "../seal/machine.ts";

/** What of prom-client is wanted; it is loaded only where somebody scrapes. */
interface Prometheus {
  readonly Counter: typeof Counter;
  readonly Gauge: typeof Gauge;
}

/**
 * Adds the figures of the seal.
 *
 * @param daemon part of their names: `conductor`
 * @param machine absent where the mesh is open: then all are zero
 */
export function addSealMetrics(
  daemon: string,
  { Counter, Gauge }: Prometheus,
  registry: Registry,
  machine: () => SealMachine | undefined,
): void {
  const registers = [registry];
  new Gauge({
    name: `skr8tr_${daemon}_seal_sessions`,
    help: "Sessions of the sealed mesh that are heard now.",
    registers,
    collect() {
      this.set(machine()?.sessions ?? 0);
    },
  });
  new Counter({
    name: `skr8tr_${daemon}_seal_handshakes_total`,
    help: "Handshakes of the sealed mesh by what became of them.",
    labelNames: ["outcome"],
    registers,
    collect() {
      const { met = 0, strangers = 0, retries = 0 } = machine()?.counters ?? {};
      this.reset();
      this.inc({ outcome: "completed" }, met);
      this.inc({ outcome: "refused" }, strangers);
      this.inc({ outcome: "asked_again" }, retries);
    },
  });
  new Counter({
    name: `skr8tr_${daemon}_seal_datagrams_total`,
    help: "Sealed datagrams by what became of them.",
    labelNames: ["outcome"],
    registers,
    collect() {
      const counted = machine()?.counters;
      this.reset();
      for (const outcome of ["delivered", "sent", "forged", "replayed", "unsent"] as const) {
        this.inc({ outcome }, counted?.[outcome] ?? 0);
      }
    },
  });
}
