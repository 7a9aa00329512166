import type { Instant } from "../../core/instant.ts";
import type { ScaleView } from "../../core/view.ts";
import type { ConductorMachine } from "../machine.ts";
import { wantedOf } from "../reconcile.ts";
import { type App, currentOf } from "../state.ts";

/** How the app is loaded, if it scales by itself. */
export function scaleView(
  machine: ConductorMachine,
  app: App,
  now: Instant,
): { readonly scale?: ScaleView } {
  const { scale } = currentOf(app).spec;
  if (!scale) return {};
  const cpuPercent = machine.autoscale.cpuPercentOf(app.name);
  const { traffic } = machine;
  const perSecond = traffic.isHeard(now.monoMs)
    ? { requestsPerSecond: round(traffic.ratePerSecond(app.name, now.monoMs)) }
    : {};
  return {
    scale: {
      min: scale.min,
      max: scale.max,
      asleep: !app.down && !app.stopped && wantedOf(app) === 0,
      ...(cpuPercent === undefined ? {} : { cpuPercent: round(cpuPercent) }),
      ...perSecond,
    },
  };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
