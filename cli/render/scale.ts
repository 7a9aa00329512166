import type { ScaleView } from "../../core/view.ts";

/** `scales from 2 to 4; 35 % of its cpu, 12.5 requests/s`, or that it sleeps; nothing without a scale. */
export function scaleLines(scale: ScaleView | undefined): string[] {
  if (!scale) return [];
  if (scale.asleep) return ["asleep: nobody asks for it; the next request wakes it"];
  const { min, max, cpuPercent, requestsPerSecond } = scale;
  const load = [
    ...(cpuPercent === undefined ? [] : [`${cpuPercent} % of its cpu`]),
    ...(requestsPerSecond === undefined ? [] : [`${requestsPerSecond} requests/s`]),
  ];
  const bounds = `scales from ${min} to ${max}`;
  return [load.length === 0 ? bounds : `${bounds}; ${load.join(", ")}`];
}
