/**
 * Nodes whose clocks are wrong. Nothing between the daemons depends on them, so nothing stops; but what
 * they write down misleads, and they judge by them how old an operator's request for a stream is.
 */

import { CLOCK_OFF_MS, SIGNED_WINDOW_S } from "../../core/limits.ts";
import type { FleetNode } from "./fleet.ts";

/** How far the clock of a node that is heard is off, in ms; `undefined` where it is near enough. */
export function clockOffMs({ state, clockOffMs }: FleetNode): number | undefined {
  return state === "ready" && Math.abs(clockOffMs) >= CLOCK_OFF_MS ? clockOffMs : undefined;
}

/** What that means, and what helps. */
export function clockText(node: string, offMs: number): string {
  const off = `${Math.round(Math.abs(offMs) / 1000)} s ${offMs > 0 ? "ahead of" : "behind"}`;
  const refuses = Math.abs(offMs) > SIGNED_WINDOW_S * 1_000
    ? "its times are wrong, and it refuses exec, cp and port-forward"
    : "its times are wrong";
  return `the clock of ${node} is ${off} the conductor's: ${refuses}; run an NTP client there`;
}
