// How times, sizes and states are said.

import type { AppView, ReplicaView } from "../../core/view.ts";
import type { Exit } from "../../core/mesh.ts";
import type { Paint } from "../output.ts";

/** A span of time in at most two units: `320 ms`, `4 s`, `2m 5s`, `3h 12m`, `4d 2h`. */
export function span(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ${seconds % 60}s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours}h ${minutes % 60}m`;
  return `${Math.floor(hours / 24)}d ${hours % 24}h`;
}

/** A size in the unit that leaves at most four digits: `181 MiB`. */
export function size(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1_024 && unit < units.length - 1) {
    value /= 1_024;
    unit++;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** The local time of day, with the date where it is not today's. */
export function clockTime(wallMs: number, nowMs: number): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const at = new Date(wallMs);
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  if (at.toDateString() === new Date(nowMs).toDateString()) return time;
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`;
}

/** How a process ended: `exit code 3`, `killed by SIGKILL`, `cannot be started`. */
export function exitText(exit: Exit): string {
  const end = exit.signal !== undefined
    ? `killed by ${exit.signal}`
    : exit.code !== undefined
    ? `exit code ${exit.code}`
    : "exit code unknown";
  switch (exit.why) {
    case "launch":
      return "cannot be started";
    case "unhealthy":
      return `unhealthy, ${end}`;
    case "oom":
      return `out of memory, ${end}`;
    case "timeout":
      return `over its time, ${end}`;
    case "lost":
      return "vanished";
    case "stopped":
      return `stopped, ${end}`;
    case "exit":
      return end;
    default:
      return exit.why satisfies never;
  }
}

/** Colours a state by what it means. */
export function stateColor(state: AppView["state"] | ReplicaView["state"] | "dead", paint: Paint) {
  switch (state) {
    case "ready":
      return paint.good;
    case "failing":
    case "unreachable":
    case "dead":
      return paint.bad;
    case "degraded":
    case "deploying":
    case "waiting":
    case "starting":
    case "placed":
      return paint.warn;
    case "stopping":
    case "finished":
    case "stopped":
    case "down":
      return paint.faint;
    default:
      return state satisfies never;
  }
}

/** Where a replica listens: `127.0.0.11:8001`. */
export function replicaAddress(replica: ReplicaView): string {
  return replica.port === undefined ? replica.host : `${replica.host}:${replica.port}`;
}

/** `1 replica`, `2 replicas`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
