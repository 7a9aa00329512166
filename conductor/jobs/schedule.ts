// When a schedule is due. Times go in and come out: nothing here has a clock of its own.

import { Cron } from "croner";
import { plainCron } from "../../core/manifest/cron.ts";
import type { ScheduleSpec } from "../../core/manifest/spec.ts";

type Schedule = Pick<ScheduleSpec, "cron" | "timezone">;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/**
 * The first tick after a moment, in wall ms; `null` where there is none any more.
 *
 * Where clocks are put forward, a fixed hour that does not exist (`30 2 * * *`) fires as much later
 * as the clock jumps; where they are put back, an hour that comes twice fires at its first. A
 * schedule for any hour (`*`, `*` with a step) follows the time that passes, not the clock's hands.
 */
export function nextTick(schedule: Schedule, afterMs: number): number | null {
  const zone = schedule.timezone ?? "UTC";
  if (!hasFixedHour(schedule.cron)) return runAfter(schedule.cron, zone, afterMs);
  let wall = wallAt(afterMs, zone) - 3 * HOUR_MS;
  for (;;) {
    const next = runAfter(schedule.cron, "UTC", wall);
    if (next === null) return null;
    const instant = instantOf(next, zone);
    if (instant > afterMs) return instant;
    wall = next;
  }
}

/** The ticks after one moment up to another, both in wall ms: the first `limit`. */
export function ticksBetween(
  schedule: Schedule,
  afterMs: number,
  untilMs: number,
  limit: number,
): number[] {
  const ticks: number[] = [];
  for (let at = afterMs; ticks.length < limit;) {
    const next = nextTick(schedule, at);
    if (next === null || next > untilMs) break;
    ticks.push(next);
    at = next;
  }
  return ticks;
}

function hasFixedHour(cron: string): boolean {
  return !cron.split(" ")[1]!.startsWith("*");
}

const parsed = new Map<string, Cron>();

function runAfter(cron: string, timezone: string, afterMs: number): number | null {
  const key = `${cron}|${timezone}`;
  let known = parsed.get(key);
  if (!known) {
    if (parsed.size >= 1_000) parsed.clear();
    known = new Cron(plainCron(cron), { timezone, paused: true });
    parsed.set(key, known);
  }
  return known.nextRun(new Date(afterMs))?.getTime() ?? null;
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** What a clock on the wall shows in a zone, as if that were UTC. */
function wallAt(instantMs: number, zone: string): number {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-u-hc-h23", {
      timeZone: zone,
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    formats.set(zone, format);
  }
  const of = new Map(
    format.formatToParts(instantMs).map((part) => [part.type, Number(part.value)]),
  );
  const [year = 0, month = 1, day, hour, minute, second] =
    (["year", "month", "day", "hour", "minute", "second"] as const).map((type) => of.get(type));
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

/** The first moment at which a zone's clock shows this; in a gap, as if the clock went on. */
function instantOf(wall: number, zone: string): number {
  const before = wall - (wallAt(wall - DAY_MS, zone) - (wall - DAY_MS));
  const after = wall - (wallAt(wall + DAY_MS, zone) - (wall + DAY_MS));
  const real = [before, after].filter((each) => wallAt(each, zone) === wall);
  return real.length === 0 ? before : Math.min(...real);
}
