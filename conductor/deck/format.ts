/** How the deck says times, sizes and rates. */

import type { Exit } from "../../core/mesh.ts";

/** A span in its largest unit: `320 ms`, `12 s`, `5 min`, `3 h`, `4 d`. */
export function span(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 60_000) return `${Math.round(ms / 1_000)} s`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 86_400_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${Math.round(ms / 86_400_000)} d`;
}

/** A size in binary units: `3.8 GiB`. */
export function size(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_024;
    unit++;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** The local time of day. */
export function clock(wallMs: number): string {
  return new Date(wallMs).toLocaleTimeString("en-GB");
}

/** A rate or a time with as many digits as say something: `0.4`, `12`, `3.2k`. */
export function short(value: number): string {
  if (value >= 10_000) return `${Math.round(value / 1_000)}k`;
  if (value >= 1_000) return `${(value / 1_000).toFixed(1)}k`;
  if (value >= 10 || value === 0) return String(Math.round(value));
  return value.toFixed(1);
}

/** How a process ended. */
export function ending(exit: Exit): string {
  const how = exit.signal ?? (exit.code === undefined ? "no exit code" : `exit code ${exit.code}`);
  return exit.why === "exit" ? how : `${exit.why}, ${how}`;
}

/** How many there were: `7`, `3.2k`. */
export function count(number: number): string {
  return number < 1_000 ? String(number) : short(number);
}

/** How long something took: `0.4 ms`, `12 ms`, `1.2 s`. */
export function took(ms: number): string {
  if (ms < 10) return `${Number(ms.toFixed(1))} ms`;
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** What stands before and after a word's first place in a text; where it is not there, it stands before all. */
export function around(text: string, word: string): [before: string, after: string] {
  const at = text.indexOf(word);
  if (at < 0) return ["", ` ${text}`];
  return [text.slice(0, at), text.slice(at + word.length)];
}
