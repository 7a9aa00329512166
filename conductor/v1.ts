// Replies to plain reads, as the original gives them.

import type { Instant } from "../core/instant.ts";
import type { ConductorMachine } from "./machine.ts";

/** `OK|NODES|<n>|<node_id>:<ip>:<cpu_pct>:<ram_free_mb>[:GPU],...`, live nodes only. */
export function formatNodes(machine: ConductorMachine): string {
  const nodes = [...machine.fleet.values()].flatMap(({ id, state, beat }) => {
    if (state !== "ready" || !beat) return [];
    const ramFreeMb = Math.floor(beat.ramFreeBytes / 1024 / 1024);
    return [
      `${id}:${beat.host}:${Math.round(beat.cpuPercent)}:${ramFreeMb}${beat.gpu ? ":GPU" : ""}`,
    ];
  });
  for (const { id, host, cpuPercent, ramFreeMb, gpu, dead } of machine.v1Nodes.values()) {
    if (dead) continue;
    nodes.push(`${id}:${host}:${Math.round(cpuPercent)}:${ramFreeMb}${gpu ? ":GPU" : ""}`);
  }
  return `OK|NODES|${nodes.length}|${nodes.join(",")}`;
}

/** `OK|LIST|<n>|<app>:<node_id>:<pid>,...`, running replicas only. */
export function formatList(machine: ConductorMachine, now: Instant): string {
  const rows = [...machine.state.apps.values()].flatMap((app) =>
    machine.sightsOf(app, now).flatMap(({ placement, status }) =>
      status?.pid === undefined ? [] : [`${app.name}:${placement.node}:${status.pid}`]
    )
  );
  return `OK|LIST|${rows.length}|${rows.join(",")}`;
}
