// Replies to plain reads, as the original gives them.

import type { Instant } from "../../core/instant.ts";
import type { ConductorMachine } from "../machine.ts";

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

/**
 * `OK|LIST|<n>|<app>:<node_id>:<pid>,...`, running replicas only.
 *
 * @param most characters after which no further app is looked through: the reply is cut there anyway;
 *   of the apps behind it `<n>` counts the replicas that are ready
 */
export function formatList(machine: ConductorMachine, now: Instant, most = Infinity): string {
  const rows: string[] = [];
  let length = 0;
  let unlisted = 0;
  for (const app of machine.state.apps.values()) {
    if (length > most) {
      unlisted += machine.readyOf(app);
      continue;
    }
    for (const { placement, status } of machine.sightsOf(app, now)) {
      if (status?.pid === undefined) continue;
      const row = `${app.name}:${placement.node}:${status.pid}`;
      length += row.length + 1;
      rows.push(row);
    }
  }
  return `OK|LIST|${rows.length + unlisted}|${rows.join(",")}`;
}
